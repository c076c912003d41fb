/** The dialog that adds a stream. */
import { createStream } from './api.js';
import { $ } from './elements.js';

export class AddDialog {
  /** `onAdded`: called with the name of a stream that was added by its address. */
  constructor(onAdded) {
    $('add-stream').addEventListener('click', () => {
      this.showProblem('');
      $('add-dialog').showModal();
    });
    $('add-form').addEventListener('submit', async (event) => {
      event.preventDefault();
      const name = $('add-name').value.trim();
      if (await this.add({ name, source: { url: $('add-url').value.trim() } })) {
        $('add-form').reset();
        await onAdded(name);
      }
    });
  }

  /** True if the stream was created; otherwise the dialog says why not. */
  async add(definition) {
    this.showProblem('');
    try {
      await createStream(definition);
    } catch (error) {
      this.showProblem(error.message);
      return false;
    }
    this.close();
    return true;
  }

  showProblem(text) {
    $('add-problem').textContent = text;
  }

  close() {
    $('add-dialog').close();
  }
}
