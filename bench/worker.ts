/**
 * Runs a file of this folder in a process of its own, started in the same way as the engine. The process answers one
 * message with one message.
 */
import { fileURLToPath } from 'node:url';
import { forkLean } from '../src/engine/child.ts';

export function runInProcess<Result>(file: string, task: object): Promise<Result> {
  const child = forkLean(fileURLToPath(new URL(file, import.meta.url)), {
    // stdout is reserved for the results of the benches: the worker's output goes to stderr.
    stdio: ['ignore', 2, 2, 'ipc'],
    execArgv: ['--expose-gc'],
  });
  return new Promise((resolve, reject) => {
    let result: { readonly value: Result } | undefined;
    child.once('message', (message) => (result = { value: message as Result }));
    child.once('exit', (code, signal) => {
      if (result !== undefined) resolve(result.value);
      else reject(new Error(`${file} ended without a result (${signal ?? `exit code ${code ?? '?'}`}).`));
    });
    child.send(task);
  });
}
