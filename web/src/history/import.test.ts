import { describe, expect, it } from 'vitest';
import { readExport } from './import';

const node = (id: string, parent: string | null, role?: string, text?: string, created = 1) => ({
  id,
  parent,
  message: role ? { author: { role }, content: { content_type: 'text', parts: [text] }, create_time: created } : null,
});

/** As ChatGPT gives it out: a root without a message, a hidden system message, and two answers to one question. */
const chatGpt = {
  title: 'Flowers',
  mapping: {
    root: node('root', null),
    sys: node('sys', 'root', 'system', 'hidden'),
    q: node('q', 'sys', 'user', 'Why roses?', 10.5),
    a1: node('a1', 'q', 'assistant', 'Because.', 11),
    a2: node('a2', 'q', 'assistant', 'Why not?', 12),
    tool: node('tool', 'a2', 'tool', 'searching'),
    q2: node('q2', 'tool', 'user', 'More', 13),
  },
};

const claude = {
  name: 'Trees',
  chat_messages: [
    { uuid: 'x', sender: 'human', text: 'Why oaks?', created_at: '2026-01-02T03:04:05Z' },
    { uuid: 'y', sender: 'assistant', text: 'They last.', created_at: 'nonsense' },
    { uuid: 'z', sender: 'assistant', text: '' },
  ],
};

describe('an export of another service', () => {
  it('keeps branches, and leaves out what was not seen', () => {
    const { conversations, failed } = readExport(JSON.stringify([chatGpt]));
    expect(failed).toBe(0);
    const [{ title, messages }] = conversations as [(typeof conversations)[number]];
    expect(title).toBe('Flowers');
    expect(messages.map(({ id, parent }) => `${parent}>${id}`)).toEqual(['null>q', 'q>a1', 'q>a2', 'a2>q2']);
    expect(messages[0]).toMatchObject({ role: 'user', text: 'Why roses?', at: 10_500 });
  });

  it('reads the other form too', () => {
    const { conversations } = readExport(JSON.stringify([claude]));
    expect(conversations[0]?.messages.map(({ role, parent, at }) => [role, parent, at])).toEqual([
      ['user', null, Date.UTC(2026, 0, 2, 3, 4, 5)],
      ['assistant', 'x', 0],
    ]);
  });

  it('counts what cannot be read', () => {
    const circle = { title: 'c', mapping: { x: node('x', 'y', 'user', '1'), y: node('y', 'x', 'user', '2') } };
    const wrong = [null, 5, [], {}, { mapping: 3 }, { mapping: { a: 1 } }, { chat_messages: [5, {}] }, circle];
    const { conversations, failed } = readExport(JSON.stringify([...wrong, claude]));
    expect(conversations.length).toBe(1);
    expect(failed).toBe(wrong.length);
    expect(() => readExport('{}')).toThrow(TypeError);
    expect(() => readExport('x')).toThrow(SyntaxError);
  });
});
