/** The standing questions of a stream's file: read-only, with the last answers to each. */
import { confidenceText } from './answers.js';
import { listStandingQuestions } from './api.js';
import { element, refreshTimes, timeElement } from './format.js';

/** Delay from a new frame to loading its answers, ms: frames come several times a second, and answers after them. */
const REFRESH_DELAY_MS = 2_000;

export class FileStandingQuestions {
  #container;
  #list;
  /** The stream that is shown. */
  #name = null;
  #timer = null;
  /** By id, in order. Elements are reused, so that what is opened or has the focus stays while its question does. */
  #shown = new Map();

  constructor(place) {
    this.#container = place;
    this.#list = place.querySelector('ul');
  }

  /** Call when the stream has a new frame or another stream is shown; null: there is none. */
  refresh(name) {
    const isOther = name !== this.#name;
    this.#name = name;
    if (isOther) {
      clearTimeout(this.#timer);
      this.#timer = null;
      this.#render([]);
    }
    if (name === null || this.#timer !== null) return;
    this.#timer = setTimeout(() => void this.#load(), isOther ? 0 : REFRESH_DELAY_MS);
  }

  async #load() {
    this.#timer = null;
    const name = this.#name;
    const questions = await listStandingQuestions(name).catch(() => null);
    if (questions !== null && name === this.#name) this.#render(questions);
  }

  #render(questions) {
    this.#container.hidden = questions.length === 0;
    const before = [...this.#shown.keys()].join();
    this.#shown = new Map(
      questions.map(({ id, question }) => [id, this.#shown.get(id) ?? new FileStandingQuestion(question)]),
    );
    for (const question of questions) this.#shown.get(question.id).show(question);
    if ([...this.#shown.keys()].join() === before) return;
    this.#list.replaceChildren(...[...this.#shown.values()].map(({ element }) => element));
  }
}

class FileStandingQuestion {
  #newest = element('span');
  #changes = element('ol', { className: 'changes' });
  #all = element('details', { hidden: true }, element('summary', { textContent: 'Answers' }), this.#changes);
  /** Key of the listed answers, which are rebuilt only when it changes. */
  #changesKey = '';

  constructor(question) {
    this.#all.firstChild.setAttribute('aria-label', `Answers to “${question}”, newest first`);
    this.element = element('li', {}, element('strong', { textContent: question }), ' ', this.#newest, this.#all);
  }

  show({ state, error, answer, since_time: since, told }) {
    const problem = error !== null ? ` · ${error.message}` : state === 'ended' ? ' · no longer asked' : '';
    const newest =
      answer === null
        ? ['not answered yet']
        : [answer, ' · since ', timeElement(since), ` · ${confidenceText(answer, told[0].confidence)}`];
    this.#newest.replaceChildren(...newest, problem);
    this.#all.hidden = told.length === 0;
    refreshTimes(this.#changes);
    const listed = told.map((one) => `${one.as_of_time} ${one.answer}`).join();
    if (listed === this.#changesKey) return;
    this.#changesKey = listed;
    this.#changes.replaceChildren(...told.map(itemOf));
  }
}

function itemOf({ answer, as_of_time: time, confidence }) {
  return element('li', {}, timeElement(time), ` ${answer} · ${confidenceText(answer, confidence)}`);
}
