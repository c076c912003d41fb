/** The marks on the timeline: where the evidence of one answer lies. */
import { element } from './format.js';

export class Marks {
  #place;
  #timeline;
  /** The card whose evidence is marked; null: none. */
  #card = null;

  /** `timeline()`: the shown stream's name, and its first and last time in seconds, which may be missing. */
  constructor(place, timeline) {
    this.#place = place;
    this.#timeline = timeline;
  }

  /** Marks the evidence of `card`; null: of none. */
  show(card) {
    this.#card = card;
    this.draw();
  }

  /** Updates the marks after a card's evidence changed by itself, which must not take them from another card. */
  refresh(card) {
    if (this.#card === null || this.#card === card) this.show(card);
  }

  /** Draws the marks anew, as the timeline may have changed. */
  draw() {
    const { name, first, last } = this.#timeline();
    const length = last - first;
    if (!this.#card || !(length > 0)) {
      this.#place.replaceChildren();
      return;
    }
    this.#place.replaceChildren(
      ...this.#card.evidence
        .filter(({ stream, end }) => stream === name && end >= first)
        .map(({ start, end, weight }) => {
          const bar = element('i');
          bar.style.left = `${Math.max(0, ((start - first) / length) * 100)}%`;
          bar.style.width = `${((end - start) / length) * 100}%`;
          bar.style.opacity = String(0.35 + 0.65 * Math.min(1, weight * 2));
          return bar;
        }),
    );
  }
}
