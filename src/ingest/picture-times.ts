/** The times of the pictures of one run of ffmpeg, which `showinfo` writes to stderr. */

export interface PictureTime {
  /** null: it has none. */
  readonly ptsMs: number | null;
  /**
   * Whether it is the first one from its filters. Where the size or format of the pictures changes ffmpeg makes its
   * filters anew, which take the first picture whenever the one before it came.
   */
  readonly beginsFilters: boolean;
}

/** In the order of the pictures on stdout. */
export class PictureTimes {
  readonly #times: PictureTime[] = [];
  #filtersBegin = false;
  #msPerTick: number | null = null;
  #wake: (() => void) | null = null;
  #ended = false;

  /** True when the line was showinfo's. Another thread may write into the line, so it is looked for anywhere in it. */
  hear(line: string): boolean {
    const timeBase = /config in time_base: (\d+)\/(\d+)/.exec(line);
    if (timeBase !== null) {
      this.#msPerTick = (Number(timeBase[1]) / Number(timeBase[2])) * 1000;
      this.#filtersBegin = true;
    }
    // Two spaces begin the dump of the input, whose metadata anybody may have written.
    const found = line.startsWith('  ') ? [] : [...line.matchAll(/n: *\d+ pts: *(-?\d+|NOPTS) +pts_time:(\S+)/g)];
    for (const [, pts = 'NOPTS', seconds = ''] of found) {
      // pts_time has six digits only, which after a day no longer tell seconds apart.
      const time = this.#msPerTick === null ? Number(seconds) * 1000 : Number(pts) * this.#msPerTick;
      this.#times.push({ ptsMs: Number.isFinite(time) ? time : null, beginsFilters: this.#filtersBegin });
      this.#filtersBegin = false;
    }
    if (found.length > 0) this.#wake?.();
    return line.includes('Parsed_showinfo') || found.length > 0;
  }

  /** Time of the next picture. */
  async next(): Promise<PictureTime> {
    while (this.#times.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return this.#times.shift() ?? { ptsMs: null, beginsFilters: false };
  }

  /** No line comes any more. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }
}
