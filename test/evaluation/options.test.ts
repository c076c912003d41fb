import { describe, expect, test } from 'vitest';
import { checkOptions, type EvaluationFlags } from '../../src/evaluation/options.ts';

const FLAGS: EvaluationFlags = {
  ...{ sets: 'grocery,clothing', seed: '1', streams: '40', seconds: '30' },
  ...{ size: '480x360', fit: 'contain', fps: '2', controls: '0.3' },
};

describe('The options of an evaluation', () => {
  test('are parsed as numbers, names and a size', () => {
    expect(checkOptions(FLAGS)).toEqual({
      ...{ sets: ['grocery', 'clothing'], seed: 1, streams: '40', seconds: '30', fps: 2, controls: 0.3 },
      video: { width: 480, height: 360, fit: 'contain' },
    });
    expect(checkOptions({ ...FLAGS, sets: 'all' }).sets).toEqual([]);
    expect(checkOptions({ ...FLAGS, fps: '8', controls: '1', streams: '0,2', seconds: '10,30' })).toMatchObject({
      ...{ fps: 8, controls: 1, streams: '0,2' },
    });
    expect(checkOptions({ ...FLAGS, fps: '.5', controls: '1.' })).toMatchObject({ fps: 0.5, controls: 1 });
  });

  test.each([
    ['sets', '', 'names'],
    ['sets', 'grocery,', 'names'],
    ['seed', 'x', 'whole number'],
    ['seed', '1.5', 'whole number'],
    ['seed', '', 'whole number'],
    ['seed', '99999999999', 'whole number'],
    ['size', '0x0', 'even numbers from 32'],
    ['size', '161x121', 'even numbers from 32'],
    ['size', '480', 'even numbers from 32'],
    ['size', '480x360x2', 'even numbers from 32'],
    ['size', '99998x99998', 'to 4096'],
    ['fps', '9', 'from 0.1 to 8'],
    ['fps', '0', 'from 0.1 to 8'],
    ['fps', '', 'from 0.1 to 8'],
    ['controls', '7', 'from 0 to 1'],
    ['controls', '-0.1', 'from 0 to 1'],
    ['controls', 'NaN', 'from 0 to 1'],
    ['streams', '', 'whole number above 0'],
    ['streams', '0', 'whole number above 0'],
    ['streams', '1e1', 'whole number above 0'],
    ['seconds', '1', 'numbers from 4'],
    ['seconds', '', 'numbers from 4'],
    ['seconds', '0x1e', 'numbers from 4'],
  ] as const)('reject --%s %j, saying what is expected', (param, value, expected) => {
    expect(() => checkOptions({ ...FLAGS, [param]: value })).toThrow(
      expect.objectContaining({
        code: 'invalid_request',
        param,
        detail: expect.stringMatching(new RegExp(`^--${param} must be .*${expected}`)) as string,
      }),
    );
  });
});
