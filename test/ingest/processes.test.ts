/** ffmpeg and the process that started it: what signals do to each, and what they leave behind. */
import { chmod, mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { type FfmpegBinary, findFfmpeg } from '../../src/ingest/ffmpeg-binary.ts';
import { ffmpegInput } from '../../src/ingest/ffmpeg-input.ts';
import { FfmpegRun } from '../../src/ingest/ffmpeg.ts';
import { testPicture } from '../support/clips.ts';
import { interrupt, type Started, startProgram, workplace } from '../support/cli.ts';
import { descendants, running, untilGone } from '../support/processes.ts';

const place = workplace();

function startScript(script: string, env: Record<string, string> = {}): Started {
  const started = startProgram(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], env);
  place.running.push(started);
  return started;
}

/** Plays a source in a child process, which runs `onCtrlC` on SIGINT and `onFrame` after each frame. */
const playing = (source: object, onCtrlC: string, onFrame = ''): Started =>
  startScript(`
    import { parseDefinition } from './src/ingest/definition.ts';
    import { createSource } from './src/ingest/sources/create-source.ts';
    const definition = { name: 'test', source: ${JSON.stringify(source)}, sampling: { fps: 10 } };
    const source = createSource(parseDefinition(definition), { imageSize: 32 });
    let framesLeft = Infinity;
    process.on('SIGINT', () => { ${onCtrlC} });
    for await (const frame of source.frames()) { console.log('frame'); ${onFrame} }`);

/** Waits for the ffmpeg of a program that plays `address`, and returns its process id. */
async function ffmpegOf({ child }: Started, address: string): Promise<number> {
  for (;;) {
    const found = (await descendants(child.pid ?? 0)).find(({ command }) => command.includes(address));
    if (found !== undefined) return found.pid;
    await sleep(10);
  }
}

test('ffmpeg outlives a Ctrl-C and plays until its parent stops it', async () => {
  const file = await place.clips.make('ctrl-c.mp4', ...testPicture(20, 10));
  const program = playing(
    { file, loop: true },
    'framesLeft = 20;',
    'if (--framesLeft === 0) { console.log(`${source.status.reconnects} reconnects`); break; }',
  );
  await program.wrote(/frame/);
  interrupt(program);
  const { stdout } = await program.ended;
  expect(stdout).toContain('0 reconnects');
});

describe('ffmpeg ends when its parent', () => {
  test('exits, even while ffmpeg gets no input and so writes nothing', async () => {
    // Begins a response and never continues it.
    const server = createServer((_request, response) => response.write('a'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/live.ts`;
    const program = playing({ url }, 'process.exit();');
    const ffmpeg = await ffmpegOf(program, url);
    interrupt(program);
    await program.ended;
    // Sooner than ffmpeg would give up on the server.
    await untilGone([ffmpeg], 8_000);
    server.closeAllConnections();
    server.close();
  });

  test('is killed', async () => {
    const file = await place.clips.make('killed.mp4', ...testPicture(60, 10));
    const program = playing({ file, loop: true }, '');
    await program.wrote(/frame/);
    const ffmpeg = await ffmpegOf(program, file);
    program.child.kill('SIGKILL');
    await program.ended;
    await untilGone([ffmpeg]);
  });
});

test('A run ends with the error of a frame that could not be taken, and ffmpeg with it', async () => {
  const file = await place.clips.make('refused.mp4', ...testPicture(60, 10));
  const cause = new Error('There is no room.');
  let frames = 0;
  const run = new FfmpegRun({
    binary: await findFfmpeg(),
    input: ffmpegInput({ file, loop: false, pace: 'fastest' }),
    imageSize: 32,
    fps: 10,
    onFrame: () => (++frames === 3 ? Promise.reject(cause) : Promise.resolve()),
  });
  expect(await run.done).toMatchObject({ frames: 3, error: { code: 'internal', cause } });
  await run.stop();
  const left = (await running()).filter(({ command }) => command.includes(file));
  await untilGone(left.map(({ pid }) => pid));
});

describe('A stopped run', () => {
  /** Plays a file, and resolves to its run with its first frame. */
  const play = async (file: string, binary: FfmpegBinary): Promise<FfmpegRun> =>
    new Promise((resolve) => {
      const run = new FfmpegRun({
        binary,
        input: ffmpegInput({ file, loop: true, pace: 'realtime' }),
        imageSize: 32,
        fps: 10,
        onFrame: () => {
          resolve(run);
          return Promise.resolve();
        },
      });
    });

  test('ends ffmpeg also where a script started it', async () => {
    const file = await place.clips.make('scripted.mp4', ...testPicture(20, 10));
    const binary = await findFfmpeg();
    const script = join(place.folder, 'ffmpeg.sh');
    // Not `exec`: the shell stays, with ffmpeg as its child.
    await writeFile(script, `#!/bin/sh\n"${binary.path}" "$@"\nexit $?\n`);
    await chmod(script, 0o755);
    const run = await play(file, { ...binary, path: script });
    const processes = (await running()).filter(({ command }) => command.includes(file));
    expect(processes).toHaveLength(2);
    await run.stop();
    await untilGone(processes.map(({ pid }) => pid));
  });

  test('leaves a process behind that cannot be ended', async () => {
    const file = await place.clips.make('unkillable.mp4', ...testPicture(20, 10));
    const run = await play(file, await findFfmpeg());
    const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
    try {
      await run.stop();
      expect(kill.mock.calls).toEqual([
        [-(run.pid ?? 0), 'SIGTERM'],
        [-(run.pid ?? 0), 'SIGKILL'],
      ]);
      expect(await run.done).toMatchObject({ error: null });
    } finally {
      kill.mockRestore();
    }
    const left = (await running()).filter(({ command }) => command.includes(file));
    expect(left).toHaveLength(1);
    for (const { pid } of left) process.kill(pid, 'SIGKILL');
    await untilGone(left.map(({ pid }) => pid));
  });
});

test('The copy of npm’s ffmpeg, made when the original may not be run, is removed when the process exits', async () => {
  const installed = createRequire(import.meta.url)('@ffmpeg-installer/ffmpeg') as { path: string };
  const folder = await mkdtemp(join(place.folder, 'tmp-'));
  // Simulates an account that does not own the file.
  const script = `
    import fs from 'node:fs';
    import { syncBuiltinESMExports } from 'node:module';
    const installed = ${JSON.stringify(installed.path)};
    const { accessSync, chmodSync } = fs;
    const unless = (allowed) => (path, ...rest) => {
      if (path === installed) throw new Error('EACCES');
      return allowed(path, ...rest);
    };
    Object.assign(fs, { accessSync: unless(accessSync), chmodSync: unless(chmodSync) });
    syncBuiltinESMExports();
    const { findFfmpeg } = await import('./src/ingest/ffmpeg-binary.ts');
    const { path, origin } = await findFfmpeg();
    console.log(origin, path);`;
  const env = { YOCO_FFMPEG: '', PATH: '/nowhere', TMPDIR: folder };
  const { stdout } = await startScript(script, env).ended;
  expect(stdout).toMatch(new RegExp(`^bundled ${folder}`));
  expect((await readdir(folder)).filter((name) => name.startsWith('yoco-ffmpeg-'))).toEqual([]);
});
