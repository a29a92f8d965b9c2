/** Shows in the prompt where the cursor of the source stands, and the other way round. */
import {
  Disposable,
  Range,
  type TextEditor,
  TextEditorRevealType,
  ThemeColor,
  window,
} from "vscode";
import type { ChatPreview } from "./chatPreview";
import { rangesOf, shows } from "./previewMarks";
import { type Found, placeMessages, toPrompt, toSource } from "./previewPlaces";
import { isSame } from "./previewUri";
import type { RenderResult } from "./protocol";

/**
 * It only marks and reveals; it never moves a cursor, so what it does cannot call it again. The editor
 * that has the focus leads.
 */
export class PreviewSync implements Disposable {
  private readonly message = window.createTextEditorDecorationType({
    backgroundColor: new ThemeColor("editor.rangeHighlightBackground"),
  });
  private readonly place = window.createTextEditorDecorationType({
    border: "1px solid",
    borderColor: new ThemeColor("focusBorder"),
    borderRadius: "3px",
    overviewRulerColor: new ThemeColor("focusBorder"),
  });

  dispose(): void {
    Disposable.from(this.message, this.place).dispose();
  }

  /** Follows the cursor of an editor in the others. */
  follow(leader: TextEditor, preview: ChatPreview): void {
    const { detailed } = preview;
    if (detailed === undefined || leader !== window.activeTextEditor) {
      return;
    }
    this.unmark(leader);
    const fromSource = isSame(leader.document.uri, preview.source);
    for (const editor of window.visibleTextEditors) {
      if (isSame(editor.document.uri, fromSource ? preview.uri : preview.source)) {
        const [source, shown] = fromSource ? [leader, editor] : [editor, leader];
        this.mark(editor, find(source, shown, detailed, fromSource));
      }
    }
  }

  private mark(editor: TextEditor, found: FoundRange | undefined): void {
    if (found === undefined) {
      this.unmark(editor);
      return;
    }
    const word =
      found.place &&
      (editor.document.getWordRangeAtPosition(found.place) ??
        new Range(found.place, found.place.translate(0, 1)));
    editor.setDecorations(this.message, [found.message]);
    editor.setDecorations(this.place, word === undefined ? [] : [word]);
    const start = found.message.start;
    editor.revealRange(
      word ?? new Range(start, start),
      TextEditorRevealType.InCenterIfOutsideViewport,
    );
  }

  private unmark(editor: TextEditor): void {
    editor.setDecorations(this.message, []);
    editor.setDecorations(this.place, []);
  }
}

interface FoundRange {
  message: Range;
  place: Range["start"] | undefined;
}

function find(
  source: TextEditor,
  shown: TextEditor,
  result: RenderResult,
  fromSource: boolean,
): FoundRange | undefined {
  const { document } = source;
  // Places of an older text would be wrong; newer ones are on their way.
  if (document.version !== result.version || !shows(shown.document, result)) {
    return undefined;
  }
  const messages = placeMessages(result.messages, ({ line, character }) =>
    document.offsetAt(document.validatePosition(new Range(line, character, line, character).start)),
  );
  const text = document.getText();
  if (fromSource) {
    const offset = document.offsetAt(source.selection.active);
    const found = toPrompt(messages, text, result.text, offset);
    return found && inPrompt(found, result.text);
  }
  const offset = offsetIn(result.text, shown);
  const found = toSource(messages, text, result.text, offset);
  const at = (place: number) => document.positionAt(place);
  return (
    found && {
      message: new Range(at(found.message[0]), at(found.message[1])),
      place: found.offset === undefined ? undefined : at(found.offset),
    }
  );
}

function inPrompt({ message, offset }: Found, text: string): FoundRange | undefined {
  const [range, place] = rangesOf(text, [message, [offset ?? message[0], offset ?? message[0]]]);
  return range && { message: range, place: offset === undefined ? undefined : place?.start };
}

/** The offset of the cursor in the prompt itself, whose line ends the editor may have rewritten. */
function offsetIn(text: string, { selection }: TextEditor): number {
  const lines = text.split(/(?<=\r\n|\n|\r(?!\n))/).slice(0, selection.active.line);
  return lines.join("").length + selection.active.character;
}
