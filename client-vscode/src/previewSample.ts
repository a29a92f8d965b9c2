/** Which sample chat a template that is being written is shown with. */
import { window } from "vscode";

/** Asks for one of the samples; undefined when the user gave up. */
export async function pickSample(
  samples: readonly string[],
  shown: string | undefined,
): Promise<string | undefined> {
  const picked = await window.showQuickPick(
    samples.map((label) => ({ label, description: label === shown ? "shown now" : "" })),
    { placeHolder: "The chat that the template is shown with" },
  );
  return picked?.label;
}
