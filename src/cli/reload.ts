/** Reads the stream files and the certificate of a running service anew. The settings are read at the start alone. */
import { X509Certificate } from 'node:crypto';
import type { Config } from '../config.ts';
import { YocoError } from '../errors.ts';
import { readDefinitions, type StreamDefinition } from '../ingest/definition.ts';
import type { RunningServer, ServerLog } from '../server/index.ts';
import { readCertificate } from './certificate.ts';
import { errorFields } from './error-text.ts';
import { checkKept, type OperatorStreams } from './operator-streams.ts';

export interface Reloaded {
  readonly config: Config;
  readonly log: ServerLog;
  readonly server: RunningServer;
  readonly streams: OperatorStreams;
  /** Ends it after the stream in progress. */
  readonly stop: AbortSignal;
}

/** Never rejects: what goes wrong is logged. A file that is wrong changes no stream, and a certificate that cannot be used is not taken. */
export async function reload(service: Reloaded): Promise<void> {
  const { config, log, server, streams, stop } = service;
  if (stop.aborted) return;
  await renewCertificate(service);
  let definitions: StreamDefinition[];
  try {
    definitions = await readDefinitions(config.streams);
    checkKept(definitions, config);
  } catch (error) {
    tellOf(log, error, 'All streams are as they were');
    return;
  }
  const followed = await streams.follow(definitions, server, stop);
  log.info?.(followed, 'The stream files were read anew.');
}

async function renewCertificate({ config, log, server }: Reloaded): Promise<void> {
  if (config.tls === undefined) return;
  try {
    const certificate = await readCertificate(config.tls);
    server.renew(certificate);
    const { validTo } = new X509Certificate(certificate.cert);
    log.info?.({ valid_to: new Date(validTo).toISOString() }, 'The certificate was read anew.');
  } catch (error) {
    tellOf(log, error, 'The certificate is as it was');
  }
}

function tellOf(log: ServerLog, error: unknown, what: string): void {
  const known = YocoError.from(error);
  log.error(errorFields(known), `${what}: ${known.message}`);
}
