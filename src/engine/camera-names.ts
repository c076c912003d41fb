/**
 * The model knows the streams of a question as `camera 1`, `camera 2`, ...; people know them by name. Numbers become
 * names in an answer, and names become numbers in a question.
 */
import { escapeRegExp } from '../escape-regexp.ts';

const CAMERA = /\bcamera (\d+)/g;
/** A text's end that the next piece may extend to a camera number. */
const UNFINISHED = /\bc(?:a(?:m(?:e(?:r(?:a(?: \d*)?)?)?)?)?)?$/;

/** After "the" and a name, these mark the name as an ordinary word: "at the front door". */
const THINGS = [
  ...['doors?', 'doorway', 'gates?', 'windows?', 'lights?', 'lamps?', 'bells?', 'doorbell', 'steps', 'stairs', 'porch'],
  ...['walls?', 'fences?', 'floors?', 'rooms?', 'roof', 'lawn', 'garden', 'entrance', 'exit', 'corner', 'pages?'],
  ...[
    'tables?',
    'desks?',
    'counters?',
    'seats?',
    'rows?',
    'wheels?',
    'bumper',
    'half',
    'part',
    'sides?',
    'end',
    'edge',
  ],
].join('|');
/** "The front door", "in front of", "the back of": ordinary phrases that contain a stream's name. */
const NOT_IN_WORDS = `(?! of\\b)(?<!\\bin front)(?<!\\b(?:the|a|an) [\\w-]*(?= (?:${THINGS})\\b))`;

/**
 * `what does front-door show` -> `what does camera 1 show`. A name counts only where it stands alone: `door` is not
 * found in `front-door` or `front.door`, nor in ordinary phrases ("in front of", "at the front door"). Spaces may
 * replace its hyphens ("front door", "cam 1"). A name that is a number, a single letter or the word `camera` counts
 * only after the word `camera`: `which camera shows 2 dogs?` names no stream.
 */
export function namesToCameras(question: string, names: readonly string[]): string {
  const numbers = new Map(names.map((name, i) => [name.toLowerCase(), i + 1]));
  const loose = new Map(names.map((name, i) => [loosely(name), i + 1]));
  // All names in one pass, longer ones first, so that a replacement is not itself taken for a name.
  const choices = [...names].sort((a, b) => b.length - a.length).map(patternOf);
  const pattern = new RegExp(`(?<![\\w-]|\\w\\.)(?:${choices.join('|')})(?![\\w-]|\\.\\w)`, 'gi');
  return question.replace(pattern, (found) => {
    const text = found.toLowerCase();
    const name = text.replace(/^camera /, '');
    const number = numbers.get(text) ?? numbers.get(name) ?? loose.get(loosely(text)) ?? loose.get(loosely(name));
    return number === undefined ? found : `camera ${number}`;
  });
}

/** Treats `front_door` and `front door`, `cam1` and `cam 1` alike. */
const loosely = (name: string): string => name.toLowerCase().replace(/[-_ ]/g, '');

function patternOf(name: string): string {
  const escaped = escapeRegExp(name)
    .replace(/(?<=[a-z\d])[-_](?=[a-z\d])/gi, '[-_ ]')
    .replace(/^(cam(?:era)?|channel|stream|video)(?=\d)/i, '$1 ?');
  if (/^(?:\d+|[a-z]|camera)$/i.test(name)) return `camera ${escaped}`;
  return `camera ${escaped}|${escaped}${NOT_IN_WORDS}`;
}

/** `camera 2` -> `yard`. A number without a stream stays. */
export function camerasToNames(answer: string, names: readonly string[]): string {
  return answer.replace(CAMERA, (whole, number: string) => names[Number(number) - 1] ?? whole);
}

/** The part of an unfinished answer that no further piece can change. */
export function stablePrefix(answer: string): string {
  return answer.replace(UNFINISHED, '');
}
