/** Which tokens of an answer get which colour; plain computations, without the editor. */
import type { Place } from "./text";

/** How many colours text takes turns in: two that touch always differ. */
export const COLOURS = 4;

const NUMBERS = 7;
const [BYTE, SPECIAL] = [1, 2];

export interface Span {
  start: Place;
  end: Place;
}

export interface TokenSpans {
  /** Tokens of text, one list for each colour. */
  text: Span[][];
  /** Characters that are several tokens. */
  bytes: Span[];
  /** Control tokens. */
  specials: Span[];
}

/** Sorts the tokens of `transformers/boundaries` by the colour that they get. */
export function tokenSpans(data: readonly number[]): TokenSpans {
  const spans: TokenSpans = {
    text: Array.from({ length: COLOURS }, () => []),
    bytes: [],
    specials: [],
  };
  for (let at = 0; at + NUMBERS <= data.length; at += NUMBERS) {
    const [line = 0, character = 0, endLine = 0, endCharacter = 0, , kind, index = 0] = data.slice(
      at,
      at + NUMBERS,
    );
    const span = {
      start: { line, character },
      end: { line: endLine, character: endCharacter },
    };
    if (kind === SPECIAL) {
      spans.specials.push(span);
    } else if (kind !== BYTE) {
      spans.text[index % COLOURS]?.push(span);
    } else if (!isSame(spans.bytes.at(-1), span)) {
      // The tokens of one character have the same place; it is coloured once.
      spans.bytes.push(span);
    }
  }
  return spans;
}

function isSame(one: Span | undefined, other: Span): boolean {
  return (
    one?.start.line === other.start.line &&
    one.start.character === other.start.character &&
    one.end.line === other.end.line &&
    one.end.character === other.end.character
  );
}
