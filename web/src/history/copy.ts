/** The copy of a sealed history that this browser keeps: to be read offline, and to notice a store that goes back. */
import { withDatabase, type KeptAccount, type KeptRecords } from '../device';
import { Chronicle, type Contents, type Member } from '../core';

/** As large as no sequence is: the copy does not say what the newest record is. */
const ANY = (2n ** 64n - 1n).toString();
/** Pieces that are put together when a history is opened. */
const MAX_PIECES = 64;
/** Bytes of a part before its record: length and kind. */
const PART = 5;
/** Where a record says its sequence (spec/history.md §5). */
const SEQUENCE = 26;

function all(account: string): IDBKeyRange {
  return IDBKeyRange.bound([account, 0], [account, Number.MAX_SAFE_INTEGER]);
}

/** Keeps records that the core has taken. What cannot be kept is read from the store again. */
export async function keepRecords(account: string, sequence: string, records: KeptRecords): Promise<void> {
  if (records.parts.length === 0) return;
  await withDatabase((store) => store.put('records', records, [account, Number(sequence)])).catch(() => undefined);
}

/** Keeps what opens the account. */
export async function keepAccount(kept: KeptAccount): Promise<void> {
  await withDatabase((store) => store.put('accounts', kept, kept.account)).catch(() => undefined);
}

/** Accounts that were opened here. */
export function keptAccounts(): Promise<KeptAccount[]> {
  return withDatabase((store) => store.getAll('accounts'));
}

/** What was kept of an account, if it was. */
export function keptAccount(account: string): Promise<KeptAccount | undefined> {
  return withDatabase((store) => store.get('accounts', account));
}

/** Forgets an account and its records. */
export async function forgetAccount(account: string): Promise<void> {
  await withDatabase(async (store) => {
    await store.delete('accounts', account);
    await store.delete('records', all(account));
  });
}

/** Opens the copy. Null if there is none, or it is damaged: then the store is read from the beginning. */
export async function restore(member: Member, account: string): Promise<{ chronicle: Chronicle; contents: Contents[] } | null> {
  const pieces = await withDatabase((store) => store.getAll('records', all(account))).catch(() => []);
  if (pieces.length === 0) return null;
  try {
    const contents: Contents[] = [];
    let chronicle: Chronicle | undefined;
    for (const { isCounted, parts } of pieces) {
      if (!chronicle && isCounted) {
        const begun = Chronicle.begin(member, parts);
        contents.push(begun.contents());
        chronicle = begun.chronicle();
        continue;
      }
      chronicle ??= Chronicle.empty(member);
      contents.push(chronicle.accept(member, after(parts, BigInt(chronicle.sequence())), ANY));
    }
    if (!chronicle) return null;
    if (pieces.length > MAX_PIECES) await join(account, chronicle.sequence(), pieces);
    return { chronicle, contents };
  } catch {
    await withDatabase((store) => store.delete('records', all(account))).catch(() => undefined);
    return null;
  }
}

/** Puts pieces together. */
async function join(account: string, sequence: string, pieces: readonly KeptRecords[]): Promise<void> {
  const records: Uint8Array[] = [];
  let last = 0n;
  for (const { isCounted, parts } of pieces) {
    if (isCounted) continue;
    const rest = after(parts, last);
    if (rest.length > 0) records.push(rest);
    last = lastSequence(parts);
  }
  await withDatabase(async (store) => {
    const work = store.transaction('records', 'readwrite');
    const keys = await work.store.getAllKeys(all(account));
    const first = pieces[0]?.isCounted ? keys[0] : undefined;
    for (const key of keys) if (key !== first) await work.store.delete(key);
    await work.store.put({ isCounted: false, parts: concat(records) }, [account, Number(sequence)]);
    await work.done;
  }).catch(() => undefined);
}

/** A record as a part of an answer (spec/store.md). */
export function part(record: Uint8Array): Uint8Array {
  const whole = new Uint8Array(PART + record.length);
  new DataView(whole.buffer).setUint32(0, record.length);
  whole.set(record, PART);
  return whole;
}

/** The parts up to this sequence. */
export function upTo(parts: Uint8Array, sequence: bigint): Uint8Array {
  let end = 0;
  for (const { at, length, sequence: found } of each(parts)) if (found <= sequence) end = at + length;
  return parts.subarray(0, end);
}

/** The parts after this sequence. */
export function after(parts: Uint8Array, sequence: bigint): Uint8Array {
  let start = 0;
  for (const { at, length, sequence: found } of each(parts)) if (found <= sequence) start = at + length;
  return parts.subarray(start);
}

/** The sequence of the last record: only to ask for what follows; nothing is believed because of it. */
export function lastSequence(parts: Uint8Array): bigint {
  let last = 0n;
  for (const { sequence } of each(parts)) last = sequence;
  return last;
}

function* each(parts: Uint8Array): Generator<{ at: number; length: number; sequence: bigint }> {
  const view = new DataView(parts.buffer, parts.byteOffset, parts.byteLength);
  for (let at = 0; at + PART + SEQUENCE + 8 <= parts.length; ) {
    const length = PART + view.getUint32(at);
    yield { at, length, sequence: view.getBigUint64(at + PART + SEQUENCE) };
    at += length;
  }
}

/** Bytes one after the other. */
export function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
