/** `ECONNREFUSED`, or what the system calls it; `fetch` has it in the cause of its error. */
export function systemCode(cause: unknown): string | undefined {
  for (let error = cause; error instanceof Error; error = error.cause) {
    if ('code' in error && typeof error.code === 'string') return error.code;
  }
  return undefined;
}

/** The same for who reads why something did not work. */
export function systemReason(cause: unknown): string {
  return systemCode(cause) ?? 'for a reason that is not known';
}
