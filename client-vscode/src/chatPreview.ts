/** What one chat preview knows: the last prompt that could be rendered, and how it went since. */
import {
  CancellationTokenSource,
  type Position,
  Range,
  type TextDocument,
  type Uri,
  window,
  workspace,
} from "vscode";
import type { Range as LspRange } from "vscode-languageclient";
import type { Server } from "./client";
import { type PreviewOptions, type PreviewOptionsStore, resolveOptions } from "./previewOptions";
import { modelOf, sourceOf } from "./previewUri";
import { describe, problemOf, UserError } from "./problems";
import { RENDER, type RenderOptions, type RenderParams, type RenderResult } from "./protocol";

type Asked = Pick<TextDocument, "version"> & { options: RenderOptions };

export class ChatPreview {
  readonly source: Uri;
  /** The last prompt. */
  result: RenderResult | undefined;
  /** The last prompt whose parts are known; it may be an older one. */
  detailed: RenderResult | undefined;
  /** Why the text as it is now has no prompt. */
  problem: string | undefined;

  private asked: Asked | undefined;
  private position: Position | undefined;
  private detailsRequest: CancellationTokenSource | undefined;

  constructor(
    readonly uri: Uri,
    private readonly server: Server,
    private readonly store: PreviewOptionsStore,
  ) {
    this.source = sourceOf(uri);
  }

  /** What the editor shows: the prompt; before there is any, what is in its way. */
  get text(): string {
    return this.result?.text ?? this.problem ?? "";
  }

  /** Nothing was asked for it yet; a failure is an answer too. */
  get isNew(): boolean {
    return this.result === undefined && this.problem === undefined;
  }

  get options(): PreviewOptions {
    const options = this.store.get(this.source);
    const model = modelOf(this.uri);
    return model === undefined ? options : { ...options, model };
  }

  /** Whether a document has a part in the prompt. */
  isOf(document: Uri): boolean {
    const { tools } = this.options;
    const uri = document.toString();
    return uri === this.source.toString() || (tools !== false && tools?.file === uri);
  }

  /** Whether another chat may be wanted at a position than the one shown. */
  isElsewhere(position: Position): boolean {
    return (
      this.problem !== undefined ||
      this.result === undefined ||
      !rangeOf(this.result.range).contains(position)
    );
  }

  /** Asks for the prompt of the text as it is now. */
  async render(): Promise<void> {
    this.cancelDetails();
    try {
      const document = await this.open();
      const options = await resolveOptions(this.options);
      this.asked = { version: document.version, options };
      this.result = await this.ask(document, options);
      this.problem = undefined;
    } catch (error) {
      this.asked = undefined;
      this.problem = describe(problemOf(error));
    }
  }

  /** Asks for the parts of the prompt that is shown. False when there is nothing new to show. */
  async renderDetails(): Promise<boolean> {
    this.cancelDetails();
    const { asked, result } = this;
    if (asked === undefined || result === undefined) {
      return false;
    }
    const request = (this.detailsRequest = new CancellationTokenSource());
    const position = rangeOf(result.range).start;
    try {
      const detailed = await this.server.request<RenderResult>(
        RENDER,
        this.params(asked.options, position),
        request.token,
      );
      if (request !== this.detailsRequest || detailed.version < asked.version) {
        return false;
      }
      this.result = this.detailed = detailed;
      return true;
    } catch {
      // The prompt itself was rendered, so what fails here was overtaken; the next prompt tells.
      return false;
    }
  }

  cancelDetails(): void {
    this.detailsRequest?.cancel();
    this.detailsRequest = undefined;
  }

  /** Opens the document where it was closed: what is shown goes on to follow it. */
  private async open(): Promise<TextDocument> {
    const uri = this.source.toString();
    const found = workspace.textDocuments.find((document) => document.uri.toString() === uri);
    if (found === undefined && this.source.scheme === "untitled") {
      throw new UserError("The document of this preview was closed.", "Save it to keep it.");
    }
    return found ?? workspace.openTextDocument(this.source);
  }

  private async ask(document: TextDocument, options: RenderOptions): Promise<RenderResult> {
    const editors = [window.activeTextEditor, ...window.visibleTextEditors];
    const cursor = editors.find((editor) => editor?.document === document)?.selection.active;
    const result = await this.request(options, cursor ?? this.position);
    if (cursor === undefined || rangeOf(result.range).contains(cursor)) {
      this.position = cursor ?? this.position;
      return result;
    }
    // The cursor is in no chat: the one that was shown goes on being shown.
    return this.position === undefined ? result : this.request(options, this.position);
  }

  private request(options: RenderOptions, position?: Position): Promise<RenderResult> {
    return this.server.request(RENDER, { ...this.params(options, position), details: false });
  }

  private params(options: RenderOptions, position?: Position): RenderParams {
    const textDocument = { uri: this.source.toString() };
    return { textDocument, ...options, ...(position === undefined ? {} : { position }) };
  }
}

export function rangeOf({ start, end }: LspRange): Range {
  return new Range(start.line, start.character, end.line, end.character);
}
