/** Asks for the language of a translation; any language may be typed, the last one comes first. */
import { type ExtensionContext, type QuickPickItem, window } from "vscode";

const KEY = "translation.lastLanguage";

const COMMON = [
  "English",
  "Arabic",
  "Chinese",
  "Czech",
  "Dutch",
  "French",
  "German",
  "Greek",
  "Hindi",
  "Italian",
  "Japanese",
  "Korean",
  "Polish",
  "Portuguese",
  "Russian",
  "Spanish",
  "Swedish",
  "Turkish",
  "Ukrainian",
  "Vietnamese",
];

export async function pickLanguage(
  context: ExtensionContext,
  fallback: string | undefined,
): Promise<string | undefined> {
  const first = context.globalState.get<string>(KEY) ?? fallback;
  const known = [...new Set([...(first === undefined ? [] : [first]), ...COMMON])];
  const language = await ask(known.map((label) => ({ label })));
  if (language !== undefined) {
    await context.globalState.update(KEY, language);
  }
  return language;
}

function ask(known: QuickPickItem[]): Promise<string | undefined> {
  const pick = window.createQuickPick();
  pick.title = "Translate Selection";
  pick.placeholder = "To which language? Choose one or type another";
  pick.items = known;
  return new Promise((resolve) => {
    pick.onDidChangeValue((value) => {
      const typed = value.trim();
      const isKnown = known.some(({ label }) => label.toLowerCase() === typed.toLowerCase());
      pick.items = typed === "" || isKnown ? known : [...known, { label: typed }];
    });
    pick.onDidAccept(() => {
      resolve(pick.activeItems[0]?.label);
      pick.hide();
    });
    pick.onDidHide(() => {
      resolve(undefined);
      pick.dispose();
    });
    pick.show();
  });
}
