/** Plain computations on text, without the editor. */

export const LINE_END = /\r\n|\r|\n/g;

export interface Place {
  line: number;
  character: number;
}

/**
 * Finds the places of offsets in a text that an editor will show. The editor rewrites mixed line
 * ends, which shifts offsets but not lines and characters.
 */
export function placesOf(text: string, offsets: readonly number[]): Place[] {
  const starts = [0];
  for (const match of text.matchAll(LINE_END)) {
    starts.push(match.index + match[0].length);
  }
  return offsets.map((offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return { line: low, character: offset - (starts[low] ?? 0) };
  });
}

/** Finds where a text ends that begins at a place. */
export function endOf(start: Place, text: string): Place {
  const end = placesOf(text, [text.length])[0] ?? { line: 0, character: 0 };
  return {
    line: start.line + end.line,
    character: end.line === 0 ? start.character + end.character : end.character,
  };
}

/** Says whether two texts have the same lines from one line to another (both included). */
export function sameLines(before: string, after: string, first: number, last: number): boolean {
  if (before === after) {
    return true;
  }
  const cut = (text: string) => text.split(LINE_END).slice(first, last + 1);
  const [a, b] = [cut(before), cut(after)];
  return a.length === b.length && a.every((line, i) => line === b[i]);
}

/** Writes a whole number with its thousands set apart. */
export function grouped(count: number): string {
  return count.toLocaleString("en-US");
}

/** Makes a text that Markdown shows as it is, on one line. */
export function escapeMarkdown(text: string): string {
  return text.replace(/[\\`*_{}[\]()#+\-.!|<>~$&]/g, "\\$&").replace(/\s+/g, " ");
}

/** Cuts a text that is too long for one line of an editor's margin. */
export function shortened(text: string, limit: number): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length <= limit ? line : `${line.slice(0, limit - 1)}…`;
}
