import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { HELD_OUT, TRAINED_PHRASINGS, UNTRAINED_PHRASINGS } from '../../src/evaluation/phrasings.ts';

const recipe = readFileSync(new URL('../../models/training/phrasings.py', import.meta.url), 'utf8');

/** The strings of `PHRASINGS[task]` of the recipe; none where it does not know the task. */
function phrasingsOf(task: string): string[] {
  const [, block = ''] = new RegExp(`^    "${task}": \\[\\n([^\\]]*)\\]`, 'm').exec(recipe) ?? [];
  return [...block.matchAll(/"([^"]*)"/g)].map(([, text = '']) => text);
}

describe('The phrasings of the evaluation', () => {
  test.each(Object.entries(TRAINED_PHRASINGS))('of %s are those of the recipe', (task, phrasings) => {
    const trained = phrasingsOf(task);
    expect(phrasings).toEqual(trained);
  });

  test('hold as many out as the recipe does', () => {
    expect(recipe).toContain(`\nHELD_OUT = ${HELD_OUT}\n`);
  });

  test('that the recipe does not train are not in it', () => {
    for (const task of Object.keys(UNTRAINED_PHRASINGS)) expect(phrasingsOf(task)).toEqual([]);
  });

  test('have enough of both kinds, each once', () => {
    for (const phrasings of Object.values({ ...TRAINED_PHRASINGS, ...UNTRAINED_PHRASINGS })) {
      expect(phrasings.length).toBeGreaterThanOrEqual(2 * HELD_OUT);
      expect(new Set(phrasings).size).toBe(phrasings.length);
    }
  });
});
