/** Requests to a running service, for commands that need no conversation. */
import type { Command } from 'commander';
import { z } from 'zod';
import { YocoError } from '../errors.ts';
import { KEY_PATTERN } from '../server/server-options.ts';
import { errorFromResponse, safeJson } from './service-error.ts';
import { bodyOf, endpoint, unreachableError, serverOption } from './service-address.ts';

/** Adds `--server` and `--json`, the options of every command that talks to a service. */
export function serviceOptions(command: Command): Command {
  return serverOption(command).option('--json', 'print one JSON object');
}

/**
 * The header for the value of YOCO_API_KEY. An empty value is no key; surrounding blanks and line ends, as files have
 * them, are trimmed. Throws `invalid_request` for what cannot be a key, without repeating it.
 */
export function authorization(text: string | undefined): { readonly authorization?: string } {
  const key = text?.trim() ?? '';
  if (key === '') return {};
  if (!KEY_PATTERN.test(key)) {
    throw new YocoError('invalid_request', { detail: 'YOCO_API_KEY: expected printable ASCII without spaces.' });
  }
  return { authorization: `Bearer ${key}` };
}

export interface TimedResponse {
  readonly answer: unknown;
  /**
   * Time of the answer, ms since 1970, to the second, by the service's clock. That clock dates the service's frames and
   * may differ from this machine's.
   */
  readonly atMs: number;
}

type Method = 'GET' | 'POST' | 'DELETE';

/**
 * Sends a request with the key of YOCO_API_KEY, if there is one; returns the parsed answer. Throws `invalid_request`
 * (`server`, or for the key), `service_unreachable`, `connection_closed`, or the service's error.
 */
export async function callService(server: string, method: Method, path: string, body?: object): Promise<unknown> {
  return (await send(server, path, { method, ...(body === undefined ? {} : { body }) })).answer;
}

/**
 * Gets the resource at `path`, with the time of the answer. Throws what `callService` throws; aborting `signal` makes
 * it throw `service_unreachable` or `connection_closed`.
 */
export function getWithTime(server: string, path: string, signal?: AbortSignal): Promise<TimedResponse> {
  return send(server, path, signal === undefined ? {} : { signal });
}

interface RequestOptions {
  readonly method?: Method;
  readonly body?: object;
  readonly signal?: AbortSignal;
}

async function send(server: string, path: string, { body, ...init }: RequestOptions): Promise<TimedResponse> {
  const response = await fetch(endpoint(server, path), {
    ...init,
    headers: {
      ...authorization(process.env['YOCO_API_KEY']),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }).catch((cause: unknown) => {
    throw unreachableError(server, cause);
  });
  const text = await bodyOf(response);
  const answer = safeJson(text);
  if (!response.ok || answer === undefined) throw errorFromResponse(text, response.status);
  const atMs = Date.parse(response.headers.get('date') ?? '');
  return { answer, atMs: Number.isNaN(atMs) ? Date.now() : atMs };
}

/** The names of a service's streams, sorted. Throws what `callService` throws. */
export async function streamNames(server: string): Promise<string[]> {
  const answer = await callService(server, 'GET', '/v1/streams');
  const list = z.object({ data: z.array(z.object({ name: z.string() }).loose()) }).safeParse(answer);
  if (!list.success) throw errorFromResponse(JSON.stringify(answer), 200);
  return list.data.data.map(({ name }) => name).sort();
}
