/** Relates the places in a JSON string literal to those in the text that it stands for. */

const UNIT = /\\u[0-9a-fA-F]{4}|\\[^]|[^]/gu;

/**
 * Walks over a literal that may be half-typed, one decoded UTF-16 unit (or one code point of several)
 * after the other.
 */
function* units(literal: string): Generator<{ source: number; length: number; decoded: number }> {
  let decoded = 0;
  for (const { index, 0: source } of literal.slice(1).matchAll(UNIT)) {
    if (source === '"') {
      return;
    }
    yield { source: index + 1, length: source.length, decoded };
    decoded += source.startsWith("\\") ? 1 : source.length;
  }
}

/** The offset in the text for an offset in the literal, whose first character is the quote. */
export function decodedOffset(literal: string, offset: number): number {
  let found = 0;
  for (const { source, length, decoded } of units(literal)) {
    if (source + length > offset) {
      return decoded;
    }
    found = decoded + (literal[source] === "\\" ? 1 : length);
  }
  return found;
}

/** The offset in the literal for an offset in the text. */
export function literalOffset(literal: string, offset: number): number {
  let found = 1;
  for (const { source, length, decoded } of units(literal)) {
    if (decoded >= offset) {
      return source;
    }
    found = source + length;
  }
  return found;
}

/** The text that a literal stands for; undefined where it is none, or is not closed. */
export function decodeLiteral(literal: string): string | undefined {
  if (!literal.startsWith('"')) {
    return undefined;
  }
  try {
    return JSON.parse(literal) as string;
  } catch {
    return undefined;
  }
}
