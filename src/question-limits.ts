/** Limits of questions, the same for clients, for the library, and for what a stream's file asks. */

/** Characters of one question. */
export const QUESTION_MAX_CHARS = 2_000;

/** Shortest, longest and usual time between two askings of a standing question, ms. */
export const STANDING_EVERY_MS = { least: 500, most: 3_600_000, usual: 2_000 } as const;
/** How many askings in a row may be wanted to agree before a new answer is reported. */
export const STANDING_HOLDS_MAX = 20;
