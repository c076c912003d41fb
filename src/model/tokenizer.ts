/** Text to token ids and back. Text is normalised as in training: one line, lower case, one leading space. */
import { readFile } from 'node:fs/promises';
import { Tokenizer as BpeTokenizer } from '@huggingface/tokenizers';
import { YocoError } from '../errors.ts';
import { escapeRegExp } from '../escape-regexp.ts';

/** The same as `normalise_text` in models/training/text.py. */
export function normaliseText(text: string): string {
  return ` ${text.toLowerCase().split(/\s+/u).filter(Boolean).join(' ')}`;
}

/** Decodes exactly the text of the tokens: a space before a question mark is kept. */
const DECODING = { skip_special_tokens: true, clean_up_tokenization_spaces: false };

/** The part of the library that is used here; its own types do not resolve under Node's module rules. */
interface Bpe {
  encode(text: string, options: { readonly add_special_tokens: boolean }): { readonly ids: number[] };
  decode(ids: number[], options: typeof DECODING): string;
}
/** The large parts of a `tokenizer.json`. */
interface Vocabulary {
  readonly added_tokens: readonly { readonly content: string }[];
  readonly model: { merges: (string | string[])[]; vocab: Record<string, number> };
}
const Bpe = BpeTokenizer as unknown as new (json: object, settings: object) => Bpe;

export class Tokenizer {
  readonly #bpe: Bpe;
  /** Matches where a special token must be broken: behind its first character. */
  readonly #insideSpecial: RegExp;

  private constructor(bpe: Bpe, special: readonly string[]) {
    this.#bpe = bpe;
    const each = special.map((token) => `(?<=${escapeRegExp(token.slice(0, 1))})(?=${escapeRegExp(token.slice(1))})`);
    this.#insideSpecial = new RegExp(['(?<=<)(?=\\|)', ...each].join('|'), 'gu');
  }

  static async load(filename: string): Promise<Tokenizer> {
    try {
      const json = JSON.parse(await readFile(filename, 'utf8')) as Vocabulary;
      const { model } = json;
      // The library keeps pairs as they are. From strings it would make pairs of its own, which nobody else could free.
      model.merges = model.merges.map((merge) => (typeof merge === 'string' ? merge.split(' ', 2) : merge));
      const bpe = new Bpe(json, {});
      // The library has copied these into maps and would keep both: ten megabytes.
      model.merges.length = 0;
      model.vocab = {};
      const special = json.added_tokens.map(({ content }) => content);
      return new Tokenizer(bpe, special);
    } catch (cause) {
      throw new YocoError('bundle_damaged', { detail: `${filename} is not a tokenizer.`, cause });
    }
  }

  /** Token ids of a text. Special tokens in it are ordinary text, so that no question can forge a turn. */
  encode(text: string): number[] {
    const harmless = normaliseText(text).replace(this.#insideSpecial, ' ');
    return this.#bpe.encode(harmless, { add_special_tokens: false }).ids;
  }

  /** The text of ids, with its leading space, so that pieces of an answer can be concatenated. */
  decode(ids: readonly number[]): string {
    return ids.length === 0 ? '' : this.#bpe.decode([...ids], DECODING);
  }
}
