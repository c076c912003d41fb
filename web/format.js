/** Numbers and times as people read them. */

/** Seconds as `0:42`, `1:02:03` or `2 d 1:02:03`; tenths when they are not whole and `fine` is wanted. */
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

/** As `memory.limit_mb` counts: a MB has 2^20. */
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
/** From this age on the newest frame is told of, ms. */
const OLD_MS = 10_000;

/**
 * `newest frame 3 h old`; '' where it is not old, there is none, or it is one of a recording (`recorded`: when that was
 * made, or null). `time` is its RFC 3339 one or null. Of a stream that is seldom looked at two frames are waited for.
 */
export function oldText(time, nowMs, { fps = 2, of = '', recorded = null } = {}) {
  const age = time === null || recorded !== null ? 0 : nowMs - Date.parse(time);
  if (age <= Math.max(OLD_MS, 2_000 / fps)) return '';
  const [unit, unitMs] = UNITS.find(([, length]) => age >= length) ?? ['s', 1_000];
  return `newest frame ${of && `of ${of} `}${Math.floor(age / unitMs)} ${unit} old`;
}

/** From one moment to another by the wall clock, with the date: for what is not told anew. */
export function wallRange(from, to) {
  const format = new Intl.DateTimeFormat(undefined, { dateStyle: 'short', timeStyle: 'medium' });
  return format.formatRange(new Date(from), new Date(to));
}

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** A moment by the wall clock, to be told anew by `tellTimes`. `time` is an RFC 3339 one. */
export function timeElement(time) {
  const made = element('time', { dateTime: time });
  tellTime(made);
  return made;
}

/** At midnight the times of today become those of another day. */
export function tellTimes(root) {
  for (const made of root.querySelectorAll('time')) tellTime(made);
}

function tellTime(made) {
  const time = new Date(made.dateTime);
  const isToday = time.toDateString() === new Date().toDateString();
  made.textContent = time.toLocaleString(undefined, {
    timeStyle: 'medium',
    ...(isToday ? {} : { dateStyle: 'short' }),
  });
}
