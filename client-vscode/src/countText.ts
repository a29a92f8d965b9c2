/** What the status bar says of counts; plain text, without the editor. */
import type { ModelCount } from "./protocol";
import { escapeMarkdown, grouped } from "./text";

/** The tokens of all ranges together; each range is a text of its own. */
export function total(count: ModelCount): number {
  return count.tokens.reduce((sum, tokens) => sum + tokens, 0);
}

/** Says whether a text is longer than the model's context window. */
export function isOverWindow(count: ModelCount): boolean {
  return count.state === "ready" && count.window !== undefined && total(count) > count.window;
}

/** The line in the status bar: of the primary model, for so many selections or the document. */
export function summary(count: ModelCount, selections: number): string {
  switch (count.state) {
    case "loading":
      return "counting…";
    case "failed":
      return "no tokenizer";
    case "ready": {
      const tokens = `${amount(count)} ${total(count) === 1 ? "token" : "tokens"}`;
      const where = selections > 1 ? ` in ${selections} selections` : " selected";
      return selections === 0 ? tokens : tokens + where;
    }
  }
}

/** The tooltip: every model in a table, and why a number is not exact. */
export function table(models: readonly ModelCount[], selections: number): string {
  const what =
    selections === 0
      ? "document"
      : selections === 1
        ? "selection"
        : `${selections} selections, each counted by itself`;
  const rows = models.map((count) => {
    const cells = [count.model, tokensOf(count), shareOf(count), count.windowSource ?? ""];
    return `| ${cells.map(escapeMarkdown).join(" | ")} |`;
  });
  const reasons = models
    .filter(({ state, exact, message }) => state === "ready" && !exact && message !== undefined)
    .map(
      ({ model, message }) => `${escapeMarkdown(model)}: ≈ since ${escapeMarkdown(message ?? "")}`,
    );
  return [
    `Tokens of the ${what}`,
    "",
    "| Model | Tokens | Context window | Source |",
    "|:--|--:|--:|:--|",
    ...rows,
    ...reasons.flatMap((reason) => ["", reason]),
  ].join("\n");
}

function amount(count: ModelCount): string {
  return `${count.exact ? "" : "≈"}${grouped(total(count))}`;
}

function tokensOf(count: ModelCount): string {
  switch (count.state) {
    case "loading":
      return "loading…";
    case "failed":
      return count.message ?? "failed";
    case "ready":
      return amount(count);
  }
}

function shareOf(count: ModelCount): string {
  const { state, window } = count;
  return state === "ready" && window !== undefined
    ? `${((100 * total(count)) / window).toFixed(1)} % of ${grouped(window)}`
    : "unknown";
}
