/** The labels that a user types, separated by commas. */

/** Reads labels, each once, in their order. */
export function labelsIn(typed: string): string[] {
  return [
    ...new Set(
      typed
        .split(",")
        .map((label) => label.trim())
        .filter((label) => label !== ""),
    ),
  ];
}

/** Says what is wrong with the labels, or nothing. */
export function problemOfLabels(typed: string): string | undefined {
  // With one label alone every text gets it.
  return labelsIn(typed).length < 2 ? "Name two labels at least, separated by commas." : undefined;
}
