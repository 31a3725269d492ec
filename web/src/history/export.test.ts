import { strFromU8, unzipSync } from 'fflate';
import { expect, it } from 'vitest';
import { apply, NOTHING, write, type FolderNote, type Note } from './conversations';
import { exportAll } from './export';

it('everything is exported, under names that are safe', () => {
  const note = (object: string, how: string, one: Note | FolderNote) => ({ object, how, content: write(one) });
  const library = apply(NOTHING, [
    note('f', 'replace', { v: 1, folder: { name: '../Work', prompt: 'Be short.', order: 'a0' } }),
    note('aaaaaaaa11', 'append', { v: 1, title: '../../etc/passwd: ürgs?' }),
    note('aaaaaaaa11', 'append', { v: 1, message: { id: '1', parent: null, role: 'user', text: 'roses', at: 1 } }),
    note('aaaaaaaa11', 'append', { v: 1, folder: 'f' }),
    note('bbbbbbbb22', 'append', { v: 1, title: '' }),
  ]);
  const files = unzipSync(exportAll(library));
  expect(Object.keys(files).sort()).toEqual(['conversations/Work/etc passwd ürgs aaaaaaaa.md', 'conversations/conversation bbbbbbbb.md', 'history.json']);
  expect(strFromU8(files['conversations/Work/etc passwd ürgs aaaaaaaa.md']!)).toContain('roses');
  const all = JSON.parse(strFromU8(files['history.json']!)) as { conversations: { title: string }[]; folders: { prompt: string }[] };
  expect([all.conversations.length, all.folders[0]?.prompt]).toEqual([2, 'Be short.']);
});
