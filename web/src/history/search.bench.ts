import { bench, describe } from 'vitest';
import { apply, list, NOTHING, write, type Conversation, type Conversations } from './conversations';

const WORDS = 'the quick brown fox jumps over a lazy dog while roses grow in silence near an old stone wall'.split(' ');

/** Text of 300 characters that is another one each time. */
function text(seed: number): string {
  let words = '';
  for (let n = seed; words.length < 300; n = (n * 1103515245 + 12345) & 0x7fffffff) words += `${WORDS[n % WORDS.length]} `;
  return words;
}

function history(conversations: number, messages: number): Conversations {
  const all = new Map<string, Conversation>();
  for (let c = 0; c < conversations; c += 1) {
    let one = NOTHING;
    for (let m = 0; m < messages; m += 1) {
      const parent = m === 0 ? null : `${c}-${m - 1}`;
      const role = m % 2 === 0 ? 'user' : 'assistant';
      const content = write({ v: 1, message: { id: `${c}-${m}`, parent, role, text: text(c * 31 + m), at: c } });
      one = apply(one, [{ object: 'x', how: 'append', content }]);
    }
    all.set(String(c), one.conversations.get('x') as Conversation);
  }
  return all;
}

const all = history(10_000, 20);
list(all, 'warm');

describe('a history of 10,000 conversations with 20 messages of 300 characters', () => {
  bench('words that are nowhere', () => void list(all, 'needle in a haystack'));
  bench('words that are everywhere', () => void list(all, 'lazy dog'));
});
