/** The command-line options of `eval`, checked before anything is started or played. */
import { z } from 'zod';
import { YocoError } from '../errors.ts';
import { FPS } from '../ingest/definition.ts';
import { parseNumber } from '../parse-number.ts';
import { planStreams } from './plan.ts';
import { type Fit, VIDEO_FPS, type VideoOptions } from './video.ts';

/** Questions in flight at once: well below the answers that an engine takes. */
export const QUESTIONS_AT_ONCE = 16;

/** As written: every option is text. */
export interface EvaluationFlags {
  readonly sets: string;
  readonly seed: string;
  readonly streams: string;
  readonly seconds: string;
  readonly size: string;
  readonly fit: Fit;
  readonly fps: string;
  readonly controls: string;
}

export interface CheckedOptions {
  readonly sets: readonly string[];
  readonly seed: number;
  readonly streams: string;
  readonly seconds: string;
  readonly video: VideoOptions;
  readonly fps: number;
  readonly controls: number;
}

/** Side of a video, pixels: a smaller one shows nothing, and the encoder takes only even numbers. */
const SIDE = { min: 32, max: 4_096 };

const number = (min: number, max: number) => z.string().transform(parseNumber).pipe(z.number().min(min).max(max));
const side = z.number().min(SIDE.min).max(SIDE.max).multipleOf(2);

const schema = z.object({
  sets: z
    .string()
    .transform((text) => (text === 'all' ? [] : text.split(',')))
    .pipe(z.array(z.string().min(1))),
  seed: z
    .string()
    .regex(/^\d+$/)
    .transform(Number)
    .pipe(z.int().max(2 ** 32 - 1)),
  size: z
    .string()
    .regex(/^\d+x\d+$/)
    .transform((text) => text.split('x').map(Number))
    .pipe(z.tuple([side, side])),
  fps: number(FPS.min, VIDEO_FPS),
  controls: number(0, 1),
});

const EXPECTED: Record<keyof z.output<typeof schema>, string> = {
  sets: 'must be names separated by commas, or "all"',
  seed: `must be a whole number from 0 to ${2 ** 32 - 1}`,
  size: `must be WIDTHxHEIGHT of even numbers from ${SIDE.min} to ${SIDE.max}, such as 480x360`,
  fps: `must be a number from ${FPS.min} to ${VIDEO_FPS}, the pictures a second of the videos`,
  controls: 'must be a share from 0 to 1',
};

/** Throws `invalid_request`, naming the option and what is expected. */
export function checkOptions(flags: EvaluationFlags): CheckedOptions {
  const parsed = schema.safeParse(flags);
  if (!parsed.success) {
    const name = (parsed.error.issues[0]?.path[0] ?? 'sets') as keyof typeof EXPECTED;
    throw new YocoError('invalid_request', { param: name, detail: `--${name} ${EXPECTED[name]}.` });
  }
  const { size, ...rest } = parsed.data;
  const { streams, seconds, fit } = flags;
  planStreams(streams, seconds, rest.controls);
  const [width, height] = size;
  return { ...rest, streams, seconds, video: { width, height, fit } };
}
