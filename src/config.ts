/** The configuration of the service: defaults, then a YAML file, then the environment, then flags; validated once. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse as parseYaml, YAMLParseError } from 'yaml';
import { z } from 'zod';
import { YocoError } from './errors.ts';
import { isHostRule } from './ingest/policy.ts';
import { systemReason } from './system-code.ts';
import { A_TIME_ZONE, isTimeZone } from './time-zone.ts';

/** Folder of this package: where the bundled model, page and streams lie. */
export const PACKAGE_ROOT = fileURLToPath(new URL('..', import.meta.url));
/** The bundle that is used where none is named. */
export const DEFAULT_BUNDLE = path.join(PACKAGE_ROOT, 'models', 'yoco-small-1');

const list = z.array(z.string().min(1));
/** A whole number, or text that is one: nothing at all is none. */
const whole = (least: number, most = Number.MAX_SAFE_INTEGER) => {
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  const error = `expected a whole number ${range}`;
  const number = z.union([z.number(), z.string().trim().min(1).transform(Number)], error);
  return number.pipe(z.number(error).int(error).min(least, error).max(most, error));
};
const hostRule = z
  .string()
  .refine(
    isHostRule,
    'is neither a host (cam.example, *.example, no scheme, no port), nor a range (10.0.0.0/8), nor *',
  );

const schema = z.strictObject({
  /** Folder of the model bundle. */
  bundle: z.string().min(1).default(DEFAULT_BUNDLE),
  /** Folder of stream definitions. */
  streams: z.string().min(1).default(path.join(PACKAGE_ROOT, 'streams')),
  /** Folder in which snapshots of streams are kept; default: none are. */
  snapshots: z.string().min(1).optional(),
  host: z.string().min(1).default('127.0.0.1'),
  port: whole(0, 65_535).default(8080),
  /** Keys that clients must present; without any, only this machine is served. */
  api_keys: list.default([]),
  /** Keys that may only look and ask. */
  view_keys: list.default([]),
  /** Web origins besides the page's own. */
  allowed_origins: list.default([]),
  /** Host names that requests may name while no key is configured. */
  allowed_hosts: list.default([]),
  /** Files in PEM. */
  tls: z.strictObject({ key: z.string().min(1), cert: z.string().min(1) }).optional(),
  /** Folders whose files clients may play. */
  media_roots: list.default([]),
  /** Hosts that clients may name as a source: `cam.example`, `*.example`, `10.0.0.0/8` or `*`. */
  source_hosts: z.array(hostRule).default([]),
  /** Time zone of the times of day that questions name; default: that of the process. */
  time_zone: z.string().refine(isTimeZone, `expected ${A_TIME_ZONE}`).optional(),
  max_streams: whole(1, 1_000).default(64),
  /** Answers in progress and waiting. */
  max_answers: whole(1, 1_000).default(64),
  /** Threads inside one operator of the model; default: one a core. */
  threads: whole(1, 256).optional(),
  /** Where the caches lie and the decoders run. */
  device: z.enum(['cpu', 'webgpu']).default('cpu'),
  /** Caches on a device at most, MB; what was read least recently leaves it, and comes back when it is read. */
  device_memory_mb: whole(64).default(4096),
  /** Resident memory at which the engine is started again, MB. */
  engine_memory_mb: whole(512).default(8192),
  /** JPEG of the pictures that each stream has seen, MB; the oldest go first. */
  pictures_mb: whole(1, 65_536).default(64),
  log_level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
});

export type Config = z.output<typeof schema> & {
  /** The environment variable of each setting that came from one: what a person has to look for. */
  readonly variables: Variables;
};
export type ConfigInput = { readonly [K in keyof z.input<typeof schema>]?: unknown };
/** Key of a setting (`tls.key` for a part of it) to the variable that gave it. */
type Variables = ReadonlyMap<string, string>;

const LISTS = new Set<string>([
  'api_keys',
  'view_keys',
  'allowed_origins',
  'allowed_hosts',
  'media_roots',
  'source_hosts',
]);
const PREFIX = 'YOCO_';
/** Variables with the prefix that other modules read. */
const NOT_SETTINGS = new Set([
  'YOCO_FFMPEG',
  'YOCO_API_KEY',
  'YOCO_CONFIG',
  'YOCO_SERVER',
  'YOCO_BENCH_LLAMA',
  'YOCO_BENCH_GGUF',
]);

/**
 * What Kubernetes puts into every pod for a Service that is called `yoco` or `yoco-something`: `YOCO_SERVICE_HOST`,
 * `YOCO_SERVICE_PORT_HTTP`, `YOCO_PORT_8080_TCP_ADDR`, and `YOCO_PORT`, whose value is an address (below).
 */
const OF_A_SERVICE = /_SERVICE_(HOST|PORT(_\w+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/;
const OF_A_SERVICE_BY_VALUE = { name: /_PORT$/, value: /^(tcp|udp|sctp):\/\// };

function isOfAService(variable: string, value: string): boolean {
  const { name, value: address } = OF_A_SERVICE_BY_VALUE;
  return OF_A_SERVICE.test(variable) || (name.test(variable) && address.test(value));
}

/**
 * `YOCO_PORT=9000` -> `{ port: '9000' }`; lists are separated by commas; `YOCO_TLS_KEY` and `YOCO_TLS_CERT` are files.
 */
function configFromEnvironment(env: NodeJS.ProcessEnv): { input: ConfigInput; variables: Variables } {
  const input: Record<string, unknown> = {};
  const tls: Record<string, string> = {};
  const variables = new Map<string, string>();
  for (const [variable, given] of Object.entries(env)) {
    // A file of variables may have the line ends of Windows.
    const value = given?.trim() ?? '';
    if (!variable.startsWith(PREFIX) || NOT_SETTINGS.has(variable) || (given ?? '') === '') continue;
    if (isOfAService(variable, value)) continue;
    const key = variable.slice(PREFIX.length).toLowerCase();
    const part = /^tls_(key|cert)$/.exec(key)?.[1];
    variables.set(part === undefined ? key : `tls.${part}`, variable);
    if (part !== undefined) tls[part] = value;
    else if (LISTS.has(key)) input[key] = value.split(',').map((item) => item.trim());
    else input[key] = value;
  }
  return { input: Object.keys(tls).length > 0 ? { ...input, tls } : input, variables };
}

/**
 * Throws `config_invalid` for a variable that begins as settings do and is none, for commands that read no settings.
 */
export function checkVariables(env: NodeJS.ProcessEnv): void {
  const { variables } = configFromEnvironment(env);
  for (const [key, variable] of variables) {
    const [name = ''] = key.split('.');
    if (!Object.hasOwn(schema.shape, name)) throw wrongSetting(key, 'is not a setting', new Map([[key, variable]]));
  }
}

/** `config_invalid` that names the setting, and the variable where one gave it: `port (YOCO_PORT): ...`. */
export function wrongSetting(key: string, what: string, variables: Variables, cause?: unknown): YocoError {
  return new YocoError('config_invalid', { param: key, detail: `${settingName(key, variables)}: ${what}.`, cause });
}

/** Whether the error says already which setting it is about, as those of `wrongSetting` do. */
export function namesSetting({ param, detail }: YocoError, variables: Variables): boolean {
  return param !== null && detail.startsWith(`${settingName(param, variables)}: `);
}

function settingName(key: string, variables: Variables): string {
  // The variable holds the whole of a list or an object.
  const variable = variables.get(key) ?? variables.get(key.split('.')[0] ?? '');
  return variable === undefined ? key : `${key} (${variable})`;
}

/** What of the configuration the engine needs wherever it runs. */
export function engineConfig(config: Config) {
  const { bundle, device, device_memory_mb: deviceMb, threads } = config;
  return { bundle, device, deviceBytes: deviceMb * 2 ** 20, ...(threads === undefined ? {} : { threads }) };
}

/**
 * `defaults`: in the place of the settings' own. Throws `config_invalid` that names the key, and the environment
 * variable if it came from one; never its value.
 */
export async function readConfig(
  flags: ConfigInput,
  env: NodeJS.ProcessEnv = process.env,
  file: string | undefined = env['YOCO_CONFIG']?.trim(),
  defaults: ConfigInput = {},
): Promise<Config> {
  const fromFile = file === undefined || file === '' ? {} : await readConfigFile(file);
  const given = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
  const { input, variables: all } = configFromEnvironment(env);
  const variables = new Map([...all].filter(([key]) => !Object.hasOwn(given, key)));
  const parsed = schema.safeParse({ ...defaults, ...fromFile, ...input, ...given });
  if (parsed.success) return { ...parsed.data, variables };
  const issue = parsed.error.issues[0];
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const key = unknown ?? issue?.path.join('.') ?? '';
  const what = unknown === undefined ? (issue?.message ?? 'is wrong') : 'is not a setting';
  throw wrongSetting(key, what, variables);
}

async function readConfigFile(file: string): Promise<ConfigInput> {
  try {
    // Warnings would quote the line, which may hold a key: an unquoted one that begins with "!" is a tag that nobody
    // knows.
    const value: unknown = parseYaml(await readFile(file, 'utf8'), { logLevel: 'error' });
    if (value === null) return {};
    if (typeof value === 'object' && !Array.isArray(value)) return value;
  } catch (cause) {
    throw new YocoError('config_invalid', {
      param: 'config',
      detail: `${file} cannot be read (${whyNot(cause)}).`,
      cause,
    });
  }
  throw new YocoError('config_invalid', { param: 'config', detail: `${file} does not hold settings.` });
}

/**
 * `ENOENT`, or `BAD_INDENT at line 3, column 1` of YAML, by the parser's name for it: its sentences may quote the file,
 * which may hold keys.
 */
function whyNot(cause: unknown): string {
  // An alias without its anchor: the parser has no name for it, and no place.
  if (cause instanceof ReferenceError) return 'a value that begins with "*" needs quotation marks';
  const [at] = cause instanceof YAMLParseError ? (cause.linePos ?? []) : [];
  return `${systemReason(cause)}${at === undefined ? '' : ` at line ${at.line}, column ${at.col}`}`;
}
