/**
 * Batches messages to another process: all messages of one turn of the event loop go out as one. A message on its own
 * costs a system call and a wake-up of the receiver; when many callers ask at once, the last would arrive milliseconds
 * after the first.
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
