/** This device's camera as a push stream: two pictures a second over a connection of its own. */
import { CLOSE_REASONS, Realtime } from './realtime.js';

const INTERVAL_MS = 500;
const PICTURE_SIZE = 448;
const MAX_BACKLOG_BYTES = 1_000_000;

export const hasCamera = Boolean(navigator.mediaDevices?.getUserMedia);

export class Camera {
  #realtime = new Realtime();
  #media = null;
  #timer = 0;
  #onEnd = () => undefined;

  constructor() {
    this.#realtime.addEventListener('state', ({ detail: { state, code } }) => {
      if (state === 'closed') this.#end(CLOSE_REASONS[code]);
    });
    this.#realtime.addEventListener('error', ({ detail }) => this.#end(detail.error.message));
  }

  get isOn() {
    return this.#media !== null;
  }

  /** Asks the browser for the camera; rejects with its error when it is refused. */
  async requestAccess() {
    this.#media ??= await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 }, audio: false });
  }

  /** Sends pictures to the push stream `name` until `stop`; `onEnd` is called with the reason if it ends by itself. */
  async start(name, onEnd) {
    clearInterval(this.#timer);
    this.#onEnd = onEnd;
    for (const track of this.#media.getTracks()) {
      track.addEventListener('ended', () => this.#end('the camera was switched off'), { once: true });
    }
    const video = document.createElement('video');
    video.muted = true;
    video.playsInline = true;
    video.srcObject = this.#media;
    await video.play();
    const canvas = new OffscreenCanvas(PICTURE_SIZE, PICTURE_SIZE);
    const context = canvas.getContext('2d');
    this.#realtime.connect(name);
    this.#timer = setInterval(async () => {
      if (!this.#realtime.isOpen || this.#realtime.backlog > MAX_BACKLOG_BYTES) return;
      const side = Math.min(video.videoWidth, video.videoHeight);
      if (side === 0) return;
      const [left, top] = [(video.videoWidth - side) / 2, (video.videoHeight - side) / 2];
      context.drawImage(video, left, top, side, side, 0, 0, PICTURE_SIZE, PICTURE_SIZE);
      this.#realtime.send(await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.85 }));
    }, INTERVAL_MS);
  }

  stop() {
    clearInterval(this.#timer);
    this.#realtime.close();
    for (const track of this.#media?.getTracks() ?? []) track.stop();
    this.#media = null;
  }

  #end(why) {
    if (!this.isOn) return;
    this.stop();
    this.#onEnd(why);
  }
}
