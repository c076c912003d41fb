/** The questions asked on this page; the arrow keys bring them back into the field. */

const MAX_QUESTIONS = 50;

export class QuestionHistory {
  #field;
  #questions = [];
  /** How many questions back the one in the field is; 0: none of them. */
  #position = 0;

  constructor(field) {
    this.#field = field;
    field.addEventListener('keydown', (event) => {
      const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
      if (step === undefined || event.shiftKey || event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.isComposing || !this.#isUntouched) return;
      const position = Math.min(this.#position + step, this.#questions.length);
      if (position < 0 || position === this.#position) return;
      event.preventDefault();
      this.#show(position);
    });
  }

  add(question) {
    const text = question.trim();
    if (text !== '' && text !== this.#questions[0]) this.#questions.unshift(text);
    this.#questions.length = Math.min(this.#questions.length, MAX_QUESTIONS);
    this.#position = 0;
  }

  /** Puts a refused question back into the field to be edited, unless another one is being written. */
  restore(question) {
    if (this.#field.value !== '') return;
    this.#field.value = question;
    this.#field.select();
    this.#position = this.#questions[0] === question ? 1 : 0;
  }

  /** False for a text that is being written: there the arrows move the cursor. */
  get #isUntouched() {
    return this.#field.value === (this.#position === 0 ? '' : this.#questions[this.#position - 1]);
  }

  #show(position) {
    this.#position = position;
    this.#field.value = position === 0 ? '' : this.#questions[position - 1];
    this.#field.setSelectionRange(this.#field.value.length, this.#field.value.length);
  }
}
