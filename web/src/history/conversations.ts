/** What a history holds: conversations, each an append-only log of entries, and folders. */
import { generateKeyBetween } from 'fractional-indexing';
import { EMPTY, put, type Message, type Tree } from '../chat/message-tree';

/** One conversation. */
export interface Conversation {
  readonly id: string;
  readonly title: string;
  readonly at: number;
  readonly tree: Tree;
  readonly isPinned: boolean;
  /** Its folder's id, or null. */
  readonly folder: string | null;
  /** The model that was chosen for it, or null for the first one. */
  readonly model: string | null;
}

/** A folder. Its prompt is what models are told before each of its conversations. */
export interface Folder {
  readonly id: string;
  readonly name: string;
  readonly prompt: string;
  /** Where it stands: strings in their own order, between any two of which there is another one. */
  readonly order: string;
}

/** An entry of a conversation's log. */
export type Note =
  | { readonly v: 1; readonly message: Message }
  | { readonly v: 1; readonly title: string }
  | { readonly v: 1; readonly pinned: boolean }
  | { readonly v: 1; readonly folder: string | null }
  | { readonly v: 1; readonly model: string };

/** What a folder's object holds. */
export interface FolderNote {
  readonly v: 1;
  readonly folder: Omit<Folder, 'id'>;
}

export type Conversations = ReadonlyMap<string, Conversation>;

/** Everything. */
export interface Library {
  readonly conversations: Conversations;
  readonly folders: ReadonlyMap<string, Folder>;
}

/** A record as the core has opened it. */
export interface Entry {
  readonly object: string;
  readonly how: string;
  readonly content: Uint8Array;
}

export const NOTHING: Library = { conversations: new Map(), folders: new Map() };

/** A conversation that nobody has written in. */
export function fresh(id: string, folder: string | null = null): Conversation {
  return { id, title: '', at: 0, tree: EMPTY, isPinned: false, folder, model: null };
}

/** The library after more records. What a newer program wrote is passed over, and stays in the store. */
export function apply(library: Library, entries: Iterable<Entry>): Library {
  const conversations = new Map(library.conversations);
  const folders = new Map(library.folders);
  for (const { object, how, content } of entries) {
    if (how === 'delete') {
      conversations.delete(object);
      folders.delete(object);
    } else if (how === 'replace') {
      const folder = readFolder(content);
      if (folder) folders.set(object, { id: object, ...folder });
    } else if (how === 'append' || how === 'rewrite') {
      const note = read(content);
      if (!note) continue;
      const known = how === 'append' ? conversations.get(object) : undefined;
      conversations.set(object, fold(known ?? fresh(object), note));
    }
  }
  return { conversations, folders };
}

/** A conversation after one more entry. */
export function fold(conversation: Conversation, note: Note): Conversation {
  if ('title' in note) return { ...conversation, title: note.title };
  if ('pinned' in note) return { ...conversation, isPinned: note.pinned };
  if ('folder' in note) return { ...conversation, folder: note.folder };
  if ('model' in note) return { ...conversation, model: note.model };
  const { message } = note;
  return { ...conversation, at: Math.max(conversation.at, message.at), tree: put(conversation.tree, message) };
}

/** An entry as bytes. */
export function write(note: Note | FolderNote): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(note));
}

function parse(content: Uint8Array): Record<string, unknown> | null {
  try {
    const note = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(content)) as Record<string, unknown> | null;
    return note?.['v'] === 1 ? note : null;
  } catch {
    return null;
  }
}

function read(content: Uint8Array): Note | null {
  const note = parse(content) as Note | null;
  if (!note) return null;
  if ('title' in note) return typeof note.title === 'string' ? note : null;
  if ('pinned' in note) return typeof note.pinned === 'boolean' ? note : null;
  if ('folder' in note) return note.folder === null || typeof note.folder === 'string' ? note : null;
  if ('model' in note) return typeof note.model === 'string' ? note : null;
  const { message } = note;
  const isMessage =
    typeof message?.id === 'string' &&
    typeof message.text === 'string' &&
    typeof message.at === 'number' &&
    (message.parent === null || typeof message.parent === 'string') &&
    (message.role === 'user' || message.role === 'assistant') &&
    (message.attachments === undefined ||
      (Array.isArray(message.attachments) && message.attachments.every(({ name, text }) => typeof name === 'string' && typeof text === 'string')));
  return isMessage ? note : null;
}

function readFolder(content: Uint8Array): Omit<Folder, 'id'> | null {
  const folder = (parse(content) as FolderNote | null)?.folder;
  if (typeof folder?.name !== 'string' || typeof folder.prompt !== 'string' || typeof folder.order !== 'string') return null;
  return { name: folder.name, prompt: folder.prompt, order: folder.order };
}

/** Folders in their order. */
export function foldersOf({ folders }: Library): readonly Folder[] {
  return [...folders.values()].sort((one, other) => compare(one.order, other.order) || compare(one.id, other.id));
}

/** The place after the last folder, or between the neighbours of a place among all of them. */
export function orderAt(folders: readonly Folder[], index: number): string {
  const [before, after] = [folders[index - 1]?.order ?? null, folders[index]?.order ?? null];
  try {
    return generateKeyBetween(before, after);
  } catch {
    // Two devices gave two folders one place: after the first of them is good enough.
    return generateKeyBetween(before, null);
  }
}

/** A line of the list: a folder, or a conversation. */
export type Line = { readonly kind: 'folder'; readonly folder: Folder; readonly count: number } | { readonly kind: 'conversation'; readonly conversation: Conversation };

/** What the list shows: pinned conversations, then folders with theirs, then the rest, newest first. While something is searched there are no folders. */
export function lines(library: Library, search: string, closed: ReadonlySet<string>): readonly Line[] {
  const found = list(library.conversations, search);
  const line = (conversation: Conversation): Line => ({ kind: 'conversation', conversation });
  if (search.trim()) return found.map(line);
  const inFolder = new Map<string, Conversation[]>();
  const rest: Conversation[] = [];
  for (const conversation of found) {
    if (conversation.isPinned) continue;
    if (conversation.folder === null || !library.folders.has(conversation.folder)) rest.push(conversation);
    else inFolder.set(conversation.folder, [...(inFolder.get(conversation.folder) ?? []), conversation]);
  }
  const folders = foldersOf(library).flatMap((folder): Line[] => {
    const own = inFolder.get(folder.id) ?? [];
    return [{ kind: 'folder', folder, count: own.length }, ...(closed.has(folder.id) ? [] : own.map(line))];
  });
  return [...found.filter(({ isPinned }) => isPinned).map(line), ...folders, ...rest.map(line)];
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

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

/** A name for a conversation that has none yet. */
export function titleOf(text: string): string {
  const line = text.trim().split('\n')[0] ?? '';
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
}

/** A conversation as Markdown. */
export function toMarkdown(conversation: Conversation, path: readonly Message[]): string {
  const turns = path.map((message) => `**${message.role}**\n\n${whole(message)}\n`);
  return [`# ${conversation.title}\n`, ...turns].join('\n');
}

/** What a model is told of a message: its text, and its attachments behind it. */
export function whole({ text, attachments = [] }: Message): string {
  return [text, ...attachments.map((file) => `File ${JSON.stringify(file.name)}:\n\n${file.text}`)].join('\n\n');
}
