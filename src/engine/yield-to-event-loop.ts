/** Yields for one turn of the event loop, so that messages from other processes are received. */
export const yieldToEventLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
