/** The line above a prompt: how long it is, how it was made, and what can be changed about it. */
import {
  CodeLens,
  type Command,
  type Diagnostic,
  DiagnosticSeverity,
  languages,
  Range,
} from "vscode";
import { type ChatPreview, rangeOf } from "./chatPreview";
import { rangesOf } from "./previewMarks";
import type { RenderResult } from "./protocol";
import { grouped, shortened } from "./text";

const MESSAGE_LIMIT = 80;
const NAME_LIMIT = 32;
const TOP = new Range(0, 0, 0, 0);

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

/** What stands above the prompt, and above the first token that is trained on. */
export function lensesOf(preview: ChatPreview): CodeLens[] {
  const lenses = headline(preview).map((command) => new CodeLens(TOP, command));
  const { detailed } = preview;
  const title = detailed && legend(detailed);
  if (detailed === undefined || title === undefined) {
    return lenses;
  }
  const [first] = rangesOf(detailed.text, detailed.trained?.spans.slice(0, 1) ?? []);
  return [...lenses, new CodeLens(first ?? TOP, { title, command: "" })];
}

function headline(preview: ChatPreview): Command[] {
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
  const { model, templateName, templates, templateSource, variables, sample } = result;
  const lenses = [
    ...found,
    say(`${problem === undefined ? "" : "below the last prompt: "}${size(result)}`, sizes(result)),
    lens(modelName(model), COMMANDS.model, `${model}, template of ${templateSource}`),
    lens(
      `generation prompt ${addGenerationPrompt ? "on" : "off"}`,
      COMMANDS.generationPrompt,
      "Whether the prompt ends where the model is to answer",
    ),
  ];
  if (sample !== undefined) {
    lenses.push(lens(`sample ${sample}`, COMMANDS.sample, "Choose another sample chat"));
  }
  // An editor beside another is narrow, so what there is none of is left to the title bar's menu.
  if (result.toolCount > 0 || preview.options.tools !== undefined) {
    lenses.push(lens(tools(preview), COMMANDS.tools, "Which tools the template is given"));
  }
  if (templates.length > 1) {
    const tooltip = `${templates.length} templates; this one is of ${templateSource}`;
    lenses.push(lens(`template ${templateName}`, COMMANDS.template, tooltip));
  }
  if (variables.length > 0 || given.length > 0) {
    const title = given.length === 0 ? "variables" : shortened(given.join(" "), NAME_LIMIT);
    lenses.push(lens(title, COMMANDS.variables, `The template reads ${variables.join(", ")}`));
  }
  const tooltip = "Show the prompt of another model side by side";
  return [...lenses, lens("compare", COMMANDS.compare, tooltip)];
}

function legend({ trained, messages }: RenderResult): string | undefined {
  if (trained === undefined || !messages.some(({ role }) => role === "assistant")) {
    return undefined;
  }
  const amount = `${grouped(trained.tokens)} trained tokens`;
  switch (trained.source) {
    case "generation tags":
      return `${amount}, by the template's {% generation %} tags`;
    case "prefix difference":
      return `${amount}, by prefix difference (no {% generation %} tags)`;
    case "unknown":
      return "trained tokens unknown (no {% generation %} tags)";
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
  const text = shortened(problem, MESSAGE_LIMIT);
  return place === undefined
    ? say(`$(error) ${text}`, problem)
    : lens(`$(error) Line ${place + 1}: ${text}`, COMMANDS.problem, problem);
}

/** The tokens that are not of the contents; undefined where some content is no plain text. */
function ofTemplate({ tokens, messages }: RenderResult): number | undefined {
  let rest = tokens;
  for (const { contentTokens } of messages) {
    rest = rest === undefined || contentTokens === undefined ? undefined : rest - contentTokens;
  }
  return rest;
}

function size(result: RenderResult): string {
  const { tokens, exact, window: limit } = result;
  if (tokens === undefined) {
    return "counting…";
  }
  const amount = `${exact ? "" : "≈"}${grouped(tokens)}`;
  const share = limit === undefined ? "" : ` of ${grouped(limit)}`;
  const template = ofTemplate(result);
  return `${amount}${share} tokens${template === undefined ? "" : `, template ${grouped(template)}`}`;
}

function sizes(result: RenderResult): string {
  const { windowSource, overhead } = result;
  const template = ofTemplate(result);
  return [
    template === undefined ? "" : `The template adds ${grouped(template)} tokens to the contents.`,
    overhead === undefined ? "" : `${grouped(overhead)} tokens belong to no message.`,
    windowSource === undefined ? "" : `Context window from ${windowSource}.`,
  ]
    .filter(Boolean)
    .join(" ");
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
