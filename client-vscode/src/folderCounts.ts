/** The report of the tokens in a folder, as a read-only document. */
import {
  commands,
  Disposable,
  type Event,
  EventEmitter,
  languages,
  TabInputText,
  type TextDocumentContentProvider,
  Uri,
  window,
  workspace,
} from "vscode";
import { plainText } from "./answerText";
import type { Server } from "./client";
import { COUNT_FOLDER_COMMAND, type FolderReport } from "./protocol";
import { RESULT_LANGUAGE } from "./runPreviews";

const SCHEME = "transformers-folder";
const CANCELLED = -32800;

export class FolderCounts implements TextDocumentContentProvider, Disposable {
  private readonly reports = new Map<string, string>();
  private readonly emitter = new EventEmitter<Uri>();
  private readonly subscriptions: Disposable;

  readonly onDidChange: Event<Uri> = this.emitter.event;

  constructor(private readonly server: Server) {
    this.subscriptions = Disposable.from(
      this.emitter,
      workspace.registerTextDocumentContentProvider(SCHEME, this),
      window.tabGroups.onDidChangeTabs(({ closed }) => {
        for (const { input } of closed) {
          if (input instanceof TabInputText && input.uri.scheme === SCHEME) {
            this.reports.delete(input.uri.toString());
          }
        }
      }),
    );
  }

  dispose(): void {
    this.subscriptions.dispose();
  }

  provideTextDocumentContent(uri: Uri): string {
    return (
      this.reports.get(uri.toString()) ??
      "Run “Transformers: Count Tokens in Folder…” again to see this report.\n"
    );
  }

  /** Counts a folder, the one of the explorer's menu or one that is asked for, and shows the report. */
  async count(argument: unknown): Promise<void> {
    // The menu of a folder may be what starts the extension.
    await this.server.ready();
    const folder = argument instanceof Uri ? argument : await askForFolder();
    if (folder === undefined) {
      return;
    }
    const report = await this.ask(folder);
    if (report === undefined) {
      return;
    }
    const name = folder.path.split("/").at(-1) ?? "";
    const uri = Uri.from({
      scheme: SCHEME,
      path: `/Tokens in ${name}`,
      query: folder.toString(),
    });
    this.reports.set(uri.toString(), plainText(report.markdown));
    this.emitter.fire(uri);
    const shown = await workspace.openTextDocument(uri);
    await languages.setTextDocumentLanguage(shown, RESULT_LANGUAGE);
    await window.showTextDocument(shown, { preview: false });
  }

  private async ask(folder: Uri): Promise<FolderReport | undefined> {
    try {
      return await commands.executeCommand<FolderReport>(COUNT_FOLDER_COMMAND, {
        uri: folder.toString(),
      });
    } catch (error) {
      // Who pressed cancel needs no message.
      if ((error as { code?: unknown }).code === CANCELLED) {
        return undefined;
      }
      throw error;
    }
  }
}

async function askForFolder(): Promise<Uri | undefined> {
  const first = workspace.workspaceFolders?.[0];
  const chosen = await window.showOpenDialog({
    canSelectFiles: false,
    canSelectFolders: true,
    openLabel: "Count Tokens",
    ...(first === undefined ? {} : { defaultUri: first.uri }),
  });
  return chosen?.[0];
}
