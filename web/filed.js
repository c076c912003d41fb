/** What a stream's file asks, whoever looks at the page: read-only, with what was told of each question last. */
import { standingQuestions } from './api.js';
import { element, timeElement } from './format.js';

/**
 * From a new frame to a look at what was told of it, ms: frames come several times a second, and answers after them.
 */
const LOOK_AFTER_MS = 2_000;

export class FiledQuestions {
  #place;
  #list;
  /** The stream that is shown. */
  #name = null;
  #timer = null;

  constructor(place) {
    this.#place = place;
    this.#list = place.querySelector('ul');
  }

  /** The stream has shown something new, or is another one than before; null: there is none. */
  look(name) {
    const isOther = name !== this.#name;
    this.#name = name;
    if (isOther) {
      clearTimeout(this.#timer);
      this.#timer = null;
      this.#put([]);
    }
    if (name === null || this.#timer !== null) return;
    this.#timer = setTimeout(() => void this.#show(), isOther ? 0 : LOOK_AFTER_MS);
  }

  async #show() {
    this.#timer = null;
    const name = this.#name;
    const asked = await standingQuestions(name).catch(() => null);
    if (asked !== null && name === this.#name) this.#put(asked);
  }

  #put(asked) {
    this.#place.hidden = asked.length === 0;
    this.#list.replaceChildren(...asked.map(itemOf));
  }
}

function itemOf({ question, state, error, answer, since_time: since }) {
  const told = answer === null ? ['not answered yet'] : [answer, ' · since ', timeElement(since)];
  const problem = error !== null ? ` · ${error.message}` : state === 'ended' ? ' · no longer asked' : '';
  return element('li', {}, element('strong', { textContent: question }), ' ', ...told, problem);
}
