/** The stream that is shown: its status, the selected moment, and what the page shows of both. */
import { serviceNow } from './api.js';
import { $ } from './elements.js';
import { FileStandingQuestions } from './file-standing.js';
import { clock, staleText } from './format.js';
import { Marks } from './marks.js';
import { Picture } from './picture.js';
import { clearFacts, problemOf, showFacts, stateText } from './stream-facts.js';

export class ShownStream {
  /** The marks of evidence on its timeline. */
  marks;
  #status = null;
  #moment = null;
  #isConnected;
  #onMoment;
  #onStopped;
  #picture;
  #fileQuestions = new FileStandingQuestions($('filed'));

  /**
   * `streamName()`: the stream's name. `isConnected()`: whether its status is up to date. `onMoment`: called when the
   * selected moment may have changed. `onStopped`: called when the stream has been deleted.
   */
  constructor({ streamName, isConnected, onMoment, onStopped }) {
    this.#isConnected = isConnected;
    this.#onMoment = onMoment;
    this.#onStopped = onStopped;
    this.#picture = new Picture($('picture'), $('blank'), () => ({
      name: streamName(),
      moment: this.#moment,
      isEmpty: this.#status === null || this.#status.first === null,
    }));
    this.marks = new Marks($('marks'), () => ({
      name: streamName(),
      first: this.#status?.first,
      last: this.#status?.last,
    }));
    $('moment').addEventListener('input', () => {
      const { value, max, step } = $('moment');
      // Less than one step from the newest frame is the slider's right end: live.
      this.selectMoment(Number(max) - Number(value) < Number(step) ? null : Number(value));
    });
    $('to-live').addEventListener('click', () => this.selectMoment(null));
  }

  /** The stream's last status; null: none has come yet. */
  get status() {
    return this.#status;
  }

  /** The selected moment in seconds; null: live. */
  get moment() {
    return this.#moment;
  }

  /** Begins with another stream, of which nothing is known yet; `text` is shown in place of its picture. */
  clear(text) {
    this.#status = null;
    this.#picture.clear(text);
    this.backToLive();
  }

  /** Shows that there is no stream; `text` says so in place of the picture. */
  showNone(text) {
    clearFacts();
    this.#fileQuestions.refresh(null);
    $('moment').disabled = true;
    this.clear(text);
  }

  /** Shows `text` unless there is a picture in its place. */
  explainMissingPicture(text) {
    if ($('picture').hidden) $('blank').textContent = text;
  }

  /** `next`: the stream's newest status. */
  showStatus(next) {
    // The stream was deleted; another may have its name by now.
    if (next.state === 'stopped') {
      this.#fileQuestions.refresh(null);
      this.#onStopped();
      return;
    }
    this.#status = next;
    this.#fileQuestions.refresh(next.name);
    showFacts(next);
    const { first, last } = next;
    const slider = $('moment');
    slider.disabled = first === null;
    if (first === null) {
      $('first').textContent = $('last').textContent = '–:––';
      $('blank').textContent = problemOf(next) ? stateText(next) : 'Waiting for the first frame';
      this.describeMoment();
      return;
    }
    slider.min = first;
    slider.max = last;
    // The slider may have had another stream's range when the moment was selected.
    slider.value = this.#moment ?? last;
    $('first').textContent = clock(first);
    $('last').textContent = clock(last);
    this.marks.draw();
    this.describeMoment();
    if (this.#moment === null || this.#picture.needsPicture) void this.#picture.show();
  }

  /** Forgets the marks and the moment, which belong to another stream or to an earlier start of this one. */
  backToLive() {
    this.marks.show(null);
    this.selectMoment(null);
  }

  /** `seconds`: on the stream's clock; null: live. */
  selectMoment(seconds) {
    this.#moment = seconds;
    $('moment').value = seconds ?? this.#status?.last ?? 0;
    this.describeMoment();
    void this.#picture.show();
  }

  /** Shows which moment is selected. Call it also when the connection has changed, on which the badge depends. */
  describeMoment() {
    const live = this.#moment === null;
    const last = this.#status?.last ?? null;
    $('screen').dataset.state = live ? 'live' : 'past';
    this.showBadge();
    $('clock').textContent = clock(live ? last : this.#moment, !live);
    if (live && document.activeElement === $('to-live')) $('moment').focus({ preventScroll: true });
    $('to-live').disabled = live;
    $('moment').setAttribute('aria-valuetext', live ? `live, ${clock(last)}` : clock(this.#moment, true));
    this.#onMoment();
  }

  /** Shows whether the picture is live; call it also as time passes, which makes the newest frame old. */
  showBadge() {
    const text = this.#badgeText();
    if ($('badge').textContent === text) return;
    $('badge').dataset.live = String(text === 'Live');
    $('badge').textContent = text;
  }

  #badgeText() {
    const status = this.#status;
    if (this.#moment !== null) return 'Past';
    if (!this.#isConnected() || status === null) return 'Waiting';
    const old = staleText(status.last_time, serviceNow(), { fps: status.fps, recorded: status.recorded_at });
    if (status.state === 'playing') return old || 'Live';
    return old ? `${status.state}, ${old}` : status.state;
  }
}
