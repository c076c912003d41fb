/** What the page says about a stream below its picture: description, source, state, frames, memory. */
import { $ } from './elements.js';
import { bytes, unchangedText } from './format.js';

/** States of a source that its error explains. */
const STATES_WITH_ERROR = ['reconnecting', 'failed', 'ended'];

/** The error that explains the stream's state, or null. A source that plays again still reports its last error. */
export function problemOf(status) {
  return STATES_WITH_ERROR.includes(status.state) ? status.error : null;
}

/** The stream's state, and why it is so. */
export function stateText(status) {
  const problem = problemOf(status);
  const unchanged = unchangedText(status);
  const why = problem ? `: ${problem.message}` : unchanged && `, ${unchanged}`;
  return `${status.state}${why}`;
}

/** `status`: the stream's newest status. */
export function showFacts(status) {
  $('description').hidden = !status.description;
  $('fact-description').textContent = status.description ?? '';
  $('fact-source').textContent = status.source;
  $('fact-state').textContent = stateText(status);
  $('fact-frames').textContent = `${status.frames.toLocaleString()} at ${status.fps} a second`;
  $('fact-memory').textContent = `${bytes(status.cache.bytes)} of ${bytes(status.cache.limit_bytes)}`;
}

/** Shows that there is no stream. */
export function clearFacts() {
  $('description').hidden = true;
  for (const fact of ['fact-source', 'fact-state', 'fact-frames', 'fact-memory']) $(fact).textContent = '–';
}
