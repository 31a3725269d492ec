import { describe, expect, it } from 'vitest';
import { apply, list, titleOf, toMarkdown, write, type Conversations, type Note } from './conversations';
import { visible } from '../chat/message-tree';

const NONE: Conversations = new Map();

function message(id: string, parent: string | null, text: string, at = 1): Note {
  return { v: 1, message: { id, parent, role: 'user', text, at } };
}

function all(...records: readonly [string, string, Note | Uint8Array][]): Conversations {
  const bytes = (note: Note | Uint8Array) => (note instanceof Uint8Array ? note : write(note));
  return records.reduce((conversations, [object, how, note]) => apply(conversations, object, how, bytes(note)), NONE);
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
