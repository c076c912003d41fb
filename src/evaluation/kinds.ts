/**
 * Words for things with many names: "milk" for a carton, "a person" in a scene, as someone who watches a camera asks.
 * Uses a random generator of its own, so that other draws for a seed stay as they were.
 */
import type { LabelledPicture } from './labels.ts';
import { BORDER_MS, type Playlist } from './playlist.ts';
import { Asker, type EvaluationQuestion, withArticle } from './questions.ts';
import { pick, type Random } from './random.ts';

/** Words that captions use for a person or a dog, as in models/training/kinds.py. */
export const SAID = {
  person: new Set(
    (
      'person people man men woman women boy boys girl girls child children kid kids baby toddler ' +
      'adult adults crowd climber hiker skier player rider lady guy couple'
    ).split(' '),
  ),
  dog: new Set(['dog', 'dogs', 'puppy', 'puppies']),
};
/** Number of captions of a scene that must mention it: a single one may be mistaken. */
export const SAID_TWICE = 2;
/** Words that take no article. */
const UNCOUNTED = /(?:milk|juice|cream|ghurt|s)$/;

/** The groups that `pictures` belong to. */
export function groupsOf(pictures: readonly LabelledPicture[]): string[] {
  return [...new Set(pictures.flatMap(({ group }) => group ?? []))].sort();
}

/**
 * Asks whether a member of a group was seen: once for a group that the stream shows, once for one that it does not.
 * Asks nothing if no thing has a group that differs from its name. `groups`: those of all pictures; `stream`: its
 * number.
 */
export function askGroups(
  { spans, durationMs }: Pick<Playlist, 'spans' | 'durationMs'>,
  groups: readonly string[],
  random: Random,
  stream = 0,
): readonly EvaluationQuestion[] {
  const grouped = spans.filter(({ picture }) => picture.group !== undefined && picture.group !== picture.label);
  // An "apple juice" is no apple, but a person might say yes.
  const words = new Set(spans.flatMap(({ picture }) => `${picture.label} ${picture.group ?? ''}`.split(' ')));
  const absent = groups.filter((group) => !group.split(' ').some((word) => words.has(word)));
  if (grouped.length === 0 || absent.length === 0) return [];
  const asker = new Asker(stream, random);
  const asOfMs = durationMs - BORDER_MS;
  const { picture } = pick(grouped, random);
  const mine = grouped.filter((span) => span.picture.group === picture.group);
  const [only] = mine;
  const moment =
    only === undefined || mine.length > 1
      ? null
      : { set: picture.set, startMs: only.startMs, endMs: Math.min(only.endMs, asOfMs) };
  asker.ask(
    'seenkind',
    { x: withArticleIfCounted(picture.group ?? '') },
    { expected: 'yes', chance: 0.5, asOfMs, moment },
  );
  asker.ask(
    'seenkind',
    { x: withArticleIfCounted(pick(absent, random)) },
    { expected: 'no', chance: 0.5, asOfMs, moment: null },
  );
  return asker.questions;
}

/**
 * Asks for each scene that `described` asks to describe whether there is a person, and whether there is a dog. Skips
 * what only one caption mentions.
 */
export function askScenes(
  described: readonly EvaluationQuestion[],
  random: Random,
  stream = 0,
): readonly EvaluationQuestion[] {
  const asker = new Asker(stream, random);
  for (const { captions, asOfMs, moment } of described) {
    if (captions === undefined) continue;
    for (const [kind, words] of Object.entries(SAID)) {
      const times = captions.filter((caption) =>
        caption
          .toLowerCase()
          .match(/[a-z]+/g)
          ?.some((word) => words.has(word)),
      );
      if (times.length > 0 && times.length < SAID_TWICE) continue;
      const yes = times.length > 0;
      const expected = yes ? 'yes' : 'no';
      asker.ask(
        'seennowkind',
        { x: withArticleIfCounted(kind) },
        { expected, chance: 0.5, asOfMs, moment: yes ? moment : null },
      );
    }
  }
  return asker.questions;
}

function withArticleIfCounted(word: string): string {
  return UNCOUNTED.test(word) ? word : withArticle(word);
}
