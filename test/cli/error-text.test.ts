import { expect, test } from 'vitest';
import { errorText } from '../../src/cli/error-text.ts';
import { YocoError } from '../../src/errors.ts';

test('An error that nobody expected is told with where it happened; one that a service tells of happened there', () => {
  const here = new YocoError('internal', { cause: new Error('of all things') });
  expect(errorText(here)).toMatch(/^error: .* \(internal\)\nError: of all things\n +at /);
  expect(errorText(new YocoError('internal'))).toMatch(/^error: .* \(internal\)\n$/);
});
