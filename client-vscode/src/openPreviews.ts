/** Which previews are open: VS Code brings back files after a reload, but no virtual documents. */
import { type Memento, type Tab, TabInputText, TabInputTextDiff, Uri, window } from "vscode";
import { isSame, sourceOf } from "./previewUri";

const KEY = "transformers.openPreviews";

export class OpenPreviews {
  constructor(private readonly memento: Memento) {}

  get all(): Uri[] {
    return this.memento.get<string[]>(KEY, []).map((uri) => Uri.parse(uri));
  }

  /** Those that are shown no longer, while their document is; the others are forgotten. */
  async missing(): Promise<Uri[]> {
    const shown = shownUris();
    const isShown = (uri: Uri) => shown.some((other) => isSame(other, uri));
    await this.keep(this.all.filter((uri) => isShown(uri) || isShown(sourceOf(uri))));
    return this.all.filter((uri) => !isShown(uri));
  }

  async add(uri: Uri): Promise<void> {
    await this.keep([...this.others(uri), uri]);
  }

  async remove(uri: Uri): Promise<void> {
    await this.keep(this.others(uri));
  }

  private others(uri: Uri): Uri[] {
    return this.all.filter((other) => !isSame(other, uri));
  }

  private async keep(uris: readonly Uri[]): Promise<void> {
    await this.memento.update(
      KEY,
      uris.map((uri) => uri.toString()),
    );
  }
}

/** The documents of all tabs. */
export function shownUris(): Uri[] {
  return window.tabGroups.all.flatMap(({ tabs }) => tabs).flatMap(urisOf);
}

/** The documents of a tab. */
export function urisOf({ input }: Tab): Uri[] {
  if (input instanceof TabInputText) {
    return [input.uri];
  }
  return input instanceof TabInputTextDiff ? [input.original, input.modified] : [];
}
