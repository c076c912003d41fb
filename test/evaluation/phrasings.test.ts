import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { HELD_OUT, NO_CHANGE, PHRASINGS } from '../../src/evaluation/phrasings.ts';

const recipe = readFileSync(new URL('../../models/training/phrasings.py', import.meta.url), 'utf8');

/** The strings of `PHRASINGS[task]` in the recipe; empty if it lacks the task. */
function phrasingsOf(task: string): string[] {
  const [, block = ''] = new RegExp(`^    "${task}": \\[\\n([^\\]]*)\\]`, 'm').exec(recipe) ?? [];
  return [...block.matchAll(/"([^"]*)"/g)].map(([, text = '']) => text);
}

describe('The phrasings of the evaluation', () => {
  test.each(Object.entries(PHRASINGS))('of %s equal those of the recipe', (task, phrasings) => {
    const trained = phrasingsOf(task);
    expect(phrasings).toEqual(trained);
  });

  test('hold out as many as the recipe does', () => {
    expect(recipe).toContain(`\nHELD_OUT = ${HELD_OUT}\n`);
  });

  test('use the answer of the recipe when nothing has changed', () => {
    expect(recipe).toContain(`\nNO_CHANGE = "${NO_CHANGE}"\n`);
  });

  test('have enough trained and held-out ones, without duplicates', () => {
    for (const phrasings of Object.values(PHRASINGS)) {
      expect(phrasings.length).toBeGreaterThanOrEqual(2 * HELD_OUT);
      expect(new Set(phrasings).size).toBe(phrasings.length);
    }
  });
});
