/** What a service says when it refuses. */
import { z } from 'zod';
import { YocoError } from '../errors.ts';

/** An error as the service writes it, over HTTP and in events. */
export const errorShape = z.object({ code: z.string(), message: z.string() }).loose();

/** The service's own error, from its JSON; `service_unreachable` where a program answers that is not the service. */
export function refusal(body: string, status: number): YocoError {
  const shape = z.object({ error: errorShape }).loose();
  const parsed = shape.safeParse(safeJson(body));
  const told = parsed.success ? YocoError.told(parsed.data.error.code, parsed.data.error.message) : null;
  if (told !== null) return told;
  const how = status === 0 ? '' : ` (HTTP status ${status})`;
  return new YocoError('service_unreachable', { detail: `What answers does not speak its protocol${how}.` });
}

/** The parsed text, or undefined where it is not JSON. */
export function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
