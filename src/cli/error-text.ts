import type { YocoError } from '../errors.ts';

/**
 * Lines for stderr: what went wrong (`subject` names the subject if it is unclear), and the stack trace of an
 * unexpected error.
 */
export function errorText({ message, code, cause }: YocoError, subject?: string): string {
  const line = `error: ${subject === undefined ? '' : `${subject}: `}${message} (${code})\n`;
  // An error reported by a service has no cause here: it stays with the service.
  return code === 'internal' && cause !== undefined ? `${line}${stack(cause)}\n` : line;
}

function stack(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}

/** Log fields of an error, besides its message. */
export function errorFields({ code, param, cause }: YocoError): object {
  return { code, param, ...(code === 'internal' ? { err: cause } : {}) };
}
