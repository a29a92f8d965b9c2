/** The line above a prompt: how long it is, how it was made, and what can be changed about it. */
import { type Command, type Diagnostic, DiagnosticSeverity, languages } from "vscode";
import { type ChatPreview, rangeOf } from "./chatPreview";
import type { RenderResult } from "./protocol";
import { grouped, shortened } from "./text";

const MESSAGE_LIMIT = 80;
const NAME_LIMIT = 32;

/** The commands of a preview, without their prefix; each takes the preview's address. */
export const COMMANDS = {
  model: "previewModel",
  template: "previewTemplate",
  generationPrompt: "previewGenerationPrompt",
  tools: "previewTools",
  variables: "previewVariables",
  sample: "previewSample",
  compare: "previewCompare",
  problem: "previewProblem",
} as const;

export function headline(preview: ChatPreview): Command[] {
  const { result, problem, uri } = preview;
  const lens = (title: string, command: string, tooltip: string): Command => ({
    title,
    command: `transformers.${command}`,
    tooltip,
    arguments: [uri],
  });
  const found = problem === undefined ? [] : [problemLens(preview, problem, lens)];
  if (result === undefined) {
    const waiting = problem === undefined ? [say("$(loading~spin) Rendering…")] : found;
    return [...waiting, lens("Model…", COMMANDS.model, "Choose another model")];
  }
  const { kwargs = {}, addGenerationPrompt = true } = preview.options;
  const given = Object.entries(kwargs).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  const { model, templateName, templates, templateSource, sample } = result;
  const lenses = [
    ...found,
    say(`${problem === undefined ? "" : "below the last prompt: "}${size(result)}`),
    ...(sample === undefined
      ? []
      : [lens(`sample ${sample}`, COMMANDS.sample, "Choose another sample chat")]),
    lens(modelName(model), COMMANDS.model, `${model}: choose another model`),
    lens(
      templates.length > 1 ? `template ${templateName}` : "template",
      COMMANDS.template,
      `The chat template comes from ${templateSource}`,
    ),
    lens(
      `generation prompt ${addGenerationPrompt ? "on" : "off"}`,
      COMMANDS.generationPrompt,
      "Whether the prompt ends where the model is to answer",
    ),
    lens(tools(preview), COMMANDS.tools, "Which tools the template is given"),
    lens(
      given.length === 0 ? "variables" : shortened(given.join(" "), NAME_LIMIT),
      COMMANDS.variables,
      "More arguments for the template, enable_thinking say",
    ),
    lens("compare", COMMANDS.compare, "Show the prompt of another model side by side"),
  ];
  return lenses;
}

/** What stands above the first token that is trained on. */
export function legend({ trained, messages }: RenderResult): string | undefined {
  if (trained === undefined || !messages.some(({ role }) => role === "assistant")) {
    return undefined;
  }
  const amount = `${grouped(trained.tokens)} trained tokens are tinted`;
  switch (trained.source) {
    case "generation tags":
      return trained.tokens === 0
        ? "no trained tokens: the template's {% generation %} tags mark nothing here"
        : `${amount}: the template marks them with {% generation %}`;
    case "prefix difference":
      return `${amount}, by prefix difference: the template has no {% generation %} tags`;
    case "unknown":
      return "which tokens are trained is unknown: the template has no {% generation %} tags";
  }
}

/** A short name of a model for people: of a path, its last part; Hub ids stay whole. */
export function modelName(model: string): string {
  if (!/^([/\\.~]|[A-Za-z]:)/.test(model)) {
    return model;
  }
  const parts = model.split(/[/\\]/).filter((part) => part !== "" && part !== "tokenizer.json");
  return parts.at(-1) ?? model;
}

/** What is wrong with the chat that is shown, as the server marks it in the document. */
export function problemOfChat(preview: ChatPreview): Diagnostic | undefined {
  const problems = languages
    .getDiagnostics(preview.source)
    .filter(
      ({ source, severity }) =>
        source === "transformers-ls" && severity === DiagnosticSeverity.Error,
    );
  const range = preview.result && rangeOf(preview.result.range);
  return problems.find((problem) => range?.intersection(problem.range)) ?? problems[0];
}

function problemLens(
  preview: ChatPreview,
  problem: string,
  lens: (title: string, command: string, tooltip: string) => Command,
): Command {
  const place = problemOfChat(preview)?.range.start.line;
  const text = `$(error) ${shortened(problem, MESSAGE_LIMIT)}`;
  return place === undefined
    ? say(text, problem)
    : lens(`${text} (line ${place + 1})`, COMMANDS.problem, problem);
}

function size({ tokens, exact, window: limit, overhead }: RenderResult): string {
  if (tokens === undefined) {
    return "counting…";
  }
  const amount = `${exact ? "" : "≈"}${grouped(tokens)} tokens`;
  const share = limit === undefined ? "" : ` of ${grouped(limit)}`;
  const around = overhead === undefined ? "" : `, ${grouped(overhead)} around the messages`;
  return `${amount}${share}${around}`;
}

function tools({ options, result }: ChatPreview): string {
  if (options.tools === false) {
    return "tools off";
  }
  const count = result?.toolCount ?? 0;
  const origin = options.tools === undefined ? "" : " of a file";
  return count === 0 ? "no tools" : `${count} tool${count === 1 ? "" : "s"}${origin}`;
}

/** A lens without a command is plain text. */
function say(title: string, tooltip = ""): Command {
  return { title, command: "", tooltip };
}
