/** What this browser keeps between visits. Nothing in it can be read without a key that is not in it. */
import { openDB, type DBSchema, type IDBPDatabase } from 'idb';

/** A secret sealed under a key of the browser that no page can read out. */
export interface KeptSecret {
  readonly slot: string;
  readonly key: CryptoKey;
  readonly iv: Uint8Array<ArrayBuffer>;
  readonly sealed: ArrayBuffer;
}

interface Schema extends DBSchema {
  /** Secrets of slots, by account: where a passkey holds no key. */
  device: { key: string; value: KeptSecret };
  /** What was seen of transparency logs (spec/transparency.md §8). */
  log: { key: 'seen'; value: string };
}

/** The store, made when it is first needed. */
export function database(): Promise<IDBPDatabase<Schema>> {
  return openDB<Schema>('subrosa', 2, {
    upgrade(store, version) {
      if (version < 1) store.createObjectStore('device');
      if (version < 2) store.createObjectStore('log');
    },
  });
}

/** Does work on the store, and closes it. */
export async function withDatabase<T>(work: (database: IDBPDatabase<Schema>) => Promise<T>): Promise<T> {
  const opened = await database();
  try {
    return await work(opened);
  } finally {
    opened.close();
  }
}
