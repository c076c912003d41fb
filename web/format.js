/** Numbers and times as people read them. */

/** Seconds as `0:42`, `1:02:03` or `2 d 1:02:03`; with tenths if `fine` and not whole. */
export function clock(seconds, fine = false) {
  if (seconds === null || seconds === undefined) return '–:––';
  const tenths = fine ? Math.round(seconds * 10) / 10 : Math.floor(seconds);
  const whole = Math.floor(tenths);
  const days = Math.floor(whole / 86_400);
  const hours = Math.floor(whole / 3_600) % 24;
  const minutes = Math.floor(whole / 60) % 60;
  const rest = String(whole % 60).padStart(2, '0');
  const part = tenths > whole ? `.${Math.round((tenths - whole) * 10)}` : '';
  if (days > 0) return `${days} d ${hours}:${String(minutes).padStart(2, '0')}:${rest}${part}`;
  if (hours > 0) return `${hours}:${String(minutes).padStart(2, '0')}:${rest}${part}`;
  return `${minutes}:${rest}${part}`;
}

/** In the units of `memory.limit_mb`: a MB is 2^20 bytes. */
export function bytes(count) {
  if (count < 2 ** 20) return `${Math.round(count / 2 ** 10)} KB`;
  if (count < 2 ** 30) return `${Math.round(count / 2 ** 20)} MB`;
  return `${(count / 2 ** 30).toFixed(1)} GB`;
}

/** Milliseconds as `120 ms` or `1.4 s`. */
export function duration(ms) {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
];

/** An age in the largest unit that it fills: `12 s`, `4 min`, `3 h` or `2 d`. */
function ageText(ms) {
  const [unit, unitMs] = UNITS.find(([, length]) => ms >= length) ?? ['s', 1_000];
  return `${Math.floor(ms / unitMs)} ${unit}`;
}

/** A newest frame older than this counts as old, ms. */
const OLD_MS = 10_000;

/**
 * `newest frame 3 h old`; '' if it is not old, there is none, or it belongs to a recording (`recorded`: when that was
 * made, or null). `time` is its time in RFC 3339, or null. At a low `fps` it counts as old only after two frame
 * intervals.
 */
export function staleText(time, nowMs, { fps = 2, of = '', recorded = null } = {}) {
  const age = time === null || recorded !== null ? 0 : nowMs - Date.parse(time);
  if (age <= Math.max(OLD_MS, 2_000 / fps)) return '';
  return `newest frame ${of && `of ${of} `}${ageText(age)} old`;
}

/** A picture that has not changed at all for so long is mentioned, ms: the camera may have frozen. */
const UNCHANGED_MS = 60_000;

/** `picture unchanged for 5 min`; '' if it has changed lately, the source does not play, or it is a recording. */
export function unchangedText({ state, last, last_change: changed, recorded_at: recorded }) {
  const ms = ((last ?? 0) - (changed ?? last ?? 0)) * 1_000;
  if (state !== 'playing' || recorded !== null || ms < UNCHANGED_MS) return '';
  return `picture unchanged for ${ageText(ms)}`;
}

/** A span by the wall clock, with the date: for text that is not refreshed. */
export function wallRange(from, to) {
  const format = new Intl.DateTimeFormat(undefined, { dateStyle: 'short', timeStyle: 'medium' });
  return format.formatRange(new Date(from), new Date(to));
}

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** A moment by the wall clock, refreshed by `refreshTimes`. `time` is in RFC 3339. */
export function timeElement(time) {
  const made = element('time', { dateTime: time });
  refreshTime(made);
  return made;
}

/** Refreshes all times below `root`: from midnight on today's times need a date. */
export function refreshTimes(root) {
  for (const made of root.querySelectorAll('time')) refreshTime(made);
}

function refreshTime(made) {
  const time = new Date(made.dateTime);
  const isToday = time.toDateString() === new Date().toDateString();
  made.textContent = time.toLocaleString(undefined, {
    timeStyle: 'medium',
    ...(isToday ? {} : { dateStyle: 'short' }),
  });
}
