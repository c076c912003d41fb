/** Runs a TypeScript file of the sources in this thread: `node from-source.js FILE`. */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
require('tsx/cjs');
require(process.argv[2]);
