/** The timestamps of the pictures of one ffmpeg run, which `showinfo` writes to stderr. */

export interface PictureTime {
  /** null when the picture has no timestamp. */
  readonly ptsMs: number | null;
  /**
   * Whether this is the first picture out of newly built filters. ffmpeg rebuilds its filters when the size or format
   * of the pictures changes. New filters take their first picture however soon it follows the previous one.
   */
  readonly startsFilterGraph: boolean;
}

/** In the order of the pictures on stdout. */
export class PictureTimes {
  readonly #times: PictureTime[] = [];
  #isNewFilterGraph = false;
  #msPerTick: number | null = null;
  #wake: (() => void) | null = null;
  #ended = false;

  /**
   * Returns true when the line was showinfo's. Matches anywhere in the line, since another thread may write into it.
   */
  parseLine(line: string): boolean {
    const timeBase = /config in time_base: (\d+)\/(\d+)/.exec(line);
    if (timeBase !== null) {
      this.#msPerTick = (Number(timeBase[1]) / Number(timeBase[2])) * 1000;
      this.#isNewFilterGraph = true;
    }
    // Lines indented by two spaces dump the input, whose metadata is untrusted.
    const found = line.startsWith('  ') ? [] : [...line.matchAll(/n: *\d+ pts: *(-?\d+|NOPTS) +pts_time:(\S+)/g)];
    for (const [, pts = 'NOPTS', seconds = ''] of found) {
      // pts_time has only six significant digits: after 28 hours it no longer resolves fractions of a second.
      const time = this.#msPerTick === null ? Number(seconds) * 1000 : Number(pts) * this.#msPerTick;
      this.#times.push({ ptsMs: Number.isFinite(time) ? time : null, startsFilterGraph: this.#isNewFilterGraph });
      this.#isNewFilterGraph = false;
    }
    if (found.length > 0) this.#wake?.();
    return line.includes('Parsed_showinfo') || found.length > 0;
  }

  /** Time of the next picture; null once the lines have ended. */
  async next(): Promise<PictureTime> {
    while (this.#times.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return this.#times.shift() ?? { ptsMs: null, startsFilterGraph: false };
  }

  /** No more lines come. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }
}
