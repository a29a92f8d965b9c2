/** Colours a prompt: special tokens, trained tokens, and how many tokens each part has. */
import {
  type DecorationOptions,
  Disposable,
  Range,
  type TextDocument,
  type TextEditor,
  ThemeColor,
  window,
} from "vscode";
import type { PromptPart, RenderResult } from "./protocol";
import { grouped, LINE_END, placesOf } from "./text";

export class PreviewMarks implements Disposable {
  private readonly special = window.createTextEditorDecorationType({
    color: new ThemeColor("editorInlayHint.typeForeground"),
    backgroundColor: new ThemeColor("editorInlayHint.typeBackground"),
    borderRadius: "3px",
  });
  private readonly trained = window.createTextEditorDecorationType({
    backgroundColor: new ThemeColor("transformers.trainedBackground"),
    overviewRulerColor: new ThemeColor("transformers.trainedBackground"),
  });
  private readonly count = window.createTextEditorDecorationType({
    before: {
      color: new ThemeColor("editorCodeLens.foreground"),
      fontStyle: "italic",
      margin: "0 8px 0 0",
    },
  });

  dispose(): void {
    Disposable.from(this.special, this.trained, this.count).dispose();
  }

  /**
   * Colours an editor. The parts may be those of an older prompt than the one shown: then what they
   * coloured stays where the editor moved it to, until newer ones are known.
   */
  show(editor: TextEditor, result: RenderResult, detailed: RenderResult | undefined): void {
    const { document } = editor;
    if (!shows(document, result)) {
      return; // The editor shows an older prompt; it is coloured when the new one is there.
    }
    editor.setDecorations(this.special, rangesOf(result.text, result.specials));
    if (detailed?.text === result.text) {
      editor.setDecorations(this.trained, rangesOf(detailed.text, detailed.trained?.spans ?? []));
      editor.setDecorations(this.count, counts(detailed));
    }
  }

  clear(editor: TextEditor): void {
    for (const type of [this.special, this.trained, this.count]) {
      editor.setDecorations(type, []);
    }
  }
}

/** Says whether a document holds a prompt; the editor may have rewritten its line ends. */
export function shows(document: TextDocument, { text }: RenderResult): boolean {
  const shown = document.getText();
  return shown === text || shown.replace(LINE_END, "\n") === text.replace(LINE_END, "\n");
}

/** The places of spans, given as UTF-16 offsets of a text. */
export function rangesOf(text: string, spans: readonly (readonly [number, number])[]): Range[] {
  const places = placesOf(text, spans.flat());
  return spans.map((_, i) => {
    const [start, end] = [places[2 * i], places[2 * i + 1]];
    return new Range(start?.line ?? 0, start?.character ?? 0, end?.line ?? 0, end?.character ?? 0);
  });
}

/** A number before each part: what it costs with all that the template writes for it. */
function counts({ text, messages, around = [] }: RenderResult): DecorationOptions[] {
  const parts: { part: PromptPart; label: string }[] = [];
  for (const { role, start, end, tokens, exact } of messages) {
    if (start !== undefined && end !== undefined && tokens !== undefined) {
      parts.push({ part: { start, end, tokens, exact: exact === true }, label: role });
    }
  }
  parts.push(...around.map((part) => ({ part, label: "template" })));
  const ranges = rangesOf(
    text,
    parts.map(({ part }) => [part.start, part.start] as const),
  );
  return parts.flatMap(({ part, label }, i) => {
    const range = ranges[i];
    const amount = `${part.exact ? "" : "≈"}${grouped(part.tokens)}`;
    const contentText = `${label} · ${amount} ${part.tokens === 1 ? "token" : "tokens"}`;
    return range === undefined ? [] : [{ range, renderOptions: { before: { contentText } } }];
  });
}
