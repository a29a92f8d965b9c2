/**
 * The Markdown of an answer or a report as plain text with the same shape.
 *
 * It is shown to be read. As text nothing in it can link, load or style; unlike Markdown's source it
 * has no escapes, and its columns stand under each other.
 */

const ESCAPE = /\\([!-/:-@[-`{-~])/g;
const ROW = /^\|.*\|$/;
const RULE = /^\|(?:\s*:?-+:?\s*\|)+$/;
const CODE_FENCE = /^(`{3,})(?:\w*)$/;

/** Makes a Markdown document, as the server writes answers, a text to read. */
export function plainText(markdown: string): string {
  const shown: string[] = [];
  let rows: string[] = [];
  let fence: string | undefined;
  const flush = () => {
    shown.push(...table(rows));
    rows = [];
  };
  for (const line of markdown.split("\n")) {
    const mark = CODE_FENCE.exec(line)?.[1];
    if (fence !== undefined) {
      if (mark === fence) {
        fence = undefined;
      } else {
        shown.push(line);
      }
    } else if (ROW.test(line)) {
      rows.push(line);
    } else {
      flush();
      if (mark === undefined) {
        shown.push(plainLine(line));
      } else {
        fence = mark;
      }
    }
  }
  flush();
  return shown.join("\n").replace(/\n{3,}/g, "\n\n");
}

function plainLine(line: string): string {
  const heading = /^(#{1,6}) (.*)$/.exec(line);
  if (heading !== null) {
    const title = inline(heading[2] ?? "");
    return heading[1] === "#" ? `${title}\n${"═".repeat(width(title))}` : title;
  }
  return line.startsWith("> ") ? `│ ${inline(line.slice(2))}` : inline(line.trimEnd());
}

/** The cells of a table under each other; the alignments are those of its second row. */
function table(rows: readonly string[]): string[] {
  const cells = rows.filter((row) => !RULE.test(row)).map(cellsOf);
  const right = cellsOf(rows.find((row) => RULE.test(row)) ?? "").map(
    (cell) => cell.endsWith(":") && !cell.startsWith(":"),
  );
  const widths: number[] = [];
  for (const row of cells) {
    row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, width(cell))));
  }
  return cells.map((row) =>
    row
      .map((cell, i) => {
        const pad = " ".repeat((widths[i] ?? 0) - width(cell));
        return right[i] === true ? pad + cell : cell + pad;
      })
      .join("   ")
      .trimEnd(),
  );
}

function cellsOf(row: string): string[] {
  return row
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => inline(cell.trim()));
}

/** Emphasis and escapes of one line. An escaped character never marks anything. */
function inline(text: string): string {
  return text
    .replace(/(?<!\\)\*\*(.*?)(?<!\\)\*\*/g, "$1")
    .replace(/^(?<!\\)\*(.*)(?<!\\)\*$/, "$1")
    .replace(ESCAPE, "$1");
}

/** How many columns a text takes; East Asian characters and emoji take two each. */
function width(text: string): number {
  let columns = 0;
  for (const character of text) {
    columns +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]/.test(
        character,
      ) || /\p{Extended_Pictographic}/u.test(character)
        ? 2
        : 1;
  }
  return columns;
}
