/** The dialog that asks for an API key, and the button that opens it. */
import { storedKey, storeKey } from './api.js';
import { $ } from './elements.js';

export class KeyDialog {
  #onNeeded;

  /** `onNeeded`: called when the service wants a key. `onKey`: called after one was typed, with the one it replaced. */
  constructor({ onNeeded, onKey }) {
    this.#onNeeded = onNeeded;
    $('change-key').addEventListener('click', () => this.#open(''));
    $('key-form').addEventListener('submit', (event) => {
      const key = $('key').value.trim();
      $('key').value = '';
      if (!/^[\x21-\x7e]+$/.test(key)) {
        event.preventDefault();
        $('key-problem').textContent = 'A key has letters, digits and signs of ASCII only.';
        return;
      }
      const before = storedKey();
      storeKey(key);
      onKey(before);
    });
  }

  /** The service wants a key, or another one. `previousKey`: the key that the refused one replaced, now restored. */
  ask(previousKey) {
    const problem = storedKey() ? 'That key is not accepted.' : '';
    if (previousKey !== undefined) storeKey(previousKey);
    this.#onNeeded();
    this.#open(problem);
  }

  /** The service answers with the key as it is; if there is one, it may be changed. */
  accept() {
    $('change-key').hidden = !storedKey();
  }

  #open(problem) {
    $('key-problem').textContent = problem;
    // The dialog may be dismissed with Esc; this button opens it again.
    $('change-key').hidden = false;
    if (!$('key-dialog').open) $('key-dialog').showModal();
  }
}
