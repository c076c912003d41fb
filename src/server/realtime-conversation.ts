/** The conversation of one session: its items, reported as events, and its turns. */
import { YocoError } from '../errors.ts';
import type { Conversation } from '../live/types.ts';
import { newId } from './ids.ts';
import { type Item, ItemList } from './realtime-items.ts';
import type { UnsentEvent } from './unsent-event.ts';

export class SessionConversation {
  readonly #maxItems: number;
  readonly #emit: (event: UnsentEvent) => void;
  #id = newId('conv');
  #items: ItemList;
  /**
   * One conversation per choice of streams. Only those that have answered are kept, so there are never more than items.
   */
  #answered: Conversation[] = [];

  constructor(maxItems: number, emit: (event: UnsentEvent) => void) {
    this.#maxItems = maxItems;
    this.#emit = emit;
    this.#items = new ItemList(maxItems);
  }

  get id(): string {
    return this.#id;
  }

  /** User items that no response has taken up yet. */
  get pending(): readonly Item[] {
    return this.#items.pending;
  }

  /** Throws `conversation_full` unless one more item fits. */
  assertRoom(): void {
    this.#items.assertRoom();
  }

  /** Throws `item_not_found`. */
  item(id: string): Item {
    return this.#items.get(id);
  }

  /** Throws `invalid_request` unless `previous` is the last item, `root` if there is none, or null. */
  checkPrevious(previous: string | null): void {
    if (previous === null || previous === (this.#items.lastId ?? 'root')) return;
    throw new YocoError('invalid_request', {
      param: 'previous_item_id',
      detail: 'previous_item_id: items can only be added at the end.',
    });
  }

  /** Adds a user's item. Throws what `ItemList.append` throws. */
  add(item: Item): void {
    const previous = this.#items.lastId;
    this.#items.append(item);
    this.#emit({ type: 'conversation.item.added', previous_item_id: previous, item });
    this.#completeItem(item);
  }

  /** Throws what `ItemList.remove` throws. */
  remove(id: string): void {
    this.#items.remove(id);
    this.#emit({ type: 'conversation.item.deleted', item_id: id });
  }

  /** Starts a new, empty conversation; no turn may be in progress. */
  reset(): void {
    this.#answered = [];
    this.#items = new ItemList(this.#maxItems);
    this.#id = newId('conv');
    this.#emit({ type: 'conversation.created', conversation: { id: this.#id, object: 'realtime.conversation' } });
  }

  /**
   * The next turn, on the streams of `fresh`. It continues the conversation about the same streams if one has answered.
   */
  nextTurn(fresh: Conversation): Turn {
    const existing = this.#answered.find((other) => hasSameStreams(other, fresh));
    let askedIds: readonly string[] = [];
    let answerId: string | undefined;
    return {
      conversation: existing ?? fresh,
      conversationId: this.#id,
      begin: () => {
        askedIds = this.#items.markAsked();
      },
      addAnswer: (item) => {
        answerId = item.id;
        const previous = this.#items.lastId;
        this.#items.appendAnswer(item);
        this.#emit({ type: 'conversation.item.added', previous_item_id: previous, item });
      },
      completeAnswer: (item) => {
        this.#completeItem(item);
      },
      settle: (outcome) => {
        if (outcome === 'answered') {
          if (existing === undefined) this.#answered.push(fresh);
          return;
        }
        // The model's context holds nothing of this turn. A failed question can be asked again; a cancelled one is not
        // wanted any more.
        if (outcome === 'failed') this.#items.unmarkAsked(askedIds);
        else this.#items.forget(askedIds);
        if (answerId !== undefined) this.#items.forget([answerId]);
      },
    };
  }

  #completeItem(item: Item): void {
    this.#items.replace(item);
    this.#emit({ type: 'conversation.item.done', previous_item_id: this.#items.previousId(item.id), item });
  }
}

/** How a turn ended; a cancelled one is `forgotten`. */
export type TurnOutcome = 'answered' | 'forgotten' | 'failed';

/** One turn; its methods are called in this order. */
export interface Turn {
  /** The conversation to ask. */
  readonly conversation: Conversation;
  /** The session's conversation, as clients know it. */
  readonly conversationId: string;
  /** The turn has begun: all pending items form its question. */
  begin(): void;
  /** The answer's item begins. */
  addAnswer(item: Item): void;
  /** The answer's item is complete. */
  completeAnswer(item: Item): void;
  settle(outcome: TurnOutcome): void;
}

/** Compares the streams, not their names: one that was recreated under an old name is another. */
function hasSameStreams(a: Conversation, b: Conversation): boolean {
  return a.streams.length === b.streams.length && a.streams.every((stream, i) => stream === b.streams[i]);
}
