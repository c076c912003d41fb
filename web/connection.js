/** The connection to the selected stream: what the page says about it, and what follows from its events. */
import { $ } from './elements.js';

const STATE_WORDS = {
  connecting: 'Connecting',
  open: 'Connected',
  waiting: 'Connection lost, trying again',
  closed: 'Not connected',
};

export class Connection {
  #shown;
  #composer;

  /** `onStreamGone`: called when the service does not know the stream. */
  constructor({ realtime, shown, composer, questions, keyDialog, onStreamGone }) {
    this.#shown = shown;
    this.#composer = composer;
    realtime.addEventListener('session.created', ({ detail }) => {
      const { stream } = detail.session.yoco;
      // The stream was started anew, so its seconds mean other moments now.
      if (shown.status !== null && shown.status.started_at !== stream.started_at) shown.backToLive();
      shown.showStatus(stream);
      realtime.send({ type: 'session.update', session: { yoco: { status: true } } });
      questions.resumeStanding();
    });
    realtime.addEventListener('yoco.stream.status', ({ detail }) => shown.showStatus(detail.stream));
    realtime.addEventListener('yoco.go_away', () => {
      this.show('waiting', 'The service is restarting');
      // Answers in progress continue.
      questions.interruptStanding();
    });
    realtime.addEventListener('state', ({ detail: { state, code } }) => {
      this.show(state);
      if (code === 'unauthorized') keyDialog.ask();
      if (code === 'stream_not_found') onStreamGone();
    });
  }

  /** `state`: connecting, open, waiting or closed, for which `words` may say more. */
  show(state, words = STATE_WORDS[state]) {
    $('connection').dataset.state = state;
    // Screen readers repeat text that is set again.
    if ($('connection').textContent !== words) $('connection').textContent = words;
    this.#composer.setConnected(state === 'open');
    this.#shown.describeMoment();
  }
}
