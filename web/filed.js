/** The standing questions of a stream's file: read-only, with the last answers to each. */
import { sureness } from './answers.js';
import { standingQuestions } from './api.js';
import { element, tellTimes, timeElement } from './format.js';

/** Delay from a new frame to loading its answers, ms: frames come several times a second, and answers after them. */
const LOOK_AFTER_MS = 2_000;

export class FiledQuestions {
  #place;
  #list;
  /** The stream that is shown. */
  #name = null;
  #timer = null;
  /** By id, in order. Elements are reused, so that what is opened or has the focus stays while its question does. */
  #shown = new Map();

  constructor(place) {
    this.#place = place;
    this.#list = place.querySelector('ul');
  }

  /** Call when the stream has a new frame or another stream is shown; null: there is none. */
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
    const before = [...this.#shown.keys()].join();
    this.#shown = new Map(asked.map(({ id, question }) => [id, this.#shown.get(id) ?? new FiledQuestion(question)]));
    for (const question of asked) this.#shown.get(question.id).show(question);
    if ([...this.#shown.keys()].join() === before) return;
    this.#list.replaceChildren(...[...this.#shown.values()].map(({ element }) => element));
  }
}

class FiledQuestion {
  #newest = element('span');
  #told = element('ol', { className: 'changes' });
  #all = element('details', { hidden: true }, element('summary', { textContent: 'Answers' }), this.#told);
  /** Key of the listed answers, which are rebuilt only when it changes. */
  #listed = '';

  constructor(question) {
    this.#all.firstChild.setAttribute('aria-label', `Answers to “${question}”, newest first`);
    this.element = element('li', {}, element('strong', { textContent: question }), ' ', this.#newest, this.#all);
  }

  show({ state, error, answer, since_time: since, told }) {
    const problem = error !== null ? ` · ${error.message}` : state === 'ended' ? ' · no longer asked' : '';
    const newest =
      answer === null
        ? ['not answered yet']
        : [answer, ' · since ', timeElement(since), ` · ${sureness(answer, told[0].confidence)}`];
    this.#newest.replaceChildren(...newest, problem);
    this.#all.hidden = told.length === 0;
    tellTimes(this.#told);
    const listed = told.map((one) => `${one.as_of_time} ${one.answer}`).join();
    if (listed === this.#listed) return;
    this.#listed = listed;
    this.#told.replaceChildren(...told.map(itemOf));
  }
}

function itemOf({ answer, as_of_time: time, confidence }) {
  return element('li', {}, timeElement(time), ` ${answer} · ${sureness(answer, confidence)}`);
}
