/** The paragraphs of a document, to choose one of them. */
import { shortened } from "./text";

export interface Paragraph {
  /** The first and the last line, from 0. */
  first: number;
  last: number;
  text: string;
}

/** Blocks of lines between blank ones, without those that touch some lines. */
export function paragraphsOf(
  lines: readonly string[],
  without: { first: number; last: number },
): Paragraph[] {
  const found: Paragraph[] = [];
  let first: number | undefined;
  // One blank line more ends the last paragraph.
  [...lines, ""].forEach((line, number) => {
    if (line.trim() !== "") {
      first ??= number;
    } else if (first !== undefined) {
      const last = number - 1;
      if (last < without.first || first > without.last) {
        found.push({ first, last, text: lines.slice(first, number).join("\n") });
      }
      first = undefined;
    }
  });
  return found;
}

/** A paragraph in one line of a list. */
export function labelOf({ text }: Paragraph): string {
  return shortened(text, 60);
}
