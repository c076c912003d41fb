/** Requests to a running service, for commands that need no conversation. */
import type { Command } from 'commander';
import { z } from 'zod';
import { YocoError } from '../errors.ts';
import { KEY } from '../server/limits.ts';
import { refusal, safeJson } from './refusal.ts';
import { bodyOf, endpoint, noAnswer, serverOption } from './service-address.ts';

/** `--server` and `--json`, as every command has them that talks to a service. */
export function serviceOptions(command: Command): Command {
  return serverOption(command).option('--json', 'print one JSON object');
}

/**
 * The header for what YOCO_API_KEY holds; empty is none, and a blank or line end around it, as files have it, is no part of it.
 * Throws `invalid_request` where it can be no key; it is not repeated.
 */
export function authorization(text: string | undefined): { readonly authorization?: string } {
  const key = text?.trim() ?? '';
  if (key === '') return {};
  if (!KEY.test(key)) throw new YocoError('invalid_request', { detail: 'YOCO_API_KEY: expected printable ASCII.' });
  return { authorization: `Bearer ${key}` };
}

/**
 * Sends a request with the key of YOCO_API_KEY, if there is one; returns the parsed answer.
 * Throws `invalid_request` (`server`, or of the key), `service_unreachable`, or the service's error.
 */
export async function callService(
  server: string,
  method: 'GET' | 'POST',
  path: string,
  body?: object,
): Promise<unknown> {
  const response = await fetch(endpoint(server, path), {
    method,
    headers: {
      ...authorization(process.env['YOCO_API_KEY']),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }).catch((cause: unknown) => {
    throw noAnswer(server, cause);
  });
  const text = await bodyOf(response);
  const answer = safeJson(text);
  if (!response.ok || answer === undefined) throw refusal(text, response.status);
  return answer;
}

/** The names of a service's streams, sorted. Throws what `callService` throws. */
export async function streamNames(server: string): Promise<string[]> {
  const answer = await callService(server, 'GET', '/v1/streams');
  const list = z.object({ data: z.array(z.object({ name: z.string() }).loose()) }).safeParse(answer);
  if (!list.success) throw refusal(JSON.stringify(answer), 200);
  return list.data.data.map(({ name }) => name).sort();
}
