/**
 * General words for photographs outside the training data. While a German shepherd is shown: "Is this a dog?" and "Is
 * it a dog or a cat?". Once others have followed: "Have you seen a dog?" and "Which dog was shown?". Each photograph is
 * also to be described. test/recorded/photos/photos.json lists the words that apply to each photograph and those that
 * might; no other word applies.
 */
import path from 'node:path';
import { DEFAULT_BUNDLE } from '../src/config.ts';
import { withArticle } from '../src/evaluation/questions.ts';
import { pick, type Random, randomOfStream, shuffle } from '../src/evaluation/random.ts';
import type { KvCache } from '../src/model/kv-cache.ts';
import { loadModel, type Model } from '../src/model/model.ts';
import { greedyText } from './greedy-answer.ts';
import {
  type Photograph,
  PHOTOGRAPHS_NOTE,
  readPhotographs,
  type SceneTokens,
  sceneTokens,
  appendScenes,
} from './haystack.ts';
import { round } from './machine.ts';

const FPS = 2;
/** Frames for which each photograph is shown, photographs in a video of several, and number of such videos. */
const [FRAMES, PHOTOGRAPHS_PER_VIDEO, VIDEOS] = [4, 6, 20];
const LIMIT_BYTES = 2 ** 24;
/** Phrasings that people use, taken in turn; `{x}`: "a dog". */
const NOW = ['Is this {x}?', 'Do you see {x}?', 'Is there {x}?', 'Can you see {x}?'];
const EVER = ['Have you seen {x}?', 'Was there {x}?', 'Did you see {x}?', 'Has there been {x}?'];
/** Offers two kinds, one of which is shown; the right one comes first and second in turn. */
const CHOICE = ['Is it {x} or {y}?', 'Do you see {x} or {y}?'];
/** The answer must contain the photograph's name or a general word for what it shows. */
const DESCRIBE = ['Describe what you see.', 'What is going on?', 'Describe the scene.'];
/** Asks for the only thing of its kind among several things. */
const WHICH = ['Which {x} was shown?', 'What {x} did you see?'];
/** Words that take no article. */
const UNCOUNTED = new Set(['fruit']);

interface YesNoQuestion {
  /** Including the article. */
  readonly thing: string;
  readonly expected: 'yes' | 'no';
}

/** Right answers out of all, for questions that expect yes and for those that expect no. */
interface YesNoCounts {
  readonly yes: string;
  readonly no: string;
  readonly balanced: number;
}

export async function kinds(): Promise<Record<string, unknown>> {
  const model = await loadModel(DEFAULT_BUNDLE);
  try {
    const photographs = await readPhotographs();
    const words = [...new Set(photographs.flatMap((photograph) => photograph.kinds))].sort();
    const tokens = new Map<Photograph, SceneTokens>();
    for (const one of photographs) tokens.set(one, await sceneTokens(model, [one]));
    const wrong: string[] = [];
    const random = randomOfStream(1, 0);
    const judge = async (shown: ShownPhotographs, text: string, expected: string): Promise<boolean> => {
      const answer = (await greedyText(model, shown.cache, text)).toLowerCase();
      const right = expected === 'yes' || expected === 'no' ? answer.startsWith(expected) : answer === expected;
      if (!right) wrong.push(`${shown.names}: ${text} ${answer} (${expected})`);
      return right;
    };
    const describes = async (shown: ShownPhotographs, one: Photograph, text: string): Promise<boolean> => {
      const answer = ` ${(await greedyText(model, shown.cache, text)).toLowerCase()} `;
      const right = [one.class.toLowerCase(), one.asked, ...one.kinds].some((word) => answer.includes(` ${word} `));
      if (!right) wrong.push(`${shown.names}: ${text} ${answer.trim()} (${one.class})`);
      return right;
    };
    const yesOrNo = async (
      shown: ShownPhotographs,
      forms: readonly string[],
      judged: JudgedAnswer[],
    ): Promise<void> => {
      for (const { thing, expected } of yesNoQuestions(shown.photographs, words, random)) {
        const text = (forms[judged.length % forms.length] ?? '').replace('{x}', thing);
        judged.push({ expected, right: await judge(shown, text, expected) });
      }
    };
    const [now, ever]: [JudgedAnswer[], JudgedAnswer[]] = [[], []];
    const [choice, which, described]: [boolean[], boolean[], boolean[]] = [[], [], []];
    for (const one of photographs) {
      const shown = await showPhotographs(model, [one], tokens);
      await yesOrNo(shown, NOW, now);
      described.push(await describes(shown, one, DESCRIBE[described.length % DESCRIBE.length] ?? ''));
      for (const kind of one.kinds) {
        const other = pick(absentOf([one], words), random);
        const [x, y] = (choice.length >> 1) % 2 === 0 ? [kind, other] : [other, kind];
        const form = CHOICE[choice.length % CHOICE.length] ?? '';
        choice.push(
          await judge(
            shown,
            form.replace('{x}', withArticleIfCounted(x)).replace('{y}', withArticleIfCounted(y)),
            kind,
          ),
        );
      }
    }
    for (let video = 0; video < VIDEOS; video++) {
      const shown = await showPhotographs(model, shuffle(photographs, random).slice(0, PHOTOGRAPHS_PER_VIDEO), tokens);
      await yesOrNo(shown, EVER, ever);
      for (const one of shown.photographs) {
        const [kind] = one.kinds;
        const others = shown.photographs.filter((other) => other !== one);
        if (kind === undefined || !absentOf(others, words).includes(kind)) continue;
        const form = WHICH[which.length % WHICH.length] ?? '';
        which.push(await judge(shown, form.replace('{x}', kind), one.class.toLowerCase()));
      }
    }
    return {
      photographs: photographs.length,
      note: PHOTOGRAPHS_NOTE,
      words: words.join(', '),
      now: countYesNo(now),
      ever: countYesNo(ever),
      choice: countRight(choice),
      which: countRight(which),
      described: countRight(described),
      baselines: { oneAnswerForAll: 0.5, eitherOfTwo: 0.5, whichByChance: round(1 / PHOTOGRAPHS_PER_VIDEO, 2) },
      wrong,
    };
  } finally {
    await model.release();
  }
}

interface JudgedAnswer {
  readonly expected: YesNoQuestion['expected'];
  readonly right: boolean;
}

/** A cache into which photographs were shown one after the other. */
interface ShownPhotographs {
  readonly photographs: readonly Photograph[];
  readonly cache: KvCache;
  /** Their names, for the report. */
  readonly names: string;
}

async function showPhotographs(
  model: Model,
  photographs: readonly Photograph[],
  tokens: ReadonlyMap<Photograph, SceneTokens>,
): Promise<ShownPhotographs> {
  const cache = model.newCache(LIMIT_BYTES);
  const all = photographs.map((one) => [one.file, [...(tokens.get(one)?.values() ?? [])].flat()] as const);
  const scenes = photographs.map(({ file }) => ({ class: file, frames: FRAMES }));
  await appendScenes(model, cache, new Map(all), scenes, FPS);
  return { photographs, cache, names: photographs.map(({ file }) => path.basename(file, '.jpg')).join(', ') };
}

/** Words that apply to none of these photographs, not even possibly. */
function absentOf(photographs: readonly Photograph[], words: readonly string[]): string[] {
  return words.filter((word) => !photographs.some(({ kinds, maybe = [] }) => [...kinds, ...maybe].includes(word)));
}

function withArticleIfCounted(word: string): string {
  return UNCOUNTED.has(word) ? word : withArticle(word);
}

/** Asks for words that apply to these photographs, and equally often for words that cannot apply to any. */
function yesNoQuestions(shown: readonly Photograph[], words: readonly string[], random: Random): YesNoQuestion[] {
  const there = [...new Set(shown.flatMap((one) => one.kinds))];
  const absent = absentOf(shown, words);
  const most = Math.min(there.length, absent.length);
  const some = (expected: YesNoQuestion['expected'], from: readonly string[]): YesNoQuestion[] =>
    shuffle(from, random)
      .slice(0, most)
      .map((word) => ({ thing: withArticleIfCounted(word), expected }));
  return [...some('yes', there), ...some('no', absent)];
}

function countYesNo(judged: readonly JudgedAnswer[]): YesNoCounts {
  const share = (expected: YesNoQuestion['expected']): [number, number] => {
    const mine = judged.filter((one) => one.expected === expected);
    return [mine.filter(({ right }) => right).length, mine.length];
  };
  const [yes, no] = [share('yes'), share('no')];
  const text = ([right, all]: [number, number]): string => `${right} of ${all}`;
  return { yes: text(yes), no: text(no), balanced: round((yes[0] / yes[1] + no[0] / no[1]) / 2, 3) };
}

function countRight(judged: readonly boolean[]): string {
  return `${judged.filter((right) => right).length} of ${judged.length}`;
}
