/** Calls over HTTP. The key stays in this tab, and travels only in a header. */
import { tabStore } from './browser-store.js';

const KEY = 'yoco-live-key';
/** How far the service's clock is ahead of this device's, ms, accurate to a second. */
let clockOffsetMs = 0;

export class ApiError extends Error {
  constructor(status, { code, message, retryable } = {}) {
    super(message ?? `The service answered ${status}.`);
    this.status = status;
    this.code = code ?? 'internal';
    this.retryable = retryable ?? false;
  }
}

export function storedKey() {
  return tabStore.get(KEY);
}

export function storeKey(key) {
  if (key) tabStore.set(KEY, key);
  else tabStore.delete(KEY);
}

/**
 * The time by the service's clock, ms since 1970. That clock dates the frames; this device's may be wrong about their
 * age.
 */
export function serviceNow() {
  return Date.now() + clockOffsetMs;
}

async function request(path, { method = 'GET', json } = {}) {
  const headers = {};
  const key = storedKey();
  if (key) headers.authorization = `Bearer ${key}`;
  if (json !== undefined) headers['content-type'] = 'application/json';
  const body = json === undefined ? undefined : JSON.stringify(json);
  const response = await fetch(path, { method, headers, body });
  const date = Date.parse(response.headers.get('date') ?? '');
  if (!Number.isNaN(date)) clockOffsetMs = date - Date.now();
  if (response.ok) return response;
  const parsed = await response.json().catch(() => ({}));
  throw new ApiError(response.status, parsed.error);
}

export async function listStreams() {
  return (await request('v1/streams')).json();
}

export async function createStream(definition) {
  return (await request('v1/streams', { method: 'POST', json: definition })).json();
}

export async function deleteStream(name) {
  await request(`v1/streams/${encodeURIComponent(name)}`, { method: 'DELETE' });
}

/** The standing questions of the stream's file, and their answers. */
export async function listStandingQuestions(name) {
  return (await (await request(`v1/streams/${encodeURIComponent(name)}/standing_questions`)).json()).data;
}

/**
 * The kept frame at or before `t`, in seconds or as wall time (newest when absent): its time, and an object URL that
 * the caller revokes.
 */
export async function fetchFrame(name, t) {
  const query = t === undefined ? '' : `?t=${encodeURIComponent(typeof t === 'number' ? Math.max(0, t) : t)}`;
  const response = await request(`v1/streams/${encodeURIComponent(name)}/frames${query}`);
  return { url: URL.createObjectURL(await response.blob()), t: Number(response.headers.get('x-yoco-time')) };
}

/** Subprotocols that open a WebSocket: a short-lived token when there is a key, since no header can be set. */
export async function fetchSubprotocols() {
  if (!storedKey()) return ['realtime'];
  const { token } = await (await request('v1/token', { method: 'POST' })).json();
  return ['realtime', `yoco-token.${token}`];
}
