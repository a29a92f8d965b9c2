/** The language status item: what the server is doing, and the way to its log. */
import {
  Disposable,
  type LanguageStatusItem,
  LanguageStatusSeverity,
  languages,
  type LogOutputChannel,
} from "vscode";
import { type ClientState, DOCUMENT_SELECTOR, type Server } from "./client";
import { NAME } from "./log";
import type { Status } from "./protocol";

export class StatusItem implements Disposable {
  private readonly item: LanguageStatusItem;
  private readonly subscriptions: Disposable;
  private lastEngine = "";

  constructor(
    server: Server,
    private readonly log: LogOutputChannel,
  ) {
    this.item = languages.createLanguageStatusItem("transformers.status", DOCUMENT_SELECTOR);
    this.item.name = NAME;
    this.item.command = { title: "Show Logs", command: "transformers.showLogs" };
    this.showState({ kind: "starting" });
    this.subscriptions = Disposable.from(
      server.onState((state) => {
        this.showState(state);
      }),
      server.onStatus((status) => {
        this.showStatus(status);
      }),
    );
  }

  dispose(): void {
    this.subscriptions.dispose();
    this.item.dispose();
  }

  private showState(state: ClientState): void {
    this.item.busy = state.kind === "starting";
    this.item.severity =
      state.kind === "failed" ? LanguageStatusSeverity.Error : LanguageStatusSeverity.Information;
    this.item.text = {
      starting: "Transformers: starting",
      running: "Transformers: ready",
      stopped: "Transformers: stopped",
      failed: "Transformers: error",
    }[state.kind];
    this.item.detail = state.kind === "failed" ? state.message : "";
  }

  private showStatus(status: Status): void {
    this.item.busy = status.state === "busy";
    this.item.severity =
      status.state === "error"
        ? LanguageStatusSeverity.Warning
        : LanguageStatusSeverity.Information;
    this.item.text = `Transformers: ${status.state}`;
    const engine = describeEngine(status.engine);
    this.item.detail = [status.message, engine].filter((part) => part !== "").join(" · ");
    if (engine !== this.lastEngine) {
      this.lastEngine = engine;
      this.log.info(engine);
    }
  }
}

/** The engine in one line; tests and bug reports read it in the log. */
export function describeEngine(engine: Status["engine"]): string {
  const parts = [`${engine.kind} engine ${engine.state}`];
  if (engine.pid !== undefined) {
    parts.push(`pid ${engine.pid}`);
  }
  const device = [engine.device, engine.dtype].filter((part) => part !== undefined).join(" ");
  parts.push(...[device, engine.model ?? ""].filter((part) => part !== ""));
  if (engine.runs.length > 0) {
    parts.push(engine.runs.length === 1 ? "1 run" : `${engine.runs.length} runs`);
  }
  return parts.join(" · ");
}
