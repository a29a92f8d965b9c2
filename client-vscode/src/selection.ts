/** The commands on selected text. */
import { window } from "vscode";
import type { ExtensionContext } from "vscode";
import { pickLanguage } from "./languagePick";
import { UserError } from "./problems";
import type { RunParams } from "./protocol";
import type { Runs } from "./runs";
import * as settings from "./settings";

/** Starts a task on the selection of the active editor. */
export async function runOnSelection(
  runs: Runs,
  context: ExtensionContext,
  task: "summarize" | "translate" | "generate",
): Promise<void> {
  const editor = window.activeTextEditor;
  if (editor === undefined || editor.selection.isEmpty) {
    throw new UserError("Nothing is selected.", "Select the text that the task is for.");
  }
  const { document, selection } = editor;
  const params: RunParams = {
    task,
    textDocument: { uri: document.uri.toString(), version: document.version },
    range: { start: selection.start, end: selection.end },
  };
  if (task === "translate") {
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
