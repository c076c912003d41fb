/** What the model saw at the selected moment: one request at a time, always for the latest selection. */
import { ApiError, fetchFrame } from './api.js';
import { clock } from './format.js';

export class Picture {
  #image;
  #placeholder;
  #selection;
  #busy = false;
  #isOutdated = false;
  #shown = null;
  /** The moment that has no picture. */
  #missingMoment;

  /**
   * `placeholder`: the element shown in place of the picture. `selection()`: the stream's name, the moment in seconds
   * or null for live, and whether the stream has no frame.
   */
  constructor(image, placeholder, selection) {
    this.#image = image;
    this.#placeholder = placeholder;
    this.#selection = selection;
  }

  /** Whether no picture is shown and this moment is not known to have none. */
  get needsPicture() {
    return this.#image.hidden && this.#missingMoment !== this.#selection().moment;
  }

  clear(text) {
    this.#missingMoment = undefined;
    this.#image.hidden = true;
    this.#placeholder.textContent = text;
  }

  async show() {
    const { name, moment, isEmpty } = this.#selection();
    if (isEmpty) return;
    if (this.#busy) {
      this.#isOutdated = true;
      return;
    }
    this.#busy = true;
    const isCurrent = () => this.#selection().name === name && this.#selection().moment === moment;
    try {
      const { url, t } = await fetchFrame(name, moment ?? undefined);
      if (isCurrent()) this.#display(url, t);
      else URL.revokeObjectURL(url);
    } catch (error) {
      if (isCurrent()) this.#showMissing(error, moment);
    }
    this.#busy = false;
    if (this.#isOutdated) {
      this.#isOutdated = false;
      void this.show();
    }
  }

  /**
   * When live, the last picture stays, and the status says what is wrong with the stream. At a past moment it would be
   * the wrong one.
   */
  #showMissing(error, moment) {
    this.#missingMoment = moment;
    if (moment === null && !this.#image.hidden) return;
    this.#image.hidden = true;
    if (error instanceof ApiError) this.#placeholder.textContent = error.message;
  }

  #display(url, t) {
    this.#missingMoment = undefined;
    const old = this.#shown;
    this.#shown = url;
    this.#image.src = url;
    this.#image.alt = `What the model saw at ${clock(t)}`;
    this.#image.hidden = false;
    this.#placeholder.textContent = '';
    if (old) URL.revokeObjectURL(old);
  }
}
