/**
 * Rereads the stream files, the certificate and the keys of a running service. All other settings are read only at
 * startup.
 */
import { X509Certificate } from 'node:crypto';
import type { Config } from '../config.ts';
import { YocoError } from '../errors.ts';
import { readDefinitions, type StreamDefinition } from '../ingest/definition.ts';
import type { RekeyResult, RunningServer, ServerLog } from '../server/index.ts';
import { readCertificate } from './certificate.ts';
import { errorFields } from './error-text.ts';
import { requireSnapshotFolder, type OperatorStreams } from './operator-streams.ts';
import { toSettingError } from './setting-error.ts';

export interface ReloadContext {
  /** The settings with which the service was started. */
  readonly config: Config;
  /** Reads the current settings. Throws what `readConfig` throws. */
  readonly readSettings: () => Promise<Config>;
  readonly log: ServerLog;
  readonly server: RunningServer;
  readonly streams: OperatorStreams;
  /** Ends the reload after the stream in progress. */
  readonly stop: AbortSignal;
}

/** Settings that take effect on a reload. */
const RELOADABLE_SETTINGS: ReadonlySet<string> = new Set(['api_keys', 'view_keys']);

/**
 * Never rejects: failures are logged. An invalid stream file changes no stream; an unusable certificate and unusable
 * keys are not adopted.
 */
export async function reload(service: ReloadContext): Promise<void> {
  const { config, log, server, streams, stop } = service;
  if (stop.aborted) return;
  await renewKeys(service);
  await renewCertificate(service);
  let definitions: StreamDefinition[];
  try {
    definitions = await readDefinitions(config.streams);
    requireSnapshotFolder(definitions, config);
  } catch (error) {
    logFailure(log, error, 'The streams are unchanged');
    return;
  }
  const result = await streams.sync(definitions, server, stop);
  log.info?.(result, 'The stream files were reloaded.');
}

async function renewCertificate({ config, log, server }: ReloadContext): Promise<void> {
  if (config.tls === undefined) return;
  try {
    const certificate = await readCertificate(config.tls);
    server.renew(certificate);
    const { validTo } = new X509Certificate(certificate.cert);
    log.info?.({ valid_to: new Date(validTo).toISOString() }, 'The certificate was reloaded.');
  } catch (error) {
    logFailure(log, error, 'The certificate is unchanged');
  }
}

async function renewKeys({ config, readSettings, log, server }: ReloadContext): Promise<void> {
  try {
    const settings = await readSettings();
    const fixed = [...RELOADABLE_SETTINGS].flatMap((name) => settings.variables.get(name) ?? []);
    const changed = rekeyServer(server, settings);
    log.info?.(changed, 'The keys were reloaded.');
    if (fixed.length > 0)
      log.warn(
        { variables: fixed },
        'Keys set by environment variables cannot be reloaded; they stay valid until a restart.',
      );
    const waiting = changedSettings(config, settings);
    if (waiting.length > 0) log.warn({ settings: waiting }, 'Changed settings take effect after a restart.');
  } catch (error) {
    logFailure(log, error, 'The keys are unchanged');
  }
}

function rekeyServer(server: RunningServer, settings: Config): RekeyResult {
  try {
    return server.rekey({ apiKeys: settings.api_keys, viewKeys: settings.view_keys });
  } catch (error) {
    throw toSettingError(error, settings);
  }
}

/** Names of the settings that have changed but do not take effect on a reload. */
function changedSettings(before: Config, now: Config): string[] {
  // An optional setting that is absent has no key.
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])].sort() as (keyof Config)[];
  return names.filter(
    (name) => !RELOADABLE_SETTINGS.has(name) && JSON.stringify(now[name]) !== JSON.stringify(before[name]),
  );
}

function logFailure(log: ServerLog, error: unknown, what: string): void {
  const known = YocoError.from(error);
  log.error(errorFields(known), `${what}: ${known.message}`);
}
