/** Stopping an evaluation: pending waits end at once, so that whatever was opened is closed. */

/**
 * Settles like the promise, or rejects with the signal's reason as soon as it is aborted. The promise's later outcome
 * is ignored.
 */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    promise.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', stop);
    });
  });
}
