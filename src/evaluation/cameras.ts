/** Several streams, and questions that read all of them. */
import type { LabelledPicture } from './labels.ts';
import type { Span } from './playlist.ts';
import { Asker, type EvaluationQuestion } from './questions.ts';
import { pick, type Random, shuffle } from './random.ts';

export interface Cameras {
  /** What each camera shows. */
  readonly spans: readonly (readonly Span[])[];
  /** Asked after all streams have ended. The cameras are called `camera 1`, `camera 2`, ... */
  readonly questions: readonly EvaluationQuestion[];
}

export const CAMERA_COUNT = 4;
/** Things that each camera shows, one after the other, and how long each is shown. */
const THINGS_PER_CAMERA = 2;
const THING_MS = 5_000;
/** Questions of each task. */
const QUESTIONS_PER_TASK = 3;
/** Streams in a group; cameras are played and asked about after the first one of each group. */
export const STREAMS_PER_GROUP = 4;

/**
 * No two cameras show the same thing. `stream`: the number of the stream after which they are played. Empty if that is
 * not the first of its group, or the data has too few names.
 */
export function makeCameras(pictures: readonly LabelledPicture[], random: Random, stream = 0): Cameras {
  if (stream % STREAMS_PER_GROUP !== 0) return { spans: [], questions: [] };
  const labels = shuffle([...new Set(pictures.map(({ label }) => label))].sort(), random);
  if (labels.length < CAMERA_COUNT * THINGS_PER_CAMERA) return { spans: [], questions: [] };
  const span = (label: string, i: number): Span => {
    const picture = pick(
      pictures.filter((one) => one.label === label),
      random,
    );
    return { picture, startMs: i * THING_MS, endMs: (i + 1) * THING_MS };
  };
  const spans = Array.from({ length: CAMERA_COUNT }, (_, camera) =>
    labels.slice(camera * THINGS_PER_CAMERA, (camera + 1) * THINGS_PER_CAMERA).map(span),
  );
  // The group's number, since the streams' own are all even here and would favour trained phrasings two to one.
  const asker = new Asker(stream / STREAMS_PER_GROUP, random);
  const asOfMs = THINGS_PER_CAMERA * THING_MS;
  const order = shuffle([...spans.keys()], random).slice(0, QUESTIONS_PER_TASK);
  for (const camera of order) {
    const [n, past, now] = [String(camera + 1), spans[camera]?.[0], spans[camera]?.at(-1)];
    if (past === undefined || now === undefined) continue;
    const where = { expected: `camera ${n}`, chance: 1 / CAMERA_COUNT, asOfMs, moment: null };
    asker.ask('which', { x: `the ${now.picture.label}` }, where);
    asker.ask('whichever', { x: `the ${past.picture.label}` }, where);
    asker.ask('oncamera', { n }, { ...where, expected: now.picture.label });
  }
  return { spans, questions: asker.questions };
}
