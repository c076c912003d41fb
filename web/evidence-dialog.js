/** Shows the picture that an answer rests on, and offers to ask about its moment. */
import { range } from './answers.js';
import { frame } from './api.js';
import { clock, wallRange } from './format.js';

export class EvidenceDialog {
  #dialog;
  #askAbout;
  #looked = 0;

  /** `askAbout`: called with the span to ask about. */
  constructor(dialog, askAbout) {
    this.#dialog = dialog;
    this.#askAbout = askAbout;
  }

  async show(span) {
    const mine = ++this.#looked;
    const [dialog, part] = [this.#dialog, (id) => document.getElementById(id)];
    part('frame-title').textContent = `${span.stream} at ${range(span)}`;
    const when = wallRange(span.start_time, span.end_time);
    part('frame-note').textContent = `${when}. ${Math.round(span.weight * 100)} % of the attention went here.`;
    part('frame-ask').onclick = () => {
      dialog.close();
      this.#askAbout(span);
    };
    const image = part('frame-picture');
    image.removeAttribute('src');
    image.alt = '';
    dialog.showModal();
    try {
      const { url, t } = await frame(span.stream, span.peak_time);
      // Meanwhile another picture may have been opened, or the dialog closed.
      if (mine !== this.#looked || !dialog.open) {
        URL.revokeObjectURL(url);
        return;
      }
      image.alt = `What the model saw at ${clock(t, true)}`;
      image.src = url;
      dialog.addEventListener('close', () => URL.revokeObjectURL(url), { once: true });
    } catch (error) {
      if (mine === this.#looked) part('frame-note').textContent = error.message;
    }
  }
}
