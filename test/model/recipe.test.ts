/** What this code and the training recipe must agree on, in TypeScript and in Python. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { CHANGED_WITHIN_S } from '../../src/evaluation/changes.ts';
import { SAID, SAID_TWICE } from '../../src/evaluation/kinds.ts';
import { NOT_SPLIT } from '../../src/evaluation/labels.ts';
import { SEEN_WITHIN_S } from '../../src/evaluation/recent-past.ts';
import { MAX_STAND_MS } from '../../src/model/frame-times.ts';

const RECIPE = fileURLToPath(new URL('../../models/training', import.meta.url));
const SLOW = 120_000;

const python = (...args: string[]) =>
  spawnSync('python3', args, { cwd: RECIPE, encoding: 'utf8', env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' } });

/** The source text of a constant's value in a file of the recipe; with `key`, that of one entry of a mapping. */
function lineOf(file: string, name: string, key?: string): string {
  const recipe = readFileSync(new URL(`../../models/training/${file}`, import.meta.url), 'utf8');
  const [, line = ''] = new RegExp(`^${name} = (.*)$`, 'm').exec(recipe) ?? [];
  if (key === undefined) return line;
  const [, mapping = ''] = new RegExp(`^${name} = \\{\\n([^]*?)^\\}`, 'm').exec(recipe) ?? [];
  return new RegExp(`"${key}": ("[^"]*")`).exec(mapping)?.[1] ?? '';
}

const strings = (line: string): string[] => [...line.matchAll(/"([^"]*)"/g)].map(([, text = '']) => text);
const numbers = (line: string): number[] =>
  [...line.matchAll(/\d[\d_]*/g)].map(([text]) => Number(text.replaceAll('_', '')));

test('A frame stands for at most as long as in training', () => {
  expect(numbers(lineOf('time_code.py', 'LONGEST'))).toEqual([MAX_STAND_MS]);
});

test.each(Object.entries(SAID))('The words for a %s in captions are those of the recipe', (kind, words) => {
  const [said = ''] = strings(lineOf('kinds.py', 'SAID', kind));
  expect(words).toEqual(new Set([kind, ...said.split(' ')]));
  expect(numbers(lineOf('kinds.py', 'SAID_TWICE'))[0]).toBe(SAID_TWICE);
});

test('The sets without a validation split are those of the recipe', () => {
  expect(lineOf('labels.py', 'NOT_SPLIT')).toMatch(/^SPRITES \| \{/);
  const sets = ['SPRITES', 'NOT_SPLIT'].flatMap((name) => strings(lineOf('labels.py', name)));
  expect(NOT_SPLIT).toEqual(new Set(sets));
});

test.each([
  ['haschanged', CHANGED_WITHIN_S, 'CHANGED_WITHIN'],
  ['seenwithin', SEEN_WITHIN_S, 'SEEN_WITHIN'],
] as const)('%s looks back only by lengths that training uses', (_task, within, name) => {
  expect(numbers(lineOf('questions_past.py', name))).toEqual(expect.arrayContaining([...within]));
});

const runs = python('-c', 'import sys; sys.exit(sys.version_info < (3, 11))').status === 0;
const trains = python('-c', 'import torch, gguf, tokenizers, onnx, onnxruntime, PIL').status === 0;

test.skipIf(!runs)('The recipe rejects bad data by name before any work begins', () => {
  expect(python('-m', 'unittest', '-q', 'test_labels')).toMatchObject({ status: 0 });
});

test.skipIf(!trains)('The recipe passes its own tests on synthetic pictures', { timeout: SLOW }, () => {
  const { status, stderr } = python('-W', 'ignore', '-m', 'unittest', '-q', 'test_recipe');
  expect(stderr).toContain('OK');
  expect(status).toBe(0);
});
