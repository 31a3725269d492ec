/** What this device keeps where a passkey cannot hold a key: 32 random bytes, sealed under a key of the browser that no page can read out. */

interface Kept {
  readonly slot: string;
  readonly key: CryptoKey;
  readonly iv: Uint8Array<ArrayBuffer>;
  readonly sealed: ArrayBuffer;
}

const DATABASE = 'subrosa';
const STORE = 'device';

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('The browser keeps nothing.'));
  });
}

async function run<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const request = work(database.transaction(STORE, mode).objectStore(STORE));
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error ?? new Error('The browser keeps nothing.'));
    });
  } finally {
    database.close();
  }
}

/** Keeps the secret of a slot for an account. */
export async function keep(account: string, slot: string, secret: Uint8Array): Promise<void> {
  const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, secret as Uint8Array<ArrayBuffer>);
  await run('readwrite', (store) => store.put({ slot, key, iv, sealed } satisfies Kept, account));
}

/** The slot and its secret, if this device keeps one for the account. */
export async function kept(account: string): Promise<{ slot: string; secret: Uint8Array } | null> {
  const found = (await run('readonly', (store) => store.get(account) as IDBRequest<Kept | undefined>)) ?? null;
  if (!found) return null;
  const { slot, key, iv, sealed } = found;
  return { slot, secret: new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, key, sealed)) };
}
