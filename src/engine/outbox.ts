/**
 * Messages to another process: what is sent in one turn of the event loop goes as one. Each message by itself is a call
 * of the system and a wake-up over there: of many who ask at once the last would be heard of milliseconds after the
 * first.
 */
export class Outbox<Message> {
  readonly #deliver: (messages: Message[]) => void;
  #waiting: Message[] = [];

  constructor(deliver: (messages: Message[]) => void) {
    this.#deliver = deliver;
  }

  add(message: Message): void {
    if (this.#waiting.push(message) > 1) return;
    setImmediate(() => {
      this.#deliver(this.#waiting.splice(0));
    });
  }
}
