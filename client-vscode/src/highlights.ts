/** Marks what a model found in a document, until the document is edited or the marks are cleared. */
import {
  commands,
  type DecorationOptions,
  Disposable,
  MarkdownString,
  OverviewRulerLane,
  type TextEditor,
  ThemeColor,
  type Uri,
  window,
  workspace,
} from "vscode";
import { rangeOf } from "./chatPreview";
import type { Highlight } from "./protocol";
import { shortened } from "./text";

// Labels take room in the text; the hover has the whole one.
const LABEL_LIMIT = 12;

export class Highlights implements Disposable {
  private readonly marks = new Map<string, readonly Highlight[]>();
  private readonly decoration = window.createTextEditorDecorationType({
    backgroundColor: new ThemeColor("transformers.answerBackground"),
    borderRadius: "2px",
    // The overview ruler and the background are not for everyone, so a label stands behind the text.
    after: {
      color: new ThemeColor("editorCodeLens.foreground"),
      fontStyle: "italic",
      margin: "0 2px 0 4px",
    },
    overviewRulerColor: new ThemeColor("transformers.answerBackground"),
    overviewRulerLane: OverviewRulerLane.Center,
  });
  private readonly subscriptions: Disposable;

  constructor() {
    this.subscriptions = Disposable.from(
      this.decoration,
      window.onDidChangeVisibleTextEditors((editors) => {
        editors.forEach((editor) => {
          this.draw(editor);
        });
      }),
      workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        if (contentChanges.length > 0) {
          this.clear(document.uri);
        }
      }),
      workspace.onDidCloseTextDocument(({ uri }) => {
        this.clear(uri);
      }),
    );
  }

  dispose(): void {
    this.subscriptions.dispose();
  }

  /** Shows these marks in a document, and no others; those of another version belong nowhere. */
  show(uri: Uri, version: number | undefined, found: readonly Highlight[]): void {
    const key = uri.toString();
    const document = workspace.textDocuments.find((each) => each.uri.toString() === key);
    if (document !== undefined && (version === undefined || version === document.version)) {
      this.set(key, found);
    }
  }

  /** Takes the marks from one document, or from all. */
  clear(uri?: Uri): void {
    for (const key of uri === undefined ? [...this.marks.keys()] : [uri.toString()]) {
      if (this.marks.has(key)) {
        this.set(key, []);
      }
    }
  }

  private set(key: string, found: readonly Highlight[]): void {
    if (found.length === 0) {
      this.marks.delete(key);
    } else {
      this.marks.set(key, found);
    }
    void commands.executeCommand("setContext", "transformers.highlights", this.marks.size > 0);
    for (const editor of window.visibleTextEditors) {
      if (editor.document.uri.toString() === key) {
        this.draw(editor);
      }
    }
  }

  private draw(editor: TextEditor): void {
    const found = this.marks.get(editor.document.uri.toString()) ?? [];
    editor.setDecorations(this.decoration, found.map(decorationOf));
  }
}

function decorationOf({ range, label, message }: Highlight): DecorationOptions {
  return {
    range: rangeOf(range),
    // As text: labels come from a model's files.
    hoverMessage: new MarkdownString().appendText(message),
    renderOptions: { after: { contentText: shortened(label, LABEL_LIMIT) } },
  };
}
