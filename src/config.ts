/** The configuration of the service: defaults, then a YAML file, then the environment, then flags; validated once. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse as parseYaml, YAMLParseError } from 'yaml';
import { z } from 'zod';
import { YocoError } from './errors.ts';
import { isHostRule } from './ingest/policy.ts';
import { systemReason } from './system-code.ts';
import { EXPECTED_TIME_ZONE, isTimeZone } from './time-zone.ts';

/** Folder of this package, which holds the bundled model, page and streams. */
export const PACKAGE_ROOT = fileURLToPath(new URL('..', import.meta.url));
/** The bundle used by default. */
export const DEFAULT_BUNDLE = path.join(PACKAGE_ROOT, 'models', 'yoco-small-1');

const list = z.array(z.string().min(1));
/** A whole number, or its text; empty text is invalid. */
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
  /** Folder for snapshots of streams; default: snapshots are off. */
  snapshots: z.string().min(1).optional(),
  host: z.string().min(1).default('127.0.0.1'),
  port: whole(0, 65_535).default(8080),
  /** Keys that clients must present; without any, only this machine is served. */
  api_keys: list.default([]),
  /** Keys that may only look and ask. */
  view_keys: list.default([]),
  /** Allowed web origins besides the page's own. */
  allowed_origins: list.default([]),
  /** Host names that requests may name while no key is configured. */
  allowed_hosts: list.default([]),
  /** Files in PEM. */
  tls: z.strictObject({ key: z.string().min(1), cert: z.string().min(1) }).optional(),
  /** Folders whose files clients may play. */
  media_roots: list.default([]),
  /** Hosts that clients may name as a source: `cam.example`, `*.example`, `10.0.0.0/8` or `*`. */
  source_hosts: z.array(hostRule).default([]),
  /** Time zone of times of day in questions; default: the process's. */
  time_zone: z.string().refine(isTimeZone, `expected ${EXPECTED_TIME_ZONE}`).optional(),
  max_streams: whole(1, 1_000).default(64),
  /** Limit of answers in progress and waiting. */
  max_answers: whole(1, 1_000).default(64),
  /** Threads inside one operator of the model; default: one per core. */
  threads: whole(1, 256).optional(),
  /** Where the caches live and the decoders run. */
  device: z.enum(['cpu', 'webgpu']).default('cpu'),
  /** Limit of cache pages on a device, MB; the least recently read are evicted, and reloaded when they are read. */
  device_memory_mb: whole(64).default(4096),
  /** Resident memory at which the engine is restarted, MB. */
  engine_memory_mb: whole(512).default(8192),
  /** Limit of JPEG of seen pictures, per stream, MB; the oldest are dropped first. */
  pictures_mb: whole(1, 65_536).default(64),
  log_level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
});

export type Config = z.output<typeof schema> & {
  /** The environment variable of each setting that came from one, so that people know where to look. */
  readonly variables: Variables;
};
export type ConfigInput = { readonly [K in keyof z.input<typeof schema>]?: unknown };
/** Key of a setting (`tls.key` for a part of one) to the variable that set it. */
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
/** Variables with this prefix that are read elsewhere. */
const NOT_SETTINGS = new Set([
  'YOCO_FFMPEG',
  'YOCO_API_KEY',
  'YOCO_CONFIG',
  'YOCO_SERVER',
  'YOCO_BENCH_LLAMA',
  'YOCO_BENCH_GGUF',
]);

/**
 * Variables that Kubernetes sets in every pod for a Service called `yoco` or `yoco-something`: `YOCO_SERVICE_HOST`,
 * `YOCO_SERVICE_PORT_HTTP`, `YOCO_PORT_8080_TCP_ADDR`, and `YOCO_PORT`, whose value is an address (below).
 */
const KUBERNETES_VARIABLE = /_SERVICE_(HOST|PORT(_\w+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/;
const KUBERNETES_PORT_VARIABLE = { name: /_PORT$/, value: /^(tcp|udp|sctp):\/\// };

function isKubernetesVariable(variable: string, value: string): boolean {
  const { name, value: address } = KUBERNETES_PORT_VARIABLE;
  return KUBERNETES_VARIABLE.test(variable) || (name.test(variable) && address.test(value));
}

/**
 * `YOCO_PORT=9000` -> `{ port: '9000' }`. Lists are separated by commas; `YOCO_TLS_KEY` and `YOCO_TLS_CERT` name files.
 */
function configFromEnvironment(env: NodeJS.ProcessEnv): { input: ConfigInput; variables: Variables } {
  const input: Record<string, unknown> = {};
  const tls: Record<string, string> = {};
  const variables = new Map<string, string>();
  for (const [variable, given] of Object.entries(env)) {
    // A file of variables may have Windows line endings.
    const value = given?.trim() ?? '';
    if (!variable.startsWith(PREFIX) || NOT_SETTINGS.has(variable) || (given ?? '') === '') continue;
    if (isKubernetesVariable(variable, value)) continue;
    const key = variable.slice(PREFIX.length).toLowerCase();
    const part = /^tls_(key|cert)$/.exec(key)?.[1];
    variables.set(part === undefined ? key : `tls.${part}`, variable);
    if (part !== undefined) tls[part] = value;
    else if (LISTS.has(key)) input[key] = value.split(',').map((item) => item.trim());
    else input[key] = value;
  }
  return { input: Object.keys(tls).length > 0 ? { ...input, tls } : input, variables };
}

/** Throws `config_invalid` for a `YOCO_` variable that is not a setting, for commands that read no settings. */
export function checkVariables(env: NodeJS.ProcessEnv): void {
  const { variables } = configFromEnvironment(env);
  for (const [key, variable] of variables) {
    const [name = ''] = key.split('.');
    if (!Object.hasOwn(schema.shape, name)) throw settingError(key, 'is not a setting', new Map([[key, variable]]));
  }
}

/** `config_invalid` naming the setting, and the variable if one set it: `port (YOCO_PORT): ...`. */
export function settingError(key: string, what: string, variables: Variables, cause?: unknown): YocoError {
  return new YocoError('config_invalid', { param: key, detail: `${settingName(key, variables)}: ${what}.`, cause });
}

/** Whether the error already names its setting, like those of `settingError`. */
export function namesSetting({ param, detail }: YocoError, variables: Variables): boolean {
  return param !== null && detail.startsWith(`${settingName(param, variables)}: `);
}

function settingName(key: string, variables: Variables): string {
  // A list or an object is set as a whole by its variable.
  const variable = variables.get(key) ?? variables.get(key.split('.')[0] ?? '');
  return variable === undefined ? key : `${key} (${variable})`;
}

/** The settings that the engine needs wherever it runs. */
export function engineConfig(config: Config) {
  const { bundle, device, device_memory_mb: deviceMb, threads } = config;
  return { bundle, device, deviceBytes: deviceMb * 2 ** 20, ...(threads === undefined ? {} : { threads }) };
}

/**
 * `defaults` replace the settings' own defaults. Throws `config_invalid` that names the key, and the environment
 * variable if one set it, but never the value.
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
  throw settingError(key, what, variables);
}

async function readConfigFile(file: string): Promise<ConfigInput> {
  try {
    // Suppresses warnings, which would quote the line: an unquoted key that begins with "!" is an unknown tag.
    const value: unknown = parseYaml(await readFile(file, 'utf8'), { logLevel: 'error' });
    if (value === null) return {};
    if (typeof value === 'object' && !Array.isArray(value)) return value;
  } catch (cause) {
    throw new YocoError('config_invalid', {
      param: 'config',
      detail: `${file} cannot be read (${readErrorReason(cause)}).`,
      cause,
    });
  }
  throw new YocoError('config_invalid', { param: 'config', detail: `${file} does not hold settings.` });
}

/**
 * `ENOENT`, or for YAML `BAD_INDENT at line 3, column 1`. Only the parser's error code is used: its messages may quote
 * the file, which may hold keys.
 */
function readErrorReason(cause: unknown): string {
  // An alias without its anchor, for which the parser gives neither a code nor a position.
  if (cause instanceof ReferenceError) return 'a value that begins with "*" needs quotation marks';
  const [at] = cause instanceof YAMLParseError ? (cause.linePos ?? []) : [];
  return `${systemReason(cause)}${at === undefined ? '' : ` at line ${at.line}, column ${at.col}`}`;
}
