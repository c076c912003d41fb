/**
 * The model knows the streams of a question as `camera 1`, `camera 2`, ...; people know them by their names. Names are
 * put in the place of numbers in an answer, and numbers in the place of names in a question.
 */

const CAMERA = /\bcamera (\d+)/g;
/** An end of a text that may become the number of a camera with the next piece. */
const UNFINISHED = /\bc(?:a(?:m(?:e(?:r(?:a(?: \d*)?)?)?)?)?)?$/;

/**
 * `what does front-door show` -> `what does camera 1 show`. A name counts only where it stands alone, so that `door` is
 * not found in `front-door` or in `front.door`. A name that is a number, or the word `camera` itself, counts only after
 * the word `camera`: `which camera shows 2 dogs?` names no stream.
 */
export function namesToCameras(question: string, names: readonly string[]): string {
  const numbers = new Map(names.map((name, i) => [name, i + 1]));
  // All names at once, longer ones first: what one of them has become must not be taken for another.
  const choices = [...names].sort((a, b) => b.length - a.length).map(patternOf);
  const pattern = new RegExp(`(?<![\\w-]|\\w\\.)(?:${choices.join('|')})(?![\\w-]|\\.\\w)`, 'gi');
  return question.replace(pattern, (found) => {
    const text = found.toLowerCase();
    const number = numbers.get(text) ?? numbers.get(text.replace(/^camera /, ''));
    return number === undefined ? found : `camera ${number}`;
  });
}

function patternOf(name: string): string {
  const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return `(?:camera )${/^(?:\d+|camera)$/.test(name) ? '' : '?'}${escaped}`;
}

/** `camera 2` -> `yard`; a number that is no stream's stays. */
export function camerasToNames(answer: string, names: readonly string[]): string {
  return answer.replace(CAMERA, (whole, number: string) => names[Number(number) - 1] ?? whole);
}

/** The part of an answer in progress that no further piece can change. */
export function settled(answer: string): string {
  return answer.replace(UNFINISHED, '');
}
