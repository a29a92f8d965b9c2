/** What one chat preview shows: the last prompt that could be rendered, and how it went since. */
import { type Uri, window, workspace } from "vscode";
import type { Server } from "./client";
import { describe, problemOf } from "./problems";
import { RENDER, type RenderParams, type RenderResult } from "./protocol";
import { grouped, shortened } from "./text";

const ROLES_SHOWN = 8;
const MESSAGE_LIMIT = 80;

export class ChatPreview {
  private result: RenderResult | undefined;
  private problem: string | undefined;
  private latest = 0;

  constructor(
    readonly uri: Uri,
    private readonly source: Uri,
    private readonly server: Server,
  ) {}

  /** The prompt; before there is any, what is in its way. */
  get text(): string {
    return this.result?.text ?? this.problem ?? "";
  }

  get specials(): [number, number][] {
    return this.result?.specials ?? [];
  }

  isOf(document: Uri): boolean {
    return document.toString() === this.source.toString();
  }

  /** The lines above the prompt; never part of it. */
  get headlines(): string[] {
    if (this.problem !== undefined) {
      return this.result === undefined
        ? ["$(error) No prompt"]
        : [`$(error) ${shortened(this.problem, MESSAGE_LIMIT)}`, "below: the last prompt"];
    }
    if (this.result === undefined) {
      return ["$(loading~spin) Rendering…"];
    }
    const { model, templateSource, messages } = this.result;
    return [`${model} · ${templateSource} · ${size(this.result)}`, ...roles(messages)];
  }

  /** Asks for the prompt again. False when the answer was overtaken by a newer question or text. */
  async render(): Promise<boolean> {
    const asked = ++this.latest;
    const document = await workspace.openTextDocument(this.source);
    const params: RenderParams = { textDocument: { uri: this.source.toString() } };
    const editor = window.visibleTextEditors.find((e) => e.document === document);
    if (editor !== undefined) {
      params.position = editor.selection.active;
    }
    try {
      const result = await this.server.request<RenderResult>(RENDER, params);
      if (asked !== this.latest || result.version < document.version) {
        return false;
      }
      this.result = result;
      this.problem = undefined;
    } catch (error) {
      if (asked !== this.latest) {
        return false;
      }
      this.problem = describe(problemOf(error));
    }
    return true;
  }
}

function size({ tokens, window: limit }: RenderResult): string {
  if (tokens === undefined) {
    return "counting…";
  }
  return limit === undefined
    ? `${grouped(tokens)} tokens`
    : `${grouped(tokens)} tokens of ${grouped(limit)}`;
}

function roles(messages: RenderResult["messages"]): string[] {
  if (messages.length > ROLES_SHOWN) {
    return [`${messages.length} messages`];
  }
  return messages.map(({ role, tokens }) =>
    tokens === undefined ? role : `${role} ${grouped(tokens)}`,
  );
}
