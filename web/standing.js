/** A question that is asked again as new frames come: its card shows the newest answer, and when it changed. */
import { AnswerCard, mayBeGuess, confidenceText } from './answers.js';
import { clock, element, timeElement } from './format.js';

const MAX_CHANGES = 20;

const ASKED_AGAIN = 'asked again as new frames come';

export class StandingCard extends AnswerCard {
  /** The event of the answer that is shown. */
  #shown = null;

  constructor(options, actions) {
    super(options, actions);
    this.changes = element('ol', { className: 'changes', hidden: true });
    this.changes.setAttribute('aria-label', 'Answers, newest first');
    this.text.after(this.changes);
    this.element.dataset.standing = 'true';
  }

  /** The event that starts the question, sent on each new connection. */
  get request() {
    const standing = { id: this.id, question: this.question, streams: this.stream === null ? 'all' : [this.stream] };
    return { type: 'yoco.standing_question.create', event_id: this.id, standing_question: standing };
  }

  /** The service has started to ask it, for the first time or on a new connection. */
  updateFigures() {
    if (this.#shown === null) {
      this.figures.textContent = `${this.streamLabel} · ${ASKED_AGAIN}`;
      return;
    }
    const { answer, status, yoco } = this.#shown;
    const cut = status === 'incomplete' ? ' · cut at the length limit' : '';
    const sure = confidenceText(answer, yoco.confidence);
    this.figures.replaceChildren(
      `${this.streamLabel} · since `,
      ...timeParts(yoco),
      `, ${ASKED_AGAIN} · ${sure}${cut}`,
    );
  }

  /**
   * `event` is a `yoco.standing_question.answered`. False if its answer is shown already: each new connection reports
   * its first answer again.
   */
  update(event) {
    const isNew = this.#shown === null || !isSameAnswer(event.answer, this.#shown.answer);
    if (isNew) this.#show(event);
    this.updateFigures();
    return isNew;
  }

  #show(event) {
    const { answer, yoco } = event;
    this.#shown = event;
    this.text.textContent = '';
    this.write(answer);
    this.element.classList.toggle('guess', mayBeGuess(answer, yoco.confidence));
    this.changes.prepend(element('li', {}, ...timeParts(yoco), ` ${answer}`));
    while (this.changes.children.length > MAX_CHANGES) this.changes.lastChild.remove();
    this.changes.hidden = this.changes.children.length < 2;
    this.showEvidence(yoco.evidence);
    this.actions.refreshMarks(this);
  }

  /** The person stopped it; its answers stay. */
  halt() {
    this.done(`${this.streamLabel} · stopped`);
  }

  /**
   * The service stopped asking because of `error`; null: the video has ended. A service that shuts down is expected
   * back.
   */
  end(error) {
    if (error === null) this.done(`${this.streamLabel} · the video has ended`);
    else if (error.code === 'shutting_down') this.interrupt();
    else this.fail(error.message);
  }

  /** The next connection resumes it. */
  interrupt() {
    this.figures.textContent = `${this.streamLabel} · goes on when the connection is back`;
  }
}

/** By wall time: an answer may stand for days, and the stream may have been started anew meanwhile. */
function timeParts({ as_of_time: time, as_of: asOf }) {
  return [timeElement(time), asOf === null ? '' : ` (${clock(asOf, true)})`];
}

/** Compares answers as the service does: case and whitespace make no difference. */
function isSameAnswer(a, b) {
  const plain = (text) => text.trim().toLowerCase().split(/\s+/).join(' ');
  return plain(a) === plain(b);
}
