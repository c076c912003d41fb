/** What the model saw at the selected moment: one request at a time, always for the latest selection. */
import { ApiError, frame } from './api.js';
import { clock } from './format.js';

export class Picture {
  #image;
  #blank;
  #wanted;
  #busy = false;
  #again = false;
  #shown = null;
  /** The moment that has no picture. */
  #missing;

  /**
   * `blank`: the element shown in place of the picture. `wanted()`: the stream's name, the moment in seconds or null
   * for live, and whether the stream has no frame.
   */
  constructor(image, blank, wanted) {
    this.#image = image;
    this.#blank = blank;
    this.#wanted = wanted;
  }

  /** Whether no picture is shown and this moment is not known to have none. */
  get isDue() {
    return this.#image.hidden && this.#missing !== this.#wanted().moment;
  }

  clear(text) {
    this.#missing = undefined;
    this.#image.hidden = true;
    this.#blank.textContent = text;
  }

  async show() {
    const { name, moment, isEmpty } = this.#wanted();
    if (isEmpty) return;
    if (this.#busy) {
      this.#again = true;
      return;
    }
    this.#busy = true;
    const isWanted = () => this.#wanted().name === name && this.#wanted().moment === moment;
    try {
      const { url, t } = await frame(name, moment ?? undefined);
      if (isWanted()) this.#put(url, t);
      else URL.revokeObjectURL(url);
    } catch (error) {
      if (isWanted()) this.#lack(error, moment);
    }
    this.#busy = false;
    if (this.#again) {
      this.#again = false;
      void this.show();
    }
  }

  /**
   * When live, the last picture stays, and the status says what is wrong with the stream. At a past moment it would be
   * the wrong one.
   */
  #lack(error, moment) {
    this.#missing = moment;
    if (moment === null && !this.#image.hidden) return;
    this.#image.hidden = true;
    if (error instanceof ApiError) this.#blank.textContent = error.message;
  }

  #put(url, t) {
    this.#missing = undefined;
    const old = this.#shown;
    this.#shown = url;
    this.#image.src = url;
    this.#image.alt = `What the model saw at ${clock(t)}`;
    this.#image.hidden = false;
    this.#blank.textContent = '';
    if (old) URL.revokeObjectURL(old);
  }
}
