/** The questions asked on this page: sends them, and shows on their cards what the service answers. */
import { AnswerCard, AnswerList } from './answers.js';
import { $ } from './elements.js';
import { StandingCard } from './standing.js';

/** Errors after which a question may be reworded. */
const REWORDABLE_ERRORS = ['time_out_of_range', 'invalid_request', 'question_too_long'];

export class Questions {
  #realtime;
  #shown;
  #composer;
  #streamName;
  #answers = new AnswerList($('answers'));
  /** What the buttons and the evidence of a card do. */
  #actions;

  /** `streamName()`: name of the selected stream. `openEvidence`: called with the span of a piece of evidence. */
  constructor({ realtime, shown, composer, streamName, openEvidence }) {
    this.#realtime = realtime;
    this.#shown = shown;
    this.#composer = composer;
    this.#streamName = streamName;
    this.#actions = {
      cancel: (card) => this.#cancel(card),
      askAgain: (card) => this.#askAgain(card),
      openEvidence: (_card, span) => openEvidence(span),
      mark: (card) => shown.marks.show(card),
      refreshMarks: (card) => shown.marks.refresh(card),
    };
    this.#listenForAnswers();
    this.#listenForStandingAnswers();
  }

  /** Asks `question` as the form says: once, or again and again. */
  submit(question) {
    if (this.#composer.keepsAsking) this.#askStanding(question);
    else this.#ask(question);
  }

  /** Asks the standing questions on a new connection. */
  resumeStanding() {
    for (const card of this.#openStanding) this.#realtime.send(card.request);
  }

  /** The standing questions wait for the next connection. */
  interruptStanding() {
    for (const card of this.#openStanding) card.interrupt();
  }

  get #openStanding() {
    return this.#answers.open.filter((card) => card instanceof StandingCard);
  }

  get #chosenStream() {
    return this.#composer.asksAllStreams ? null : this.#streamName();
  }

  get #canAsk() {
    return this.#realtime.isOpen && this.#shown.status !== null;
  }

  /** `stream`: name of the stream to ask, whichever is shown; null for all. */
  #ask(question, asOf = this.#shown.moment, stream = this.#chosenStream) {
    const text = question.trim();
    if (text === '' || !this.#canAsk) return;
    const all = stream === null;
    const isOther = !all && stream !== this.#streamName();
    const followUp = this.#composer.followsUp;
    // A question that is no follow-up starts a new conversation, so that the next can follow it up. While the current
    // conversation is still answering, it is asked outside of it instead.
    const outOfBand = !followUp && this.#answers.open.some((card) => card.inConversation);
    const card = new AnswerCard({ question: text, stream, asOf }, this.#actions);
    this.#add(card);
    const item = { id: itemOf(card), type: 'message', role: 'user', content: [{ type: 'input_text', text }] };
    const response = {
      metadata: { card: card.id },
      yoco: {
        ...(asOf === null ? {} : { as_of: all ? this.#wallTime(asOf) : asOf }),
        ...(all ? { streams: 'all' } : isOther ? { streams: [stream] } : {}),
      },
      ...(outOfBand ? { conversation: 'none', input: [item] } : {}),
    };
    card.inConversation = !outOfBand;
    if (!outOfBand && !followUp) this.#realtime.send({ type: 'yoco.conversation.reset' });
    if (!outOfBand) this.#realtime.send({ type: 'conversation.item.create', event_id: card.id, item });
    this.#realtime.send({ type: 'response.create', event_id: card.id, response });
  }

  /** Always asks about now, whatever moment is selected. */
  #askStanding(question) {
    const text = question.trim();
    if (text === '' || !this.#canAsk) return;
    const card = new StandingCard({ question: text, stream: this.#chosenStream, asOf: null }, this.#actions);
    this.#add(card);
    this.#realtime.send(card.request);
  }

  #add(card) {
    this.#answers.add(card);
    $('hint').hidden = true;
  }

  /** Each stream counts from its own start, so a moment in all of them is sent as wall time. */
  #wallTime(seconds) {
    return new Date(Date.parse(this.#shown.status.started_at) + seconds * 1_000).toISOString();
  }

  #cancel(card) {
    if (card instanceof StandingCard) {
      this.#realtime.send({ type: 'yoco.standing_question.delete', standing_question_id: card.id });
      card.halt();
    } else {
      card.cancelRequested = true;
      if (card.responseId) this.#realtime.send({ type: 'response.cancel', response_id: card.responseId });
    }
  }

  #askAgain(card) {
    if (card instanceof StandingCard) this.#composer.askOnce();
    this.#ask(card.question, null, card.stream);
  }

  #listenForAnswers() {
    const findByResponse = (id) => this.#answers.find((card) => card.responseId === id);
    this.#realtime.addEventListener('response.created', ({ detail }) => {
      const card = this.#answers.find(({ id }) => id === detail.response.metadata?.card);
      if (!card) return;
      card.responseId = detail.response.id;
      if (card.cancelRequested) this.#cancel(card);
    });
    this.#realtime.addEventListener('response.output_text.delta', ({ detail }) => {
      findByResponse(detail.response_id)?.write(detail.delta);
    });
    this.#realtime.addEventListener('response.done', ({ detail }) => {
      const card = findByResponse(detail.response.id);
      card?.finish(detail.response);
      if (detail.response.status === 'failed') this.#deleteQuestion(card);
      if (card) announce(card);
    });
    this.#realtime.addEventListener('error', ({ detail }) => this.#showError(detail.error));
    this.#realtime.addEventListener('lost', () => {
      for (const card of this.#answers.open) {
        card.interrupt();
        // A standing question continues: there is nothing to announce. Each failed attempt to connect ends here, too.
        if (!(card instanceof StandingCard)) announce(card);
      }
      // The conversation is lost with the connection.
      this.#composer.endConversation();
    });
  }

  #showError(error) {
    const card = this.#answers.find(({ id, isOpen }) => isOpen && id === error.event_id);
    if (!card) return;
    if (card instanceof StandingCard) {
      endStanding(card, error);
      return;
    }
    const full = error.code === 'conversation_full';
    card.fail(full ? `${error.message} A new conversation was started: ask again.` : error.message);
    if (REWORDABLE_ERRORS.includes(error.code)) this.#composer.restore(card.question);
    announce(card);
    if (full) this.#realtime.send({ type: 'yoco.conversation.reset' });
    else this.#deleteQuestion(card);
  }

  /** Deletes a refused or failed question, so that it is not asked with the next one. */
  #deleteQuestion(card) {
    if (card?.inConversation) this.#realtime.send({ type: 'conversation.item.delete', item_id: itemOf(card) });
  }

  #listenForStandingAnswers() {
    const findStanding = (id) => this.#openStanding.find((card) => card.id === id);
    this.#realtime.addEventListener('yoco.standing_question.created', ({ detail }) => {
      findStanding(detail.standing_question.id)?.updateFigures();
    });
    this.#realtime.addEventListener('yoco.standing_question.answered', ({ detail }) => {
      const card = findStanding(detail.standing_question_id);
      if (card?.update(detail)) announce(card);
    });
    this.#realtime.addEventListener('yoco.standing_question.deleted', ({ detail }) => {
      const card = findStanding(detail.standing_question_id);
      if (card) endStanding(card, detail.error);
    });
  }
}

/** Id of the card's question as an item of the conversation. */
function itemOf(card) {
  return `item_${card.id}`;
}

/** The service stopped asking: because of `error`, or, if that is null, because the video has ended. */
function endStanding(card, error) {
  card.end(error);
  if (!card.isOpen) announce(card, card.problem.textContent || 'The video has ended.');
}

/** For screen readers. */
function announce(card, news = `${card.text.textContent}${card.problem.textContent}`) {
  $('announce').textContent = `${card.question} ${news}`;
}
