/** What the records of a history say: conversations with their names and messages. Pure: bytes in, lists out. */
import { EMPTY, put, type Message, type Tree } from '../chat/message-tree';

/** One conversation. */
export interface Conversation {
  readonly id: string;
  readonly title: string;
  readonly at: number;
  readonly tree: Tree;
}

/** An entry of a conversation's log. */
export type Note = { readonly v: 1; readonly message: Message } | { readonly v: 1; readonly title: string };

export type Conversations = ReadonlyMap<string, Conversation>;

/** The conversations after one more record. What a newer program wrote is passed over, and stays in the store. */
export function apply(all: Conversations, object: string, how: string, content: Uint8Array): Conversations {
  const next = new Map(all);
  if (how === 'delete') {
    next.delete(object);
    return next;
  }
  if (how !== 'append' && how !== 'rewrite') return all;
  const note = read(content);
  if (!note) return all;
  const known = how === 'append' ? next.get(object) : undefined;
  next.set(object, fold(known ?? { id: object, title: '', at: 0, tree: EMPTY }, note));
  return next;
}

/** A conversation after one more entry. */
export function fold(conversation: Conversation, note: Note): Conversation {
  if ('title' in note) return { ...conversation, title: note.title };
  const { message } = note;
  return { ...conversation, at: Math.max(conversation.at, message.at), tree: put(conversation.tree, message) };
}

/** An entry as bytes. */
export function write(note: Note): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(note));
}

function read(content: Uint8Array): Note | null {
  try {
    const note = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(content)) as Note;
    if (note.v !== 1) return null;
    if ('title' in note) return typeof note.title === 'string' ? note : null;
    const { message } = note;
    const isMessage =
      typeof message?.id === 'string' &&
      typeof message.text === 'string' &&
      typeof message.at === 'number' &&
      (message.parent === null || typeof message.parent === 'string') &&
      (message.role === 'user' || message.role === 'assistant');
    return isMessage ? note : null;
  } catch {
    return null;
  }
}

/** Newest first, and those that have the words in them. */
export function list(all: Conversations, search: string): readonly Conversation[] {
  const wanted = search.trim().toLocaleLowerCase();
  return [...all.values()]
    .filter((conversation) => !wanted || textOf(conversation).includes(wanted))
    .sort((one, other) => other.at - one.at);
}

/** What is searched in: made once for each state of a conversation. */
const texts = new WeakMap<Conversation, string>();

function textOf(conversation: Conversation): string {
  const known = texts.get(conversation);
  if (known !== undefined) return known;
  const { title, tree } = conversation;
  const text = [title, ...tree.messages.map((message) => message.text)].join('\n').toLocaleLowerCase();
  texts.set(conversation, text);
  return text;
}

/** A name for a conversation that has none yet. */
export function titleOf(text: string): string {
  const line = text.trim().split('\n')[0] ?? '';
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
}

/** A conversation as Markdown. */
export function toMarkdown(conversation: Conversation, path: readonly Message[]): string {
  const turns = path.map(({ role, text }) => `**${role}**\n\n${text}\n`);
  return [`# ${conversation.title}\n`, ...turns].join('\n');
}
