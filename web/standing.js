/** A question that is asked again as new frames come: its card shows the newest answer, and when it changed. */
import { AnswerCard } from './answers.js';
import { clock, element } from './format.js';

const MOST_CHANGES = 20;

export class StandingCard extends AnswerCard {
  constructor(about, actions) {
    super(about, actions);
    this.answer = null;
    this.changes = element('ol', { className: 'changes', hidden: true });
    this.changes.setAttribute('aria-label', 'Answers, newest first');
    this.text.after(this.changes);
    this.element.dataset.standing = 'true';
    this.figures.textContent = 'Asked again as new frames come';
  }

  /** What the service is asked for, each time that a connection begins. */
  get request() {
    const standing = { id: this.id, question: this.question, streams: this.stream === null ? 'all' : [this.stream] };
    return { type: 'yoco.standing_question.create', event_id: this.id, standing_question: standing };
  }

  /** `event` is a `yoco.standing_question.answered`. False where it is the answer that is shown: after a new connection the first is told again. */
  hear({ answer, yoco }) {
    if (answer === this.answer) return false;
    this.answer = answer;
    this.text.textContent = '';
    this.write(answer);
    this.changes.prepend(
      element('li', {}, element('time', { dateTime: yoco.as_of_time, textContent: told(yoco) }), ` ${answer}`),
    );
    while (this.changes.children.length > MOST_CHANGES) this.changes.lastChild.remove();
    this.changes.hidden = this.changes.children.length < 2;
    this.figures.textContent = `${this.asked} · since ${told(yoco)}, asked again as new frames come`;
    this.showEvidence(yoco.evidence);
    return true;
  }

  /** Asked no more; what was answered stays. */
  end(error) {
    if (error !== null) this.fail(error.message);
    else this.done(`${this.asked} · stopped`);
  }

  /** The next connection goes on with it. */
  interrupt() {
    this.figures.textContent = `${this.asked} · goes on when the connection is back`;
  }

  remove() {
    if (this.isOpen) this.actions.cancel(this);
    super.remove();
  }
}

/** By the wall clock: an answer stands for hours, and a stream may have begun anew meanwhile. */
function told({ as_of_time: time, as_of: asOf }) {
  const wall = new Date(time).toLocaleTimeString();
  return asOf === null ? wall : `${wall} (${clock(asOf, true)})`;
}
