/** What a service says when it refuses. */
import { z } from 'zod';
import { YocoError } from '../errors.ts';

/** An error as the service writes it, over HTTP and in events. */
export const errorShape = z.object({ code: z.string(), message: z.string() }).loose();

/** The service speaks of headers, which nobody sends by hand here. */
const KEY_HINT = 'Of commands: it is read from YOCO_API_KEY.';

/** The service's own error, from its JSON; `service_unreachable` where a program answers that is not the service. */
export function refusal(body: string, status: number): YocoError {
  const shape = z.object({ error: errorShape }).loose();
  const parsed = shape.safeParse(safeJson(body));
  const { code = '', message = '' } = parsed.data?.error ?? {};
  const told = YocoError.told(code, code === 'unauthorized' ? `${message} ${KEY_HINT}` : message);
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
