/** Owns the connection to the language server: start, stop, restart, and requests while it runs. */
import {
  commands,
  type CancellationToken,
  Disposable,
  type Event,
  EventEmitter,
  type LogOutputChannel,
  type Memento,
  window,
  workspace,
  type WorkspaceEdit,
} from "vscode";
import {
  CloseAction,
  ErrorAction,
  type ErrorHandler,
  type ExecuteCommandSignature,
  LanguageClient,
  RevealOutputChannelOn,
  State,
  type WorkspaceEdit as LspWorkspaceEdit,
} from "vscode-languageclient/node";
import { Backoff, Coalesced } from "./flow";
import { logLines, NAME, traceChannel } from "./log";
import { describe, problemOf, UserError } from "./problems";
import {
  RUN_DELTA,
  RUN_STAGE,
  type RunDelta,
  type RunStage,
  STATUS,
  type Status,
} from "./protocol";
import { activeInterpreter } from "./python";
import {
  type Candidate,
  type Command,
  explain,
  isSameEnd,
  type Lookup,
  lookUp,
  serverEnvironment,
} from "./serverLookup";
import * as settings from "./settings";

export const LANGUAGES = [
  "markdown",
  "plaintext",
  "python",
  "json",
  "jsonc",
  "jsonl",
  "yaml",
  "toml",
  "jinja",
  "prompty",
] as const;

export const DOCUMENT_SELECTOR = [
  ...LANGUAGES.flatMap((language) => [
    { scheme: "file", language },
    { scheme: "untitled", language },
  ]),
  // A notebook's cells are documents of their own; opened as text, it is a file.
  { scheme: "vscode-notebook-cell", language: "markdown" },
  { scheme: "vscode-notebook-cell", language: "python" },
  { scheme: "file", pattern: "**/*.ipynb" },
  // Other extensions open templates as jinja-html and the like.
  { scheme: "file", pattern: "**/*.{jinja,jinja2}" },
];

export type ClientState =
  | { kind: "stopped" }
  | { kind: "starting" }
  | { kind: "running" }
  | { kind: "failed"; message: string };

const CRASHES_ALLOWED = 4;
const CRASH_WINDOW_MS = 3 * 60_000;

const LAST_INTERPRETER = "server.lastInterpreter";
// In a remote window an extension may be activated before the settings of the machine are there.
const SETTINGS_LATE_MS = 2000;
// Who installs the package, or whose disk is slow to appear, need not ask again.
const RETRY_DELAYS_MS = [5, 10, 20, 40, 60, 60, 60, 60, 60].map((seconds) => seconds * 1000);

export class Server implements Disposable {
  private client: LanguageClient | undefined;
  private lookup: Lookup | undefined;
  private setting: readonly string[] = [];
  private crashes: number[] = [];
  private starting: Promise<void> | undefined;
  private started: (() => void) | undefined;
  private readonly restarts = new Coalesced(() => this.restartOnce());
  private readonly retries = new Backoff(RETRY_DELAYS_MS, () => void this.retry());
  private readonly trace;
  private readonly stateEmitter = new EventEmitter<ClientState>();
  private readonly statusEmitter = new EventEmitter<Status>();
  private readonly deltaEmitter = new EventEmitter<RunDelta>();
  private readonly stageEmitter = new EventEmitter<RunStage>();

  readonly onState: Event<ClientState> = this.stateEmitter.event;
  readonly onStatus: Event<Status> = this.statusEmitter.event;
  readonly onDelta: Event<RunDelta> = this.deltaEmitter.event;
  readonly onStage: Event<RunStage> = this.stageEmitter.event;

  constructor(
    private readonly log: LogOutputChannel,
    private readonly memory: Memento,
    private readonly executeCommand: (
      command: string,
      args: unknown[],
      next: ExecuteCommandSignature,
    ) => unknown,
  ) {
    this.trace = traceChannel(log);
  }

  /** Starts the server, or starts it anew. Calls that come meanwhile become one more restart. */
  restart(): Promise<void> {
    return this.restarts.request();
  }

  /**
   * As below, if the setting is not what it was. The event of a change does not say so when a value
   * goes because its file is read again, with scopes that were not known before.
   */
  async restartIfSettingChanges(): Promise<void> {
    if (JSON.stringify(settings.interpreter()) !== JSON.stringify(this.setting)) {
      await this.restartIfLookupChanges();
    }
  }

  /** Restarts only if another interpreter would now be chosen, or none was found before. */
  async restartIfLookupChanges(): Promise<void> {
    if (!isSameEnd(this.lookup, await this.look())) {
      await this.restart();
    }
  }

  /** Waits for a server that starts; fails with a clear message where none will answer. */
  async ready(): Promise<LanguageClient> {
    await this.starting;
    if (this.client?.state !== State.Running) {
      throw new UserError(
        "The Transformers language server is not running.",
        "Run “Transformers: Restart Server”, or see “Transformers: Show Logs”.",
      );
    }
    return this.client;
  }

  /** Sends a request, as soon as the server is there. */
  async request<R>(method: string, params: unknown, token?: CancellationToken): Promise<R> {
    const client = await this.ready();
    // A token that is undefined would be taken for one more parameter.
    return token === undefined
      ? client.sendRequest<R>(method, params)
      : client.sendRequest<R>(method, params, token);
  }

  /** Makes the editor's edit of a protocol's one. */
  async editOf(edit: LspWorkspaceEdit): Promise<WorkspaceEdit | undefined> {
    return this.client?.protocol2CodeConverter.asWorkspaceEdit(edit);
  }

  get isRunning(): boolean {
    return this.client?.state === State.Running;
  }

  async stop(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    if (client === undefined) {
      return;
    }
    try {
      await client.dispose();
    } catch (error) {
      // A server that failed to start, or died, cannot be asked to stop; it is gone all the same.
      this.log.debug(`Stopping the server: ${describe(problemOf(error))}`);
    }
  }

  dispose(): void {
    Disposable.from(
      this.retries,
      this.trace,
      this.stateEmitter,
      this.statusEmitter,
      this.deltaEmitter,
      this.stageEmitter,
    ).dispose();
  }

  private async restartOnce(): Promise<void> {
    this.setState({ kind: "starting" });
    this.retries.dispose();
    await this.stop();
    this.lookup = await this.look();
    if (!this.lookup.found && settings.interpreter().length === 0) {
      await new Promise((resolve) => setTimeout(resolve, SETTINGS_LATE_MS));
      this.lookup = await this.look();
    }
    if (!this.lookup.found) {
      this.fail(explain(this.lookup));
      this.retries.request();
      return;
    }
    const client = this.create(this.lookup.candidate);
    this.client = client;
    try {
      await client.start();
    } catch (error) {
      this.fail(`The language server did not start: ${describe(problemOf(error))}`);
      return;
    }
    const { command, args } = this.lookup.candidate;
    await this.memory.update(LAST_INTERPRETER, { command, args } satisfies Command);
  }

  /** Looks once more, without a word where there is still nothing. */
  private async retry(): Promise<void> {
    const lookup = await this.look();
    if (lookup.found) {
      await this.restart();
    } else {
      this.retries.request();
    }
  }

  private async look(): Promise<Lookup> {
    const isTrusted = workspace.isTrusted;
    this.setting = settings.interpreter();
    return lookUp({
      setting: this.setting,
      pythonExtension: isTrusted ? await activeInterpreter() : undefined,
      last: isTrusted ? this.memory.get<Command>(LAST_INTERPRETER) : undefined,
    });
  }

  private create({ command, args, source }: Candidate): LanguageClient {
    this.log.info(`Starting the server with ${[command, ...args].join(" ")} (${source})`);
    const client = new LanguageClient(
      "transformers",
      NAME,
      {
        command,
        args: [...args, "-m", "transformers_ls", "serve", "--stdio"],
        options: { env: serverEnvironment() },
      },
      {
        documentSelector: DOCUMENT_SELECTOR,
        initializationOptions: { statusNotifications: true },
        outputChannel: this.log,
        traceOutputChannel: this.trace,
        revealOutputChannelOn: RevealOutputChannelOn.Never,
        initializationFailedHandler: () => false,
        errorHandler: this.errorHandler(),
        middleware: { executeCommand: this.executeCommand },
        stdioOptions: {
          stdout: () => undefined,
          stderr: logLines,
        },
      },
    );
    client.onDidChangeState(({ newState }) => {
      if (client === this.client) {
        this.onClientState(newState);
      }
    });
    client.onNotification(STATUS, (status: Status) => {
      this.statusEmitter.fire(status);
    });
    client.onNotification(RUN_DELTA, (delta: RunDelta) => {
      this.deltaEmitter.fire(delta);
    });
    client.onNotification(RUN_STAGE, (stage: RunStage) => {
      this.stageEmitter.fire(stage);
    });
    return client;
  }

  private onClientState(state: State): void {
    if (state === State.Running) {
      this.setState({ kind: "running" });
      void this.askForStatus();
    } else if (state === State.Starting) {
      this.setState({ kind: "starting" });
    } else if (state === State.Stopped) {
      this.setState({ kind: "stopped" });
    }
  }

  /** Whatever was told before this client listened is asked for once. */
  private async askForStatus(): Promise<void> {
    try {
      this.statusEmitter.fire(await this.request<Status>(STATUS, {}));
    } catch (error) {
      this.log.debug(`Asking for the status: ${describe(problemOf(error))}`);
    }
  }

  private setState(state: ClientState): void {
    if (state.kind === "starting") {
      this.starting ??= new Promise((resolve) => (this.started = resolve));
    } else {
      this.started?.();
      this.started = this.starting = undefined;
    }
    void commands.executeCommand(
      "setContext",
      "transformers.serverRunning",
      state.kind === "running",
    );
    this.stateEmitter.fire(state);
  }

  private fail(message: string): void {
    this.log.error(message);
    this.setState({ kind: "failed", message });
    const [again, logs, open] = ["Try Again", "Show Logs", "Open Settings"];
    void window.showErrorMessage(message, again, logs, open).then((choice) => {
      if (choice === again) {
        void this.restart();
      } else if (choice === logs) {
        this.log.show();
      } else if (choice === open) {
        void commands.executeCommand("workbench.action.openSettings", settings.INTERPRETER);
      }
    });
  }

  /** A server that dies is started again, until it dies too often. */
  private errorHandler(): ErrorHandler {
    return {
      error: (_error, _message, count) => ({
        action: (count ?? 0) <= 3 ? ErrorAction.Continue : ErrorAction.Shutdown,
        handled: true,
      }),
      closed: () => {
        // One that never ran will not run the next time; the failed start is reported instead.
        if (this.starting !== undefined) {
          return { action: CloseAction.DoNotRestart, handled: true };
        }
        const now = Date.now();
        this.crashes = [...this.crashes.filter((time) => now - time < CRASH_WINDOW_MS), now];
        if (this.crashes.length <= CRASHES_ALLOWED) {
          this.log.warn("The server ended unexpectedly; starting it again.");
          return { action: CloseAction.Restart, handled: true };
        }
        this.crashes = [];
        this.fail(
          `The language server ended ${CRASHES_ALLOWED + 1} times within three minutes and is not ` +
            "started again. See its log, then run “Transformers: Restart Server”.",
        );
        return { action: CloseAction.DoNotRestart, handled: true };
      },
    };
  }
}
