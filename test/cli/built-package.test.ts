/**
 * The package as it is built and installed: its program without tsx, the files that it packs, and its types for a
 * TypeScript program.
 */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { PACKAGE_ROOT } from '../../src/config.ts';
import { killAll, type Started, startProgram } from '../support/cli.ts';
import { descendants, untilGone } from '../support/processes.ts';

const SLOW = 120_000;
const execute = promisify(execFile);
const TSC = path.join(PACKAGE_ROOT, 'node_modules', '.bin', 'tsc');
const tsc = (...args: readonly string[]) => execute(TSC, args, { cwd: PACKAGE_ROOT });

let folder: string;
let main: string;
const running: Started[] = [];
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'yoco-package-'));
  const built = path.join(folder, 'package');
  main = path.join(built, 'dist', 'main.js');
  await mkdir(path.join(built, 'streams'), { recursive: true });
  await copyFile(path.join(PACKAGE_ROOT, 'package.json'), path.join(built, 'package.json'));
  for (const name of ['node_modules', 'web']) await symlink(path.join(PACKAGE_ROOT, name), path.join(built, name));
  // Types are checked separately; without that the build takes a third of the time.
  await tsc('-p', 'tsconfig.build.json', '--noCheck', '--outDir', path.join(built, 'dist'));
}, SLOW);
afterEach(() => {
  killAll(running);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Manifest {
  readonly version: string;
  readonly dependencies: Record<string, string>;
  readonly files: readonly string[];
}

async function manifest(): Promise<Manifest> {
  return JSON.parse(await readFile(path.join(PACKAGE_ROOT, 'package.json'), 'utf8')) as Manifest;
}

test(
  'prints its version, from source and when built',
  async () => {
    const { version } = await manifest();
    const built = await execute(process.execPath, [main, '--version']);
    const source = await execute(process.execPath, ['--import', 'tsx', 'src/main.ts', '-V'], { cwd: PACKAGE_ROOT });
    expect([built.stdout, source.stdout]).toEqual([`${version}\n`, `${version}\n`]);
  },
  SLOW,
);

test(
  'serves its page, and ends on SIGTERM together with its engine',
  async () => {
    const service = startProgram(process.execPath, [main, 'serve', '--port', '0']);
    running.push(service);
    const [, address = ''] = await service.wrote(/"address":"(http:[^"]+)"/);
    expect((await fetch(`${address}/readyz`)).status).toBe(200);
    expect(await (await fetch(address)).text()).toContain('<title>');
    const children = await descendants(service.child.pid ?? 0);
    expect(children.some(({ command }) => command.includes(path.join('dist', 'engine', 'process.js')))).toBe(true);
    service.child.kill('SIGTERM');
    expect((await service.ended).status).toBe(0);
    await untilGone(children.map(({ pid }) => pid));
  },
  SLOW,
);

test(
  'packs what the program needs at run time, and no local streams, tests or sources',
  async () => {
    const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
    const { stdout } = await execute('npm', args, { cwd: PACKAGE_ROOT, maxBuffer: 2 ** 24 });
    // npm 12 prints an object keyed by package name, older versions an array.
    const [packed] = Object.values(JSON.parse(stdout) as Record<string, { files: { path: string }[] }>);
    const names = (packed?.files ?? []).map((file) => file.path);
    const needed = ['web/index.html', 'models/yoco-small-1/config.json', 'streams/demo.yaml', 'streams/clips/demo.mp4'];
    expect(names).toEqual(expect.arrayContaining([...needed, 'NOTICE', 'LICENSE', 'README.md']));
    expect(names.filter((name) => /golden|^(src|test|bench|models\/training)\//.test(name))).toEqual([]);
    const definitions = names.filter((name) => /^streams\/[^/]*$/.test(name));
    expect(definitions.filter((name) => !/demo\.yaml$|\.example\.yaml$/.test(name))).toEqual([]);
    expect((await manifest()).files).toContain('dist');
  },
  SLOW,
);

const CONSUMER = `
import { startServer, Streams } from 'yoco-live';
import type { AnswerJson, ClientEvent, ServerEvent, StandingQuestionJson, StreamJson, WebhookEvent } from 'yoco-live';
import type { RunningServer, ServerOptions, SourceStream, StreamDefinitionInput } from 'yoco-live';

const live: Streams = await Streams.start({ engine: { bundle: 'models/yoco-small-1' } });
const clip: StreamDefinitionInput = { name: 'clip', source: { file: 'clip.mp4', pace: 'fastest' } };
const stream: SourceStream = await live.create(clip, 'operator');
await live.create({ restore: 'monday.snap' } satisfies StreamDefinitionInput, 'operator');
// @ts-expect-error A stream has a source, or a snapshot that it goes on from.
await live.create({ name: 'clip' } satisfies StreamDefinitionInput, 'operator');
const options: ServerOptions = { port: 0 };
const server: RunningServer = await startServer(live, options);
const { jpeg } = await stream.thumbnail();
export const size: number = jpeg.readUInt16BE(0);
export const address: string = server.address;

export const asked: ClientEvent = { type: 'response.create', response: { yoco: { as_of: '-10s' } } };
// @ts-expect-error Fields that nobody defines are refused.
export const refused: ClientEvent = { type: 'response.create', response: { yoco: { as_off: '-10s' } } };
export function heard(event: ServerEvent): string | number | undefined {
  switch (event.type) {
    case 'response.output_text.delta':
      return event.delta;
    case 'response.done':
      return event.response.yoco?.evidence[0]?.peak;
    case 'yoco.standing_question.answered':
      return event.yoco.streams[0]?.as_of_time;
    case 'error':
      return event.error.code satisfies string;
    default:
      return event.event_id;
  }
}
export function told(event: WebhookEvent): string | null | undefined {
  if (event.type === 'yoco.stream.status') return event.last_time;
  return event.type === 'yoco.standing_question.answered' ? event.picture?.jpeg : event.error?.message;
}
const get = async <T>(address: string): Promise<T> => (await (await fetch(address)).json()) as T;
export const { cache } = await get<StreamJson>(server.address + '/v1/streams/clip');
export const { data } = await get<{ data: StandingQuestionJson[] }>(server.address + '/v1/streams/clip/standing_questions');
export const evidence: AnswerJson['evidence'] | undefined = data[0]?.told[0]?.evidence;
`;

test(
  'has types that compile in a program whose settings include no Node types',
  async () => {
    const consumer = path.join(folder, 'consumer');
    await mkdir(path.join(consumer, 'node_modules'), { recursive: true });
    await symlink(path.join(folder, 'package'), path.join(consumer, 'node_modules', 'yoco-live'));
    const compilerOptions = {
      strict: true,
      module: 'nodenext',
      target: 'es2023',
      types: [],
      noEmit: true,
      skipDefaultLibCheck: true,
    };
    await writeFile(path.join(consumer, 'package.json'), '{ "type": "module" }');
    await writeFile(path.join(consumer, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['consumer.ts'] }));
    await writeFile(path.join(consumer, 'consumer.ts'), CONSUMER);
    const checked = await tsc('-p', consumer).then(
      ({ stdout }) => ({ stdout, code: 0 }),
      (error: unknown) => error as { stdout: string; code: number },
    );
    expect(checked).toEqual({ stdout: '', code: 0 });
    // Above, a dev dependency would be found as well; whoever installs the package gets only those of this list.
    expect((await manifest()).dependencies).toHaveProperty('@types/node');
  },
  SLOW,
);
