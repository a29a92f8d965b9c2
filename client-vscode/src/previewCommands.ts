/** What can be done about a chat preview, from its headline, its title bar or the palette. */
import { commands, Selection, TabInputText, Uri, ViewColumn, window, workspace } from "vscode";
import type { ChatPreview } from "./chatPreview";
import type { ChatPreviews } from "./chatPreviews";
import { COMMANDS, modelName, problemOfChat } from "./previewHeadline";
import {
  pickKwargs,
  pickModel,
  pickTemplate,
  pickTools,
  type PreviewOptions,
} from "./previewOptions";
import { pickSample } from "./previewSample";
import { isPreview, previewUri } from "./previewUri";
import { UserError } from "./problems";

type Action = (preview: ChatPreview, previews: ChatPreviews) => Promise<void>;

/** The commands by id; each takes the address of a preview, or means the active one. */
export function previewCommands(
  previews: ChatPreviews,
): Record<string, (argument: unknown) => Promise<void>> {
  const actions: Record<string, Action> = {
    [COMMANDS.model]: chooseModel,
    [COMMANDS.template]: chooseTemplate,
    [COMMANDS.generationPrompt]: toggleGenerationPrompt,
    [COMMANDS.tools]: chooseTools,
    [COMMANDS.variables]: chooseVariables,
    [COMMANDS.sample]: chooseSample,
    [COMMANDS.compare]: compare,
    [COMMANDS.problem]: showProblem,
  };
  return Object.fromEntries(
    Object.entries(actions).map(([id, action]) => [
      id,
      (argument: unknown) => action(previews.of(addressOf(argument)), previews),
    ]),
  );
}

function addressOf(argument: unknown): Uri {
  const uri = argument instanceof Uri ? argument : window.activeTextEditor?.document.uri;
  if (uri === undefined || !isPreview(uri)) {
    throw new UserError(
      "This is no preview of a chat.",
      "Run “Transformers: Preview Chat Prompt” in a file with a chat.",
    );
  }
  return uri;
}

async function choose(
  preview: ChatPreview,
  previews: ChatPreviews,
  change: Partial<PreviewOptions> | undefined,
  without?: keyof PreviewOptions,
): Promise<void> {
  if (change !== undefined) {
    const options = { ...previews.store.get(preview.source), ...change };
    if (without !== undefined) {
      Reflect.deleteProperty(options, without);
    }
    await previews.store.set(preview.source, options);
    previews.refresh(({ source }) => source.toString() === preview.source.toString());
  }
}

const chooseModel: Action = async (preview, previews) => {
  const current = preview.result?.model;
  const model = await pickModel(preview.source, current, "The model that the prompt is for");
  // Another model has other templates.
  await choose(preview, previews, model === undefined ? undefined : { model }, "templateName");
};

const chooseTemplate: Action = async (preview, previews) => {
  if (preview.result !== undefined) {
    const templateName = await pickTemplate(preview.result);
    await choose(preview, previews, templateName === undefined ? undefined : { templateName });
  }
};

const toggleGenerationPrompt: Action = async (preview, previews) => {
  const { addGenerationPrompt = true } = preview.options;
  await choose(preview, previews, { addGenerationPrompt: !addGenerationPrompt });
};

const chooseTools: Action = async (preview, previews) => {
  const picked = await pickTools();
  await choose(preview, previews, picked, picked?.tools === undefined ? "tools" : undefined);
};

const chooseVariables: Action = async (preview, previews) => {
  const { result, options } = preview;
  const kwargs = await pickKwargs(result?.variables ?? [], options.kwargs ?? {});
  await choose(preview, previews, kwargs && { kwargs });
};

const chooseSample: Action = async (preview, previews) => {
  const { result } = preview;
  if (result?.samples === undefined) {
    throw new UserError(
      "This preview shows a chat of its own.",
      "Samples are for files that are chat templates.",
    );
  }
  const sample = await pickSample(result.samples, result.sample);
  await choose(preview, previews, sample === undefined ? undefined : { sample });
};

/** Two previews as a diff; both follow the document, and all options but the model. */
const compare: Action = async (preview, previews) => {
  const model = preview.result?.model;
  if (model === undefined) {
    throw new UserError("There is no prompt to compare with.", "Repair the chat first.");
  }
  const other = await pickModel(preview.source, model, `Compare ${modelName(model)} with`);
  if (other === undefined) {
    return;
  }
  const uris = [model, other].map((name) => previewUri(preview.source, name));
  await Promise.all(uris.map((uri) => previews.prepare(uri)));
  const file = preview.source.path.split("/").at(-1) ?? "";
  const title = `Prompt · ${file}: ${modelName(model)} ↔ ${modelName(other)}`;
  await commands.executeCommand("vscode.diff", ...uris, title);
};

/** Goes to what is wrong with the chat, where quick fixes may be offered. */
const showProblem: Action = async (preview) => {
  const problem = problemOfChat(preview);
  if (problem === undefined) {
    return;
  }
  const tab = window.tabGroups.all
    .flatMap((group) => group.tabs)
    .find(
      ({ input }) =>
        input instanceof TabInputText && input.uri.toString() === preview.source.toString(),
    );
  const document = await workspace.openTextDocument(preview.source);
  const { start } = problem.range;
  await window.showTextDocument(document, {
    viewColumn: tab?.group.viewColumn ?? ViewColumn.Beside,
    selection: new Selection(start, start),
  });
};
