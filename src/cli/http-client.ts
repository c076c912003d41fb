/** Requests to a running service, for commands that need no conversation. */
import { type Command, Option } from 'commander';
import { YocoError } from '../errors.ts';
import { refusal } from './realtime-client.ts';

/** `--server` and `--json`, as every command has them that talks to a service. */
export function serviceOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--server <url>', 'address of the service').default(
        process.env['YOCO_SERVER'] ?? 'http://127.0.0.1:8080',
      ),
    )
    .option('--json', 'print one JSON object');
}

/** Sends a request with the key of YOCO_API_KEY, if there is one; returns the parsed answer. Throws the service's error. */
export async function callService(
  server: string,
  method: 'GET' | 'POST',
  path: string,
  body?: object,
): Promise<unknown> {
  const key = process.env['YOCO_API_KEY'];
  let response: Response;
  try {
    response = await fetch(new URL(path, server), {
      method,
      headers: {
        ...(key ? { authorization: `Bearer ${key}` } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (cause) {
    throw new YocoError('source_unreachable', { detail: `No service answers at ${server}.`, cause });
  }
  const text = await response.text();
  if (!response.ok) throw refusal(text, response.status);
  return JSON.parse(text);
}
