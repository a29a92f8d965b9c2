/** Puts a result into the document: one edit, one undo step, never over text that changed meanwhile. */
import { Range, type TextEdit, type Uri, workspace, type WorkspaceEdit } from "vscode";
import { endOf, sameLines } from "./text";

/**
 * Applies the edit and returns where its text is then; undefined, and nothing done, when the lines
 * that it touches are no longer what they were.
 */
export async function applyResult(
  edit: WorkspaceEdit,
  source: Uri,
  before: string,
): Promise<Range | undefined> {
  const document = await workspace.openTextDocument(source);
  const [change, ...others] = edit.get(source);
  // The server promises one edit of one document; anything else is not what was asked for.
  if (change === undefined || others.length > 0 || edit.size !== 1) {
    return undefined;
  }
  const { start, end } = change.range;
  if (!sameLines(before, document.getText(), start.line, end.line)) {
    return undefined;
  }
  return (await workspace.applyEdit(edit)) ? insertedRange(change) : undefined;
}

/** The range of the text of an edit after it was applied, without the blank lines around it. */
function insertedRange({ range: { start }, newText }: TextEdit): Range {
  const leading = newText.length - newText.trimStart().length;
  const from = endOf(start, newText.slice(0, leading));
  const to = endOf(from, newText.trim());
  return new Range(from.line, from.character, to.line, to.character);
}
