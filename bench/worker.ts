/** Runs a file of this folder in a process of its own, which answers one message with one message. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export function inProcess<Result>(file: string, task: object): Promise<Result> {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), [], {
    // stdout is for the results only.
    stdio: ['ignore', 2, 2, 'ipc'],
    execArgv: [...process.execArgv, '--expose-gc'],
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
