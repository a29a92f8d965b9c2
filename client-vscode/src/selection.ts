/** The commands on selected text. */
import { type ExtensionContext, type TextEditor, window } from "vscode";
import type { Server } from "./client";
import { UserError } from "./problems";
import { type TaskInfo, TASKS, type TasksResult } from "./protocol";
import type { Runs } from "./runs";
import { askFor } from "./taskQuestions";

/** Starts a task on the selection of the active editor. */
export async function runOnSelection(
  runs: Runs,
  context: ExtensionContext,
  task: Pick<TaskInfo, "id" | "asks">,
): Promise<void> {
  const editor = selected();
  const { document, selection } = editor;
  const answers = await askFor(task.asks, editor, context);
  if (answers !== undefined) {
    await runs.start({
      task: task.id,
      textDocument: { uri: document.uri.toString(), version: document.version },
      range: { start: selection.start, end: selection.end },
      ...answers,
    });
  }
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
  const items = tasks.map((task) => ({
    // What it asks for comes next, so the list needs no dots and no open ends.
    label: task.title.replace(/…$| to$/, ""),
    description: task.result === "answer" ? "$(eye) to read" : "$(edit) to insert",
    detail: task.description,
    task,
  }));
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
