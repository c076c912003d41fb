/** Runs a TypeScript file of the sources in this thread: `node from-source.js FILE`. */
import { createRequire } from 'node:module';

// Where the sources have changed esbuild compiles them, else with a thread and a process of its own that stay.
process.env.ESBUILD_WORKER_THREADS ??= '0';
const require = createRequire(import.meta.url);
require('tsx/cjs');
require(process.argv[2]);
