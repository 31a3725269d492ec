/** What this device keeps where a passkey cannot hold a key: 32 random bytes, sealed under a key of the browser that no page can read out. */
import { withDatabase } from '../device';

/** Keeps the secret of a slot for an account. */
export async function keep(account: string, slot: string, secret: Uint8Array): Promise<void> {
  const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, secret as Uint8Array<ArrayBuffer>);
  await withDatabase((store) => store.put('device', { slot, key, iv, sealed }, account));
}

/** The slot and its secret, if this device keeps one for the account. */
export async function kept(account: string): Promise<{ slot: string; secret: Uint8Array } | null> {
  const found = await withDatabase((store) => store.get('device', account));
  if (!found) return null;
  const { slot, key, iv, sealed } = found;
  return { slot, secret: new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, key, sealed)) };
}
