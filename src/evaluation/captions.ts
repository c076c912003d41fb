/** How close a sentence is to what people wrote about the same picture, and baselines without a model. */
import sharp from 'sharp';
import { YocoError } from '../errors.ts';
import type { Scene } from './labels.ts';

/** Longest n-gram that is compared, words. */
const MAX_NGRAM = 4;
/** Standard deviation of the Gaussian penalty on a difference in length, words. */
const LENGTH_SIGMA = 6;
/** Side of the thumbnails that tell how alike two pictures are, pixels. */
const THUMBNAIL_SIDE = 8;
/** Sentences tried as the typical one. */
const MAX_CANDIDATES = 200;

export function wordsOf(sentence: string): string[] {
  return sentence
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s'-]/gu, ' ')
    .split(/\s+/)
    .filter((word) => /[\p{L}\p{N}]/u.test(word));
}

/** Harmonic mean of the precision and recall of words, 0..1, against the closest caption. */
export function tokenF1(sentence: string, captions: readonly string[]): number {
  const said = counts(wordsOf(sentence));
  return Math.max(0, ...captions.map((caption) => overlapF1(said, counts(wordsOf(caption)))));
}

function overlapF1(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): number {
  let common = 0;
  for (const [word, count] of a) common += Math.min(count, b.get(word) ?? 0);
  const total = sum(a.values()) + sum(b.values());
  return total === 0 ? 0 : (2 * common) / total;
}

/**
 * CIDEr-D (Vedantam, Zitnick, Parikh 2015): similarity of n-grams of one to four words, each weighted by how few
 * pictures have it, clipped, with a length penalty; mean over the captions, times 10. `corpus`: the captions of each
 * picture, from which the weights are computed.
 */
export class CiderD {
  readonly #pictureCount: number;
  readonly #documentFrequency = new Map<string, number>();

  constructor(corpus: readonly (readonly string[])[]) {
    this.#pictureCount = corpus.length;
    for (const captions of corpus) {
      const ngrams = new Set(
        captions.flatMap((caption) => ngramsOf(wordsOf(caption)).flatMap((ngramCounts) => [...ngramCounts.keys()])),
      );
      for (const ngram of ngrams) this.#documentFrequency.set(ngram, (this.#documentFrequency.get(ngram) ?? 0) + 1);
    }
  }

  score(sentence: string, captions: readonly string[]): number {
    const said = wordsOf(sentence);
    const saidNgrams = this.#tfIdf(said);
    const scores = captions.map((caption) => {
      const words = wordsOf(caption);
      const penalty = Math.exp(-((said.length - words.length) ** 2) / (2 * LENGTH_SIGMA ** 2));
      const likeness = this.#tfIdf(words).map((ngrams, n) => clippedCosine(saidNgrams[n] ?? new Map(), ngrams));
      return (penalty * sum(likeness)) / MAX_NGRAM;
    });
    return (10 * sum(scores)) / Math.max(1, scores.length);
  }

  #tfIdf(words: readonly string[]): ReadonlyMap<string, number>[] {
    const weight = (ngram: string): number =>
      Math.log(this.#pictureCount) - Math.log(Math.max(1, this.#documentFrequency.get(ngram) ?? 0));
    return ngramsOf(words).map(
      (ngrams) => new Map([...ngrams].map(([ngram, count]) => [ngram, count * weight(ngram)])),
    );
  }
}

function ngramsOf(words: readonly string[]): Map<string, number>[] {
  return Array.from({ length: MAX_NGRAM }, (_, n) =>
    counts(Array.from({ length: Math.max(0, words.length - n) }, (_run, i) => words.slice(i, i + n + 1).join(' '))),
  );
}

function clippedCosine(said: ReadonlyMap<string, number>, caption: ReadonlyMap<string, number>): number {
  let dot = 0;
  for (const [ngram, weight] of caption) dot += Math.min(said.get(ngram) ?? 0, weight) * weight;
  const norms = Math.hypot(...said.values()) * Math.hypot(...caption.values());
  return norms === 0 ? 0 : dot / norms;
}

function counts(items: readonly string[]): Map<string, number> {
  const all = new Map<string, number>();
  for (const item of items) all.set(item, (all.get(item) ?? 0) + 1);
  return all;
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/** The sentence that shares most words with all others: the best to say about any picture. Null when there is none. */
export function typicalCaption(scenes: readonly Scene[]): string | null {
  const all = scenes
    .flatMap(({ captions }) => captions.slice(0, 1))
    .map((text) => ({ text, words: counts(wordsOf(text)) }));
  let best: { text: string; shared: number } | null = null;
  for (const { text, words } of all.slice(0, MAX_CANDIDATES)) {
    const shared = sum(all.map((other) => overlapF1(words, other.words)));
    if (best === null || shared > best.shared) best = { text, shared };
  }
  return best?.text ?? null;
}

interface KnownPicture {
  readonly file: string;
  readonly caption: string;
  /** Thumbnail, RGB. */
  readonly thumbnail: Buffer;
}

/** Answers with the first caption of the picture with the nearest thumbnail: what looks alone give, without a model. */
export class NearestCaption {
  readonly #known: readonly KnownPicture[];

  private constructor(known: readonly KnownPicture[]) {
    this.#known = known;
  }

  static async build(scenes: readonly Scene[]): Promise<NearestCaption> {
    const known: KnownPicture[] = [];
    for (const { file, captions } of scenes)
      known.push({ file, caption: captions[0] ?? '', thumbnail: await thumbnailOf(file) });
    return new NearestCaption(known);
  }

  /** Null when no other picture is known. */
  async captionFor(file: string): Promise<string | null> {
    const thumbnail = await thumbnailOf(file);
    let best: { caption: string; distance: number } | null = null;
    for (const other of this.#known) {
      if (other.file === file) continue;
      const distance = other.thumbnail.reduce((total, value, i) => total + (value - (thumbnail[i] ?? 0)) ** 2, 0);
      if (best === null || distance < best.distance) best = { caption: other.caption, distance };
    }
    return best?.caption ?? null;
  }
}

async function thumbnailOf(file: string): Promise<Buffer> {
  try {
    const small = sharp(file).flatten({ background: '#fff' }).resize(THUMBNAIL_SIDE, THUMBNAIL_SIDE, { fit: 'fill' });
    return await small.toColourspace('srgb').raw().toBuffer();
  } catch (cause) {
    throw new YocoError('data_invalid', { param: 'data', detail: `${file} cannot be decoded.`, cause });
  }
}
