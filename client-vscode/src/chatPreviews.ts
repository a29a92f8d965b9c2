/** The prompts that models would see for chats, beside their files and following them. */
import {
  type CodeLens,
  type CodeLensProvider,
  Disposable,
  type Event,
  EventEmitter,
  languages,
  type Memento,
  type TextDocument,
  type TextDocumentContentProvider,
  type TextEditor,
  type Uri,
  ViewColumn,
  window,
  workspace,
} from "vscode";
import { ChatPreview } from "./chatPreview";
import type { Server } from "./client";
import { Coalesced, Debounced, Throttled } from "./flow";
import { OpenPreviews, shownUris, urisOf } from "./openPreviews";
import { lensesOf } from "./previewHeadline";
import { PreviewMarks } from "./previewMarks";
import { PreviewOptionsStore } from "./previewOptions";
import { PreviewSync } from "./previewSync";
import { isPreview, isSame, PREVIEW_SCHEME, previewUri } from "./previewUri";
import { UserError } from "./problems";

const LANGUAGE = "transformers-prompt";
// The prompt follows each key; its parts, which take longer, follow when the keys pause.
const PROMPT_MS = 30;
const DETAILS_MS = 250;

export class ChatPreviews implements TextDocumentContentProvider, CodeLensProvider, Disposable {
  readonly store: PreviewOptionsStore;
  private readonly opened: OpenPreviews;
  private readonly previews = new Map<string, ChatPreview>();
  private readonly dirty = new Set<ChatPreview>();
  private readonly undetailed = new Set<ChatPreview>();
  private readonly textEmitter = new EventEmitter<Uri>();
  private readonly lensEmitter = new EventEmitter<void>();
  private readonly marks = new PreviewMarks();
  private readonly sync = new PreviewSync();
  private readonly subscriptions: Disposable;
  private readonly rendering = new Coalesced(() => this.renderDirty());
  private readonly updates = new Throttled(PROMPT_MS, () => void this.rendering.request());
  private readonly details = new Debounced(DETAILS_MS, () => void this.renderDetails());

  readonly onDidChange: Event<Uri> = this.textEmitter.event;
  readonly onDidChangeCodeLenses: Event<void> = this.lensEmitter.event;

  constructor(
    private readonly server: Server,
    memento: Memento,
  ) {
    this.store = new PreviewOptionsStore(memento);
    this.opened = new OpenPreviews(memento);
    const refreshAll = () => {
      this.refresh(() => true);
    };
    this.subscriptions = Disposable.from(
      workspace.registerTextDocumentContentProvider(PREVIEW_SCHEME, this),
      languages.registerCodeLensProvider({ scheme: PREVIEW_SCHEME }, this),
      workspace.onDidChangeTextDocument(({ document }) => {
        if (isPreview(document.uri)) {
          this.show(document.uri);
        }
        this.refresh((preview) => preview.isOf(document.uri));
      }),
      window.onDidChangeTextEditorSelection(({ textEditor }) => {
        this.onCursor(textEditor);
      }),
      window.onDidChangeVisibleTextEditors((editors) => {
        for (const { document } of editors) {
          this.show(document.uri);
        }
      }),
      workspace.onDidOpenTextDocument((document) => {
        // Also after the window was reloaded, which brings back the text but not its language.
        if (isPreview(document.uri) && document.languageId !== LANGUAGE) {
          void languages.setTextDocumentLanguage(document, LANGUAGE);
        }
      }),
      window.tabGroups.onDidChangeTabs(({ closed }) => {
        this.forget(closed.flatMap(urisOf));
      }),
      languages.onDidChangeDiagnostics(({ uris }) => {
        const sources = [...this.previews.values()].map(({ source }) => source);
        if (uris.some((uri) => sources.some((source) => isSame(uri, source)))) {
          this.lensEmitter.fire();
        }
      }),
      server.onState(refreshAll),
      server.onStatus(refreshAll),
      this.updates,
      this.details,
      this.marks,
      this.sync,
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
    if (document === undefined || isPreview(document.uri)) {
      throw new UserError("No file is open.", "Open a file with chat messages.");
    }
    const uri = previewUri(document.uri);
    await this.openBeside(uri);
    await this.opened.add(uri);
  }

  /** Opens again what was open before the window was reloaded, where its document still is. */
  async restore(): Promise<void> {
    for (const uri of await this.opened.missing()) {
      await this.openBeside(uri);
    }
  }

  private async openBeside(uri: Uri): Promise<void> {
    await window.showTextDocument(await this.prepare(uri), {
      viewColumn: ViewColumn.Beside,
      preserveFocus: true,
      preview: false,
    });
  }

  /** Renders a preview and makes its document, so that both are there before an editor shows it. */
  async prepare(uri: Uri): Promise<TextDocument> {
    await this.of(uri).render();
    this.undetailed.add(this.of(uri));
    this.details.request();
    return workspace.openTextDocument(uri);
  }

  /** The preview with an address; it is made when the window was reloaded, say. */
  of(uri: Uri): ChatPreview {
    const key = uri.toString();
    let preview = this.previews.get(key);
    if (preview === undefined) {
      preview = new ChatPreview(uri, this.server, this.store);
      this.previews.set(key, preview);
    }
    return preview;
  }

  /** Renders again what is wanted. */
  refresh(wanted: (preview: ChatPreview) => boolean): void {
    for (const preview of this.previews.values()) {
      if (wanted(preview)) {
        this.dirty.add(preview);
        this.updates.request();
      }
    }
  }

  provideTextDocumentContent(uri: Uri): string {
    const preview = this.of(uri);
    if (preview.isNew) {
      this.refresh((other) => other === preview);
    }
    return preview.text;
  }

  provideCodeLenses({ uri }: TextDocument): CodeLens[] {
    return lensesOf(this.of(uri));
  }

  private async renderDirty(): Promise<void> {
    const wanted = [...this.dirty];
    this.dirty.clear();
    await Promise.all(
      wanted.map(async (preview) => {
        await preview.render();
        this.undetailed.add(preview);
        this.changed(preview);
      }),
    );
    this.details.request();
  }

  private async renderDetails(): Promise<void> {
    const wanted = [...this.undetailed];
    this.undetailed.clear();
    await Promise.all(
      wanted.map(async (preview) => {
        if (await preview.renderDetails()) {
          this.changed(preview);
        }
      }),
    );
  }

  private changed({ uri }: ChatPreview): void {
    this.textEmitter.fire(uri);
    this.lensEmitter.fire();
    this.show(uri);
  }

  /** Colours a preview wherever it is shown, and marks the place of the cursor. */
  private show(uri: Uri): void {
    const preview = this.previews.get(uri.toString());
    if (preview?.result === undefined) {
      return;
    }
    for (const editor of window.visibleTextEditors) {
      if (isSame(editor.document.uri, uri)) {
        this.marks.show(editor, preview.result, preview.detailed);
      }
    }
    const leader = window.activeTextEditor;
    if (leader !== undefined && isSame(leader.document.uri, preview.source)) {
      this.sync.follow(leader, preview);
    }
  }

  private onCursor(editor: TextEditor): void {
    const { uri } = editor.document;
    for (const preview of this.previews.values()) {
      const ofSource = isSame(uri, preview.source);
      if (ofSource && preview.isElsewhere(editor.selection.active)) {
        this.refresh((other) => other === preview);
      } else if (ofSource || isSame(uri, preview.uri)) {
        this.sync.follow(editor, preview);
      }
    }
  }

  private forget(closed: readonly Uri[]): void {
    const open = shownUris();
    for (const uri of closed) {
      // A tab that moves to another group is also reported as closed.
      if (!open.some((other) => isSame(other, uri))) {
        this.previews.get(uri.toString())?.cancelDetails();
        this.previews.delete(uri.toString());
        if (isPreview(uri)) {
          void this.opened.remove(uri);
        }
      }
    }
  }
}
