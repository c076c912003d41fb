/** The list of answers: one card a question, written as the answer streams. */
import { frame, listStreams, serviceNow } from './api.js';
import { clock, duration, element, oldText, timeElement, wallRange } from './format.js';

const MOST_CARDS = 50;
const MOST_THUMBNAILS = 6;
/** As on the command line, which says why (src/cli/answer-summary.ts). */
const GUESS_BELOW = 0.5;
const MOST_WORDS = 5;
const PRECISIONS = { int8: 'older frames rounded', thinned: 'older frames thinned' };

/**
 * One question and its answer. `stream` is the name of the one that is asked, or null for all. `actions`: cancel(card),
 * again(card), look(card, span), mark(card), markAnew(card). States: waiting, writing, done, failed.
 */
export class AnswerCard {
  responseId = null;
  /** Whether it is a turn of the conversation; else it was asked apart. */
  inConversation = false;
  /** Whether it is to be stopped, which may be wanted before its response is known. */
  stopped = false;
  evidence = [];
  #urls = [];

  constructor({ question, stream, asOf }, actions) {
    this.id = crypto.getRandomValues(new Uint32Array(2)).join('-');
    this.question = question;
    this.stream = stream;
    this.asOf = asOf;
    this.actions = actions;
    this.text = element('p', { className: 'text' });
    this.problem = element('p', { className: 'problem' });
    this.thumbnails = element('div', { className: 'evidence', hidden: true });
    this.figures = element('span', { className: 'figures', textContent: 'Thinking…' });
    this.stop = element('button', { type: 'button', className: 'quiet small', textContent: 'Stop' });
    this.again = element('button', {
      type: 'button',
      className: 'quiet small',
      textContent: 'Ask again now',
      hidden: true,
    });
    this.stop.addEventListener('click', () => actions.cancel(this));
    this.again.addEventListener('click', () => actions.again(this));
    this.element = element(
      'li',
      { className: 'answer' },
      element('h3', { textContent: question }),
      this.text,
      this.problem,
      this.thumbnails,
      element('div', { className: 'foot' }, this.figures, this.stop, this.again),
    );
    this.element.addEventListener('pointerenter', () => actions.mark(this));
    this.element.addEventListener('focusin', () => actions.mark(this));
    this.#state('waiting');
  }

  get isOpen() {
    return this.state === 'waiting' || this.state === 'writing';
  }

  write(piece) {
    this.#state('writing');
    this.text.append(piece);
  }

  /** `response` is that of response.done. */
  finish(response) {
    const { status, status_details: details, yoco } = response;
    if (status === 'failed') {
      this.fail(details?.error?.message ?? 'The answer failed.');
      return;
    }
    const parts = [yoco ? yoco.streams.map(({ name }) => name).join(', ') : this.asked];
    if (yoco) {
      const age = element('span');
      parts.push([...begin(yoco), 'as of ', ...moment(yoco.as_of_time, yoco.as_of), age]);
      if (this.asOf === null) void tellOldFrames(yoco, age);
      parts.push(latency(yoco.latency_ms));
      const isGuess = mayBeGuess(this.text.textContent, yoco.confidence);
      this.element.classList.toggle('guess', isGuess);
      parts.push(sureness(this.text.textContent, yoco.confidence));
    }
    if (yoco && yoco.precision !== 'full') parts.push(PRECISIONS[yoco.precision]);
    if (status === 'cancelled') parts.push('stopped');
    if (status === 'incomplete') parts.push('cut at the length limit');
    this.done(...parts);
    if (!yoco || this.text.textContent === '') return;
    this.showEvidence(yoco.evidence);
    this.actions.mark(this);
  }

  /** `parts`: each a text, or a row of texts and elements. */
  done(...parts) {
    this.#state('done');
    this.figures.replaceChildren(...parts.flatMap((part, i) => (i === 0 ? part : [' · ', ...[part].flat()])));
  }

  fail(message) {
    this.#state('failed');
    this.problem.textContent = message;
    this.figures.textContent = this.asked;
  }

  /** The connection ended meanwhile. */
  interrupt() {
    this.fail('Interrupted: the connection ended. Ask again.');
  }

  get asked() {
    return this.stream ?? 'all streams';
  }

  remove() {
    this.#forgetPictures();
    this.element.remove();
  }

  #forgetPictures() {
    for (const url of this.#urls.splice(0)) URL.revokeObjectURL(url);
  }

  /** In the place of what was shown before. */
  showEvidence(evidence) {
    this.#forgetPictures();
    this.evidence = evidence.slice(0, MOST_THUMBNAILS);
    this.#fitButtons(this.evidence.length);
    this.thumbnails.hidden = this.evidence.length === 0;
    const strongest = Math.max(...this.evidence.map(({ weight }) => weight), 1e-9);
    for (const [i, span] of this.evidence.entries()) this.#fill(this.thumbnails.children[i], span, strongest);
  }

  /** The buttons that are wanted still stay, and with them the focus; that of one that goes passes to Stop. */
  #fitButtons(count) {
    const { children } = this.thumbnails;
    while (children.length < count) this.thumbnails.append(this.#button(children.length));
    while (children.length > count) {
      const last = this.thumbnails.lastElementChild;
      if (last === document.activeElement) this.stop.focus({ preventScroll: true });
      last.remove();
    }
  }

  #button(i) {
    const button = element('button', { type: 'button' });
    button.addEventListener('click', () => this.actions.look(this, this.evidence[i]));
    return button;
  }

  #fill(button, span, strongest) {
    const bar = element('i');
    bar.style.width = `${Math.round((span.weight / strongest) * 100)}%`;
    const picture = element('span', { className: 'gone', textContent: '…' });
    const label = this.stream === null ? `${span.stream} ${range(span)}` : range(span);
    button.title = `${wallRange(span.start_time, span.end_time)}. Look closer, or ask as of this moment`;
    button.setAttribute('aria-label', `Evidence at ${label}, ${Math.round(span.weight * 100)} % of the attention`);
    button.replaceChildren(
      picture,
      ...(this.stream === null ? [element('span', { className: 'name', textContent: span.stream })] : []),
      element('span', { className: 'span', textContent: range(span) }),
      element('span', { className: 'weight' }, bar),
    );
    void this.#picture(span, picture);
  }

  async #picture(span, place) {
    try {
      // By the wall clock: where the stream began anew meanwhile, its own seconds mean other moments.
      const { url } = await frame(span.stream, span.peak_time);
      this.#urls.push(url);
      place.replaceWith(element('img', { src: url, alt: '' }));
    } catch {
      place.textContent = 'no longer kept';
    }
  }

  #state(state) {
    this.state = state;
    this.element.dataset.state = state === 'waiting' ? 'writing' : state;
    const [shown, hidden] = this.isOpen ? [this.stop, this.again] : [this.again, this.stop];
    shown.hidden = false;
    // Else it would be lost with the button that has it.
    if (hidden === document.activeElement) shown.focus({ preventScroll: true });
    hidden.hidden = true;
  }
}

/**
 * Newest first; when there are too many, the oldest go that are not open: a standing question may be older than all
 * others.
 */
export class AnswerList {
  #cards = [];

  constructor(list) {
    this.list = list;
  }

  add(card) {
    this.#cards.unshift(card);
    this.list.prepend(card.element);
    const excess = Math.max(0, this.#cards.length - MOST_CARDS);
    const ended = this.#cards.filter(({ isOpen }) => !isOpen).reverse();
    for (const old of ended.slice(0, excess)) {
      this.#cards.splice(this.#cards.indexOf(old), 1);
      old.remove();
    }
  }

  find(test) {
    return this.#cards.find(test);
  }

  get open() {
    return this.#cards.filter((card) => card.isOpen);
  }
}

export function mayBeGuess(answer, confidence) {
  const words = answer.split(' ').filter((word) => word !== '').length;
  return confidence < GUESS_BELOW && words > 0 && words <= MOST_WORDS;
}

/** `confidence 0.57`, and whether that is a guess. */
export function sureness(answer, confidence) {
  return `confidence ${confidence.toFixed(2)}${mayBeGuess(answer, confidence) ? ', a guess' : ''}`;
}

export function range({ start, end }) {
  const [from, to] = [clock(start, true), clock(end, true)];
  return from === to ? from : `${from} – ${to}`;
}

/** By the wall clock, and beside it on the stream's own; several streams have none in common: `seconds` is null. */
function moment(time, seconds) {
  return seconds === null ? [timeElement(time)] : [`${clock(seconds, true)} (`, timeElement(time), ')'];
}

/** Where not all that is kept was read. */
function begin({ since, streams }) {
  const [first] = streams
    .map(({ since_time: time }) => time)
    .filter((time) => time !== null)
    .sort();
  return first === undefined ? [] : ['from ', ...moment(first, since), ', '];
}

/**
 * Of what was asked about now, where a camera is away. What a question itself limits to an earlier time is no older for
 * that, so where an answer may rest on old frames the streams themselves are looked up; of those that cannot be nothing
 * is said.
 */
async function tellOldFrames({ streams }, place) {
  if (streams.every(({ as_of_time: time }) => oldText(time, serviceNow()) === '')) return;
  const { data } = await listStreams().catch(() => ({ data: [] }));
  for (const { name } of streams) {
    const { last_time: time = null, fps, recorded_at: recorded } = data.find((stream) => stream.name === name) ?? {};
    const text = oldText(time, serviceNow(), { fps, of: streams.length > 1 ? name : '', recorded });
    if (text !== '') place.append(` · ${text}`);
  }
}

function latency({ first_token: first, total }) {
  return `first word ${duration(first)}, all ${duration(total)}`;
}
