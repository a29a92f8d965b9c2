/** What a run waits for, and what it took, in one line each. */
import type { RunFacts, RunStage } from "./protocol";
import { grouped } from "./text";

const UNITS = ["kB", "MB", "GB", "TB"];

/** Writes a size as people say it: 1.2 GB. */
export function size(bytes: number): string {
  let value = bytes;
  let unit = "bytes";
  for (const next of UNITS) {
    if (value < 999.5) {
      break;
    }
    value /= 1000;
    unit = next;
  }
  return `${value < 9.95 && unit !== "bytes" ? value.toFixed(1) : value.toFixed(0)} ${unit}`;
}

/** The stage of a run, with how far it is. */
export function describeStage({
  stage,
  message,
  percent,
  doneBytes,
  totalBytes,
}: RunStage): string {
  const parts = [message || stage];
  if (doneBytes !== undefined && totalBytes !== undefined && totalBytes > 0) {
    parts.push(`${size(doneBytes)} of ${size(totalBytes)}`);
  } else if (percent !== undefined) {
    parts.push(`${Math.round(percent)} %`);
  }
  return parts.join(" ");
}

/** The facts of a run that wrote a text, the most telling ones first. */
export function describeFacts(facts: RunFacts): string {
  const parts: string[] = [];
  // Runs that only say something of a text write no tokens.
  if (facts.completionTokens > 0) {
    const count = facts.completionTokens;
    parts.push(`${grouped(count)} ${count === 1 ? "token" : "tokens"}`);
    parts.push(`${facts.tokensPerSecond.toFixed(facts.tokensPerSecond < 10 ? 1 : 0)} tok/s`);
    parts.push(`first after ${seconds(facts.timeToFirstToken)}`);
  } else {
    parts.push(seconds(facts.seconds));
  }
  parts.push(facts.destination);
  if (facts.memoryBytes !== undefined && facts.memoryBytes > 0) {
    parts.push(size(facts.memoryBytes));
  }
  parts.push(facts.model);
  if (facts.finishReason === "length") {
    parts.push("$(warning) cut at the length limit");
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

function seconds(value: number): string {
  return value < 1 ? `${Math.round(1000 * value)} ms` : `${value.toFixed(1)} s`;
}
