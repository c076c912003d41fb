/** A question that is asked again as new frames come: its card shows the newest answer, and when it changed. */
import { AnswerCard, mayBeGuess, sureness } from './answers.js';
import { clock, element, timeElement } from './format.js';

const MOST_CHANGES = 20;

const ASKED_AGAIN = 'asked again as new frames come';

export class StandingCard extends AnswerCard {
  /** The event of the answer that is shown. */
  #shown = null;

  constructor(about, actions) {
    super(about, actions);
    this.changes = element('ol', { className: 'changes', hidden: true });
    this.changes.setAttribute('aria-label', 'Answers, newest first');
    this.text.after(this.changes);
    this.element.dataset.standing = 'true';
  }

  /** What the service is asked for, each time that a connection begins. */
  get request() {
    const standing = { id: this.id, question: this.question, streams: this.stream === null ? 'all' : [this.stream] };
    return { type: 'yoco.standing_question.create', event_id: this.id, standing_question: standing };
  }

  /** The service asks it, for the first time or on a new connection. */
  goOn() {
    if (this.#shown === null) {
      this.figures.textContent = `${this.asked} · ${ASKED_AGAIN}`;
      return;
    }
    const { answer, status, yoco } = this.#shown;
    const cut = status === 'incomplete' ? ' · cut at the length limit' : '';
    const sure = sureness(answer, yoco.confidence);
    this.figures.replaceChildren(`${this.asked} · since `, ...told(yoco), `, ${ASKED_AGAIN} · ${sure}${cut}`);
  }

  /**
   * `event` is a `yoco.standing_question.answered`. False where it is the answer that is shown: after a new connection
   * the first is told again.
   */
  hear(event) {
    const isNew = this.#shown === null || !isTheSame(event.answer, this.#shown.answer);
    if (isNew) this.#show(event);
    this.goOn();
    return isNew;
  }

  #show(event) {
    const { answer, yoco } = event;
    this.#shown = event;
    this.text.textContent = '';
    this.write(answer);
    this.element.classList.toggle('guess', mayBeGuess(answer, yoco.confidence));
    this.changes.prepend(element('li', {}, ...told(yoco), ` ${answer}`));
    while (this.changes.children.length > MOST_CHANGES) this.changes.lastChild.remove();
    this.changes.hidden = this.changes.children.length < 2;
    this.showEvidence(yoco.evidence);
    this.actions.markAnew(this);
  }

  /** The person wants it no more; what was answered stays. */
  halt() {
    this.done(`${this.asked} · stopped`);
  }

  /**
   * The service asks it no more, for this error; null: nothing can change any more. One that shuts down is followed by
   * another.
   */
  end(error) {
    if (error === null) this.done(`${this.asked} · the video has ended`);
    else if (error.code === 'shutting_down') this.interrupt();
    else this.fail(error.message);
  }

  /** The next connection goes on with it. */
  interrupt() {
    this.figures.textContent = `${this.asked} · goes on when the connection is back`;
  }
}

/** By the wall clock: an answer stands for days, and a stream may have begun anew meanwhile. */
function told({ as_of_time: time, as_of: asOf }) {
  return [timeElement(time), asOf === null ? '' : ` (${clock(asOf, true)})`];
}

/** As the service compares answers: letters' case and blanks make no difference. */
function isTheSame(a, b) {
  const plain = (text) => text.trim().toLowerCase().split(/\s+/).join(' ');
  return plain(a) === plain(b);
}
