/**
 * Lets the event loop go round once: what other processes have sent meanwhile is seen, and no more time passes than
 * that takes.
 */
export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
