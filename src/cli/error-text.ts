import type { YocoError } from '../errors.ts';

/**
 * Lines for stderr: what went wrong (`of` what, where that is not plain), and where in the code if nobody expected it.
 */
export function errorText({ message, code, cause }: YocoError, of?: string): string {
  const line = `error: ${of === undefined ? '' : `${of}: `}${message} (${code})\n`;
  // What a service tells of has its cause there.
  return code === 'internal' && cause !== undefined ? `${line}${stack(cause)}\n` : line;
}

function stack(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}

/** What a log has of an error beside its message. */
export function errorFields({ code, param, cause }: YocoError): object {
  return { code, param, ...(code === 'internal' ? { err: cause } : {}) };
}
