import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const [, section = ''] =
  /^## Constants and limits\n([^]*?)^## /m.exec(readFileSync('docs/architecture.md', 'utf8')) ?? [];

/** Source files whose path ends with `name`. */
function filesOf(name: string): string[] {
  const all = readdirSync('src', { recursive: true, encoding: 'utf8' }).map(
    (file) => `src/${file.replaceAll('\\', '/')}`,
  );
  return all.filter((file) => file === name || file.endsWith(`/${name}`));
}

/** Pairs of file and constant: the last cell of a row names a file, followed by the constants it defines. */
const named = section.split('\n').flatMap((row) => {
  const cell = row.split('|').at(-2) ?? '';
  const words = [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word);
  let file = '';
  return words.flatMap((word) => {
    if (word.endsWith('.ts')) file = word;
    return /^[A-Z][A-Z0-9_]+$/.test(word) ? [[file, word] as const] : [];
  });
});

test('The table of constants in the architecture document lists more than 50 constants', () => {
  expect(named.length).toBeGreaterThan(50);
});

test.each(named)('%s defines %s, as the table of constants says', (name, constant) => {
  const defined = new RegExp(`[\\s{]${constant}(?: =|:)`);
  expect(filesOf(name).filter((file) => defined.test(readFileSync(file, 'utf8')))).toHaveLength(1);
});
