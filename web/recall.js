/** The questions asked on this page; the arrow keys bring them back into the field. */

const MOST_QUESTIONS = 50;

export class Recall {
  #field;
  #asked = [];
  /** How many questions back the one in the field is; 0: none of them. */
  #back = 0;

  constructor(field) {
    this.#field = field;
    field.addEventListener('keydown', (event) => {
      const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
      if (step === undefined || event.shiftKey || event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.isComposing || !this.#isUntouched) return;
      const back = Math.min(this.#back + step, this.#asked.length);
      if (back < 0 || back === this.#back) return;
      event.preventDefault();
      this.#show(back);
    });
  }

  add(question) {
    const text = question.trim();
    if (text !== '' && text !== this.#asked[0]) this.#asked.unshift(text);
    this.#asked.length = Math.min(this.#asked.length, MOST_QUESTIONS);
    this.#back = 0;
  }

  /** Puts a refused question back into the field to be edited, unless another one is being written. */
  offer(question) {
    if (this.#field.value !== '') return;
    this.#field.value = question;
    this.#field.select();
    this.#back = this.#asked[0] === question ? 1 : 0;
  }

  /** False for a text that is being written: there the arrows move the cursor. */
  get #isUntouched() {
    return this.#field.value === (this.#back === 0 ? '' : this.#asked[this.#back - 1]);
  }

  #show(back) {
    this.#back = back;
    this.#field.value = back === 0 ? '' : this.#asked[back - 1];
    this.#field.setSelectionRange(this.#field.value.length, this.#field.value.length);
  }
}
