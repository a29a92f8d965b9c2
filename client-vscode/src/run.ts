/** One run of a task: what is known about it, and what may be done with it in each state. */
import type { RunFacts, RunResult, RunStage } from "./protocol";
import { grouped, shortened } from "./text";

export type RunState =
  | { kind: "waiting"; message: string }
  | { kind: "writing" }
  | { kind: "done"; result: RunResult }
  | { kind: "stopped" }
  | { kind: "failed"; message: string };

const MESSAGE_LIMIT = 60;

export class Run {
  /** What the preview shows. It grows while the model writes. */
  text = "";
  state: RunState = { kind: "waiting", message: "Starting…" };

  constructor(
    readonly id: string,
    /** What the preview is called: "Summarize · notes.md". */
    readonly title: string,
  ) {}

  get isActive(): boolean {
    return this.state.kind === "waiting" || this.state.kind === "writing";
  }

  stage({ stage, message, percent }: RunStage): void {
    if (this.isActive && this.text === "") {
      const share = percent === undefined ? "" : ` ${Math.round(percent)} %`;
      this.state = { kind: "waiting", message: `${message || stage}${share}` };
    }
  }

  write(text: string): void {
    if (this.isActive) {
      this.state = { kind: "writing" };
      this.text += text;
    }
  }

  finish(result: RunResult): void {
    if (this.isActive) {
      this.text = result.text;
      this.state = { kind: "done", result };
    }
  }

  stop(): void {
    if (this.isActive) {
      this.state = { kind: "stopped" };
    }
  }

  fail(message: string): void {
    if (this.isActive) {
      this.state = { kind: "failed", message };
    }
  }

  /** What the preview shows: the text so far, or why there is none. */
  get shown(): string {
    return this.text === "" && this.state.kind === "failed" ? this.state.message : this.text;
  }

  /** The line above the preview. */
  get headline(): string {
    switch (this.state.kind) {
      case "waiting":
        return `$(loading~spin) ${this.state.message}`;
      case "writing":
        return `$(loading~spin) Writing… ${grouped(this.text.length)} characters`;
      case "done":
        return describeFacts(this.state.result.facts);
      case "stopped":
        return "Stopped. The document is unchanged.";
      case "failed":
        return this.text === ""
          ? "$(error) Failed"
          : `$(error) ${shortened(this.state.message, MESSAGE_LIMIT)}`;
    }
  }
}

function describeFacts(facts: RunFacts): string {
  const count = facts.completionTokens;
  const parts = [
    `${grouped(count)} ${count === 1 ? "token" : "tokens"}`,
    `${facts.tokensPerSecond.toFixed(facts.tokensPerSecond < 10 ? 1 : 0)} tok/s`,
    facts.destination,
    facts.model,
  ];
  if (facts.finishReason === "length") {
    parts.push("cut at the length limit");
  }
  if (facts.kept > 0) {
    parts.push(
      facts.parts === 1
        ? "$(warning) the text came back unchanged"
        : `$(warning) ${grouped(facts.kept)} of ${grouped(facts.parts)} parts unchanged`,
    );
  }
  return parts.join(" · ");
}
