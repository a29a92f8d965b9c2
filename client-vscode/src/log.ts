/** Where the client, the server and the protocol's trace write. */
import type { Readable } from "node:stream";
import { createInterface } from "node:readline";
import { type LogOutputChannel, type OutputChannel, window } from "vscode";

export const NAME = "Transformers Language Server";

const RECORD = /^\d{4}-\d\d-\d\d \S+ (CRITICAL|ERROR|WARNING|INFO|DEBUG)\b/;

/** Hands the server's stderr to the log, each record (and the lines after it) at its own level. */
export function logLines(input: Readable, log: LogOutputChannel): void {
  let level: string | undefined;
  createInterface({ input }).on("line", (line) => {
    level = RECORD.exec(line)?.[1] ?? level;
    if (level === "CRITICAL" || level === "ERROR") {
      log.error(line);
    } else if (level === "WARNING") {
      log.warn(line);
    } else if (level === "DEBUG") {
      log.debug(line);
    } else {
      log.info(line);
    }
  });
}

/**
 * The channel for the protocol's trace. It exists from the first traced message on, and messages
 * are traced while the level of the main channel is Trace ("Developer: Set Log Level").
 */
export function traceChannel(log: LogOutputChannel): LogOutputChannel {
  let channel: OutputChannel | undefined;
  const write = (message: string) => {
    channel ??= window.createOutputChannel(`${NAME} Trace`);
    channel.appendLine(`${new Date().toISOString()} ${message}`);
  };
  const show = () => {
    channel?.show(true);
  };
  const writeLine = (message: string | Error) => {
    write(String(message));
  };
  return {
    name: `${NAME} Trace`,
    get logLevel() {
      return log.logLevel;
    },
    onDidChangeLogLevel: log.onDidChangeLogLevel.bind(log),
    trace: writeLine,
    debug: writeLine,
    info: writeLine,
    warn: writeLine,
    error: writeLine,
    append: write,
    appendLine: write,
    replace: write,
    clear: () => channel?.clear(),
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- both overloads share one name
    show,
    hide: () => channel?.hide(),
    dispose: () => channel?.dispose(),
  };
}
