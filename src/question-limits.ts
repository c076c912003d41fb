/** Limits of questions, the same for clients, for the library, and for standing questions of a stream's file. */

/** Limit of characters of one question. */
export const QUESTION_MAX_CHARS = 2_000;

/** Shortest, longest and default time between two askings of a standing question, ms. */
export const STANDING_EVERY_MS = { min: 500, max: 3_600_000, default: 2_000 } as const;
/** How many askings in a row must agree before a new answer is reported. */
export const STANDING_HOLDS = { min: 1, max: 20, default: 1 } as const;
/** Confidence required of an answer to a standing question; answers below it are ignored. */
export const MIN_CONFIDENCE = { min: 0, max: 1, default: 0 } as const;
