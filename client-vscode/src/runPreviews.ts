/** The read-only documents in which runs write, with what can be done about them above the text. */
import {
  CodeLens,
  type CodeLensProvider,
  type Command,
  Disposable,
  type Event,
  EventEmitter,
  languages,
  Range,
  TabInputText,
  type TextDocument,
  type TextDocumentContentProvider,
  Uri,
  ViewColumn,
  window,
  workspace,
} from "vscode";
import { Throttled } from "./flow";
import type { Run } from "./run";

export const RUN_SCHEME = "transformers-run";
/** Of texts that are made to be read, and have no other language. */
export const RESULT_LANGUAGE = "transformers-run";

// About thirty a second: as smooth as a screen needs, whatever the model's speed.
const TEXT_INTERVAL_MS = 33;
// Lenses are drawn anew each time, so they follow more slowly.
const LENS_INTERVAL_MS = 250;

// VS Code puts off the lenses of a document for as long as its text changes, so a model that is warm
// would stream without a Stop above it. The text waits until the lenses were drawn, but not for ever.
const LENSES_DRAWN_MS = 400;
const LENSES_AT_MOST_MS = 2000;

const TOP = new Range(0, 0, 0, 0);

/** The address of a run's preview; its path is what the tab shows. */
export function runUri(id: string, title: string): Uri {
  return Uri.from({ scheme: RUN_SCHEME, path: `/${title}`, query: id });
}

/** Closes every tab that shows a document. */
export async function closeTabs(uri: Uri): Promise<void> {
  await window.tabGroups.close(tabsOf(uri), true);
}

function tabsOf(uri: Uri) {
  return window.tabGroups.all
    .flatMap((group) => group.tabs)
    .filter((tab) => tab.input instanceof TabInputText && isSame(tab.input.uri, uri));
}

function isSame(a: Uri, b: Uri): boolean {
  return a.toString() === b.toString();
}

export class RunPreviews implements TextDocumentContentProvider, CodeLensProvider, Disposable {
  private readonly runs = new Map<string, Run>();
  private readonly dirty = new Map<string, Uri>();
  private readonly drawn = new Set<string>();
  private readonly textEmitter = new EventEmitter<Uri>();
  private readonly lensEmitter = new EventEmitter<void>();
  private readonly closedEmitter = new EventEmitter<Uri>();
  private readonly subscriptions: Disposable;
  private readonly textChanges = new Throttled(TEXT_INTERVAL_MS, () => {
    for (const [key, uri] of this.dirty) {
      if (this.drawn.has(key)) {
        this.dirty.delete(key);
        this.textEmitter.fire(uri);
      }
    }
  });
  private readonly lensChanges = new Throttled(LENS_INTERVAL_MS, () => {
    this.lensEmitter.fire();
  });

  readonly onDidChange: Event<Uri> = this.textEmitter.event;
  readonly onDidChangeCodeLenses: Event<void> = this.lensEmitter.event;
  /** Fires when the last tab of a preview was closed. */
  readonly onClosed: Event<Uri> = this.closedEmitter.event;

  constructor() {
    this.subscriptions = Disposable.from(
      workspace.registerTextDocumentContentProvider(RUN_SCHEME, this),
      languages.registerCodeLensProvider({ scheme: RUN_SCHEME }, this),
      window.tabGroups.onDidChangeTabs(({ closed }) => {
        for (const { input } of closed) {
          // A tab that moves to another group is also reported as closed.
          if (
            input instanceof TabInputText &&
            this.runs.has(input.uri.toString()) &&
            tabsOf(input.uri).length === 0
          ) {
            this.closedEmitter.fire(input.uri);
            this.runs.delete(input.uri.toString());
            this.drawn.delete(input.uri.toString());
          }
        }
      }),
      this.textEmitter,
      this.lensEmitter,
      this.closedEmitter,
      this.textChanges,
      this.lensChanges,
    );
  }

  dispose(): void {
    this.subscriptions.dispose();
  }

  add(uri: Uri, run: Run): void {
    this.runs.set(uri.toString(), run);
  }

  /** Shows a preview beside the document, without taking the focus from it. */
  async open(uri: Uri): Promise<void> {
    this.drawIn(uri, LENSES_AT_MOST_MS);
    const document = await workspace.openTextDocument(uri);
    await languages.setTextDocumentLanguage(document, RESULT_LANGUAGE);
    await window.showTextDocument(document, {
      viewColumn: ViewColumn.Beside,
      preserveFocus: true,
      preview: false,
    });
  }

  refresh(uri: Uri): void {
    this.dirty.set(uri.toString(), uri);
    this.textChanges.request();
    this.lensChanges.request();
  }

  provideTextDocumentContent(uri: Uri): string {
    return (
      this.runs.get(uri.toString())?.shown ??
      "The run that wrote here belongs to an earlier session."
    );
  }

  private drawIn(uri: Uri, milliseconds: number): void {
    setTimeout(() => {
      if (this.runs.has(uri.toString()) && !this.drawn.has(uri.toString())) {
        this.drawn.add(uri.toString());
        this.refresh(uri);
      }
    }, milliseconds);
  }

  provideCodeLenses(document: TextDocument): CodeLens[] {
    const run = this.runs.get(document.uri.toString());
    this.drawIn(document.uri, LENSES_DRAWN_MS);
    return run === undefined ? [] : lenses(run).map((command) => new CodeLens(TOP, command));
  }
}

function lenses(run: Run): Command[] {
  const lens = (title: string, command: string): Command => ({
    title,
    command,
    arguments: [run.id],
  });
  const [headline, stop, discard, copy, close] = [
    // A lens without a command is plain text.
    lens(run.headline, ""),
    lens("$(debug-stop) Stop", "transformers.stopRun"),
    lens("$(discard) Discard", "transformers.discardRun"),
    lens("$(copy) Copy", "transformers.copyRun"),
    lens("$(close) Close", "transformers.discardRun"),
  ];
  // What can be done comes first: what is said may be longer than the editor is wide.
  if (run.isActive) {
    return [stop, discard, headline];
  }
  if (run.isAcceptable) {
    return [lens("$(check) Accept", "transformers.acceptRun"), discard, headline];
  }
  if (run.isAnswer) {
    const clear = lens("$(clear-all) Clear Highlights", "transformers.clearHighlights");
    return [close, copy, ...(run.hasHighlights ? [clear] : []), headline];
  }
  return run.text === "" ? [discard, headline] : [discard, copy, headline];
}
