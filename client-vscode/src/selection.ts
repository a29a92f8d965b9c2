/** The commands on selected text. */
import { type TextEditor, window } from "vscode";
import type { ExtensionContext } from "vscode";
import type { Server } from "./client";
import { pickLanguage } from "./languagePick";
import { UserError } from "./problems";
import { type RunParams, TASKS, type TaskInfo, type TasksResult } from "./protocol";
import type { Runs } from "./runs";
import * as settings from "./settings";

/** Starts a task on the selection of the active editor. */
export async function runOnSelection(
  runs: Runs,
  context: ExtensionContext,
  task: Pick<TaskInfo, "id" | "needsLanguage">,
): Promise<void> {
  const { document, selection } = selected();
  const params: RunParams = {
    task: task.id,
    textDocument: { uri: document.uri.toString(), version: document.version },
    range: { start: selection.start, end: selection.end },
  };
  if (task.needsLanguage) {
    const chosen = settings.chosenTargetLanguage(document);
    const language =
      chosen ?? (await pickLanguage(context, settings.defaultTargetLanguage(document)));
    if (language === undefined) {
      return;
    }
    params.targetLanguage = language;
  }
  await runs.start(params);
}

/** Lets the user choose among all tasks, their own included, and starts it on the selection. */
export async function runTask(server: Server, runs: Runs, context: ExtensionContext) {
  const { document } = selected();
  const { tasks, problems } = await server.request<TasksResult>(TASKS, {
    textDocument: { uri: document.uri.toString() },
  });
  for (const problem of problems) {
    void window.showWarningMessage(problem);
  }
  const items = tasks.map((task) => ({ label: task.title, detail: task.description, task }));
  const chosen = await window.showQuickPick(items, {
    placeHolder: "What is to be done with the selection?",
    matchOnDetail: true,
  });
  if (chosen !== undefined) {
    await runOnSelection(runs, context, chosen.task);
  }
}

function selected(): TextEditor {
  const editor = window.activeTextEditor;
  if (editor === undefined || editor.selection.isEmpty) {
    throw new UserError("Nothing is selected.", "Select the text that the task is for.");
  }
  return editor;
}
