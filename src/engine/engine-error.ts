/** Errors on their way from the engine process to the server process. */
import { type ErrorCode, YocoError } from '../errors.ts';

export interface EngineError {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly param: string | null;
  /** What was thrown, for the log; only with `internal`. */
  readonly cause?: { readonly message: string; readonly stack: string };
}

export function toEngineError(error: unknown): EngineError {
  const { code, detail, param, cause } = YocoError.from(error);
  if (code !== 'internal') return { code, detail, param };
  const { message, stack = message } = cause instanceof Error ? cause : new Error(String(cause));
  return { code, detail, param, cause: { message, stack } };
}

export function fromEngineError({ code, detail, param, cause }: EngineError): YocoError {
  return new YocoError(code, {
    ...(detail === '' ? {} : { detail }),
    ...(param === null ? {} : { param }),
    ...(cause === undefined ? {} : { cause: Object.assign(new Error(cause.message), { stack: cause.stack }) }),
  });
}
