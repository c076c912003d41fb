import { isatty } from 'node:tty';

/** Where the log goes. */
const STDERR = 2;

/**
 * Handles SIGHUP: by convention a service rereads its files. A closing terminal sends SIGHUP too, and then it ends the
 * process as by default. Not on Windows, where SIGHUP means that the console, with everything running in it, is ending.
 */
export class SighupHandler {
  #act: (() => Promise<void>) | null = null;
  #isPending = false;
  #acting = false;

  /** From here on SIGHUP does not end the process, unless the terminal that the log goes to is gone. */
  constructor() {
    if (process.platform === 'win32') return;
    const inTerminal = isatty(STDERR);
    const hear = (): void => {
      if (inTerminal && !isatty(STDERR)) {
        process.off('SIGHUP', hear);
        process.kill(process.pid, 'SIGHUP');
        return;
      }
      this.#isPending = true;
      void this.#next();
    };
    process.on('SIGHUP', hear);
  }

  /**
   * Acts on SIGHUPs from now on, one at a time. Those that came before this call, or that come while `act` runs, are
   * acted on once, afterwards. `act` must not reject.
   */
  begin(act: () => Promise<void>): void {
    this.#act = act;
    void this.#next();
  }

  async #next(): Promise<void> {
    if (this.#act === null || this.#acting) return;
    this.#acting = true;
    while (this.#isPending) {
      this.#isPending = false;
      await this.#act();
    }
    this.#acting = false;
  }
}
