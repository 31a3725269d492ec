import { describe, expect, it } from 'vitest';
import { choose, EMPTY, put, siblings, visible, type Message } from './message-tree';

function message(id: string, parent: string | null, role: Message['role'] = 'user'): Message {
  return { id, parent, role, text: id, at: 0 };
}

const ids = (messages: readonly Message[]) => messages.map(({ id }) => id).join(' ');

describe('a conversation', () => {
  const tree = [message('q', null), message('a1', 'q', 'assistant'), message('q2', 'a1'), message('a2', 'q', 'assistant')].reduce(put, EMPTY);

  it('shows the newest branch, and the other one when it is chosen', () => {
    expect(ids(visible(tree))).toBe('q a2');
    expect(ids(visible(choose(tree, 'a1')))).toBe('q a1 q2');
    expect(ids(visible(choose(tree, 'nobody')))).toBe('q a2');
  });

  it('knows the other answers', () => {
    expect(ids(siblings(tree, message('a1', 'q')))).toBe('a1 a2');
  });

  it('replaces a message that grows', () => {
    const grown = put(tree, { ...message('a2', 'q', 'assistant'), text: 'more' });
    expect(grown.messages.length).toBe(4);
    expect(visible(grown).at(-1)?.text).toBe('more');
  });

  it('ends where messages follow each other in a circle', () => {
    const circle = [message('x', 'y'), message('y', 'x')].reduce(put, EMPTY);
    expect(visible(circle)).toEqual([]);
    const itself = put(put(EMPTY, message('x', null)), message('x', 'x'));
    expect(visible(itself)).toEqual([]);
  });
});
