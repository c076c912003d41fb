/** Where the log of a service goes: stderr. */
import { type DestinationStream, pino } from 'pino';

/** Maximum number of bytes that wait to be written; anything beyond them is dropped. */
const MAX_BUFFERED_BYTES = 2 ** 20;

/**
 * A log that cannot be written (a full disk, a terminal that is gone) must neither end the process nor keep it from
 * ending. Without a listener an error would end the process, and pino would then try for ever to flush the rest.
 */
export function logDestination(): DestinationStream {
  const log = pino.destination({ dest: process.stderr.fd, maxLength: MAX_BUFFERED_BYTES });
  const flush = log.flushSync.bind(log);
  log.on('error', () => {
    log.flushSync = () => undefined;
  });
  log.on('write', () => {
    log.flushSync = flush;
  });
  return log;
}
