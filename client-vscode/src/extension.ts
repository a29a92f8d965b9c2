/** Where the editor begins: builds the parts and connects them to commands and events. */
import { commands, Disposable, type ExtensionContext, window, workspace } from "vscode";
import { ChatPreviews } from "./chatPreviews";
import { Server } from "./client";
import { CountItem } from "./counts";
import { FolderCounts } from "./folderCounts";
import { Highlights } from "./highlights";
import { installModel } from "./install";
import { NAME } from "./log";
import { previewCommands } from "./previewCommands";
import { describe, problemOf } from "./problems";
import { RUN_COMMAND, type RunParams, type TaskInfo } from "./protocol";
import { onInterpreterChange } from "./python";
import { RunPreviews } from "./runPreviews";
import { Runs } from "./runs";
import { runOnSelection, runTask } from "./selection";
import { StatusItem } from "./status";
import { TokenColours } from "./tokenColours";

let server: Server | undefined;

export async function activate(context: ExtensionContext): Promise<void> {
  const log = window.createOutputChannel(NAME, { log: true });
  const running: Server = new Server(log, context.workspaceState, (command, args, next): unknown =>
    // A code action of the server runs with a preview here, as the commands of the menus do.
    command === RUN_COMMAND ? runs.start(args[0] as RunParams) : next(command, args),
  );
  server = running;
  const previews = new RunPreviews();
  const highlights = new Highlights();
  const runs = new Runs(running, previews, highlights, log);
  const chats = new ChatPreviews(running, context.workspaceState);
  const colours = new TokenColours(running);
  const folders = new FolderCounts(running);
  context.subscriptions.push(
    log,
    running,
    folders,
    colours,
    new StatusItem(running, log),
    new CountItem(running),
    previews,
    highlights,
    runs,
    chats,
    workspace.onDidChangeConfiguration(() => running.restartIfSettingChanges()),
    workspace.onDidGrantWorkspaceTrust(() => running.restart()),
  );

  const command = (id: string, handler: (argument: unknown) => unknown) => {
    context.subscriptions.push(
      commands.registerCommand(`transformers.${id}`, async (argument: unknown) => {
        try {
          await handler(argument);
        } catch (error) {
          void window.showErrorMessage(describe(problemOf(error)));
        }
      }),
    );
  };
  command("restartServer", () => running.restart());
  command("showLogs", () => {
    log.show();
  });
  command("colourTokens", () => colours.toggle());
  command("installModel", () => installModel(running));
  command("countTokensInFolder", (argument) => folders.count(argument));
  command("runTask", () => runTask(running, runs, context));
  for (const [id, task] of [
    ["summarizeSelection", { id: "summarize", asks: [] }],
    ["translateSelection", { id: "translate", asks: ["language"] }],
    ["generateFromSelection", { id: "generate", asks: [] }],
  ] as [string, Pick<TaskInfo, "id" | "asks">][]) {
    command(id, () => runOnSelection(runs, context, task));
  }
  command("clearHighlights", () => {
    highlights.clear();
  });
  command("previewChat", () => chats.open());
  for (const [id, handler] of Object.entries(previewCommands(chats))) {
    command(id, handler);
  }
  command("acceptRun", (argument) => runs.accept(runs.idOf(argument)));
  command("discardRun", (argument) => runs.discard(runs.idOf(argument)));
  command("copyRun", (argument) => runs.copy(runs.idOf(argument)));
  command("stopRun", (argument) => {
    runs.stop(runs.idOf(argument));
  });

  context.subscriptions.push(await watchPython(running));
  // Activation ends before the server is up: an editor never waits for it.
  void running.restart();
  void chats.restore();
}

export async function deactivate(): Promise<void> {
  await server?.stop();
}

async function watchPython(running: Server): Promise<Disposable> {
  try {
    return await onInterpreterChange(() => void running.restartIfLookupChanges());
  } catch {
    // The Python extension is optional, and so is its health.
    return new Disposable(() => undefined);
  }
}
