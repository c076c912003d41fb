import { expect, test } from 'vitest';
import { errorText } from '../../src/cli/error-text.ts';
import { YocoError } from '../../src/errors.ts';

test('An unexpected error is printed with its stack, unless it happened in the service', () => {
  const here = new YocoError('internal', { cause: new Error('of all things') });
  expect(errorText(here)).toMatch(/^error: .* \(internal\)\nError: of all things\n +at /);
  expect(errorText(new YocoError('internal'))).toMatch(/^error: .* \(internal\)\n$/);
});
