/**
 * Runs a file of this folder in a process of its own, started as the engine is, which answers one message with one
 * message.
 */
import { fileURLToPath } from 'node:url';
import { forkLean } from '../src/engine/child.ts';

export function inProcess<Result>(file: string, task: object): Promise<Result> {
  const child = forkLean(fileURLToPath(new URL(file, import.meta.url)), {
    // stdout is for the results only.
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
