import { describe, expect, it } from 'vitest';
import { apply, foldersOf, fold, fresh, lines, list, NOTHING, orderAt, titleOf, toMarkdown, whole, write, type Conversations, type FolderNote, type Library, type Note } from './conversations';
import { visible } from '../chat/message-tree';

function message(id: string, parent: string | null, text: string, at = 1): Note {
  return { v: 1, message: { id, parent, role: 'user', text, at } };
}

function library(...records: readonly [string, string, Note | FolderNote | Uint8Array][]): Library {
  const bytes = (note: Note | FolderNote | Uint8Array) => (note instanceof Uint8Array ? note : write(note));
  return apply(
    NOTHING,
    records.map(([object, how, note]) => ({ object, how, content: bytes(note) })),
  );
}

function all(...records: readonly [string, string, Note | Uint8Array][]): Conversations {
  return library(...records).conversations;
}

describe('a history', () => {
  it('is what its records say', () => {
    const found = all(
      ['a', 'append', message('1', null, 'roses', 5)],
      ['b', 'append', message('2', null, 'violets', 9)],
      ['a', 'append', { v: 1, title: 'Flowers' }],
      ['a', 'append', message('3', '1', 'more roses', 7)],
    );
    expect(list(found, '').map(({ id }) => id)).toEqual(['b', 'a']);
    expect(list(found, 'ROSES').map(({ title }) => title)).toEqual(['Flowers']);
    expect(list(found, 'flow').length).toBe(1);
    expect(visible(found.get('a')!.tree).length).toBe(2);
    expect(toMarkdown(found.get('a')!, visible(found.get('a')!.tree))).toContain('# Flowers');
  });

  it('forgets what was deleted, and begins anew where all was said anew', () => {
    const first: [string, string, Note] = ['a', 'append', message('1', null, 'roses')];
    expect(all(first, ['a', 'delete', new Uint8Array()]).size).toBe(0);
    const anew = all(first, ['a', 'rewrite', message('9', null, 'new')]);
    expect(anew.get('a')!.tree.messages.map(({ id }) => id)).toEqual(['9']);
  });

  it('passes over what it does not understand', () => {
    const text = (value: string) => new TextEncoder().encode(value);
    const wrong = ['', '{}', '{"v":2}', '{"v":1}', '{"v":1,"title":5}', '{"v":1,"message":{}}', '[', 'null'];
    for (const content of wrong) expect(all(['a', 'append', text(content)]).size).toBe(0);
    expect(all(['a', 'append', new Uint8Array([0xff])]).size).toBe(0);
    expect(all(['a', 'replace', message('1', null, 'x')]).size).toBe(0);
  });

  it('is named after what was asked first', () => {
    expect(titleOf(' Why?\nBecause')).toBe('Why?');
    expect(titleOf('x'.repeat(100)).length).toBe(60);
  });
});

describe('folders', () => {
  const folder = (name: string, order: string, prompt = ''): FolderNote => ({ v: 1, folder: { name, prompt, order } });
  const found = library(
    ['f', 'replace', folder('Work', 'a1')],
    ['g', 'replace', folder('Home', 'a0', 'Be short.')],
    ['a', 'append', message('1', null, 'roses', 5)],
    ['a', 'append', { v: 1, folder: 'f' }],
    ['b', 'append', message('2', null, 'violets', 9)],
    ['c', 'append', message('3', null, 'tulips', 2)],
    ['c', 'append', { v: 1, pinned: true }],
    ['d', 'append', message('4', null, 'daisies', 1)],
    ['d', 'append', { v: 1, folder: 'gone' }],
  );
  const shown = (closed: string[] = [], search = '') =>
    lines(found, search, new Set(closed)).map((line) => (line.kind === 'folder' ? `${line.folder.name} ${line.count}` : line.conversation.id));

  it('stand in their order, with their conversations, after what is pinned', () => {
    expect(shown()).toEqual(['c', 'Home 0', 'Work 1', 'a', 'b', 'd']);
    expect(shown(['f'])).toEqual(['c', 'Home 0', 'Work 1', 'b', 'd']);
    expect(shown([], 'o')).toEqual(['b', 'a']);
  });

  it('are moved between two others, and replaced as a whole', () => {
    const folders = foldersOf(found);
    const between = orderAt(folders, 1);
    const three = apply(found, [{ object: 'h', how: 'replace', content: write(folder('Between', between)) }]);
    expect(foldersOf(three).map(({ name }) => name)).toEqual(['Home', 'Between', 'Work']);
    expect(orderAt(folders, 2) > 'a1').toBe(true);
    expect(orderAt([], 0)).not.toBe('');
    const same = [folders[0]!, folders[0]!];
    expect(orderAt(same, 1) > folders[0]!.order).toBe(true);
    const changed = apply(found, [{ object: 'f', how: 'replace', content: write(folder('Play', 'a1')) }]);
    expect(foldersOf(changed).map(({ name }) => name)).toEqual(['Home', 'Play']);
    expect(foldersOf(apply(found, [{ object: 'f', how: 'delete', content: new Uint8Array() }])).length).toBe(1);
  });

  it('that are damaged are passed over', () => {
    for (const content of ['{"v":1}', '{"v":1,"folder":{}}', '{"v":1,"folder":null}', '{"v":2}', 'x']) {
      expect(apply(NOTHING, [{ object: 'f', how: 'replace', content: new TextEncoder().encode(content) }]).folders.size).toBe(0);
    }
  });
});

it('a message goes to the model with the files that are with it', () => {
  const attachments = [{ name: 'a.txt', text: 'roses' }];
  const note: Note = { v: 1, message: { id: '1', parent: null, role: 'user', text: 'What is in it?', at: 1, attachments } };
  const kept = all(['a', 'append', note]).get('a')!;
  expect(whole(kept.tree.messages[0]!)).toBe('What is in it?\n\nFile "a.txt":\n\nroses');
  expect(kept).toEqual(fold(fresh('a'), note));
  const wrong = { ...note, message: { ...note.message, attachments: [{ name: 1 }] } } as unknown as Note;
  expect(all(['a', 'append', wrong]).size).toBe(0);
});
