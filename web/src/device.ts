/** What this browser keeps between visits. Nothing in it can be read without a key that is not in it. */
import { openDB, type DBSchema, type IDBPDatabase } from 'idb';

/** A secret sealed under a key of the browser that no page can read out. */
export interface KeptSecret {
  readonly slot: string;
  readonly key: CryptoKey;
  readonly iv: Uint8Array<ArrayBuffer>;
  readonly sealed: ArrayBuffer;
}

/** What it takes to open an account where the store cannot be reached. */
export interface KeptAccount {
  readonly account: string;
  /** The passkey's name, or null for an account that was opened by its recovery code. */
  readonly credential: string | null;
  readonly slot: string;
  /** The slot's locked key. */
  readonly locked: Uint8Array;
  /** The list of slots. */
  readonly roster: Uint8Array;
}

/** Records as the store sent them and the core took them: sealed. */
export interface KeptRecords {
  /** Whether they are those that counted at a manifest, which only a history begins with. */
  readonly isCounted: boolean;
  readonly parts: Uint8Array;
}

interface Schema extends DBSchema {
  /** Accounts that were opened here, by name. */
  accounts: { key: string; value: KeptAccount };
  /** Their records, by account and the sequence of the last. */
  records: { key: [string, number]; value: KeptRecords };
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
      if (version < 2) {
        store.createObjectStore('log');
        store.createObjectStore('accounts');
        store.createObjectStore('records');
      }
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
