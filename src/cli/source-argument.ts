/** A source as it is named on the command line. */

/** Whether it is an address, which has a scheme; all else is a file. */
export const isAddress = (source: string): boolean => /^[a-z][a-z0-9+.-]+:\/\//i.test(source);
