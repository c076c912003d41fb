/** `BUNDLE@STREAM`: lets clients that can only choose a model name the stream that they ask. */
import { YocoError } from '../errors.ts';
import type { LiveService, LiveStream } from '../live/types.ts';

export function modelName(live: LiveService, stream: Pick<LiveStream, 'name'>): string {
  return `${live.bundle.name}@${stream.name}`;
}

/** Throws `invalid_request` (`model`) for another bundle or without a stream, or `stream_not_found`. */
export function streamOfModel(live: LiveService, model: string): LiveStream {
  const bundle = live.bundle.name;
  const at = model.lastIndexOf('@');
  if (at < 0 || model.slice(0, at) !== bundle) {
    throw new YocoError('invalid_request', {
      param: 'model',
      detail: `model must be ${bundle}@NAME, NAME being a stream.`,
    });
  }
  try {
    return live.get(model.slice(at + 1));
  } catch (thrown) {
    const { code, detail } = YocoError.from(thrown);
    throw new YocoError(code, { param: 'model', detail });
  }
}
