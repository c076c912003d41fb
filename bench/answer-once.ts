/** The worker's side of `runInProcess`: answers one message with one message, then exits. */

export function answerOnce(run: (message: unknown) => Promise<object>): void {
  // Once the parent is gone nobody needs the figures, and a long run would disturb the next measurement.
  process.once('disconnect', () => process.exit(1));
  process.once('message', (message) => {
    run(message).then(
      (result) => {
        process.send?.(result, () => process.exit(0));
      },
      (error: unknown) => {
        process.stderr.write(`${String(error)}\n`);
        process.exit(1);
      },
    );
  });
}
