/** Everything as files in one archive: JSON for programs, Markdown for people. Made on this device. */
import { strToU8, zipSync } from 'fflate';
import { visible } from '../chat/message-tree';
import { toMarkdown, type Library } from './conversations';

/** The archive. */
export function exportAll(library: Library): Uint8Array {
  const conversations = [...library.conversations.values()];
  const folders = [...library.folders.values()];
  const files: Record<string, Uint8Array> = {
    'history.json': strToU8(JSON.stringify({ format: 'subrosa history, version 1', folders, conversations }, null, 2)),
  };
  for (const conversation of conversations) {
    const folder = conversation.folder === null ? undefined : library.folders.get(conversation.folder);
    const path = [...(folder ? [plain(folder.name)] : []), `${plain(conversation.title)} ${conversation.id.slice(0, 8)}.md`].join('/');
    files[`conversations/${path}`] = strToU8(toMarkdown(conversation, visible(conversation.tree)));
  }
  return zipSync(files);
}

/** A name that any system takes for a file. */
function plain(name: string): string {
  const kept = name.replace(/[^\p{L}\p{N}_-]+/gu, ' ').trim().slice(0, 60);
  return kept || 'conversation';
}
