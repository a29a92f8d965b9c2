/** The custom messages of server/LSP_EXTENSIONS.md, as TypeScript types. */
import type { Range as LspRange, WorkspaceEdit as LspWorkspaceEdit } from "vscode-languageclient";

export const TASKS = "transformers/tasks";
export const RUN = "transformers/run";
export const RUN_DELTA = "transformers/run/delta";
export const RUN_STAGE = "transformers/run/stage";
export const COUNT = "transformers/count";
export const BOUNDARIES = "transformers/boundaries";
export const RENDER = "transformers/render";
export const STATUS = "transformers/status";

/** The command of code actions; here it opens a preview instead of editing at the end. */
export const RUN_COMMAND = "transformers.run";
export const INSTALL_COMMAND = "transformers.install";
export const COUNT_FOLDER_COMMAND = "transformers.countFolder";

export interface FolderReport {
  markdown: string;
  files: number;
  tokens: Record<string, number>;
}

export interface RunParams {
  task: string;
  textDocument: { uri: string; version?: number };
  range: LspRange;
  runId?: string;
  targetLanguage?: string;
  model?: string;
  question?: string;
  labels?: string[];
  /** Of the same document. */
  otherRange?: LspRange;
}

/** What a user says beside the text. */
export type Ask = "language" | "question" | "labels" | "otherRange";

export interface TaskInfo {
  id: string;
  title: string;
  description: string;
  /** An edit to accept, or something to read. */
  result: "edit" | "answer";
  asks: Ask[];
}

export interface TasksResult {
  tasks: TaskInfo[];
  problems: string[];
}

export interface RunFacts {
  model: string;
  destination: string;
  promptTokens: number;
  completionTokens: number;
  timeToFirstToken: number;
  seconds: number;
  tokensPerSecond: number;
  finishReason: string;
  parts: number;
  kept: number;
  device?: string;
  dtype?: string;
  memoryBytes?: number;
  loadSeconds?: number;
  reusedTokens?: number;
  acceptedTokens?: number;
}

/** A place that a model said something of. */
export interface Highlight {
  range: LspRange;
  label: string;
  score?: number;
  message: string;
}

export interface RunResult {
  runId: string;
  text: string;
  edit: LspWorkspaceEdit;
  facts: RunFacts;
  /** Why the edit is empty. */
  conflict?: string;
  /** Of an answer: what to read, and the places it speaks of in a version of the document. */
  document?: { title: string; markdown: string };
  highlights?: Highlight[];
  version?: number;
}

export interface RunDelta {
  runId: string;
  seq: number;
  text: string;
}

export interface RunStage {
  runId: string;
  stage: "starting" | "loading" | "running";
  message: string;
  percent?: number;
  doneBytes?: number;
  totalBytes?: number;
}

export interface CountParams {
  textDocument: { uri: string };
  ranges: LspRange[];
}

export interface ModelCount {
  model: string;
  state: "ready" | "loading" | "failed";
  message?: string;
  tokens: number[];
  exact: boolean;
  window?: number;
  windowSource?: string;
}

export interface BoundariesParams {
  textDocument: { uri: string };
  range: LspRange;
  limit?: number;
}

export interface BoundariesResult {
  version: number;
  model: string;
  state: "ready" | "loading" | "failed";
  message?: string;
  exact: boolean;
  truncated: boolean;
  data: number[];
  tokens: string[];
}

export interface CountResult {
  version: number;
  models: ModelCount[];
}

/** How a chat is rendered, where it is not as the chat itself and the settings say. */
export interface RenderOptions {
  model?: string;
  templateName?: string;
  addGenerationPrompt?: boolean;
  /** Instead of the chat's own; false leaves those out. */
  tools?: false | unknown[];
  kwargs?: Record<string, unknown>;
  /** Which sample chat a document that is a template itself is shown with. */
  sample?: string;
}

export interface RenderParams extends RenderOptions {
  textDocument: { uri: string };
  position?: { line: number; character: number };
  /** False leaves out what takes longer than the prompt itself. */
  details?: boolean;
}

/** A part of the prompt, in UTF-16 offsets. */
export interface PromptPart {
  start: number;
  end: number;
  tokens: number;
  exact: boolean;
}

export interface RenderedMessage extends Partial<PromptPart> {
  role: string;
  contentTokens?: number;
  /** Where the content stands in the prompt, blanks around it aside. */
  content?: [number, number];
  /** Where the message stands in the document. */
  range: LspRange;
  contentRange: LspRange;
}

export interface RenderResult {
  version: number;
  model: string;
  templateSource: string;
  templateName: string;
  templates: string[];
  variables: string[];
  text: string;
  specials: [number, number][];
  messages: RenderedMessage[];
  range: LspRange;
  toolCount: number;
  /** Of a document that is a template itself: the chat it is shown with, and all there are. */
  sample?: string;
  samples?: string[];
  exact: boolean;
  tokens?: number;
  window?: number;
  windowSource?: string;
  /** The parts that belong to no message, and the sum of their tokens. */
  around?: PromptPart[];
  overhead?: number;
  trained?: {
    spans: [number, number][];
    tokens: number;
    source: "generation tags" | "prefix difference" | "unknown";
  };
}

export interface Status {
  state: "ready" | "busy" | "error";
  message: string;
  tokenizers: { model: string; state: "loading" | "ready" | "failed"; message?: string }[];
  engine: {
    kind: "local" | "remote";
    state: "stopped" | "starting" | "idle" | "busy" | "failed";
    pid?: number;
    device?: string;
    dtype?: string;
    model?: string;
    runs: string[];
  };
}
