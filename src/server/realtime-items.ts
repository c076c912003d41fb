/** The items of one conversation, as OpenAI Realtime shapes them. */
import { YocoError } from '../errors.ts';
import { newId } from './ids.ts';
import type { UserItem } from './realtime-events.ts';
import { questionText } from './request-fields.ts';

export interface Item {
  readonly id: string;
  readonly object: 'realtime.item';
  readonly type: 'message';
  readonly role: 'user' | 'assistant';
  readonly status: 'completed' | 'incomplete' | 'in_progress';
  readonly content: { type: 'input_text' | 'output_text'; text: string }[];
}

export function userItemOf(item: UserItem): Item {
  return {
    id: item.id ?? newId('item'),
    object: 'realtime.item',
    type: 'message',
    role: 'user',
    status: 'completed',
    content: item.content,
  };
}

export function assistantItem(id: string, status: Item['status'], text: string | null): Item {
  const content = text === null ? [] : [{ type: 'output_text' as const, text }];
  return { id, object: 'realtime.item', type: 'message', role: 'assistant', status, content };
}

/** Joins the text of `items` into one question. Throws `question_empty` or `question_too_long`, naming `param`. */
export function questionOf(items: readonly Item[], maxChars: number, param: string): string {
  return questionText(items.flatMap((item) => item.content.map((part) => part.text)).join('\n'), maxChars, param);
}

/** A conversation's items in order, and which of them have been asked. */
export class ItemList {
  readonly #items: Item[] = [];
  readonly #limit: number;
  /** User items that a response has taken up, by id. */
  readonly #asked = new Set<string>();
  /** Items of cancelled turns, and partial answers of failed turns: the model's context holds none of them. */
  readonly #forgotten = new Set<string>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get lastId(): string | null {
    return this.#items.at(-1)?.id ?? null;
  }

  /** User items that no response has taken up yet. */
  get pending(): readonly Item[] {
    return this.#items.filter((item) => item.role === 'user' && !this.#asked.has(item.id));
  }

  /** Ignores the limit: there was room when the question was asked, and items added since must not block its answer. */
  appendAnswer(item: Item): void {
    this.#items.push(item);
  }

  /** Throws `conversation_full`, or `invalid_request` for an id that is taken. */
  append(item: Item): void {
    this.assertRoom();
    if (this.#items.some(({ id }) => id === item.id)) {
      throw new YocoError('invalid_request', { param: 'item.id', detail: 'item.id: another item has this id.' });
    }
    this.#items.push(item);
  }

  /** Throws `conversation_full` unless one more item fits. */
  assertRoom(): void {
    if (this.#items.length >= this.#limit) {
      throw new YocoError('conversation_full', { detail: `It holds ${this.#limit} items.` });
    }
  }

  /** The id of the item that precedes this one, or null. */
  previousId(id: string): string | null {
    return this.#items[this.#items.findIndex((item) => item.id === id) - 1]?.id ?? null;
  }

  /** A response takes up all pending items; returns their ids. */
  markAsked(): readonly string[] {
    const ids = this.pending.map(({ id }) => id);
    for (const id of ids) this.#asked.add(id);
    return ids;
  }

  /** Makes items pending again after the response that took them up failed. */
  unmarkAsked(ids: readonly string[]): void {
    for (const id of ids) this.#asked.delete(id);
  }

  /** Marks items that the model's context does not hold: they stay listed, but may be removed. */
  forget(ids: readonly string[]): void {
    for (const id of ids) this.#forgotten.add(id);
  }

  /** Replaces the item of the same id, e.g. when an answer is complete. */
  replace(item: Item): void {
    const index = this.#items.findIndex(({ id }) => id === item.id);
    if (index >= 0) this.#items[index] = item;
  }

  /** Throws `item_not_found`. */
  get(id: string): Item {
    const item = this.#items.find((candidate) => candidate.id === id);
    if (!item) throw new YocoError('item_not_found', { param: 'item_id' });
    return item;
  }

  /**
   * Removes an item that was not asked or was forgotten. Throws `item_not_found`, or `invalid_request` for any other.
   */
  remove(id: string): void {
    const item = this.get(id);
    if ((item.role === 'assistant' || this.#asked.has(id)) && !this.#forgotten.has(id)) {
      throw new YocoError('invalid_request', {
        param: 'item_id',
        detail:
          'item_id: this turn is in progress, or already part of the conversation; ' +
          'send yoco.conversation.reset to forget it.',
      });
    }
    this.#items.splice(this.#items.indexOf(item), 1);
    // The client may reuse the id.
    this.#asked.delete(id);
    this.#forgotten.delete(id);
  }
}
