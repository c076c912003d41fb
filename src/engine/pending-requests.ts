/** Requests to an engine process that it has not answered yet, by their ids. */
import type { YocoError } from '../errors.ts';
import { fromEngineError } from './engine-error.ts';
import type { AnswerListener, FromEngine, RestoredStream, SnapshotSummary, StreamSizes } from './protocol.ts';

interface Settlement<T> {
  readonly resolve: (result: T) => void;
  readonly reject: (error: YocoError) => void;
}

export type PendingRequest =
  | ({ readonly kind: 'frame' } & Settlement<StreamSizes>)
  | ({ readonly kind: 'snapshot' } & Settlement<SnapshotSummary>)
  | ({ readonly kind: 'restore'; readonly stream: string } & Settlement<RestoredStream>)
  | { readonly kind: 'answer'; readonly listener: AnswerListener };

/** A message that answers a request, or a part of an answer. */
export type Reply = Extract<FromEngine, { readonly id: number }>;

export class PendingRequests {
  readonly #requests = new Map<number, PendingRequest>();
  #nextId = 1;

  /** Returns the id under which the request goes to the process. */
  add(request: PendingRequest): number {
    const id = this.#nextId++;
    this.#requests.set(id, request);
    return id;
  }

  has(id: number): boolean {
    return this.#requests.has(id);
  }

  /** Passes a message on to the request that it belongs to; ignores it if that request was settled otherwise. */
  settle(reply: Reply): void {
    const request = this.#requests.get(reply.id);
    if (request === undefined) return;
    if (reply.type === 'delta') {
      if (request.kind === 'answer') request.listener.delta(reply.text);
      return;
    }
    this.#requests.delete(reply.id);
    if (reply.type === 'failed') fail(request, fromEngineError(reply.error));
    else if (reply.type === 'appended' && request.kind === 'frame') request.resolve(reply.result);
    else if (reply.type === 'snapshot_done' && request.kind === 'snapshot') request.resolve(reply.summary);
    else if (reply.type === 'restored' && request.kind === 'restore') request.resolve(reply.result);
    else if (reply.type === 'done' && request.kind === 'answer') request.listener.done(reply.end);
  }

  /** Fails all requests that `isConcerned` selects. */
  fail(isConcerned: (request: PendingRequest) => boolean, errorOf: (request: PendingRequest) => YocoError): void {
    for (const [id, request] of [...this.#requests]) {
      if (!isConcerned(request)) continue;
      this.#requests.delete(id);
      fail(request, errorOf(request));
    }
  }
}

function fail(request: PendingRequest, error: YocoError): void {
  if (request.kind === 'answer') request.listener.failed(error);
  else request.reject(error);
}
