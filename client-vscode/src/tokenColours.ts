/** Colours the tokens of what the editors show, on request, and follows edits and scrolling. */
import {
  CancellationTokenSource,
  commands,
  Disposable,
  languages,
  Range,
  type TextEditor,
  type TextEditorDecorationType,
  ThemeColor,
  window,
  workspace,
} from "vscode";
import { DOCUMENT_SELECTOR, type Server } from "./client";
import { Debounced } from "./flow";
import { BOUNDARIES, type BoundariesParams, type BoundariesResult } from "./protocol";
import * as settings from "./settings";
import { COLOURS, type Span, tokenSpans } from "./tokenSpans";

const DELAY_MS = 120;
/** Lines around what is seen that are coloured, too, so that scrolling a little shows no gap. */
const MARGIN = 20;
/** What fits on a large screen in small letters. */
const LIMIT = 10_000;
const CONTEXT = "transformers.coloursTokens";

export class TokenColours implements Disposable {
  private active = false;
  private request: CancellationTokenSource | undefined;
  private readonly text: TextEditorDecorationType[];
  private readonly bytes = window.createTextEditorDecorationType({
    backgroundColor: new ThemeColor("transformers.byteTokenBackground"),
    textDecoration: "underline dotted",
  });
  private readonly specials = window.createTextEditorDecorationType({
    backgroundColor: new ThemeColor("transformers.specialTokenBackground"),
    border: "1px solid",
    borderColor: new ThemeColor("transformers.specialTokenBorder"),
    borderRadius: "3px",
  });
  private readonly refresh = new Debounced(DELAY_MS, () => void this.update());
  private readonly subscriptions: Disposable;

  constructor(private readonly server: Server) {
    this.text = Array.from({ length: COLOURS }, (_, colour) =>
      window.createTextEditorDecorationType({
        backgroundColor: new ThemeColor(`transformers.token${colour + 1}Background`),
      }),
    );
    const later = () => {
      if (this.active) {
        this.refresh.request();
      }
    };
    this.subscriptions = Disposable.from(
      this.refresh,
      this.bytes,
      this.specials,
      ...this.text,
      window.onDidChangeVisibleTextEditors(later),
      window.onDidChangeTextEditorVisibleRanges(later),
      workspace.onDidChangeTextDocument(later),
      workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration(settings.SECTION)) {
          later();
        }
      }),
      server.onState(later),
      server.onStatus(later),
    );
  }

  dispose(): void {
    this.request?.cancel();
    this.subscriptions.dispose();
  }

  /** Turns the colours on or off, in all editors. */
  async toggle(): Promise<void> {
    this.active = !this.active;
    await commands.executeCommand("setContext", CONTEXT, this.active);
    if (this.active) {
      await this.update();
    } else {
      this.request?.cancel();
      for (const editor of window.visibleTextEditors) {
        this.paint(editor, []);
      }
    }
  }

  private async update(): Promise<void> {
    this.request?.cancel();
    const request = (this.request = new CancellationTokenSource());
    const editors = window.visibleTextEditors.filter(
      ({ document }) => languages.match(DOCUMENT_SELECTOR, document) > 0,
    );
    await Promise.all(editors.map((editor) => this.colour(editor, request)));
  }

  private async colour(editor: TextEditor, request: CancellationTokenSource): Promise<void> {
    const { document } = editor;
    const version = document.version;
    let data: number[] = [];
    try {
      for (const range of around(editor)) {
        const params: BoundariesParams = {
          textDocument: { uri: document.uri.toString() },
          range: { start: range.start, end: range.end },
          limit: LIMIT,
        };
        const answer = await this.server.request<BoundariesResult>(
          BOUNDARIES,
          params,
          request.token,
        );
        // Colours for another version would lie beside their tokens; the next update is under way.
        if (answer.version !== version || document.version !== version) {
          return;
        }
        data = data.concat(answer.data);
      }
    } catch {
      // No server, or a request that was overtaken: the colours stay until there are better ones.
      return;
    }
    if (this.active && !request.token.isCancellationRequested) {
      this.paint(editor, data);
    }
  }

  private paint(editor: TextEditor, data: readonly number[]): void {
    const spans = tokenSpans(data);
    for (const [colour, type] of this.text.entries()) {
      editor.setDecorations(type, (spans.text[colour] ?? []).map(rangeOf));
    }
    editor.setDecorations(this.bytes, spans.bytes.map(rangeOf));
    editor.setDecorations(this.specials, spans.specials.map(rangeOf));
  }
}

function rangeOf({ start, end }: Span): Range {
  return new Range(start.line, start.character, end.line, end.character);
}

/** The parts of a document that an editor shows, and a little more; folded text is left out. */
function around({ document, visibleRanges }: TextEditor): Range[] {
  const parts: Range[] = [];
  for (const { start, end } of visibleRanges) {
    const first = Math.max(0, start.line - MARGIN);
    const last = Math.min(document.lineCount - 1, end.line + MARGIN);
    const part = new Range(first, 0, last, document.lineAt(last).text.length);
    const before = parts.at(-1);
    if (before?.intersection(part)) {
      parts[parts.length - 1] = before.union(part);
    } else {
      parts.push(part);
    }
  }
  return parts;
}
