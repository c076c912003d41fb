/** Errors with which a service answers a request that it refuses. */
import { z } from 'zod';
import { YocoError } from '../errors.ts';

/** An error as the service writes it, over HTTP and in events. */
export const errorShape = z.object({ code: z.string(), message: z.string() }).loose();

/** The service's own error, from its JSON; `service_unreachable` if what answers is not the service. */
export function errorFromResponse(body: string, status: number): YocoError {
  const shape = z.object({ error: errorShape }).loose();
  const parsed = shape.safeParse(safeJson(body));
  const { code = '', message = '' } = parsed.data?.error ?? {};
  const told = serviceError(code, message);
  if (told !== null) return told;
  const how = status === 0 ? '' : ` (HTTP status ${status})`;
  return new YocoError('service_unreachable', { detail: `The server there does not speak its protocol${how}.` });
}

/**
 * An error that the service reported by code and message; null if the catalogue has no such code. Messages about keys
 * and times are adapted: the service's own speak of headers and fields, which nobody sends by hand here.
 */
export function serviceError(code: string, message: string): YocoError | null {
  if (code !== 'unauthorized') {
    const asFlag = (_: string, field: string): string => `--${field.replace('_', '-')}`;
    return YocoError.fromMessage(code, message.replace(/\bresponse\.yoco\.(as_of|since)\b/, asFlag));
  }
  const isSent = (process.env['YOCO_API_KEY'] ?? '').trim() !== '';
  if (isSent) return new YocoError(code, { detail: 'The key in YOCO_API_KEY is not accepted.' });
  return YocoError.fromMessage(code, `${message} Commands read it from YOCO_API_KEY.`);
}

/** The parsed text, or undefined if it is not JSON. */
export function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
