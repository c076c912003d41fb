import { describe, expect, test } from 'vitest';
import { fromEngineError, toEngineError } from '../../src/engine/engine-error.ts';
import { YocoError } from '../../src/errors.ts';

const sent = (error: unknown): YocoError => fromEngineError(structuredClone(toEngineError(error)));

describe('An error sent to the server process', () => {
  test('arrives unchanged, without its cause', () => {
    const error = new YocoError('stream_empty', {
      param: 'stream',
      detail: 'It is "door".',
      cause: new Error('inside'),
    });
    const { code, param, detail, message, cause } = sent(error);
    expect([code, param, detail, message]).toEqual([error.code, 'stream', 'It is "door".', error.message]);
    expect(cause).toBeUndefined();
  });

  test('that was unexpected carries the message and stack of what was thrown, for the log', () => {
    const thrown = new RangeError('a segment needs a token');
    const { code, message, cause } = sent(thrown);
    expect([code, message]).toEqual(['internal', new YocoError('internal').message]);
    expect(cause).toMatchObject({ message: thrown.message, stack: thrown.stack });
    expect(sent('a word').cause).toMatchObject({ message: 'a word' });
    expect(sent(new YocoError('internal', { detail: 'Why.' })).detail).toBe('Why.');
  });
});
