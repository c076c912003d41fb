import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { SighupHandler } from '../../src/cli/sighup.ts';
import { startProgram, workplace } from '../support/cli.ts';

const place = workplace();

test('Hang-ups before `begin` cause one action then; those during an action cause one more after it', async () => {
  const sighup = new SighupHandler();
  const acts: (() => void)[] = [];
  const hear = (): void => void process.emit('SIGHUP');
  hear();
  hear();
  sighup.begin(() => new Promise((resolve) => acts.push(resolve)));
  expect(acts).toHaveLength(1);
  hear();
  hear();
  expect(acts).toHaveLength(1);
  acts[0]?.();
  await expect.poll(() => acts.length).toBe(2);
  acts[1]?.();
  hear();
  await expect.poll(() => acts.length).toBe(3);
});

/** Runs a program in a terminal, sends it SIGHUP, closes the terminal, and prints which signal ended the program. */
const TERMINAL = `
import os, pty, signal, sys
child, terminal = pty.fork()
if child == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
def until(text):
    seen = b''
    while text not in seen:
        seen += os.read(terminal, 4096)
until(b'ready')
os.kill(child, signal.SIGHUP)
until(b'acted')
os.close(terminal)
print('ended by signal', os.WTERMSIG(os.waitpid(child, 0)[1]))
`;

const hasTerminals = spawnSync('python3', ['-c', 'import pty']).status === 0;

test.skipIf(!hasTerminals)('Closing the terminal ends the program, as it would without a handler', async () => {
  const program = `
    import { SighupHandler } from './src/cli/sighup.ts';
    new SighupHandler().begin(async () => console.log('acted'));
    setInterval(() => undefined, 1000);
    console.log('ready');`;
  const node = [process.execPath, '--import', 'tsx', '--input-type=module', '-e', program];
  const started = startProgram('python3', ['-c', TERMINAL, ...node]);
  place.running.push(started);
  expect(await started.ended).toMatchObject({ status: 0, stdout: 'ended by signal 1\n' });
});
