/**
 * Finds the Python that runs the server. A lookup is a function that returns data: it starts
 * nothing and shows nothing, so that two lookups can be compared and one can be tested.
 */
import { execFile } from "node:child_process";

export type Source = "setting" | "Python extension" | "path" | "last time";

export interface Candidate {
  source: Source;
  command: string;
  args: string[];
}

export type Lookup =
  | { found: true; candidate: Candidate }
  | { found: false; tried: { candidate: Candidate; problem: string }[] };

export interface Sources {
  setting: readonly string[];
  /** Undefined also in an untrusted workspace, whose own environment must not be run. */
  pythonExtension: string | undefined;
  /** What ran the server last; undefined in an untrusted workspace, too. */
  last: Command | undefined;
}

export type Command = Pick<Candidate, "command" | "args">;

/** Says what is wrong with an interpreter, or nothing. */
export type Probe = (candidate: Candidate) => Promise<string | undefined>;

const PROBE_TIMEOUT_MS = 20_000;

/**
 * The interpreters to try, in order:
 * 1. the setting `transformers.interpreter`, and then no other: who names one wants that one;
 * 2. the one chosen in the Python extension;
 * 3. `python3` and `python` on the path;
 * 4. the one that ran the server last: a window that is reloaded may read its settings late.
 */
export function candidates({ setting, pythonExtension, last }: Sources): Candidate[] {
  const [command, ...args] = setting;
  if (command !== undefined) {
    return [{ source: "setting", command, args }];
  }
  const onPath = ["python3", "python"].map((name): Candidate => ({
    source: "path",
    command: name,
    args: [],
  }));
  const known = last && { source: "last time" as const, ...last };
  return [
    ...(pythonExtension === undefined
      ? []
      : [{ source: "Python extension" as const, command: pythonExtension, args: [] }]),
    ...onPath,
    ...(known === undefined ? [] : [known]),
  ];
}

/** Says whether two lookups end alike, from wherever they know the interpreter. */
export function isSameEnd(one: Lookup | undefined, other: Lookup): boolean {
  return JSON.stringify(one && endOf(one)) === JSON.stringify(endOf(other));
}

function endOf(lookup: Lookup): unknown {
  return lookup.found ? [lookup.candidate.command, lookup.candidate.args] : lookup.tried;
}

/** Tries the candidates in order and returns the first that has the server's package. */
export async function lookUp(sources: Sources, probe: Probe = probeInterpreter): Promise<Lookup> {
  const tried: { candidate: Candidate; problem: string }[] = [];
  for (const candidate of candidates(sources)) {
    const problem = await probe(candidate);
    if (problem === undefined) {
      return { found: true, candidate };
    }
    tried.push({ candidate, problem });
  }
  return { found: false, tried };
}

/** One message that says what was tried and what to do. */
export function explain(lookup: Lookup & { found: false }): string {
  const tried = lookup.tried
    .map(({ candidate, problem }) => `${candidate.command} (${candidate.source}): ${problem}`)
    .join("; ");
  return (
    `No Python with transformers-ls was found. Tried ${tried}. ` +
    "Install it with “pip install transformers-ls”, or set transformers.interpreter " +
    "to a Python that has it."
  );
}

/** The environment for the server: this one, but a workspace's files never shadow modules. */
export function serverEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, PYTHONSAFEPATH: "1", PYTHONUNBUFFERED: "1" };
}

/** Imports the server's package in the interpreter. */
export function probeInterpreter({ command, args }: Candidate): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(
      command,
      [...args, "-c", "import transformers_ls"],
      { timeout: PROBE_TIMEOUT_MS, env: serverEnvironment(), windowsHide: true },
      (error, _stdout, stderr) => {
        resolve(error === null ? undefined : problemIn(error, stderr));
      },
    );
  });
}

function problemIn(
  error: { code?: unknown; killed?: boolean | undefined; message: string },
  stderr: string,
): string {
  if (error.code === "ENOENT") {
    return "no such program";
  }
  if (error.killed === true) {
    return `no answer within ${PROBE_TIMEOUT_MS / 1000} s`;
  }
  if (/No module named '?transformers_ls\b/.test(stderr)) {
    return "transformers-ls is not installed there";
  }
  const last = stderr.trim().split("\n").at(-1);
  return last === undefined || last === "" ? error.message.trim() : last;
}
