/** Checks what a client sent against a schema. */
import type { z } from 'zod';
import { YocoError } from '../errors.ts';

/** Throws `invalid_request` whose `param` is the path of the first wrong field, e.g. `response.yoco.as_of`. */
export function parseOrThrow<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  if (issue === undefined) throw new YocoError('invalid_request');
  const unknownKey = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
  const param = [...issue.path, ...unknownKey].map(String).join('.').slice(0, 200);
  const what = unknownKey.length > 0 ? 'is not a known field' : issue.message.replace(/^Invalid input: /, '');
  throw new YocoError('invalid_request', {
    ...(param === '' ? {} : { param }),
    detail: `${param === '' ? 'It' : param}: ${what}.`,
  });
}
