/** What the engine is doing, in words. */
import type { Status } from "./protocol";
import { escapeMarkdown } from "./text";

type Engine = Status["engine"];

export const STOP_ENGINE = "transformers.stopEngine";

/** The engine in one line; tests and bug reports read it in the log. */
export function describeEngine(engine: Engine): string {
  const parts = [`${engine.kind} engine ${engine.state}`];
  if (engine.pid !== undefined) {
    parts.push(`pid ${engine.pid}`);
  }
  parts.push(...whereOf(engine));
  if (engine.runs.length > 0) {
    parts.push(engine.runs.length === 1 ? "1 run" : `${engine.runs.length} runs`);
  }
  return parts.join(" · ");
}

/** The device and the model, as far as they are known. */
export function whereOf(engine: Engine): string[] {
  const device = [engine.device, engine.dtype].filter((part) => part !== undefined).join(" ");
  return [device, engine.model ?? ""].filter((part) => part !== "");
}

/** Whether the engine holds memory that stopping it gives back. */
export function isStoppable({ kind, pid }: Engine): boolean {
  return kind === "local" && pid !== undefined;
}

/** A line of Markdown for a tooltip that may call `STOP_ENGINE` and no other command. */
export function engineMarkdown(engine: Engine): string {
  const line = [`Engine: ${engine.state}`, ...whereOf(engine)].map(escapeMarkdown).join(" · ");
  return isStoppable(engine) ? `${line} · [Stop engine](command:${STOP_ENGINE})` : line;
}
