/**
 * The cache on a device: bytes transferred to and from it for each frame and each answer token, at growing lengths;
 * where each operator ran; and whether the answers equal the host's, which are the baseline. On a software device, as
 * in the tests, times are meaningless and all else holds.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DEFAULT_BUNDLE } from '../src/config.ts';
import { YocoError } from '../src/errors.ts';
import { loadModel, type Model } from '../src/model/model.ts';
import { seededRandom } from '../src/model/sampling.ts';
import { greedyAnswer } from './greedy-answer.ts';
import { readPhotographs, type Scene, sceneTokens, appendScenes } from './haystack.ts';
import { median, round } from './machine.ts';
import type { BenchOptions } from './options.ts';

const FPS = 2;
const SCENE_FRAMES = 10;
const LIMIT_BYTES = 2 ** 31;
const QUICK_SECONDS = [10, 60];
const SECONDS = [10, 60, 600, 3600];
/** Things asked about by name, besides the questions that fit every video. */
const ASKED_THINGS = 3;

/** Where the operators of a model ran. */
export interface Placement {
  readonly onDevice: number;
  readonly onHost: number;
  /** Nodes that copy between host and device. */
  readonly copies: number;
}

/** Without a usable device the bench is skipped and reports the reason. */
export async function device(options: BenchOptions): Promise<Record<string, unknown>> {
  const folder = mkdtempSync(path.join(tmpdir(), 'yoco-bench-device-'));
  const removeFolder = (): void => {
    rmSync(folder, { recursive: true, force: true });
  };
  // In case the process exits before this function returns.
  process.once('exit', removeFolder);
  let hostModel: Model | undefined;
  let deviceModel: Model | undefined;
  try {
    try {
      deviceModel = await loadModel(DEFAULT_BUNDLE, { device: 'webgpu', deviceProfile: `${folder}/` });
    } catch (error) {
      if (!(error instanceof YocoError && error.code === 'device_unavailable')) throw error;
      process.stderr.write(`  skipped: ${error.message}\n`);
      return { skipped: error.message };
    }
    hostModel = await loadModel(DEFAULT_BUNDLE);
    const lengths = await compare(hostModel, deviceModel, options);
    // Releasing the model writes its profiles.
    await deviceModel.release();
    deviceModel = undefined;
    const { imageSize, tokensPerFrame, width } = hostModel.config;
    // The first step of vision, from bytes to floats, runs on the host.
    const bytesOfVision = { toDevice: 4 * 3 * imageSize ** 2, toHost: 4 * tokensPerFrame * width };
    return { lengths, bytesOfVision, placement: await placementOf(folder) };
  } finally {
    await deviceModel?.release();
    await hostModel?.release();
    removeFolder();
    process.off('exit', removeFolder);
  }
}

/** For each length: the bytes transferred, and how many answers are the same on both. */
async function compare(hostModel: Model, deviceModel: Model, options: BenchOptions): Promise<Record<string, unknown>> {
  const photographs = await readPhotographs();
  const tokens = await sceneTokens(hostModel, photographs);
  const names = photographs.map((photograph) => photograph.asked);
  const lengths: Record<string, unknown> = {};
  for (const seconds of options.seconds ?? (options.quick ? QUICK_SECONDS : SECONDS)) {
    const random = seededRandom(1);
    const classes = [...tokens.keys()];
    const scenes = Array.from({ length: Math.ceil((seconds * FPS) / SCENE_FRAMES) }, (): Scene => {
      return { class: classes[Math.floor(random() * classes.length)] ?? '', frames: SCENE_FRAMES };
    });
    const cache = hostModel.newCache(LIMIT_BYTES);
    await appendScenes(hostModel, cache, tokens, scenes, FPS);
    const asked = names
      .slice(0, ASKED_THINGS)
      .flatMap((name) => [`Have you seen a ${name}?`, `When did the ${name} appear?`]);
    const questions = ['What is shown now?', 'What was shown first?', ...asked];
    const stream = deviceModel.intake.open(cache);
    const transfers = deviceModel.device?.transfers ?? { toDevice: 0, toHost: 0 };
    const measureTransfers = async <T>(
      run: () => Promise<T>,
    ): Promise<{ value: T; toDevice: number; toHost: number }> => {
      const before = { ...transfers };
      const value = await run();
      return {
        value,
        toDevice: transfers.toDevice - before.toDevice,
        toHost: transfers.toHost - before.toHost,
      };
    };
    // The first read loads the pages onto the device. On a live stream they are written there as frames arrive.
    const [warm = ''] = questions;
    await greedyAnswer(deviceModel, cache, warm);
    let same = 0;
    let count = 0;
    const [up, down]: [number[], number[]] = [[], []];
    for (const question of questions) {
      const expected = await greedyAnswer(hostModel, cache, question);
      const { value, toDevice, toHost } = await measureTransfers(() => greedyAnswer(deviceModel, cache, question));
      if (value.join() === expected.join()) same++;
      count += value.length;
      up.push(toDevice / value.length);
      down.push(toHost / value.length);
    }
    const frame = [...tokens.values()][0]?.[0] ?? new Float32Array(0);
    const take = (): Promise<unknown> =>
      deviceModel.intake.append([{ stream, tokens: frame, timeMs: (cache.times.newest ?? 0) + 1000 / FPS }]);
    await take();
    const frameBytes = await measureTransfers(take);
    lengths[`${seconds} s`] = {
      frames: cache.frames,
      cacheMb: round((deviceModel.device?.memory.bytes ?? 0) / 2 ** 20),
      bytesAFrame: { toDevice: frameBytes.toDevice, toHost: frameBytes.toHost },
      bytesAnAnswerToken: { toDevice: round(median(up), 0), toHost: round(median(down), 0) },
      sameAnswers: `${same} of ${questions.length}`,
      answerTokens: count,
    };
    stream.close();
  }
  return lengths;
}

/** Placement over all graphs whose profiles are in the folder. */
export async function placementOf(folder: string): Promise<Placement> {
  const placement = { onDevice: 0, onHost: 0, copies: 0 };
  for (const name of await readdir(folder)) {
    const events = JSON.parse(await readFile(path.join(folder, name), 'utf8')) as {
      readonly cat: string;
      readonly name: string;
      readonly args?: Readonly<Record<string, string>>;
    }[];
    for (const { cat, name: event, args } of events) {
      if (cat !== 'Node' || !event.endsWith('_kernel_time')) continue;
      if (args?.['op_name']?.startsWith('Memcpy') === true) placement.copies++;
      else if (args?.['provider'] === 'WebGpuExecutionProvider') placement.onDevice++;
      else placement.onHost++;
    }
  }
  return placement;
}
