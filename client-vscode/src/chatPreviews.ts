/** The prompt that a model would see for a chat file, beside that file and following it. */
import {
  CodeLens,
  type CodeLensProvider,
  Disposable,
  type Event,
  EventEmitter,
  languages,
  Range,
  TabInputText,
  type TextDocument,
  type TextDocumentContentProvider,
  ThemeColor,
  Uri,
  ViewColumn,
  window,
  workspace,
} from "vscode";
import { ChatPreview } from "./chatPreview";
import type { Server } from "./client";
import { Debounced } from "./flow";
import { UserError } from "./problems";
import { placesOf } from "./text";

const SCHEME = "transformers-preview";
const LANGUAGE = "transformers-prompt";
const DELAY_MS = 150;
const TOP = new Range(0, 0, 0, 0);

function previewUri(source: Uri): Uri {
  const name = source.path.split("/").at(-1) ?? source.path;
  // The address holds its source, so that a preview still works after the window was reloaded.
  return Uri.from({ scheme: SCHEME, path: `/Prompt · ${name}`, query: source.toString() });
}

export class ChatPreviews implements TextDocumentContentProvider, CodeLensProvider, Disposable {
  private readonly previews = new Map<string, ChatPreview>();
  private readonly dirty = new Set<ChatPreview>();
  private readonly textEmitter = new EventEmitter<Uri>();
  private readonly lensEmitter = new EventEmitter<void>();
  private readonly subscriptions: Disposable;
  private readonly updates = new Debounced(DELAY_MS, () => {
    for (const preview of this.dirty) {
      void this.update(preview);
    }
    this.dirty.clear();
  });
  private readonly special = window.createTextEditorDecorationType({
    color: new ThemeColor("editorInlayHint.typeForeground"),
    backgroundColor: new ThemeColor("editorInlayHint.typeBackground"),
    borderRadius: "3px",
  });

  readonly onDidChange: Event<Uri> = this.textEmitter.event;
  readonly onDidChangeCodeLenses: Event<void> = this.lensEmitter.event;

  constructor(private readonly server: Server) {
    const refreshAll = () => {
      this.refresh(() => true);
    };
    this.subscriptions = Disposable.from(
      workspace.registerTextDocumentContentProvider(SCHEME, this),
      languages.registerCodeLensProvider({ scheme: SCHEME }, this),
      workspace.onDidChangeTextDocument(({ document }) => {
        if (document.uri.scheme === SCHEME) {
          this.decorate(document.uri);
        }
        this.refresh((preview) => preview.isOf(document.uri));
      }),
      window.onDidChangeTextEditorSelection(({ textEditor }) => {
        this.refresh((preview) => preview.isOf(textEditor.document.uri));
      }),
      window.onDidChangeVisibleTextEditors((editors) => {
        for (const { document } of editors) {
          this.decorate(document.uri);
        }
      }),
      window.tabGroups.onDidChangeTabs(({ closed }) => {
        for (const { input } of closed) {
          if (input instanceof TabInputText && input.uri.scheme === SCHEME) {
            this.previews.delete(input.uri.toString());
          }
        }
      }),
      server.onState(refreshAll),
      server.onStatus(refreshAll),
      this.updates,
      this.special,
      this.textEmitter,
      this.lensEmitter,
    );
  }

  dispose(): void {
    this.subscriptions.dispose();
  }

  /** Opens the preview of the chat in the active editor. */
  async open(): Promise<void> {
    const document = window.activeTextEditor?.document;
    if (document === undefined) {
      throw new UserError("No file is open.", "Open a JSON file with chat messages.");
    }
    const uri = previewUri(document.uri);
    await this.update(this.previewOf(uri));
    const shown = await workspace.openTextDocument(uri);
    await languages.setTextDocumentLanguage(shown, LANGUAGE);
    await window.showTextDocument(shown, {
      viewColumn: ViewColumn.Beside,
      preserveFocus: true,
      preview: false,
    });
    this.decorate(uri);
  }

  provideTextDocumentContent(uri: Uri): string {
    return this.previewOf(uri).text;
  }

  provideCodeLenses({ uri }: TextDocument): CodeLens[] {
    return this.previewOf(uri).headlines.map((title) => new CodeLens(TOP, { title, command: "" }));
  }

  private previewOf(uri: Uri): ChatPreview {
    const key = uri.toString();
    let preview = this.previews.get(key);
    if (preview === undefined) {
      preview = new ChatPreview(uri, Uri.parse(uri.query), this.server);
      this.previews.set(key, preview);
      this.dirty.add(preview);
      this.updates.request();
    }
    return preview;
  }

  private refresh(wanted: (preview: ChatPreview) => boolean): void {
    for (const preview of this.previews.values()) {
      if (wanted(preview)) {
        this.dirty.add(preview);
        this.updates.request();
      }
    }
  }

  private async update(preview: ChatPreview): Promise<void> {
    if (await preview.render()) {
      this.textEmitter.fire(preview.uri);
      this.lensEmitter.fire();
      this.decorate(preview.uri);
    }
  }

  /** Colours the special tokens, once the editor shows the text that they belong to. */
  private decorate(uri: Uri): void {
    const preview = this.previews.get(uri.toString());
    for (const editor of window.visibleTextEditors) {
      if (preview !== undefined && editor.document.uri.toString() === uri.toString()) {
        const places = placesOf(preview.text, preview.specials.flat());
        const ranges: Range[] = [];
        for (let i = 0; i + 1 < places.length; i += 2) {
          const [start, end] = [places[i], places[i + 1]];
          if (start && end) {
            ranges.push(new Range(start.line, start.character, end.line, end.character));
          }
        }
        editor.setDecorations(this.special, ranges);
      }
    }
  }
}
