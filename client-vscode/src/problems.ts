/** Turns whatever was thrown into what a user can read and act upon. */

export interface Problem {
  code: string;
  message: string;
  hint: string;
}

/** An error of this client with something to do about it. */
export class UserError extends Error {
  constructor(
    message: string,
    readonly hint = "",
  ) {
    super(message);
  }
}

/** Reads the message, and the server's code and hint where there are any. */
export function problemOf(error: unknown): Problem {
  if (error instanceof UserError) {
    return { code: "client", message: error.message, hint: error.hint };
  }
  const message = error instanceof Error ? error.message : String(error);
  const data = (error as { data?: unknown } | null | undefined)?.data;
  const { code, hint } = (
    typeof data === "object" && data !== null ? data : {}
  ) as Partial<Problem>;
  return {
    code: typeof code === "string" ? code : "error",
    message,
    hint: typeof hint === "string" ? hint : "",
  };
}

/** One line: what happened and what to do. The server's message may already end with the hint. */
export function describe({ message, hint }: Problem): string {
  return hint === "" || message.endsWith(hint) ? message : `${message} ${hint}`;
}
