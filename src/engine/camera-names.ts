/**
 * The model knows the streams of a question as `camera 1`, `camera 2`, ...; people know them by their names. Names are
 * put in the place of numbers in an answer, and numbers in the place of names in a question.
 */

const CAMERA = /\bcamera (\d+)/g;
/** An end of a text that may become the number of a camera with the next piece. */
const UNFINISHED = /(?:^|\s)c(?:a(?:m(?:e(?:r(?:a(?: \d*)?)?)?)?)?)?$/;

/** `what does front-door show` -> `what does camera 1 show`. Longer names first: `door` may be part of `front-door`. */
export function namesToCameras(question: string, names: readonly string[]): string {
  const numbered = names.map((name, i) => ({ name, number: i + 1 })).sort((a, b) => b.name.length - a.name.length);
  return numbered.reduce((text, { name, number }) => {
    const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    return text.replace(new RegExp(`(?<![\\w-])(?:camera )?${escaped}(?![\\w-])`, 'gi'), `camera ${number}`);
  }, question);
}

/** `camera 2` -> `yard`; a number that is no stream's stays. */
export function camerasToNames(answer: string, names: readonly string[]): string {
  return answer.replace(CAMERA, (whole, number: string) => names[Number(number) - 1] ?? whole);
}

/** The part of an answer in progress that no further piece can change. */
export function settled(answer: string): string {
  return answer.replace(UNFINISHED, '');
}
