/** `ECONNREFUSED` or another system error code; `fetch` puts it into the cause of its error. */
export function systemCode(cause: unknown): string | undefined {
  for (let error = cause; error instanceof Error; error = error.cause) {
    if ('code' in error && typeof error.code === 'string') return error.code;
  }
  return undefined;
}

/** The same as text for people. */
export function systemReason(cause: unknown): string {
  return systemCode(cause) ?? 'for a reason that is not known';
}
