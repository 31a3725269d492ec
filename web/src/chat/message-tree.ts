/** A conversation as a tree: an edited question or another answer is a branch, and nothing is lost. */

/** A file's text. */
export interface Attachment {
  readonly name: string;
  readonly text: string;
}

/** One message. */
export interface Message {
  readonly id: string;
  /** The message that it follows, or null for a first one. */
  readonly parent: string | null;
  readonly role: 'user' | 'assistant';
  readonly text: string;
  /** When it was written, in milliseconds. */
  readonly at: number;
  /** Whether the answer was stopped or cut off. */
  readonly partial?: boolean;
  readonly receipt?: string;
  /** Files that go with it, as text. */
  readonly attachments?: readonly Attachment[];
}

/** Messages in the order in which they were written, and which branch is shown after each. */
export interface Tree {
  readonly messages: readonly Message[];
  readonly chosen: Readonly<Record<string, string>>;
}

export const EMPTY: Tree = { messages: [], chosen: {} };

const ROOT = '';

/** Adds a message, or replaces one of the same name, and shows it. */
export function put(tree: Tree, message: Message): Tree {
  const index = tree.messages.findIndex(({ id }) => id === message.id);
  const messages = index < 0 ? [...tree.messages, message] : tree.messages.with(index, message);
  return { messages, chosen: { ...tree.chosen, [message.parent ?? ROOT]: message.id } };
}

/** Shows this branch. */
export function choose(tree: Tree, id: string): Tree {
  const message = tree.messages.find((one) => one.id === id);
  if (!message) return tree;
  return { ...tree, chosen: { ...tree.chosen, [message.parent ?? ROOT]: id } };
}

/** All messages after the same one, oldest first. */
export function siblings(tree: Tree, message: Message): readonly Message[] {
  return tree.messages.filter(({ parent }) => parent === message.parent);
}

/** The messages that are shown, from the first on. */
export function visible(tree: Tree): readonly Message[] {
  const path: Message[] = [];
  for (let parent: string | null = null; ; ) {
    const after: readonly Message[] = tree.messages.filter((message) => message.parent === parent);
    const chosen = after.find(({ id }) => id === tree.chosen[parent ?? ROOT]) ?? after.at(-1);
    // A message that follows itself would have no end.
    if (!chosen || path.includes(chosen)) return path;
    path.push(chosen);
    parent = chosen.id;
  }
}
