/** Shows the picture that an answer rests on, and offers to ask about its moment. */
import { clockRange } from './answers.js';
import { fetchFrame } from './api.js';
import { clock, wallRange } from './format.js';

export class EvidenceDialog {
  #dialog;
  #askAbout;
  #requestId = 0;

  /** `askAbout`: called with the span to ask about. */
  constructor(dialog, askAbout) {
    this.#dialog = dialog;
    this.#askAbout = askAbout;
  }

  async show(span) {
    const requestId = ++this.#requestId;
    const [dialog, byId] = [this.#dialog, (id) => document.getElementById(id)];
    byId('frame-title').textContent = `${span.stream} at ${clockRange(span)}`;
    const when = wallRange(span.start_time, span.end_time);
    byId('frame-note').textContent = `${when}. ${Math.round(span.weight * 100)} % of the attention went here.`;
    byId('frame-ask').onclick = () => {
      dialog.close();
      this.#askAbout(span);
    };
    const image = byId('frame-picture');
    image.removeAttribute('src');
    image.alt = '';
    dialog.showModal();
    try {
      const { url, t } = await fetchFrame(span.stream, span.peak_time);
      // Meanwhile another picture may have been opened, or the dialog closed.
      if (requestId !== this.#requestId || !dialog.open) {
        URL.revokeObjectURL(url);
        return;
      }
      image.alt = `What the model saw at ${clock(t, true)}`;
      image.src = url;
      dialog.addEventListener('close', () => URL.revokeObjectURL(url), { once: true });
    } catch (error) {
      if (requestId === this.#requestId) byId('frame-note').textContent = error.message;
    }
  }
}
