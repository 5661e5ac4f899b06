/** Addresses in what people write. */

export interface Part {
  text: string;
  /** Set for an address; always http or https. */
  href?: string;
}

const ADDRESS = /https?:\/\/[^\s<>"'`]+/gi;

export function parts(text: string): Part[] {
  const found: Part[] = [];
  let end = 0;
  for (const match of text.matchAll(ADDRESS)) {
    // The sentence's punctuation is not the address's.
    const address = match[0].replace(/[.,;:!?)\]}]+$/, "");
    if (!URL.canParse(address)) continue;
    if (match.index > end) found.push({ text: text.slice(end, match.index) });
    found.push({ text: address, href: address });
    end = match.index + address.length;
  }
  if (end < text.length) found.push({ text: text.slice(end) });
  return found;
}
