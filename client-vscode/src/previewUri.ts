/** The addresses of chat previews. They hold all that a window which was reloaded needs to know. */
import { Uri } from "vscode";

export const PREVIEW_SCHEME = "transformers-preview";

/** The preview of a document; `model` makes it that of one model, whatever is chosen later. */
export function previewUri(source: Uri, model?: string): Uri {
  const name = source.path.split("/").at(-1) ?? source.path;
  return Uri.from({
    scheme: PREVIEW_SCHEME,
    path: `/Prompt · ${name}`,
    query: source.toString(),
    fragment: model ?? "",
  });
}

export function sourceOf(preview: Uri): Uri {
  return Uri.parse(preview.query);
}

export function modelOf(preview: Uri): string | undefined {
  return preview.fragment === "" ? undefined : preview.fragment;
}

export function isPreview(uri: Uri): boolean {
  return uri.scheme === PREVIEW_SCHEME;
}

export function isSame(one: Uri, other: Uri): boolean {
  return one.toString() === other.toString();
}
