/** The list of answers: one card per question, written as the answer streams. */
import { fetchFrame, listStreams, serviceNow } from './api.js';
import { clock, duration, element, staleText, timeElement, wallRange } from './format.js';

const MAX_CARDS = 50;
const MAX_THUMBNAILS = 6;
/** As on the command line; src/cli/answer-summary.ts says why. */
const GUESS_BELOW = 0.5;
const MAX_GUESS_WORDS = 5;
const PRECISIONS = { int8: 'older frames rounded', thinned: 'older frames thinned' };

/**
 * One question and its answer. `stream` is the name of the asked stream, or null for all. `actions`: cancel(card),
 * askAgain(card), openEvidence(card, span), mark(card), refreshMarks(card). States: waiting, writing, done, failed.
 */
export class AnswerCard {
  responseId = null;
  /** Whether it is a turn of the conversation; otherwise it was asked outside of it. */
  inConversation = false;
  /** Whether to cancel it, which may be requested before its response is known. */
  cancelRequested = false;
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
    this.stopButton = element('button', { type: 'button', className: 'quiet small', textContent: 'Stop' });
    this.askAgainButton = element('button', {
      type: 'button',
      className: 'quiet small',
      textContent: 'Ask again now',
      hidden: true,
    });
    this.stopButton.addEventListener('click', () => actions.cancel(this));
    this.askAgainButton.addEventListener('click', () => actions.askAgain(this));
    this.element = element(
      'li',
      { className: 'answer' },
      element('h3', { textContent: question }),
      this.text,
      this.problem,
      this.thumbnails,
      element('div', { className: 'foot' }, this.figures, this.stopButton, this.askAgainButton),
    );
    this.element.addEventListener('pointerenter', () => actions.mark(this));
    this.element.addEventListener('focusin', () => actions.mark(this));
    this.#setState('waiting');
  }

  get isOpen() {
    return this.state === 'waiting' || this.state === 'writing';
  }

  write(piece) {
    this.#setState('writing');
    this.text.append(piece);
  }

  /** `response` is that of response.done. */
  finish(response) {
    const { status, status_details: details, yoco } = response;
    if (status === 'failed') {
      this.fail(details?.error?.message ?? 'The answer failed.');
      return;
    }
    const parts = [yoco ? yoco.streams.map(({ name }) => name).join(', ') : this.streamLabel];
    if (yoco) {
      const age = element('span');
      parts.push([...sinceParts(yoco), 'as of ', ...momentParts(yoco.as_of_time, yoco.as_of), age]);
      if (this.asOf === null) void warnOfOldFrames(yoco, age);
      parts.push(latencyText(yoco.latency_ms));
      const isGuess = mayBeGuess(this.text.textContent, yoco.confidence);
      this.element.classList.toggle('guess', isGuess);
      parts.push(confidenceText(this.text.textContent, yoco.confidence));
    }
    if (yoco && yoco.precision !== 'full') parts.push(PRECISIONS[yoco.precision]);
    if (status === 'cancelled') parts.push('stopped');
    if (status === 'incomplete') parts.push('cut at the length limit');
    this.done(...parts);
    if (!yoco || this.text.textContent === '') return;
    this.showEvidence(yoco.evidence);
    this.actions.mark(this);
  }

  /** `parts`: each a text, or an array of texts and elements. */
  done(...parts) {
    this.#setState('done');
    this.figures.replaceChildren(...parts.flatMap((part, i) => (i === 0 ? part : [' · ', ...[part].flat()])));
  }

  fail(message) {
    this.#setState('failed');
    this.problem.textContent = message;
    this.figures.textContent = this.streamLabel;
  }

  /** The connection ended before the answer did. */
  interrupt() {
    this.fail('Interrupted: the connection ended. Ask again.');
  }

  get streamLabel() {
    return this.stream ?? 'all streams';
  }

  remove() {
    this.#revokeUrls();
    this.element.remove();
  }

  #revokeUrls() {
    for (const url of this.#urls.splice(0)) URL.revokeObjectURL(url);
  }

  /** Replaces the evidence that was shown before. */
  showEvidence(evidence) {
    this.#revokeUrls();
    this.evidence = evidence.slice(0, MAX_THUMBNAILS);
    this.#fitButtons(this.evidence.length);
    this.thumbnails.hidden = this.evidence.length === 0;
    const strongest = Math.max(...this.evidence.map(({ weight }) => weight), 1e-9);
    for (const [i, span] of this.evidence.entries()) this.#fill(this.thumbnails.children[i], span, strongest);
  }

  /** Keeps the buttons that are still needed, and with them the focus; that of a removed one passes to Stop. */
  #fitButtons(count) {
    const { children } = this.thumbnails;
    while (children.length < count) this.thumbnails.append(this.#button(children.length));
    while (children.length > count) {
      const last = this.thumbnails.lastElementChild;
      if (last === document.activeElement) this.stopButton.focus({ preventScroll: true });
      last.remove();
    }
  }

  #button(i) {
    const button = element('button', { type: 'button' });
    button.addEventListener('click', () => this.actions.openEvidence(this, this.evidence[i]));
    return button;
  }

  #fill(button, span, strongest) {
    const bar = element('i');
    bar.style.width = `${Math.round((span.weight / strongest) * 100)}%`;
    const picture = element('span', { className: 'gone', textContent: '…' });
    const label = this.stream === null ? `${span.stream} ${clockRange(span)}` : clockRange(span);
    button.title = `${wallRange(span.start_time, span.end_time)}. Look closer, or ask as of this moment`;
    button.setAttribute('aria-label', `Evidence at ${label}, ${Math.round(span.weight * 100)} % of the attention`);
    button.replaceChildren(
      picture,
      ...(this.stream === null ? [element('span', { className: 'name', textContent: span.stream })] : []),
      element('span', { className: 'span', textContent: clockRange(span) }),
      element('span', { className: 'weight' }, bar),
    );
    void this.#loadPicture(span, picture);
  }

  async #loadPicture(span, place) {
    try {
      // By wall time: if the stream was started anew meanwhile, its seconds mean other moments.
      const { url } = await fetchFrame(span.stream, span.peak_time);
      this.#urls.push(url);
      place.replaceWith(element('img', { src: url, alt: '' }));
    } catch {
      place.textContent = 'no longer kept';
    }
  }

  #setState(state) {
    this.state = state;
    this.element.dataset.state = state === 'waiting' ? 'writing' : state;
    const [shown, hidden] = this.isOpen
      ? [this.stopButton, this.askAgainButton]
      : [this.askAgainButton, this.stopButton];
    shown.hidden = false;
    // Otherwise the focus would be lost with the hidden button.
    if (hidden === document.activeElement) shown.focus({ preventScroll: true });
    hidden.hidden = true;
  }
}

/**
 * Newest first. If there are too many, the oldest that are not open are removed: an open standing question may be older
 * than all others.
 */
export class AnswerList {
  #cards = [];

  constructor(list) {
    this.list = list;
  }

  add(card) {
    this.#cards.unshift(card);
    this.list.prepend(card.element);
    const excess = Math.max(0, this.#cards.length - MAX_CARDS);
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
  return confidence < GUESS_BELOW && words > 0 && words <= MAX_GUESS_WORDS;
}

/** `confidence 0.57`, marked if the answer may be a guess. */
export function confidenceText(answer, confidence) {
  return `confidence ${confidence.toFixed(2)}${mayBeGuess(answer, confidence) ? ', a guess' : ''}`;
}

export function clockRange({ start, end }) {
  const [from, to] = [clock(start, true), clock(end, true)];
  return from === to ? from : `${from} – ${to}`;
}

/**
 * A moment on the stream's clock and by the wall clock; `seconds` is null for several streams, which share no clock.
 */
function momentParts(time, seconds) {
  return seconds === null ? [timeElement(time)] : [`${clock(seconds, true)} (`, timeElement(time), ')'];
}

/** The start of what was read; empty if all that is kept was read. */
function sinceParts({ since, streams }) {
  const [first] = streams
    .map(({ since_time: time }) => time)
    .filter((time) => time !== null)
    .sort();
  return first === undefined ? [] : ['from ', ...momentParts(first, since), ', '];
}

/**
 * Warns of old newest frames, e.g. of a camera that is away, below an answer about now. An old moment alone proves
 * nothing, since the question itself may name an earlier time, so the streams' status is loaded; a stream without one
 * is skipped.
 */
async function warnOfOldFrames({ streams }, place) {
  if (streams.every(({ as_of_time: time }) => staleText(time, serviceNow()) === '')) return;
  const { data } = await listStreams().catch(() => ({ data: [] }));
  for (const { name } of streams) {
    const { last_time: time = null, fps, recorded_at: recorded } = data.find((stream) => stream.name === name) ?? {};
    const text = staleText(time, serviceNow(), { fps, of: streams.length > 1 ? name : '', recorded });
    if (text !== '') place.append(` · ${text}`);
  }
}

function latencyText({ first_token: first, total }) {
  return `first word ${duration(first)}, all ${duration(total)}`;
}
