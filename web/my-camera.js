/** The stream of this device's camera: its buttons, and what is said when it stops. */
import { listStreams } from './api.js';
import { browserStore } from './browser-store.js';
import { Camera, hasCamera } from './camera.js';
import { $ } from './elements.js';

/** Unique to this browser: another one's camera shows other things. */
const CAMERA_STREAM = uniqueName('my-camera');

/** `base` and a random suffix that stays the same in this browser. */
function uniqueName(base) {
  const key = `yoco-live-${base}`;
  const letters = browserStore.get(key) ?? crypto.getRandomValues(new Uint16Array(1))[0].toString(16).padStart(4, '0');
  browserStore.set(key, letters);
  return `${base}-${letters}`;
}

export class MyCamera {
  #camera = new Camera();
  #addDialog;
  #onAdded;
  #isOpening = false;

  /** `addDialog` creates its stream. `onAdded`: called with the stream's name when it may be selected. */
  constructor(addDialog, onAdded) {
    this.#addDialog = addDialog;
    this.#onAdded = onAdded;
    $('use-camera').hidden = !hasCamera;
    $('use-camera').addEventListener('click', () => void this.#useOnce());
    $('stop-camera').addEventListener('click', () => this.#stop());
  }

  /** Stops the camera if its stream is the one that was removed. */
  streamRemoved(name) {
    if (name === CAMERA_STREAM) this.#stop();
  }

  /** A second click meanwhile would open the camera twice, and find its stream already created. */
  async #useOnce() {
    if (this.#isOpening) return;
    this.#isOpening = true;
    try {
      await this.#use();
    } finally {
      this.#isOpening = false;
    }
  }

  async #use() {
    try {
      await this.#camera.requestAccess();
    } catch (error) {
      this.#addDialog.showProblem(`The camera cannot be used: ${error.message}`);
      return;
    }
    const { data } = await listStreams().catch(() => ({ data: [] }));
    const exists = data.some(({ name }) => name === CAMERA_STREAM);
    if (!exists && !(await this.#addDialog.add({ name: CAMERA_STREAM, source: { push: true } }))) {
      this.#camera.stop();
      return;
    }
    this.#addDialog.close();
    try {
      await this.#camera.start(CAMERA_STREAM, (why) => {
        $('stop-camera').hidden = true;
        $('camera-problem').textContent = `My camera has stopped: ${why}`;
      });
    } catch (error) {
      this.#stop();
      $('camera-problem').textContent = `The camera cannot be used: ${error.message}`;
      await this.#onAdded(CAMERA_STREAM);
      return;
    }
    $('camera-problem').textContent = '';
    $('stop-camera').hidden = false;
    await this.#onAdded(CAMERA_STREAM);
  }

  #stop() {
    this.#camera.stop();
    $('stop-camera').hidden = true;
  }
}
