import type { Command } from 'commander';
import { pino } from 'pino';
import { type Config, type ConfigInput, engineConfig, readConfig } from '../config.ts';
import { readDefinitions, type StreamDefinition } from '../ingest/definition.ts';
import { Streams } from '../live/live-service.ts';
import {
  checkServerOptions,
  type RunningServer,
  type ServerLog,
  type ServerOptions,
  startServer,
} from '../server/index.ts';
import { processTimeZone } from '../time-zone.ts';
import { readCertificate } from './certificate.ts';
import { SighupHandler } from './sighup.ts';
import { logDestination } from './log.ts';
import { warnOfUnwritableFolder, requireSnapshotFolder, OperatorStreams } from './operator-streams.ts';
import { reload } from './reload.ts';
import { toSettingError } from './setting-error.ts';
import { aborted, isCausedByStop, ProgressLine, stopSignal } from './terminal.ts';

export function addServe(program: Command): void {
  program
    .command('serve')
    .description('start the service')
    .option('--config <file>', 'settings in YAML')
    .option('--bundle <dir>', 'model bundle')
    .option('--streams <dir>', 'folder of stream definitions')
    .option('--host <address>', 'address to listen on')
    .option('--port <number>', 'port to listen on')
    .option('--device <name>', 'device that holds the caches and runs the decoders: cpu or webgpu')
    .action(async (options: ConfigInput & { config?: string }) => {
      const stop = stopSignal(); // first, so that a stop also ends whatever starts from here on
      const sighup = new SighupHandler();
      const { config: file, ...flags } = options;
      const readSettings = (): Promise<Config> => readConfig(flags, process.env, file);
      const config = await readSettings();
      const log = pino({ level: config.log_level }, logDestination());
      const service = await startService(config, await readDefinitions(config.streams), log, stop);
      if (service !== null) {
        const time_zone = config.time_zone ?? processTimeZone();
        log.info({ address: service.server.address, streams: service.live.list().length, time_zone }, 'listening');
        sighup.begin(() => reload({ ...service, config, readSettings, log, stop }));
        await aborted(stop);
      }
      log.info({}, 'stopping');
      await service?.close();
    });
}

export interface RunningService {
  readonly live: Streams;
  readonly server: RunningServer;
  /** The streams of `live` that the definitions made. */
  readonly streams: OperatorStreams;
  readonly close: () => Promise<void>;
}

/**
 * Loads the model, starts these streams, and listens. Null when `stop` was aborted before that: the step in progress is
 * then the last one, and everything it started has ended. Throws `config_invalid`, naming the setting, what
 * `Streams.start` throws, and a stream's error with the stream's name.
 */
export async function startService(
  config: Config,
  definitions: readonly StreamDefinition[],
  log: ServerLog,
  stop: AbortSignal,
): Promise<RunningService | null> {
  try {
    return await start(config, definitions, log, stop);
  } catch (error) {
    // Ctrl-C also ends an engine that has just started.
    if (await isCausedByStop(stop)) return null;
    throw toSettingError(error, config);
  }
}

async function start(
  config: Config,
  definitions: readonly StreamDefinition[],
  log: ServerLog,
  stop: AbortSignal,
): Promise<RunningService | null> {
  const tls = config.tls === undefined ? undefined : await readCertificate(config.tls);
  const options: ServerOptions = {
    host: config.host,
    port: config.port,
    apiKeys: config.api_keys,
    viewKeys: config.view_keys,
    allowedOrigins: config.allowed_origins,
    allowedHosts: config.allowed_hosts,
    log,
    ...(tls === undefined ? {} : { tls }),
  };
  // Before the model takes seconds to load.
  checkServerOptions(options);
  requireSnapshotFolder(definitions, config);
  await warnOfUnwritableFolder(definitions, config, log);
  const progress = new ProgressLine('Loading the model');
  const live = await Streams.start(
    {
      engine: {
        ...engineConfig(config),
        maxAnswers: config.max_answers,
        memoryLimitBytes: config.engine_memory_mb * 2 ** 20,
      },
      maxStreams: config.max_streams,
      thumbnailLimitBytes: config.pictures_mb * 2 ** 20,
      ...(config.snapshots === undefined ? {} : { snapshots: config.snapshots }),
      ...(config.time_zone === undefined ? {} : { timeZone: config.time_zone }),
      policy: { mediaRoots: config.media_roots, allowedHosts: config.source_hosts },
      onWarning: (message, fields) => {
        log.warn(fields, message);
      },
    },
    (share) => {
      progress.show(share);
    },
  );
  progress.end();
  live.engine.on('ready', () => {
    log.info?.(lostMemoryFields(live), 'The engine is ready again.');
  });
  const streams = new OperatorStreams(live, log);
  try {
    for (const definition of definitions) {
      if (stop.aborted) break;
      await streams.create(definition);
    }
    if (!stop.aborted) {
      const server = await startServer(live, { ...options, maxOutputTokens: live.engine.bundle.maxAnswerTokens });
      const close = async (): Promise<void> => {
        await server.close();
        await live.close();
      };
      return { live, server, streams, close };
    }
  } catch (error) {
    await live.close();
    throw error;
  }
  await live.close();
  return null;
}

/**
 * Log fields once a lost engine is back: streams that begin empty, and streams that are read from their kept files. A
 * recording that begins empty has lost what was read of it; a SIGHUP reads it again once it has ended.
 */
function lostMemoryFields(live: Streams): Record<string, readonly string[]> {
  const lacking = live.list().filter(({ hasLostMemory }) => hasLostMemory);
  // A kept stream may have no file yet, and no file is read if the engine had exceeded its memory limit.
  const names = (read: boolean): string[] =>
    lacking.map(({ name }) => name).filter((name) => live.engine.accepts(name) !== read);
  return { begin_empty: names(false), read_from_files: names(true) };
}
