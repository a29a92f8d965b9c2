/** What the user chose in a chat preview, kept with the workspace. */
import { type Memento, Uri, window, workspace } from "vscode";
import { UserError } from "./problems";
import type { RenderOptions, RenderResult } from "./protocol";
import * as settings from "./settings";

/** As `RenderOptions`, but tools may also be those of a file, which is read for each prompt. */
export interface PreviewOptions extends Omit<RenderOptions, "tools"> {
  tools?: false | { file: string };
}

const KEY = "transformers.chatPreviews";
const KEPT = 50;

/** The options for each source document. */
export class PreviewOptionsStore {
  constructor(private readonly memento: Memento) {}

  get(source: Uri): PreviewOptions {
    return this.all().find(([uri]) => uri === source.toString())?.[1] ?? {};
  }

  async set(source: Uri, options: PreviewOptions): Promise<void> {
    const uri = source.toString();
    const others = this.all().filter(([other]) => other !== uri);
    await this.memento.update(KEY, [[uri, options], ...others].slice(0, KEPT));
  }

  private all(): [string, PreviewOptions][] {
    return this.memento.get<[string, PreviewOptions][]>(KEY, []);
  }
}

/** Reads the files that options name. */
export async function resolveOptions({ tools, ...rest }: PreviewOptions): Promise<RenderOptions> {
  if (tools === undefined || tools === false) {
    return tools === undefined ? rest : { ...rest, tools };
  }
  const document = await workspace.openTextDocument(Uri.parse(tools.file));
  let value: unknown;
  try {
    value = JSON.parse(document.getText());
  } catch {
    value = undefined;
  }
  if (!Array.isArray(value)) {
    throw new UserError(
      `${document.uri.path.split("/").at(-1) ?? ""} holds no list of tools.`,
      "A file of tools is a JSON list of function schemas.",
    );
  }
  return { ...rest, tools: value };
}

/** Asks for a model; undefined when the user gave up. */
export async function pickModel(
  source: Uri,
  current: string | undefined,
  placeHolder: string,
): Promise<string | undefined> {
  const other = { label: "$(edit) Another model…", model: undefined };
  const models = settings.models(source).map((model) => ({
    label: model,
    model,
    description: model === current ? "shown now" : "",
  }));
  const picked = await window.showQuickPick([...models, other], { placeHolder });
  if (picked === undefined || picked.model !== undefined) {
    return picked?.model;
  }
  const entered = await window.showInputBox({
    prompt: "A Hub id that is in the local cache, a folder, a tokenizer.json or a .gguf file",
    value: current ?? "",
  });
  return entered?.trim() === "" ? undefined : entered?.trim();
}

/** Asks for one of the model's templates. */
export async function pickTemplate(result: RenderResult): Promise<string | undefined> {
  const picked = await window.showQuickPick(
    result.templates.map((label) => ({
      label,
      description: label === result.templateName ? "shown now" : "",
    })),
    { placeHolder: `A chat template of ${result.model}` },
  );
  return picked?.label;
}

/** Asks which tools the prompt is rendered with. */
export async function pickTools(): Promise<{ tools?: false | { file: string } } | undefined> {
  const picked = await window.showQuickPick(
    [
      { label: "Those of the chat", id: "chat" },
      { label: "No tools", id: "none" },
      { label: "Those of a JSON file…", id: "file" },
    ] as const,
    { placeHolder: "The tools that the template is given" },
  );
  if (picked?.id !== "file") {
    return picked && (picked.id === "none" ? { tools: false } : {});
  }
  const [file] =
    (await window.showOpenDialog({ filters: { JSON: ["json"] }, openLabel: "Use these tools" })) ??
    [];
  return file && { tools: { file: file.toString() } };
}

type Kwargs = Record<string, unknown>;

/** Asks for a variable of the template and its value; answers all values as they are then. */
export async function pickKwargs(
  variables: readonly string[],
  given: Kwargs,
): Promise<Kwargs | undefined> {
  const names = [...new Set([...variables, ...Object.keys(given)])];
  const items = names.map((label) => ({
    label,
    description: label in given ? JSON.stringify(given[label]) : "not given",
    name: label,
  }));
  const all = { label: "$(json) All as JSON…", description: "", name: undefined };
  const picked = await window.showQuickPick([...items, all], {
    placeHolder:
      variables.length === 0
        ? "This template reads no variables of its own"
        : "A variable that the template reads",
  });
  if (picked === undefined) {
    return undefined;
  }
  return picked.name === undefined ? askForAll(given) : askForOne(picked.name, given);
}

async function askForOne(name: string, given: Kwargs): Promise<Kwargs | undefined> {
  const picked = await window.showQuickPick(["true", "false", "Not given", "JSON…"], {
    placeHolder: name,
  });
  if (picked === undefined) {
    return undefined;
  }
  if (picked === "Not given") {
    return Object.fromEntries(Object.entries(given).filter(([other]) => other !== name));
  }
  const value =
    picked === "JSON…"
      ? await askForJson(`The value of ${name}, as JSON`, given[name], () => true)
      : picked === "true";
  return value === undefined ? undefined : { ...given, [name]: value };
}

async function askForAll(given: Kwargs): Promise<Kwargs | undefined> {
  const value = await askForJson(
    "Arguments for the template, as a JSON object",
    given,
    (read) => typeof read === "object" && read !== null && !Array.isArray(read),
  );
  return value as Kwargs | undefined;
}

async function askForJson(
  prompt: string,
  value: unknown,
  isWanted: (value: unknown) => boolean,
): Promise<unknown> {
  const read = (text: string): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      return undefined;
    }
  };
  const text = await window.showInputBox({
    prompt,
    value: value === undefined ? "" : JSON.stringify(value),
    validateInput: (typed) => {
      const found = read(typed);
      return found !== undefined && isWanted(found) ? undefined : "This is not such a JSON value.";
    },
  });
  return text === undefined ? undefined : read(text);
}
