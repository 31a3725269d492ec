import { describe, expect, it } from 'vitest';
import { after, concat, lastSequence, part, upTo } from './copy';

/** A part with a record of this sequence. */
function record(sequence: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length).fill(sequence);
  new DataView(bytes.buffer).setBigUint64(26, BigInt(sequence));
  return part(bytes);
}

describe('parts of an answer', () => {
  const parts = [record(3, 40), record(4, 90), record(5, 34)];
  const whole = concat(parts);

  it('are cut at a sequence', () => {
    expect(upTo(whole, 4n)).toEqual(concat(parts.slice(0, 2)));
    expect(after(whole, 4n)).toEqual(concat(parts.slice(2)));
    expect(upTo(whole, 2n)).toHaveLength(0);
    expect(after(whole, 5n)).toHaveLength(0);
    expect([upTo(whole, 9n), after(whole, 0n)]).toEqual([whole, whole]);
  });

  it('say what the last is, also where they are part of something larger', () => {
    const larger = concat([new Uint8Array(7), whole]);
    expect(lastSequence(larger.subarray(7))).toBe(5n);
    expect(lastSequence(new Uint8Array())).toBe(0n);
    expect(lastSequence(whole.subarray(0, whole.length - 34 - 5))).toBe(4n);
  });
});
