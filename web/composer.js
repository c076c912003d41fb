/** The form that asks: the question's text, how it is asked, and questions to try. */
import { $ } from './elements.js';
import { clock, element } from './format.js';
import { QuestionHistory } from './question-history.js';

const EXAMPLE_QUESTIONS = [
  'What is shown now?',
  'What was shown first?',
  'What was shown 10 seconds ago?',
  'When did the dog appear?',
  'How many different things were shown?',
];

export class Composer {
  #moment;
  #history = new QuestionHistory($('question'));

  /**
   * `submit`: called with each question. `moment()`: the selected moment in seconds, or null for live.
   * `isConnected()`: whether a question can be sent; until then its text stays.
   */
  constructor({ submit, moment, isConnected }) {
    this.#moment = moment;
    $('keep-asking').addEventListener('change', () => this.showWhen());
    $('ask').addEventListener('submit', (event) => {
      event.preventDefault();
      if (!isConnected()) return;
      const question = $('question').value;
      this.#history.add(question);
      $('question').value = '';
      submit(question);
      this.focus();
    });
    $('question').addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      $('ask').requestSubmit();
    });
    $('ideas').append(
      ...EXAMPLE_QUESTIONS.map((idea) => {
        const button = element('button', {
          type: 'button',
          className: 'quiet small',
          textContent: idea,
          disabled: !isConnected(),
        });
        button.addEventListener('click', () => submit(idea));
        return button;
      }),
    );
  }

  /** Whether the next question is a standing one. */
  get keepsAsking() {
    return $('keep-asking').checked;
  }

  /** Whether the next question is a follow-up on the conversation. */
  get followsUp() {
    return $('follow-up').checked;
  }

  /** Whether the next question is about all streams. */
  get asksAllStreams() {
    return $('all-streams').checked;
  }

  /** Makes the next question an ordinary one, asked once. */
  askOnce() {
    $('keep-asking').checked = false;
    this.showWhen();
  }

  /** The conversation is lost, so that nothing can follow up on it. */
  endConversation() {
    $('follow-up').checked = false;
  }

  /** "All streams" means those with a frame; disabled if they are more than one question may read. */
  offerAllStreams(streams, maxStreams) {
    const shown = streams.filter(({ last }) => last !== null).length;
    const tooMany = shown > maxStreams;
    $('all-choice').hidden = streams.length < 2;
    $('all-words').textContent = `All streams (up to ${maxStreams})`;
    $('all-choice').title = tooMany ? `One question reads up to ${maxStreams} streams, and ${shown} have frames` : '';
    $('all-streams').disabled = tooMany;
    if ($('all-choice').hidden || tooMany) $('all-streams').checked = false;
  }

  /** Without a connection nothing can be asked. */
  setConnected(isConnected) {
    $('send').disabled = !isConnected;
    for (const idea of $('ideas').children) idea.disabled = !isConnected;
  }

  /** Says which moment the next question is about. */
  showWhen() {
    const moment = this.#moment();
    const live = moment === null;
    const isStanding = this.keepsAsking;
    $('when').dataset.past = String(!live && !isStanding);
    $('when').textContent = isStanding ? 'from now on' : live ? 'as of now' : `as of ${clock(moment, true)}`;
  }

  /** Puts a refused question back to be reworded. */
  restore(question) {
    this.#history.restore(question);
  }

  focus() {
    $('question').focus();
  }
}
