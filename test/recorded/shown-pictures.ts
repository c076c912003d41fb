/** Plays pictures as one video, two seconds each, and asks about each while it is shown. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'vitest';
import { DEFAULT_BUNDLE } from '../../src/config.ts';
import { BORDER_MS } from '../../src/evaluation/playlist.ts';
import { encodeVideo } from '../../src/evaluation/video.ts';
import { Streams } from '../../src/live/live-service.ts';

const SHOWN_MS = 2_000;
export const SIZE = { width: 480, height: 360, fit: 'contain' } as const;

/** A question about one picture, and its only right answer. */
export interface AskedPicture {
  readonly question: string;
  readonly expected: string;
}

export class ShownPictures {
  readonly #live: Streams;
  readonly #folder: string;

  private constructor(live: Streams, folder: string) {
    this.#live = live;
    this.#folder = folder;
  }

  static async play(files: readonly string[]): Promise<ShownPictures> {
    const folder = await mkdtemp(path.join(tmpdir(), 'yoco-shown-'));
    const spans = files.map((file, i) => ({
      picture: { set: 'drawn', file, label: file },
      startMs: i * SHOWN_MS,
      endMs: (i + 1) * SHOWN_MS,
    }));
    const video = path.join(folder, 'shown.mp4');
    await encodeVideo(spans, video, SIZE);
    const live = await Streams.start({ engine: { bundle: DEFAULT_BUNDLE } });
    const stream = await live.create({ name: 'shown', source: { file: video, pace: 'fastest' } }, 'operator');
    await stream.ended();
    return new ShownPictures(live, folder);
  }

  /** Asks one question about each picture, in order. A failure lists the wrong answers. */
  async expectRight(asked: readonly AskedPicture[], least: number): Promise<void> {
    const answers: string[] = [];
    for (const [i, { question }] of asked.entries()) {
      const asOfMs = (i + 1) * SHOWN_MS - BORDER_MS;
      const { text } = await this.#live.get('shown').converse().ask(question, { asOfMs }).result;
      answers.push(text.trim());
    }
    const wrong = asked.flatMap(({ question, expected }, i) =>
      answers[i] === expected ? [] : [`${question} ${answers[i] ?? ''} (${expected})`],
    );
    expect(1 - wrong.length / asked.length, `wrong: ${wrong.join(', ')}`).toBeGreaterThanOrEqual(least);
  }

  async close(): Promise<void> {
    await this.#live.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
