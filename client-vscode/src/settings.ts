/** The settings that the client itself reads. All others are the server's, which pulls them. */
import { type ConfigurationScope, workspace } from "vscode";

export const SECTION = "transformers";
export const INTERPRETER = "transformers.interpreter";

function read<T>(key: string, fallback: T, scope?: ConfigurationScope): T {
  return workspace.getConfiguration(SECTION, scope).get<T>(key) ?? fallback;
}

/** The interpreter that the user wrote down, with its arguments; empty when there is none. */
export function interpreter(): string[] {
  return read<string[]>("interpreter", []);
}

export function statusBarEnabled(): boolean {
  return read("statusBar.enabled", true);
}

/** The target language, only where the user chose one: the default is no choice. */
export function chosenTargetLanguage(scope: ConfigurationScope): string | undefined {
  const found = workspace
    .getConfiguration(SECTION, scope)
    .inspect<string>("translation.targetLanguage");
  return found?.workspaceFolderValue ?? found?.workspaceValue ?? found?.globalValue;
}

/** The language that a translation goes to when nobody says anything. */
export function defaultTargetLanguage(scope: ConfigurationScope): string | undefined {
  return workspace.getConfiguration(SECTION, scope).get<string>("translation.targetLanguage");
}

/** The models that the user configured for counting and for chats, each once. */
export function models(scope: ConfigurationScope): string[] {
  const chat = read("models.chat", "", scope);
  return [...new Set([...read<string[]>("tokenizers", [], scope), chat])].filter(Boolean);
}
