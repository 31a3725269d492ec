/** Conversations that other services gave out, read on this device. What cannot be read is counted, not guessed. */
import type { Message } from '../chat/message-tree';

/** A conversation from elsewhere. */
export interface Imported {
  readonly title: string;
  /** Each after the one that it follows. */
  readonly messages: readonly Message[];
}

/** What a file holds. */
export interface Import {
  readonly conversations: readonly Imported[];
  /** Conversations that could not be read. */
  readonly failed: number;
}

/** The largest file, in characters. */
export const MAX_IMPORT = 200_000_000;

/** Reads `conversations.json` as ChatGPT or Claude exports it. Throws where it is neither. */
export function readExport(text: string): Import {
  if (text.length > MAX_IMPORT) throw new RangeError('The file is too large.');
  const all: unknown = JSON.parse(text);
  if (!Array.isArray(all)) throw new TypeError('This is no list of conversations.');
  const conversations: Imported[] = [];
  let failed = 0;
  for (const one of all as unknown[]) {
    const read = isRecord(one) ? (fromChatGpt(one) ?? fromClaude(one)) : null;
    if (read && read.messages.length > 0) conversations.push(read);
    else failed += 1;
  }
  return { conversations, failed };
}

type Fields = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** ChatGPT: a tree of nodes, some of which hold no message that was seen. */
function fromChatGpt({ title, mapping }: Fields): Imported | null {
  if (!isRecord(mapping)) return null;
  const messages: Message[] = [];
  /** The nearest message at or above a node. */
  const shownAbove = (id: unknown): string | null => {
    const seen = new Set<string>();
    for (let at = id; typeof at === 'string' && !seen.has(at); ) {
      seen.add(at);
      const node = mapping[at];
      if (!isRecord(node)) return null;
      if (messageOf(node)) return at;
      at = node['parent'];
    }
    return null;
  };
  for (const [id, node] of Object.entries(mapping)) {
    const message = isRecord(node) ? messageOf(node) : null;
    if (isRecord(node) && message) messages.push({ id, parent: shownAbove(node['parent']), ...message });
  }
  return { title: nameOf(title), messages: inOrder(messages) };
}

function messageOf(node: Fields): Pick<Message, 'role' | 'text' | 'at'> | null {
  const message = node['message'];
  if (!isRecord(message) || !isRecord(message['author']) || !isRecord(message['content'])) return null;
  const role = message['author']['role'];
  const parts = message['content']['parts'];
  if ((role !== 'user' && role !== 'assistant') || !Array.isArray(parts)) return null;
  const text = parts.filter((part) => typeof part === 'string').join('\n');
  const seconds = message['create_time'];
  return text ? { role, text, at: typeof seconds === 'number' ? Math.round(seconds * 1000) : 0 } : null;
}

/** Claude: a list of messages. */
function fromClaude({ name, chat_messages: list }: Fields): Imported | null {
  if (!Array.isArray(list)) return null;
  const messages: Message[] = [];
  for (const one of list as unknown[]) {
    if (!isRecord(one)) continue;
    const { uuid, sender, text, created_at: created } = one;
    if (typeof uuid !== 'string' || typeof text !== 'string' || !text) continue;
    if (sender !== 'human' && sender !== 'assistant') continue;
    const at = typeof created === 'string' ? Date.parse(created) : Number.NaN;
    const role = sender === 'human' ? 'user' : 'assistant';
    messages.push({ id: uuid, parent: messages.at(-1)?.id ?? null, role, text, at: Number.isNaN(at) ? 0 : at });
  }
  return { title: nameOf(name), messages };
}

function nameOf(title: unknown): string {
  return typeof title === 'string' ? title.slice(0, 200) : '';
}

/** Each message after the one that it follows; those that follow each other in a circle are left out. */
function inOrder(messages: readonly Message[]): readonly Message[] {
  const after = new Map<string | null, Message[]>();
  for (const message of messages) after.set(message.parent, [...(after.get(message.parent) ?? []), message]);
  const ordered: Message[] = [];
  const waiting = [...(after.get(null) ?? [])];
  for (let message = waiting.shift(); message; message = waiting.shift()) {
    ordered.push(message);
    waiting.unshift(...(after.get(message.id) ?? []));
  }
  return ordered;
}
