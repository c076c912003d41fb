import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { HELD_OUT, NO_CHANGE, PHRASINGS } from '../../src/evaluation/phrasings.ts';

const recipe = readFileSync(new URL('../../models/training/phrasings.py', import.meta.url), 'utf8');

/** The strings of `PHRASINGS[task]` of the recipe; none where it does not know the task. */
function phrasingsOf(task: string): string[] {
  const [, block = ''] = new RegExp(`^    "${task}": \\[\\n([^\\]]*)\\]`, 'm').exec(recipe) ?? [];
  return [...block.matchAll(/"([^"]*)"/g)].map(([, text = '']) => text);
}

describe('The phrasings of the evaluation', () => {
  test.each(Object.entries(PHRASINGS))('of %s are those of the recipe', (task, phrasings) => {
    const trained = phrasingsOf(task);
    expect(phrasings).toEqual(trained);
  });

  test('hold as many out as the recipe does', () => {
    expect(recipe).toContain(`\nHELD_OUT = ${HELD_OUT}\n`);
  });

  test('say that nothing has changed as the recipe does', () => {
    expect(recipe).toContain(`\nNO_CHANGE = "${NO_CHANGE}"\n`);
  });

  test('have enough of both kinds, each once', () => {
    for (const phrasings of Object.values(PHRASINGS)) {
      expect(phrasings.length).toBeGreaterThanOrEqual(2 * HELD_OUT);
      expect(new Set(phrasings).size).toBe(phrasings.length);
    }
  });
});
