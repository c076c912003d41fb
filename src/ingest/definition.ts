/** Stream definitions: one schema for YAML files, HTTP bodies and the command line. */
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { parseDocument, YAMLError } from 'yaml';
import { z } from 'zod';
import { YocoError } from '../errors.ts';
import { MIN_CONFIDENCE, QUESTION_MAX_CHARS, STANDING_EVERY_MS, STANDING_HOLDS } from '../question-limits.ts';
import { parseWallTime } from '../rfc3339.ts';
import { looksLikeAddress } from './ffmpeg-protocols.ts';
import { mayHoldPassword, redact, redactUrl } from './redact.ts';
import { MAX_MASKS, regionSchema } from './regions.ts';

/** Limits of the sampling rate, frames per second. */
export const FPS = { min: 0.1, max: 30 } as const;

/** Interval between writes of a kept stream's file, ms. */
const KEEP_EVERY_MS = { min: 10_000, max: 86_400_000, default: 900_000 } as const;

/** How long a picture must stay the same to count as frozen, ms: a still scene may come anew only every ten seconds. */
const FROZEN_AFTER_MS = { min: 10_000, max: 86_400_000 } as const;

/** Maximum number of standing questions in one definition. */
const MAX_STANDING_QUESTIONS = 8;

/** Requires the host right after `//`: URL parsers also accept http addresses with fewer or more slashes. */
const SCHEME_AND_HOST = /^(?:rtsps?|https?):\/\/[^/\\\s]/i;

function isSourceUrl(value: string): boolean {
  return SCHEME_AND_HOST.test(value) && URL.canParse(value) && new URL(value).hostname !== '';
}

const ENCODING_ADVICE =
  'in a user or password write "#" as %23, "?" as %3F, "/" as %2F and "@" as %40, or use source.credentials_env';

/**
 * False when the credentials may contain an unescaped `/` or `?` that ends the host early: what looks like the host may
 * hold a password, and an `@` follows it. The rest of the password would then be shown, and part of the credentials
 * contacted as the host.
 */
function hasUnambiguousHost(value: string): boolean {
  const hostEnd = /^http/i.test(value) ? /[/?\\]/ : /[/?]/;
  const address = value.slice(value.indexOf('://') + '://'.length);
  const end = hostEnd.exec(address)?.index ?? address.length;
  return !address.includes('@', end) || !mayHoldPassword(address.slice(0, end));
}

const name = z
  .string()
  .regex(/^[a-z0-9_-][a-z0-9._-]{0,63}$/, 'expected 1 to 64 of a-z, 0-9, ".", "_" and "-", not beginning with a dot');

/** Name of an environment variable; the service's own settings are excluded. */
const environmentVariable = z
  .string()
  .regex(
    /^(?!YOCO_)[A-Za-z_][A-Za-z0-9_]*$/,
    'expected the name of an environment variable that does not begin with YOCO_',
  );

const urlFields = z.strictObject({
  url: z
    .string()
    .max(4096)
    .refine((value) => !value.includes('#'), `expected an address without "#"; ${ENCODING_ADVICE}`)
    .refine(hasUnambiguousHost, `expected no "@" after the host and its port; ${ENCODING_ADVICE}`)
    .refine(isSourceUrl, 'expected an rtsp://, rtsps://, http:// or https:// address'),
  /** Transport of RTSP media; `tcp` passes through firewalls and loses nothing. */
  transport: z.enum(['tcp', 'udp']).optional(),
  /** Name of an environment variable that holds `user:password`. */
  credentials_env: environmentVariable.optional(),
  /**
   * Declares a camera or broadcast, which is retried whatever goes wrong; RTSP always is. Until ffmpeg has identified
   * it, any other HTTP address is retried only after temporary failures, unless its name ends in `.m3u8`. A recording's
   * failures are final.
   */
  live: z.literal(true, 'expected true').optional(),
});

const urlSource = urlFields.refine(
  (source) => source.transport === undefined || source.url.toLowerCase().startsWith('rtsp'),
  {
    path: ['transport'],
    error: 'is only for rtsp:// and rtsps:// addresses',
  },
);

const path = z
  .string()
  .min(1, 'expected a path')
  .max(4096)
  .refine((value) => !value.startsWith('-') && !value.includes('\0'), 'expected a path that does not begin with "-"')
  .refine((value) => !looksLikeAddress(value), 'expected a path, not an address with a scheme');

const fileSource = z
  .strictObject({
    file: path,
    /** Restarts the file at its end; the stream's clock continues. */
    loop: z.boolean().default(false),
    /** `realtime` plays as a camera would; `fastest` reads as fast as frames are consumed. */
    pace: z.enum(['realtime', 'fastest']).default('realtime'),
    /**
     * Wall time of the first frame, RFC 3339. Without it a question about a time of day has no answer, since the file
     * may be from any day.
     */
    recorded_at: z
      .string()
      .refine(
        (text) => parseWallTime(text) !== null,
        'expected a wall time with its zone, such as 2030-01-31T12:00:00+01:00',
      )
      .optional(),
  })
  .refine((source) => !source.loop || source.recorded_at === undefined, {
    path: ['recorded_at'],
    error: 'cannot be used for a file with loop: each round is shown at another time',
  });

const deviceSource = z.strictObject({
  device: z
    .string()
    .regex(
      /^\/dev\/(?:v4l\/by-(?:id|path)\/)?[A-Za-z0-9_:-][A-Za-z0-9_.:-]*$/,
      'expected a video device such as /dev/video0',
    ),
});

const pushSource = z.strictObject({ push: z.literal(true, 'expected true') });

const SOURCES = { url: urlSource, file: fileSource, device: deviceSource, push: pushSource };
type SourceKind = keyof typeof SOURCES;
const SOURCE_KINDS = Object.keys(SOURCES) as SourceKind[];

/** Name of a snapshot file in the operator's folder: never a path, never hidden. */
export const snapshotName = z
  .string()
  .regex(
    /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/,
    'expected 1 to 128 of letters, digits, ".", "_" and "-", not beginning with a dot',
  );

const webhook = z.strictObject({
  url: z
    .string()
    .max(4096)
    .refine((value) => /^https?:\/\//i.test(value) && URL.canParse(value), 'expected an http:// or https:// address')
    .refine((value) => {
      const { username, password } = URL.canParse(value) ? new URL(value) : { username: '', password: '' };
      return username === '' && password === '';
    }, 'expected an address without a user and password'),
  /**
   * Name of an environment variable that holds the secret for signing deliveries (https://www.standardwebhooks.com).
   */
  secret_env: environmentVariable
    .refine((name) => !/^whsec_/i.test(name), 'expected the name of an environment variable, not the secret itself')
    .optional(),
  /** Whether a new answer includes a picture of its evidence. */
  picture: z.boolean().optional(),
});

const standingQuestion = z.strictObject({
  question: z
    .string()
    .max(QUESTION_MAX_CHARS)
    .refine((text) => text.trim() !== '', 'expected a question'),
  /** Seconds between askings. */
  every: z
    .number()
    .min(STANDING_EVERY_MS.min / 1_000)
    .max(STANDING_EVERY_MS.max / 1_000)
    .default(STANDING_EVERY_MS.default / 1_000),
  /** How many consecutive askings must give a new answer before it is reported. */
  holds: z.int().min(STANDING_HOLDS.min).max(STANDING_HOLDS.max).default(STANDING_HOLDS.default),
  /** An answer with lower confidence counts as none. */
  min_confidence: z.number().min(MIN_CONFIDENCE.min).max(MIN_CONFIDENCE.max).default(MIN_CONFIDENCE.default),
  /** Where each new answer is sent; without a webhook it is only logged. */
  webhook: webhook.optional(),
});

const keep = z.strictObject({
  /** Seconds between writes of the file. */
  every: z
    .number()
    .min(KEEP_EVERY_MS.min / 1_000)
    .max(KEEP_EVERY_MS.max / 1_000)
    .default(KEEP_EVERY_MS.default / 1_000),
});

const commonFields = {
  name,
  description: z.string().max(1000).optional(),
  /** The stream resumes from this snapshot. Without a source it takes pushed frames, if any. */
  restore: snapshotName.optional(),
  /**
   * Writes the stream's cache to a file periodically; after a restart the stream resumes from it. Operator only, and
   * not together with `restore`.
   */
  keep: keep.optional(),
  /**
   * Asked for as long as the stream exists: by `startServer` for streams that exist at startup, by
   * `syncStandingQuestions` for later ones. Operator only.
   */
  standing_questions: z.array(standingQuestion).max(MAX_STANDING_QUESTIONS).optional(),
  /**
   * Seconds after which a picture that has not changed at all is reported as frozen, to the log and to the webhooks of
   * `standing_questions`. Operator only.
   */
  frozen_after: z
    .number()
    .min(FROZEN_AFTER_MS.min / 1_000)
    .max(FROZEN_AFTER_MS.max / 1_000)
    .optional(),
  sampling: z
    .strictObject({
      /** Maximum frames per second that the model sees; a slower source keeps all its frames. */
      fps: z.number().min(FPS.min).max(FPS.max).default(2),
      /** The part of the picture that is watched; default: all of it. */
      crop: regionSchema.optional(),
      /** Parts of the whole picture that are blacked out: a neighbour's window, a screen. */
      masks: z.array(regionSchema).max(MAX_MASKS).default([]),
    })
    .prefault({}),
  memory: z
    .strictObject({
      /** Size of the stream's cache, MB. */
      limit_mb: z.number().int().min(16).default(512),
      /**
       * A frame that differs from the last kept one by less than this share is merged into it, so a still scene takes
       * little memory. 0 keeps every frame.
       */
      merge_below: z.number().min(0).max(1).default(0),
    })
    .prefault({}),
};

/** The whole schema; `parseDefinition` gives better messages. */
export const streamDefinitionSchema = z.strictObject({
  ...commonFields,
  source: z.union([urlSource, fileSource, deviceSource, pushSource]),
});

const clientFields = z.strictObject(commonFields).omit({ keep: true, standing_questions: true, frozen_after: true });
const clientSource = z.union([urlFields.omit({ credentials_env: true }), fileSource, pushSource]);

/**
 * What a client may send (see `checkSource`), for the API documents. A stream that resumes from a snapshot needs
 * neither a name nor a source.
 */
export const clientDefinitionSchema = z.union([
  clientFields.omit({ restore: true }).extend({ source: clientSource }),
  clientFields.partial({ name: true }).extend({ restore: snapshotName, source: clientSource.optional() }),
]);

export type StreamDefinition = z.output<typeof streamDefinitionSchema>;
export type StandingQuestionDefinition = z.output<typeof standingQuestion>;
export type WebhookDefinition = z.output<typeof webhook>;
export type SourceDefinition = StreamDefinition['source'];
export type UrlSourceDefinition = z.output<typeof urlSource>;
export type FileSourceDefinition = z.output<typeof fileSource>;

/**
 * Checks unvalidated input (parsed JSON or YAML) and fills in the defaults.
 * Throws `definition_invalid` with the field as `param`; never repeats the value, which may hold a password.
 */
export function parseDefinition(input: unknown): StreamDefinition {
  const given = isObject(input) && 'keep' in input && input.keep === true ? { ...input, keep: {} } : input;
  const whole = isObject(given) && 'restore' in given ? { source: { push: true }, ...given } : given;
  const schema = z.strictObject({ ...commonFields, source: SOURCES[sourceKind(whole)] });
  const parsed = schema.safeParse(whole);
  if (!parsed.success) throw invalidDefinition(parsed.error);
  const { keep, restore, source } = parsed.data;
  if (keep !== undefined && restore !== undefined) {
    const detail = 'keep: cannot be combined with restore: a kept stream resumes from its own file.';
    throw new YocoError('definition_invalid', { param: 'keep', detail });
  }
  if ('file' in source && source.recorded_at !== undefined && (keep ?? restore) !== undefined) {
    const detail = 'source.recorded_at: cannot be combined with restore or keep: the clock goes on from the snapshot.';
    throw new YocoError('definition_invalid', { param: 'source.recorded_at', detail });
  }
  return parsed.data;
}

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function sourceKind(input: unknown): SourceKind {
  if (!isObject(input)) {
    throw new YocoError('definition_invalid', {
      detail:
        `Expected an object with source (one of ${SOURCE_KINDS.join(', ')}) and optionally ` +
        `${Object.keys(commonFields).join(', ')}.`,
    });
  }
  const source = (input as { source?: unknown }).source;
  const kinds = SOURCE_KINDS.filter((kind) => typeof source === 'object' && source !== null && kind in source);
  if (kinds.length !== 1 || kinds[0] === undefined) {
    throw new YocoError('definition_invalid', {
      param: 'source',
      detail: `source: expected an object with exactly one of ${SOURCE_KINDS.join(', ')}.`,
    });
  }
  return kinds[0];
}

function invalidDefinition(error: z.ZodError): YocoError {
  // A name may be missing only because the snapshot that would give it is named wrongly.
  const issue = error.issues.find(({ path }) => path[0] === 'restore') ?? error.issues[0];
  if (issue === undefined) return new YocoError('definition_invalid');
  const field = [...issue.path, ...(issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [])].join('.');
  const expected = issue.code === 'unrecognized_keys' ? 'this field is unknown' : sentenceOf(issue.message);
  return new YocoError('definition_invalid', { param: field, detail: `${field}: ${expected}.` });
}

/** zod's messages begin with a capital. They may name the received type, but never the value. */
function sentenceOf(message: string): string {
  return message.replace(/^Invalid input: /, '').replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase());
}

/**
 * Reads the `*.yaml` and `*.yml` files of a folder in order of name, except hidden files and examples
 * (`*.example.yaml`). Each file holds one definition. `name` defaults to the file's name without its extension;
 * `source.file` is relative to the folder. Throws `definition_invalid`, naming the file and the field.
 */
export async function readDefinitions(dir: string): Promise<StreamDefinition[]> {
  const files = (await listFiles(dir)).filter(isDefinitionFile);
  const fileOfName = new Map<string, string>();
  const definitions: StreamDefinition[] = [];
  for (const file of files.sort()) {
    const definition = await readDefinition(join(dir, file));
    const other = fileOfName.get(definition.name);
    if (other !== undefined) throw fileError(file, 'name', `the name is already used by ${other}.`);
    fileOfName.set(definition.name, file);
    definitions.push(definition);
  }
  return definitions;
}

const YAML = /\.ya?ml$/;

/**
 * Hidden files are not the operator's: editors leave them behind, and macOS writes `._door.yaml` to other systems'
 * disks.
 */
function isDefinitionFile(file: string): boolean {
  return YAML.test(file) && !/\.example\.ya?ml$/.test(file) && !file.startsWith('.');
}

async function listFiles(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (cause) {
    throw new YocoError('definition_invalid', { detail: `The folder ${dir} cannot be read.`, cause });
  }
}

/** What a message of the YAML parser quotes, `: !word` before its position, and the colon at its end. */
const YAML_QUOTE = /: .*(?= at line \d+, column \d+:?$)|: .*$|:$/g;

/** Reads one definition; see `readDefinitions`. */
export async function readDefinition(path: string): Promise<StreamDefinition> {
  const file = basename(path);
  let input: unknown;
  try {
    input = parseYaml(await readFile(path, 'utf8'));
  } catch (cause) {
    const [reason = ''] = cause instanceof Error ? cause.message.split('\n') : [];
    // YAML errors quote the offending line or word, which may hold a password. An alias without its anchor gives a
    // ReferenceError.
    const isYaml = cause instanceof YAMLError || cause instanceof ReferenceError;
    const detail = `${file}: ${redact(isYaml ? reason.replace(YAML_QUOTE, '') : reason)}.`;
    throw new YocoError('definition_invalid', { detail, ...(isYaml ? {} : { cause }) });
  }
  let definition: StreamDefinition;
  try {
    definition = parseDefinition(isObject(input) ? { name: file.replace(YAML, ''), ...input } : input);
  } catch (error) {
    const problem = YocoError.from(error);
    throw fileError(file, problem.param, problem.message.replace(/^The stream definition is not valid\. /, ''));
  }
  const { source } = definition;
  return 'file' in source
    ? { ...definition, source: { ...source, file: resolve(dirname(path), source.file) } }
    : definition;
}

/**
 * Throws the first error or warning. Warnings, such as an unknown tag, would otherwise go to stderr with the offending
 * line.
 */
function parseYaml(text: string): unknown {
  const document = parseDocument(text, { logLevel: 'error' });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) throw problem;
  return document.toJS();
}

function fileError(file: string, param: string | null, detail: string): YocoError {
  return new YocoError('definition_invalid', { detail: `${file}: ${detail}`, ...(param === null ? {} : { param }) });
}

/**
 * Describes the source for status and logs, with credentials and folders hidden, such as `rtsp://***@10.0.0.7/live`.
 */
export function describeSource(source: SourceDefinition): string {
  if ('url' in source) return redactUrl(source.url);
  if ('file' in source) return `file ${basename(source.file)}`;
  if ('device' in source) return `device ${source.device}`;
  return 'push';
}
