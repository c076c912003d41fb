/** Plans the scenes of haystacks and the places of the needles among them. */
import { seededRandom } from '../src/model/sampling.ts';
import { shotsOf } from './footage.ts';
import { CROPS, type Scene, type SceneTokens } from './haystack.ts';

export const FPS = 2;
export const NEEDLE_FRAMES = 6;
/** Frames of a scene of hay: five seconds, a little less in the shortest haystacks. */
const HAY_FRAMES = 10;
/** Number of classes that the hay of a haystack is made of; the others are needles or absent. */
export const HAY_CLASSES = 12;
/** Most needles in a haystack of photographs. */
const MAX_NEEDLES = 12;

/** What is shown and asked in one haystack. */
export interface Haystack {
  readonly scenes: readonly Scene[];
  /** Classes shown exactly once; the needle `planted[i]` is the scene `scenes[at[i]]`. */
  readonly planted: readonly string[];
  readonly needleScenes: readonly number[];
  /** Classes that are never shown. */
  readonly absent: readonly string[];
}

/**
 * Haystacks of this length with `wanted` needles in total. They depend only on the arguments, not on which other
 * lengths are measured.
 */
export function haystacksOf(classes: readonly string[], seconds: number, wanted: number): Haystack[] {
  const random = seededRandom(seconds);
  const frames = seconds * FPS;
  const room = needleCapacity(frames, MAX_NEEDLES);
  const haystacks: Haystack[] = [];
  for (let made = 0; made < wanted; made += room) {
    const order = shuffled([...classes], random);
    const here = Math.min(room, wanted - made);
    const planted = order.slice(HAY_CLASSES, HAY_CLASSES + here);
    const absent = order.slice(HAY_CLASSES + here, HAY_CLASSES + 2 * here);
    const hay = photographsOf(order.slice(0, HAY_CLASSES), random);
    haystacks.push({ planted, absent, ...plant(hay, planted, frames, random) });
  }
  return haystacks;
}

/**
 * The same with hay of footage, which no question asks for. Half of the classes are needles and the other half absent;
 * a haystack holds as many needles as fit, at most `most`. The n-th needle is the same class and the same pictures at
 * every length, paired with the same absent class.
 */
export function haystacksOfFootage(
  classes: readonly string[],
  footage: SceneTokens,
  seconds: number,
  wanted: number,
  most: number,
): Haystack[] {
  const random = seededRandom(seconds);
  const frames = seconds * FPS;
  const half = Math.max(1, Math.floor(classes.length / 2));
  const room = needleCapacity(frames, Math.min(half, most));
  const haystacks: Haystack[] = [];
  for (let made = 0; made < wanted; made += half) {
    const round = made / half;
    const order = shuffled([...classes], seededRandom(round + 1));
    for (let first = 0; first < Math.min(half, wanted - made); first += room) {
      const last = Math.min(first + room, half, wanted - made);
      const planted = order.slice(first, last);
      const absent = order.slice(half + first, half + last);
      const shown = plant(shotsOf(footage, random), planted, frames, random, round * CROPS);
      haystacks.push({ planted, absent, ...shown });
    }
  }
  return haystacks;
}

/** How many needles fit into a haystack: at least one, at most `most`. */
function needleCapacity(frames: number, most: number): number {
  return Math.max(1, Math.min(most, Math.floor(frames / (2 * HAY_FRAMES))));
}

/** Whether the needles leave room for at least one frame of hay before, between and after them. */
export function fits(frames: number, needles: number): boolean {
  return frames - needles * NEEDLE_FRAMES > needles;
}

/** Makes scenes of random classes out of these, none twice in a row. */
export function photographsOf(classes: readonly string[], random: () => number): (frames: number) => Scene {
  let last = '';
  return (frames) => {
    const others = classes.filter((name) => name !== last);
    last = others[Math.floor(random() * others.length)] ?? '';
    return { class: last, frames };
  };
}

/**
 * Scenes made by `hay`, with each needle at a random place in its own share of them; `needleScenes` holds the indices
 * of the needles. `from`: the first crop of a needle to show, followed by the others in order (see `Scene`). Throws
 * RangeError if the needles do not fit.
 */
export function plant(
  hay: (frames: number) => Scene,
  needles: readonly string[],
  frames: number,
  random: () => number,
  from?: number,
): { scenes: Scene[]; needleScenes: number[] } {
  if (!fits(frames, needles.length)) throw new RangeError(`${needles.length} needles do not fit into ${frames} frames`);
  const room = frames - needles.length * NEEDLE_FRAMES;
  const count = Math.max(needles.length + 1, Math.floor(room / HAY_FRAMES));
  const hayFrames = Math.min(HAY_FRAMES, Math.floor(room / count));
  const scenes: Scene[] = [];
  const slots = needles.map((_, i) => Math.floor(((i + random()) / needles.length) * count));
  const needleScenes: number[] = [];
  for (let i = 0; i < count; i++) {
    scenes.push(hay(hayFrames));
    slots.forEach((slot, n) => {
      if (slot !== i) return;
      needleScenes[n] = scenes.length;
      scenes.push({ class: needles[n] ?? '', frames: NEEDLE_FRAMES, ...(from === undefined ? {} : { from }) });
    });
  }
  return { scenes, needleScenes };
}

export function shuffled<T>(items: T[], random: () => number): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [items[i], items[j]] = [items[j] as T, items[i] as T];
  }
  return items;
}
