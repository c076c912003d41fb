/** A process that starts an engine, prints the engine's process id, and waits to be killed. */
import { Engine } from '../../src/engine/supervisor.ts';
import { TINY_BUNDLE } from './golden.ts';

const engine = await Engine.start({ bundle: TINY_BUNDLE, threads: 1 });
process.stdout.write(`${engine.pid ?? 0}\n`);
setInterval(() => undefined, 1000);
