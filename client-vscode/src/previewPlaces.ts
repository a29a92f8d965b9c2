/** Which place in the source belongs to which in the prompt; offsets are UTF-16 ones of each text. */
import { decodedOffset, decodeLiteral, literalOffset } from "./jsonString";
import type { RenderedMessage } from "./protocol";

export type Span = readonly [number, number];

/** A message with its places in both texts. */
export interface PlacedMessage {
  /** In the prompt. */
  part: Span;
  /** In the prompt, blanks around it aside; undefined where it does not stand as it is. */
  content: Span | undefined;
  /** In the source. */
  source: Span;
  sourceContent: Span;
}

/** A place, and the part of the message that it lies in. */
export interface Found {
  message: Span;
  /** Undefined where only the message is known. */
  offset: number | undefined;
}

type OffsetAt = (place: { line: number; character: number }) => number;

/** The messages whose places in both texts are known. */
export function placeMessages(
  messages: readonly RenderedMessage[],
  offsetAt: OffsetAt,
): PlacedMessage[] {
  return messages.flatMap(({ start, end, content, range, contentRange }) =>
    start === undefined || end === undefined
      ? []
      : [
          {
            part: [start, end] as const,
            content,
            source: [offsetAt(range.start), offsetAt(range.end)] as const,
            sourceContent: [offsetAt(contentRange.start), offsetAt(contentRange.end)] as const,
          },
        ],
  );
}

/** Where in the prompt something of the source stands. */
export function toPrompt(
  messages: readonly PlacedMessage[],
  source: string,
  prompt: string,
  offset: number,
): Found | undefined {
  const message = messages.find(({ source: span }) => span[0] <= offset && offset <= span[1]);
  if (message === undefined) {
    return undefined;
  }
  const relation = relate(message, source, prompt);
  const [first, last] = message.sourceContent;
  const within = relation && first <= offset && offset <= last;
  return { message: message.part, offset: within ? relation.toPrompt(offset) : undefined };
}

/** Where in the source something of the prompt stands. */
export function toSource(
  messages: readonly PlacedMessage[],
  source: string,
  prompt: string,
  offset: number,
): Found | undefined {
  const message = messages.findLast(({ part }) => part[0] <= offset && offset <= part[1]);
  if (message === undefined) {
    return undefined;
  }
  const relation = relate(message, source, prompt);
  const { content } = message;
  const within = relation && content && content[0] <= offset && offset <= content[1];
  return { message: message.source, offset: within ? relation.toSource(offset) : undefined };
}

interface Relation {
  toPrompt: (offset: number) => number;
  toSource: (offset: number) => number;
}

/** Relates a content as it is written to the same content in the prompt, where both are that text. */
function relate(message: PlacedMessage, source: string, prompt: string): Relation | undefined {
  if (message.content === undefined) {
    return undefined;
  }
  const [begin, end] = message.content;
  const first = message.sourceContent[0];
  const written = source.slice(...message.sourceContent);
  const decoded = decodeLiteral(written);
  const text = decoded ?? written;
  const skipped = text.length - text.trimStart().length;
  if (text.trim() !== prompt.slice(begin, end)) {
    return undefined;
  }
  const clamp = (offset: number) => Math.min(Math.max(offset, begin), end);
  return decoded === undefined
    ? {
        toPrompt: (offset) => clamp(offset - first - skipped + begin),
        toSource: (offset) => offset - begin + skipped + first,
      }
    : {
        toPrompt: (offset) => clamp(decodedOffset(written, offset - first) - skipped + begin),
        toSource: (offset) => literalOffset(written, offset - begin + skipped) + first,
      };
}
