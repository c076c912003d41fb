/** The worker's side of `inProcess`: one message is answered with one message, then the process ends. */

export function answerOnce(run: (message: unknown) => Promise<object>): void {
  // A parent that is gone waits for no figures: without this a long run would go on for nobody, and disturb what is
  // measured next.
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
