/** A pattern that matches `text` literally. (`RegExp.escape` comes with Node 24.) */
export function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
