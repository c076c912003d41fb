import { isatty } from 'node:tty';

/** Where the log goes. */
const STDERR = 2;

/**
 * What SIGHUP does: by convention a service reads its files anew. A terminal that is closed sends it too, and then it
 * ends the process as it would by itself. Not on Windows, where it is the end of a console, and of all that runs there.
 */
export class Hangups {
  #act: (() => Promise<void>) | null = null;
  #heard = false;
  #acting = false;

  /** From here on it does not end the process, but where the terminal that the log goes to is gone. */
  constructor() {
    if (process.platform === 'win32') return;
    const inTerminal = isatty(STDERR);
    const hear = (): void => {
      if (inTerminal && !isatty(STDERR)) {
        process.off('SIGHUP', hear);
        process.kill(process.pid, 'SIGHUP');
        return;
      }
      this.#heard = true;
      void this.#next();
    };
    process.on('SIGHUP', hear);
  }

  /**
   * Acts on each from now on, one at a time: what came before this, or comes meanwhile, is acted on once, after it.
   * `act` must not reject.
   */
  begin(act: () => Promise<void>): void {
    this.#act = act;
    void this.#next();
  }

  async #next(): Promise<void> {
    if (this.#act === null || this.#acting) return;
    this.#acting = true;
    while (this.#heard) {
      this.#heard = false;
      await this.#act();
    }
    this.#acting = false;
  }
}
