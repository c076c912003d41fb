/**
 * Videos of photographs, and questions about them with known right answers.
 *
 * The 36 photographs of 36 classes form six groups of six. Each group makes two videos: one in order, and its
 * counter-video in reverse. Both get the same questions, each with a different right answer. For questions whether
 * something was seen, the counter-video is one of a neighbouring group.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { normaliseLabel } from '../../src/evaluation/labels.ts';
import type { Span } from '../../src/evaluation/playlist.ts';
import { secondsOf } from '../../src/evaluation/score.ts';

const FOLDER = path.join(import.meta.dirname, 'photos');
const GROUP = 6;
const SPAN_MS = 4_000;
export const VIDEO_MS = GROUP * SPAN_MS;
/** The frozen encoder itself gives the right class of these two a probability below one half. */
const LEFT_OUT = ['hog', 'stupa'];

export interface Photo {
  readonly file: string;
  readonly class: string;
  readonly shows: string;
}

export type Task = 'now' | 'seen' | 'first' | 'before' | 'after' | 'at' | 'when';
export const TASKS: readonly Task[] = ['now', 'seen', 'first', 'before', 'after', 'at', 'when'];
export const RECALL_TASKS: readonly Task[] = ['first', 'before', 'after', 'at'];

export interface RecordedQuestion {
  readonly task: Task;
  readonly text: string;
  readonly asOfMs: number;
  /** The photograph to name, yes or no, or a time in seconds. */
  readonly expected: Photo | 'yes' | 'no' | number;
  /** When the expected thing was shown; null if it was not. */
  readonly moment: { readonly startMs: number; readonly endMs: number } | null;
}

export interface Video {
  readonly name: string;
  readonly photos: readonly Photo[];
  readonly spans: readonly Span[];
  readonly questions: readonly RecordedQuestion[];
}

/** One photograph of each class. */
export function readPhotos(): Photo[] {
  const all = JSON.parse(readFileSync(path.join(FOLDER, 'photos.json'), 'utf8')) as Photo[];
  const first = all.filter((photo, i) => all.findIndex((other) => other.class === photo.class) === i);
  return first.filter((photo) => !LEFT_OUT.includes(photo.class));
}

/** Each video, followed by its counter-video. */
export function makeVideos(): Video[] {
  const photos = readPhotos();
  const count = photos.length / GROUP;
  // Photographs are listed alphabetically: a group takes one from each sixth of the list, so that its things differ.
  const groups = Array.from({ length: count }, (_, g) => photos.filter((_photo, i) => i % count === g));
  return groups.flatMap((group, g) => {
    const others = groups[(g + 1) % count] ?? [];
    return [makeVideo(`group-${g}`, group, others), makeVideo(`group-${g}-reversed`, [...group].reverse(), others)];
  });
}

function makeVideo(name: string, photos: readonly Photo[], others: readonly Photo[]): Video {
  const spans = photos.map((photo, i) => ({
    picture: { set: 'photos', file: path.join(FOLDER, photo.file), label: photo.class },
    startMs: i * SPAN_MS,
    endMs: (i + 1) * SPAN_MS,
  }));
  const questions: RecordedQuestion[] = [];
  const asOfEnd = VIDEO_MS - 1_000;
  const momentOf = (i: number, asOfMs = Infinity) => ({
    startMs: i * SPAN_MS,
    endMs: Math.min((i + 1) * SPAN_MS, asOfMs),
  });
  const add = (
    task: Task,
    text: string,
    i: number,
    expected = photos[i] as RecordedQuestion['expected'],
    asOfMs = asOfEnd,
  ): void => {
    questions.push({ task, text, asOfMs, expected, moment: expected === 'no' ? null : momentOf(i, asOfMs) });
  };
  for (const [i, photo] of photos.entries()) {
    const middle = (i + 0.5) * SPAN_MS;
    const the = `the ${photo.class.toLowerCase()}`;
    add('now', 'What is shown now?', i, photo, middle);
    add('seen', `Have you seen ${article(photo)}?`, i, 'yes');
    add('at', `What was shown at 0:${String(middle / 1000).padStart(2, '0')}?`, i);
    add('when', `When did ${the} appear?`, i, (i * SPAN_MS) / 1000);
    // The first and the last photograph lack a neighbour: one of these questions would have no answer in one video.
    if (i === 0 || i === GROUP - 1) continue;
    add('before', `What came before ${the}?`, i - 1);
    add('after', `What came after ${the}?`, i + 1);
  }
  for (const photo of others) add('seen', `Have you seen ${article(photo)}?`, 0, 'no');
  add('first', 'What was shown first?', 0);
  return { name, photos, spans, questions };
}

function article(photo: Photo): string {
  const name = photo.class.toLowerCase();
  return `${/^[aeiou]/.test(name) ? 'an' : 'a'} ${name}`;
}

/** The photograph shown at a moment; undefined within half a second of a cut. */
export function shownAt(video: Video, timeMs: number): Photo | undefined {
  const i = Math.floor(timeMs / SPAN_MS);
  const fromCut = Math.min(timeMs - i * SPAN_MS, (i + 1) * SPAN_MS - timeMs);
  return fromCut < 500 ? undefined : video.photos[i];
}

const STOP_WORDS = new Set(['a', 'an', 'the', 'of', 'in', 'on', 'at', 'two', 'under', 'du', 'de']);
const words = (text: string): string[] =>
  text
    .toLowerCase()
    .split(/[^\p{L}\d]+/u)
    .filter((word) => word !== '' && !STOP_WORDS.has(word))
    .map((word) => word.replace(/(?<=.{3})s$/, ''));

/**
 * Whether the answer is the name of the class, or everyday words for what the photograph shows, in whole or in part
 * ("panda" for "red panda").
 */
export function names(photo: Photo, answer: string): boolean {
  if (normaliseLabel(answer) === normaliseLabel(photo.class)) return true;
  const said = words(answer);
  const shown = words(photo.shows);
  return said.length > 0 && said.every((word) => shown.includes(word));
}

export function isRight({ task, expected }: Pick<RecordedQuestion, 'task' | 'expected'>, answer: string): boolean {
  if (typeof expected === 'object') return names(expected, answer);
  if (typeof expected === 'string') return new RegExp(`^\\s*${expected}\\b`, 'i').test(answer);
  const seconds = task === 'when' ? secondsOf(answer) : null;
  return seconds !== null && Math.abs(seconds - expected) <= 1;
}
