/** The status bar item: how many tokens the selection, or else the document, has. */
import {
  CancellationTokenSource,
  Disposable,
  languages,
  MarkdownString,
  StatusBarAlignment,
  type StatusBarItem,
  type TextEditor,
  ThemeColor,
  window,
  workspace,
} from "vscode";
import { DOCUMENT_SELECTOR, type Server } from "./client";
import { isOverWindow, summary, table } from "./countText";
import { engineMarkdown, STOP_ENGINE } from "./engineText";
import { Debounced } from "./flow";
import { COUNT, type CountParams, type CountResult, type Status } from "./protocol";
import * as settings from "./settings";

const DELAY_MS = 150;

export class CountItem implements Disposable {
  private readonly item: StatusBarItem;
  private readonly refresh = new Debounced(DELAY_MS, () => void this.update());
  private readonly subscriptions: Disposable;
  private request: CancellationTokenSource | undefined;
  private engine: Status["engine"] | undefined;

  constructor(private readonly server: Server) {
    this.item = window.createStatusBarItem("transformers.count", StatusBarAlignment.Right, 95);
    this.item.name = "Transformers: Token Count";
    this.item.command = {
      title: "Configure tokenizers",
      command: "workbench.action.openSettings",
      arguments: ["transformers.tokenizers"],
    };
    const later = () => {
      this.refresh.request();
    };
    this.subscriptions = Disposable.from(
      this.refresh,
      window.onDidChangeActiveTextEditor(later),
      window.onDidChangeTextEditorSelection(later),
      workspace.onDidChangeTextDocument(({ document }) => {
        if (document === window.activeTextEditor?.document) {
          later();
        }
      }),
      workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration(settings.SECTION)) {
          later();
        }
      }),
      server.onState(later),
      server.onStatus(({ engine }) => {
        this.engine = engine;
        later();
      }),
    );
    later();
  }

  dispose(): void {
    this.request?.cancel();
    this.subscriptions.dispose();
    this.item.dispose();
  }

  private async update(): Promise<void> {
    this.request?.cancel();
    const editor = window.activeTextEditor;
    if (!settings.statusBarEnabled() || !this.server.isRunning || !editor || !isCounted(editor)) {
      this.item.hide();
      return;
    }
    const request = (this.request = new CancellationTokenSource());
    const selected = editor.selections.filter((selection) => !selection.isEmpty);
    const params: CountParams = {
      textDocument: { uri: editor.document.uri.toString() },
      ranges: selected.map(({ start, end }) => ({ start, end })),
    };
    let counts: CountResult | undefined;
    try {
      counts = await this.server.request<CountResult>(COUNT, params, request.token);
    } catch {
      // A count that fails is no reason to disturb anyone; the language status item has the cause.
      counts = undefined;
    }
    if (this.request === request) {
      this.show(counts, selected.length);
    }
  }

  private show(counts: CountResult | undefined, selections: number): void {
    const [primary] = counts?.models ?? [];
    if (counts === undefined || primary === undefined) {
      this.item.hide();
      return;
    }
    this.item.text = `$(symbol-key) ${summary(primary, selections)}`;
    this.item.tooltip = this.tooltip(table(counts.models, selections));
    this.item.backgroundColor = isOverWindow(primary)
      ? new ThemeColor("statusBarItem.warningBackground")
      : undefined;
    this.item.show();
  }

  private tooltip(counts: string): MarkdownString {
    const tooltip = new MarkdownString(counts);
    if (this.engine !== undefined) {
      tooltip.appendMarkdown(`\n\n${engineMarkdown(this.engine)}`);
    }
    // Names of models are escaped, so this one link is the only one there can be.
    tooltip.isTrusted = { enabledCommands: [STOP_ENGINE] };
    return tooltip;
  }
}

function isCounted(editor: TextEditor): boolean {
  return languages.match(DOCUMENT_SELECTOR, editor.document) > 0;
}
