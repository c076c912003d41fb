/** A source as named on the command line. */

/** Whether it is an address, which has a scheme; anything else is a file. */
export const isAddress = (source: string): boolean => /^[a-z][a-z0-9+.-]+:\/\//i.test(source);
