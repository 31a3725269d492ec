/** Conversations shared by a link. The key stands behind the `#`, which browsers do not send. */
import { openShare, Problem, problem, sealShare, start } from '../core';
import { ask, json } from '../account/store';
import type { Message } from '../chat/message-tree';

/** What a link leads to. */
export interface Shared {
  readonly title: string;
  readonly messages: readonly Message[];
}

const FORM = /^#share=([0-9a-f]{32})\.([0-9a-f]{64})$/;

/** Puts a sealed copy into the store for some days, and gives the link. */
export async function share(shared: Shared, days: number): Promise<string> {
  try {
    const id = hex(crypto.getRandomValues(new Uint8Array(16)));
    const content = new TextEncoder().encode(JSON.stringify({ v: 1, ...shared }));
    const both = sealShare(id, content);
    await ask('PUT', `shares/${id}`, { body: both.slice(32), headers: { 'subrosa-days': String(days) } });
    return `${location.origin}/#share=${id}.${hex(both.slice(0, 32))}`;
  } catch (error) {
    throw problem(error);
  }
}

/** A copy that is shared. Which conversation it is of only its link says. */
export interface Share {
  readonly share: string;
  /** When it ends, in Unix seconds. */
  readonly until: number;
}

/** What is shared now. */
export async function listShares(): Promise<readonly Share[]> {
  return json<{ shares: Share[] }>(await ask('GET', 'shares')).shares;
}

/** Ends a share: its link leads nowhere from now on. */
export async function unshare(share: string): Promise<void> {
  await ask('DELETE', `shares/${share}`);
}

/** Whether an address is such a link. */
export function isLink(hash: string): boolean {
  return FORM.test(hash);
}

/** Opens what a link leads to. */
export async function open(hash: string): Promise<Shared> {
  const [, id, key] = FORM.exec(hash) ?? [];
  if (!id || !key) throw new Problem('share-refused', 'This link leads to no shared conversation.');
  try {
    await start();
    const { bytes } = await ask('GET', `shares/${id}`);
    const content = openShare(unhex(key), id, bytes);
    const { v, title, messages } = JSON.parse(new TextDecoder().decode(content)) as { v: number } & Shared;
    if (v !== 1 || !Array.isArray(messages)) throw new Problem('share-refused', 'A newer version shared this conversation.');
    return { title: String(title), messages };
  } catch (error) {
    throw problem(error);
  }
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function unhex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
