/** The language status items: what the server and its engine are doing, and what can be done. */
import {
  Disposable,
  type LanguageStatusItem,
  LanguageStatusSeverity,
  languages,
  type LogOutputChannel,
} from "vscode";
import { type ClientState, DOCUMENT_SELECTOR, type Server } from "./client";
import { describeEngine, isStoppable, STOP_ENGINE, whereOf } from "./engineText";
import { NAME } from "./log";
import type { Status } from "./protocol";

export class StatusItem implements Disposable {
  private readonly item: LanguageStatusItem;
  /** Is there while the engine holds memory. */
  private engine: LanguageStatusItem | undefined;
  private readonly subscriptions: Disposable;
  private lastEngine = "";

  constructor(
    server: Server,
    private readonly log: LogOutputChannel,
  ) {
    this.item = languages.createLanguageStatusItem("transformers.status", DOCUMENT_SELECTOR);
    this.item.name = NAME;
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
    this.engine?.dispose();
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
    this.item.command =
      state.kind === "failed" || state.kind === "stopped"
        ? { title: "Start Server", command: "transformers.restartServer" }
        : { title: "Show Logs", command: "transformers.showLogs" };
    if (state.kind !== "running") {
      this.showEngine(undefined);
    }
  }

  private showStatus(status: Status): void {
    this.item.busy = status.state === "busy";
    this.item.severity =
      status.state === "error"
        ? LanguageStatusSeverity.Warning
        : LanguageStatusSeverity.Information;
    this.item.text = `Transformers: ${status.state}`;
    const engine = describeEngine(status.engine);
    this.item.detail = status.message;
    this.showEngine(isStoppable(status.engine) ? status.engine : undefined);
    if (engine !== this.lastEngine) {
      this.lastEngine = engine;
      this.log.info(engine);
    }
  }

  private showEngine(engine: Status["engine"] | undefined): void {
    if (engine === undefined) {
      this.engine?.dispose();
      this.engine = undefined;
      return;
    }
    this.engine ??= languages.createLanguageStatusItem("transformers.engine", DOCUMENT_SELECTOR);
    this.engine.name = `${NAME}: Engine`;
    this.engine.text = `Engine: ${engine.state}`;
    this.engine.detail = whereOf(engine).join(" · ");
    this.engine.busy = engine.state === "starting" || engine.state === "busy";
    this.engine.command = { title: "Stop", command: STOP_ENGINE };
  }
}
