/** The command line of `npm run bench`. */
import { parseArgs } from 'node:util';

export interface BenchOptions {
  /** Short runs, to check that a bench works; their figures do not count. */
  readonly quick: boolean;
  /** Most memory for a baseline's cache, GiB; a larger one is reported as not fitting. */
  readonly limitGiB: number;
  /** Folder in which node-llama-cpp is installed. */
  readonly llama: string | undefined;
  /** A GGUF file of SmolLM2-135M. */
  readonly gguf: string | undefined;
  /** Needles at each length of the video. */
  readonly needles: number;
  /** Folder of labelled pictures for needles and haystacks; default: the photographs of the recorded tests. */
  readonly data: string | undefined;
  /** Videos for the hay; default: photographs. They must not show anything that is asked about. */
  readonly footage: readonly string[] | undefined;
  /** Most needles in one haystack of footage; default: Infinity. */
  readonly planted: number;
  /** Lengths of the videos in seconds; undefined for the defaults of the bench. */
  readonly seconds: readonly number[] | undefined;
  /** File for the picture that the bench draws, if any. */
  readonly picture: string | undefined;
}

export interface CommandLine {
  readonly names: readonly string[];
  readonly json: boolean;
  readonly options: BenchOptions;
}

/** Throws a TypeError that names an argument that is unknown, invalid or lacks its value. */
export function parseCommandLine(argv: readonly string[], environment: NodeJS.ProcessEnv): CommandLine {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      data: { type: 'string' },
      footage: { type: 'string' },
      json: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      'limit-gb': { type: 'string', default: '8' },
      llama: { type: 'string' },
      gguf: { type: 'string' },
      needles: { type: 'string', default: '12' },
      picture: { type: 'string' },
      planted: { type: 'string' },
      seconds: { type: 'string' },
    },
  });
  const limitGiB = Number(values['limit-gb']);
  if (!(limitGiB > 0)) throw new TypeError(`--limit-gb must be a number above 0, and is ${values['limit-gb']}`);
  const seconds = values.seconds?.split(',').map(Number);
  if (seconds?.every((value) => value >= 10) === false) {
    throw new TypeError(`--seconds must be numbers from 10 on, separated by commas, and is ${values.seconds}`);
  }
  return {
    names: positionals,
    json: values.json,
    options: {
      quick: values.quick,
      limitGiB,
      llama: values.llama ?? environment['YOCO_BENCH_LLAMA'],
      gguf: values.gguf ?? environment['YOCO_BENCH_GGUF'],
      needles: positiveInteger('needles', values.needles),
      planted: values.planted === undefined ? Infinity : positiveInteger('planted', values.planted),
      data: values.data,
      footage: values.footage?.split(','),
      seconds,
      picture: values.picture,
    },
  };
}

function positiveInteger(name: string, value: string): number {
  const number = Number(value);
  if (Number.isInteger(number) && number > 0) return number;
  throw new TypeError(`--${name} must be a whole number above 0, and is ${value}`);
}
