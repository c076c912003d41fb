/** Where the log of a service goes: stderr. */
import { type DestinationStream, pino } from 'pino';

/** Bytes that wait to be written; of what comes beyond them nothing is kept. */
const WAITING_BYTES = 2 ** 20;

/**
 * A log that cannot be written (a full disk, a terminal that is gone) must not end what it tells of, nor keep it from
 * ending: without a listener an error ends the process, and then pino tries for ever to write what is left.
 */
export function logDestination(): DestinationStream {
  const log = pino.destination({ dest: process.stderr.fd, maxLength: WAITING_BYTES });
  const flush = log.flushSync.bind(log);
  log.on('error', () => {
    log.flushSync = () => undefined;
  });
  log.on('write', () => {
    log.flushSync = flush;
  });
  return log;
}
