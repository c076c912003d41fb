/** Runs a TypeScript file of the sources in this thread: `node from-source.js FILE`. */
import { createRequire } from 'node:module';

// esbuild compiles changed sources; by default it would keep a thread and a process of its own for that.
process.env.ESBUILD_WORKER_THREADS ??= '0';
const require = createRequire(import.meta.url);
require('tsx/cjs');
require(process.argv[2]);
