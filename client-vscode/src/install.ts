/** Asks which embedded model to install; the server does it, with its own progress and cancel. */
import { commands, type QuickPickItem, window } from "vscode";
import type { Server } from "./client";
import { INSTALL_COMMAND } from "./protocol";

const EMBEDDED: QuickPickItem[] = [
  { label: "smollm2-135m", description: "chat model for summaries and generation" },
  { label: "gemma3-270m", description: "base model for translations; Gemma terms of use" },
];

export async function installModel(server: Server): Promise<void> {
  await server.ready();
  const choice = await window.showQuickPick(EMBEDDED, {
    title: "Install Model",
    placeHolder: "Which model should be installed on this machine?",
  });
  if (choice !== undefined) {
    await commands.executeCommand(INSTALL_COMMAND, { model: choice.label });
  }
}
