/** Identifiers of what the service makes: items, responses, chats. */
import { randomUUID } from 'node:crypto';

/** `prefix_` and 24 random characters. */
export function newId(prefix: string): string {
  return `${prefix}_${randomUUID().replaceAll('-', '').slice(0, 24)}`;
}
