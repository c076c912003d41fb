/** The picture of an answer's evidence, for webhooks: their receivers cannot request it themselves. */
import type { AnswerResult, LiveStream, Thumbnail } from '../live/types.ts';
import { seconds, wallTime } from './times.ts';

/** Longest wait for a picture, ms: the engine may answer about the newest frame before its picture is ready. */
const PICTURE_WAIT_MS = 1_000;

/** What the model saw at `t`, in seconds since the stream began; `time` is the same moment in RFC 3339. */
export interface AnswerPicture {
  readonly stream: string;
  readonly t: number;
  readonly time: string;
  readonly jpeg: Buffer;
}

type PicturedStream = Pick<LiveStream, 'name' | 'status' | 'pictures' | 'thumbnail' | 'onChange'>;

/**
 * The picture at the peak of the strongest evidence, or that of the newest frame if there is no evidence or its picture
 * is gone. Null if the stream has no picture.
 */
export async function answerPicture(
  { evidence }: Pick<AnswerResult, 'evidence'>,
  stream: PicturedStream,
): Promise<AnswerPicture | null> {
  const peakMs = evidence[0]?.peakMs;
  if (peakMs !== undefined) await waitForPicture(peakMs, stream);
  const frame = (await pictureAt(peakMs, stream)) ?? (await pictureAt(undefined, stream));
  if (frame === null) return null;
  const { timeMs, jpeg } = frame;
  return { stream: stream.name, t: seconds(timeMs), time: wallTime(timeMs, stream.status().startedAtMs), jpeg };
}

function pictureAt(timeMs: number | undefined, stream: PicturedStream): Promise<Thumbnail | null> {
  return stream.thumbnail(timeMs).catch(() => null);
}

async function waitForPicture(timeMs: number, stream: PicturedStream): Promise<void> {
  const isReady = (): boolean => (stream.pictures()?.lastMs ?? -Infinity) >= timeMs;
  if (isReady()) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      unsubscribe();
      resolve();
    };
    const timer = setTimeout(done, PICTURE_WAIT_MS);
    const unsubscribe = stream.onChange(() => {
      if (isReady()) done();
    });
  });
}
