/** What the user is asked before a task starts. */
import { type ExtensionContext, Range, type TextEditor, window } from "vscode";
import { labelsIn, problemOfLabels } from "./labels";
import { pickLanguage } from "./languagePick";
import { labelOf, paragraphsOf } from "./paragraphs";
import { UserError } from "./problems";
import type { Ask, RunParams } from "./protocol";
import * as settings from "./settings";
import { LINE_END } from "./text";

const LABELS_KEY = "zeroShot.lastLabels";
const QUESTION_KEY = "questionAnswering.lastQuestion";

type Answers = Pick<RunParams, "targetLanguage" | "question" | "labels" | "otherRange">;

/** Asks one question after the other; undefined when the user gave one up. */
export async function askFor(
  asks: readonly Ask[],
  editor: TextEditor,
  context: ExtensionContext,
): Promise<Answers | undefined> {
  const answers: Answers = {};
  for (const ask of asks) {
    const answer = await QUESTIONS[ask](editor, context);
    if (answer === undefined) {
      return undefined;
    }
    Object.assign(answers, answer);
  }
  return answers;
}

const QUESTIONS: Record<
  Ask,
  (editor: TextEditor, context: ExtensionContext) => Promise<Answers | undefined>
> = {
  language: askForLanguage,
  question: askForQuestion,
  labels: askForLabels,
  otherRange: askForOther,
};

async function askForLanguage(
  { document }: TextEditor,
  context: ExtensionContext,
): Promise<Answers | undefined> {
  const targetLanguage =
    settings.chosenTargetLanguage(document) ??
    (await pickLanguage(context, settings.defaultTargetLanguage(document)));
  return targetLanguage === undefined ? undefined : { targetLanguage };
}

async function askForQuestion(
  _editor: TextEditor,
  context: ExtensionContext,
): Promise<Answers | undefined> {
  const question = await askForText(context, QUESTION_KEY, {
    title: "Ask about Selection",
    prompt: "What do you want to know? It is answered from the selection alone.",
    problem: (typed) => (typed.trim() === "" ? "Type a question." : undefined),
  });
  return question === undefined ? undefined : { question };
}

async function askForLabels(
  _editor: TextEditor,
  context: ExtensionContext,
): Promise<Answers | undefined> {
  const labels = await askForText(context, LABELS_KEY, {
    title: "Classify Selection by Labels",
    prompt: "The labels to choose from, separated by commas: bug, question, praise",
    problem: problemOfLabels,
  });
  return labels === undefined ? undefined : { labels: labelsIn(labels) };
}

/** Takes the second selection; where there is one only, lets the user choose a paragraph. */
async function askForOther({ document, selections }: TextEditor): Promise<Answers | undefined> {
  const [selection, other] = selections.filter(({ isEmpty }) => !isEmpty);
  if (other !== undefined) {
    return { otherRange: { start: other.start, end: other.end } };
  }
  if (selection === undefined) {
    return undefined;
  }
  const paragraphs = paragraphsOf(document.getText().split(LINE_END), {
    first: selection.start.line,
    last: selection.end.line,
  });
  if (paragraphs.length === 0) {
    throw new UserError(
      "There is no other paragraph to compare with.",
      "Select two texts: hold Alt while you select the second one.",
    );
  }
  const picked = await window.showQuickPick(
    paragraphs.map((paragraph) => ({
      label: labelOf(paragraph),
      description: `line ${paragraph.first + 1}`,
      paragraph,
    })),
    {
      title: "Compare Selection with Another Text",
      placeHolder: "Which paragraph? For any other text, select both of them first (Alt+drag)",
    },
  );
  if (picked === undefined) {
    return undefined;
  }
  const { first, last } = picked.paragraph;
  const { start, end } = new Range(
    document.lineAt(first).range.start,
    document.lineAt(last).range.end,
  );
  return { otherRange: { start, end } };
}

/** Asks for a line, with the last one to begin with. */
async function askForText(
  context: ExtensionContext,
  key: string,
  texts: { title: string; prompt: string; problem: (typed: string) => string | undefined },
): Promise<string | undefined> {
  const { title, prompt, problem } = texts;
  const typed = await window.showInputBox({
    title,
    prompt,
    value: context.workspaceState.get<string>(key) ?? "",
    ignoreFocusOut: true,
    validateInput: problem,
  });
  if (typed !== undefined) {
    await context.workspaceState.update(key, typed);
  }
  return typed;
}
