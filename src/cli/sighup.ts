import { isatty } from 'node:tty';

/** Where the log goes. */
const STDERR = 2;

/**
 * Handles SIGHUP: by convention a service rereads its files. A closing terminal sends SIGHUP too, and then it ends the
 * process as by default. Not on Windows, where SIGHUP means that the console, with everything running in it, is ending.
 */
export class SighupHandler {
  #handler: (() => Promise<void>) | null = null;
  #isPending = false;
  #isRunning = false;

  /** From here on SIGHUP does not end the process, unless the terminal that the log goes to is gone. */
  constructor() {
    if (process.platform === 'win32') return;
    const inTerminal = isatty(STDERR);
    const onSighup = (): void => {
      if (inTerminal && !isatty(STDERR)) {
        process.off('SIGHUP', onSighup);
        process.kill(process.pid, 'SIGHUP');
        return;
      }
      this.#isPending = true;
      void this.#runPending();
    };
    process.on('SIGHUP', onSighup);
  }

  /**
   * Acts on SIGHUPs from now on, one at a time. Those that came before this call, or that come while `handler` runs,
   * are acted on once, afterwards. `handler` must not reject.
   */
  begin(handler: () => Promise<void>): void {
    this.#handler = handler;
    void this.#runPending();
  }

  async #runPending(): Promise<void> {
    if (this.#handler === null || this.#isRunning) return;
    this.#isRunning = true;
    while (this.#isPending) {
      this.#isPending = false;
      await this.#handler();
    }
    this.#isRunning = false;
  }
}
