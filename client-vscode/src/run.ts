/** One run of a task: what is known about it, and what may be done with it in each state. */
import { plainText } from "./answerText";
import type { RunResult, RunStage } from "./protocol";
import { describeFacts, describeStage } from "./runFacts";
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

  /** Whether its result is something to read, rather than an edit to accept. */
  get isAnswer(): boolean {
    return this.state.kind === "done" && this.state.result.document !== undefined;
  }

  /** Whether there is an edit to accept. */
  get isAcceptable(): boolean {
    return this.state.kind === "done" && !this.isAnswer && this.state.result.conflict === undefined;
  }

  /** Whether it marked places in its document. */
  get hasHighlights(): boolean {
    return this.state.kind === "done" && (this.state.result.highlights ?? []).length > 0;
  }

  stage(stage: RunStage): void {
    if (this.isActive && this.text === "") {
      this.state = { kind: "waiting", message: describeStage(stage) };
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
      this.text = result.document === undefined ? result.text : plainText(result.document.markdown);
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
      case "done": {
        const { facts, conflict } = this.state.result;
        const warning = conflict === undefined ? [] : [`$(warning) ${conflict}`];
        return [...warning, describeFacts(facts)].join(" · ");
      }
      case "stopped":
        return "Stopped. The document is unchanged.";
      case "failed":
        return this.text === ""
          ? "$(error) Failed"
          : `$(error) ${shortened(this.state.message, MESSAGE_LIMIT)}`;
    }
  }
}
