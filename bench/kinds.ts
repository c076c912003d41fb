/**
 * Words for many things, of photographs that the data does not hold: "Is this a dog?" of a German shepherd, while it is shown and once
 * others have followed. What each photograph is, and what it might be called, stands in test/recorded/photos/photos.json: of the rest it is none.
 */
import path from 'node:path';
import { DEFAULT_BUNDLE } from '../src/config.ts';
import { withArticle } from '../src/evaluation/questions.ts';
import { type Random, randomOfStream, shuffle } from '../src/evaluation/random.ts';
import type { KvCache } from '../src/model/kv-cache.ts';
import { loadModel, type Model } from '../src/model/model.ts';
import { greedyText } from './greedy-answer.ts';
import { type Photograph, PHOTOGRAPHS_NOTE, readPhotographs, type SceneTokens, sceneTokens, show } from './haystack.ts';
import { round } from './machine.ts';

const FPS = 2;
/** For which each is shown, how many in one video, and how many videos of several. */
const [FRAMES, SHOWN, VIDEOS] = [4, 6, 20];
const LIMIT_BYTES = 2 ** 24;
/** As people ask, in turn; `{x}`: "a dog". */
const NOW = ['Is this {x}?', 'Do you see {x}?', 'Is there {x}?', 'Can you see {x}?'];
const EVER = ['Have you seen {x}?', 'Was there {x}?', 'Did you see {x}?', 'Has there been {x}?'];
/** Words that take no article. */
const UNCOUNTED = new Set(['fruit']);

interface Asked {
  /** With its article. */
  readonly thing: string;
  readonly expected: 'yes' | 'no';
}

/** Right answers of all, to those whose answer is yes and to those whose answer is no. */
interface Counted {
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
    const ask = async (shown: readonly Photograph[], forms: readonly string[], judged: Judged[]): Promise<void> => {
      const cache = await shownTo(model, shown, tokens);
      const of = shown.map(({ file }) => path.basename(file, '.jpg')).join(', ');
      for (const { thing, expected } of asked(shown, words, random)) {
        const text = (forms[judged.length % forms.length] ?? '').replace('{x}', thing);
        const right = (await greedyText(model, cache, text)).toLowerCase().startsWith(expected);
        if (!right) wrong.push(`${of}: ${text} not ${expected}`);
        judged.push({ expected, right });
      }
    };
    const [now, ever]: [Judged[], Judged[]] = [[], []];
    for (const one of photographs) await ask([one], NOW, now);
    for (let video = 0; video < VIDEOS; video++) await ask(shuffle(photographs, random).slice(0, SHOWN), EVER, ever);
    return {
      photographs: photographs.length,
      note: PHOTOGRAPHS_NOTE,
      words: words.join(', '),
      now: counted(now),
      ever: counted(ever),
      baselines: { oneAnswerForAll: 0.5 },
      wrong,
    };
  } finally {
    await model.release();
  }
}

interface Judged {
  readonly expected: Asked['expected'];
  readonly right: boolean;
}

async function shownTo(
  model: Model,
  photographs: readonly Photograph[],
  tokens: ReadonlyMap<Photograph, SceneTokens>,
): Promise<KvCache> {
  const cache = model.newCache(LIMIT_BYTES);
  const all = photographs.map((one) => [one.file, [...(tokens.get(one)?.values() ?? [])].flat()] as const);
  const scenes = photographs.map(({ file }) => ({ class: file, frames: FRAMES }));
  await show(model, cache, new Map(all), scenes, FPS);
  return cache;
}

/** Asks for what these photographs are, and as often for what none of them is nor might be called. */
function asked(shown: readonly Photograph[], words: readonly string[], random: Random): Asked[] {
  const there = [...new Set(shown.flatMap((one) => one.kinds))];
  const absent = words.filter((word) => !shown.some((one) => [...one.kinds, ...(one.maybe ?? [])].includes(word)));
  const most = Math.min(there.length, absent.length);
  const some = (expected: Asked['expected'], from: readonly string[]): Asked[] =>
    shuffle(from, random)
      .slice(0, most)
      .map((word) => ({ thing: UNCOUNTED.has(word) ? word : withArticle(word), expected }));
  return [...some('yes', there), ...some('no', absent)];
}

function counted(judged: readonly Judged[]): Counted {
  const share = (expected: Asked['expected']): [number, number] => {
    const mine = judged.filter((one) => one.expected === expected);
    return [mine.filter(({ right }) => right).length, mine.length];
  };
  const [yes, no] = [share('yes'), share('no')];
  const text = ([right, all]: [number, number]): string => `${right} of ${all}`;
  return { yes: text(yes), no: text(no), balanced: round((yes[0] / yes[1] + no[0] / no[1]) / 2, 3) };
}
