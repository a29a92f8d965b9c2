/** Starts, follows, stops, accepts and discards runs. Each run has one preview. */
import { randomUUID } from "node:crypto";
import {
  CancellationTokenSource,
  commands,
  Disposable,
  env,
  type LogOutputChannel,
  type TextDocument,
  Uri,
  ViewColumn,
  window,
  workspace,
} from "vscode";
import { applyResult } from "./accept";
import type { Server } from "./client";
import type { Highlights } from "./highlights";
import { describe, problemOf } from "./problems";
import { RUN, type RunParams, type RunResult } from "./protocol";
import { Run } from "./run";
import { closeTabs, RUN_SCHEME, type RunPreviews, runUri } from "./runPreviews";

interface Owned {
  run: Run;
  uri: Uri;
  /** The text of the document when the run began. */
  before: string;
  source: Uri;
  column: ViewColumn | undefined;
  cancel: CancellationTokenSource;
}

/** A task as it is called in the title of its preview. */
function titleOf(task: string): string {
  return task.charAt(0).toUpperCase() + task.slice(1).replaceAll("-", " ");
}

export class Runs implements Disposable {
  private readonly owned = new Map<string, Owned>();
  private readonly subscriptions: Disposable;

  constructor(
    private readonly server: Server,
    private readonly previews: RunPreviews,
    private readonly highlights: Highlights,
    private readonly log: LogOutputChannel,
  ) {
    this.subscriptions = Disposable.from(
      server.onDelta(({ runId, text }) => {
        this.change(runId, (run) => {
          run.write(text);
        });
      }),
      server.onStage((stage) => {
        this.change(stage.runId, (run) => {
          run.stage(stage);
        });
      }),
      previews.onClosed((uri) => {
        this.forget(uri);
      }),
    );
  }

  dispose(): void {
    for (const { cancel } of this.owned.values()) {
      cancel.cancel();
    }
    this.subscriptions.dispose();
  }

  /** Starts a run and opens its preview beside the document. */
  async start(params: RunParams): Promise<{ runId: string }> {
    const id = params.runId ?? randomUUID();
    const document = await workspace.openTextDocument(Uri.parse(params.textDocument.uri));
    const title = `${titleOf(params.task)} · ${nameOf(document)}`;
    const owned: Owned = {
      run: new Run(id, title),
      uri: runUri(id, title),
      before: document.getText(),
      source: document.uri,
      column: window.visibleTextEditors.find((e) => e.document === document)?.viewColumn,
      cancel: new CancellationTokenSource(),
    };
    this.owned.set(id, owned);
    this.previews.add(owned.uri, owned.run);
    this.updateContext();
    this.log.info(`Run ${id}: ${params.task} started`);
    void this.follow(owned, { ...params, runId: id });
    await this.previews.open(owned.uri);
    return { runId: id };
  }

  /** Applies the result to the document as one undo step and closes the preview. */
  async accept(id: string | undefined): Promise<void> {
    const owned = this.find(id);
    if (owned?.run.state.kind !== "done" || !owned.run.isAcceptable) {
      return;
    }
    const { result } = owned.run.state;
    const edit = await this.server.editOf(result.edit);
    const inserted = edit && (await applyResult(edit, owned.source, owned.before));
    if (inserted === undefined) {
      const copy = "Copy Result";
      const choice = await window.showWarningMessage(
        `${nameOfPath(owned.source)} was changed where the result belongs, so it was not inserted. ` +
          "Copy the result and put it where you want it.",
        copy,
      );
      if (choice === copy) {
        await env.clipboard.writeText(result.text);
      }
      return;
    }
    this.log.info(`Run ${owned.run.id}: accepted`);
    await closeTabs(owned.uri);
    await window.showTextDocument(owned.source, {
      viewColumn: owned.column ?? ViewColumn.Active,
      selection: inserted,
    });
  }

  /** Closes the preview, which also stops the run. */
  async discard(id: string | undefined): Promise<void> {
    const owned = this.find(id);
    if (owned !== undefined) {
      await closeTabs(owned.uri);
    }
  }

  stop(id: string | undefined): void {
    const owned = this.find(id);
    if (owned?.run.isActive === true) {
      this.log.info(`Run ${owned.run.id}: stop requested`);
      owned.run.stop();
      owned.cancel.cancel();
      this.refresh(owned);
    }
  }

  async copy(id: string | undefined): Promise<void> {
    const owned = this.find(id);
    if (owned !== undefined) {
      await env.clipboard.writeText(owned.run.text);
    }
  }

  /** The run of a code lens (its id), of a title action (its preview's Uri), or of the active tab. */
  idOf(argument: unknown): string | undefined {
    if (typeof argument === "string") {
      return argument;
    }
    const uri = argument instanceof Uri ? argument : activePreview();
    return [...this.owned.values()].find((owned) => owned.uri.toString() === uri?.toString())?.run
      .id;
  }

  private async follow(owned: Owned, params: RunParams): Promise<void> {
    const { run } = owned;
    try {
      const result = await this.server.request<RunResult>(RUN, params, owned.cancel.token);
      if (run.isActive) {
        run.finish(result);
        this.highlights.show(owned.source, result.version, result.highlights ?? []);
      }
    } catch (error) {
      const problem = problemOf(error);
      if (run.isActive && problem.code !== "cancelled") {
        run.fail(describe(problem));
        this.report(describe(problem), problem.code);
      } else {
        run.stop();
      }
    }
    this.log.info(`Run ${run.id}: ${run.state.kind}`);
    this.refresh(owned);
  }

  private report(message: string, code: string): void {
    const [logs, install] = ["Show Logs", "Install Model…"];
    const actions = code === "model-not-found" ? [install, logs] : [logs];
    void window.showErrorMessage(message, ...actions).then((choice) => {
      if (choice === logs) {
        this.log.show();
      } else if (choice === install) {
        void commands.executeCommand("transformers.installModel");
      }
    });
  }

  private change(id: string, edit: (run: Run) => void): void {
    const owned = this.owned.get(id);
    if (owned !== undefined) {
      edit(owned.run);
      this.previews.refresh(owned.uri);
    }
  }

  private refresh(owned: Owned): void {
    this.previews.refresh(owned.uri);
    this.updateContext();
  }

  private find(id: string | undefined): Owned | undefined {
    return id === undefined ? undefined : this.owned.get(id);
  }

  private forget(uri: Uri): void {
    const found = [...this.owned.values()].find((owned) => owned.uri.toString() === uri.toString());
    if (found !== undefined) {
      this.stop(found.run.id);
      this.owned.delete(found.run.id);
      this.updateContext();
    }
  }

  /** Tells the editor which previews show which buttons. */
  private updateContext(): void {
    const uris = (wanted: (run: Run) => boolean) =>
      [...this.owned.values()].filter(({ run }) => wanted(run)).map(({ uri }) => uri.toString());
    const set = (key: string, value: string[]) =>
      void commands.executeCommand("setContext", key, value);
    set(
      "transformers.runsActive",
      uris((run) => run.isActive),
    );
    set(
      "transformers.runsDone",
      uris((run) => run.isAcceptable),
    );
  }
}

function activePreview(): Uri | undefined {
  const uri = window.activeTextEditor?.document.uri;
  return uri?.scheme === RUN_SCHEME ? uri : undefined;
}

function nameOfPath(uri: Uri): string {
  return uri.path.split("/").at(-1) ?? uri.path;
}

function nameOf(document: TextDocument): string {
  return nameOfPath(document.uri);
}
