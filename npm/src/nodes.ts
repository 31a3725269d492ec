/** Finding a node of a service and verifying it. What is said of it comes from the core only. */
import { Verifier, type InitInput, type Listing, type Node } from './core.js';
import * as core from './core.js';
import { NetworkError, SubrosaError, subrosaError } from './error.js';
import { MemoryStorage, type SeenStorage } from './seen.js';

/** What the core found out about a node. */
export interface Report {
  readonly verdict: string;
  readonly kind: 'verified' | 'gaps' | 'development' | 'refused';
  readonly key_id?: string;
  readonly not_after?: number;
  readonly models?: readonly { readonly name: string; readonly weights: string }[];
  readonly release?: string;
  readonly text: string;
  readonly checks: readonly Check[];
}

/** One check, as the core lists it. */
export interface Check {
  readonly name: string;
  readonly question: string;
  readonly why: string;
  readonly outcome: 'pass' | 'fail' | 'not-run';
  readonly code: string | null;
  readonly found: string | null;
  readonly expected: string | null;
}

/** A verified node, and what is known of it. */
export interface Verified {
  readonly node: Node;
  readonly report: Report;
}

/** What nodes are found with. */
export interface NodesOptions {
  /** Where the service is: `https://chat.example.org`, or empty for the page's own server. */
  readonly origin: string;
  /** The policy (spec/policy.md), or how to get it. */
  readonly policy: string | (() => Promise<string>);
  /** The core's WebAssembly. */
  readonly source: () => InitInput | Promise<InitInput>;
  /** Default: the platform's. */
  readonly fetch?: typeof fetch;
  /** What was seen of logs. Default: kept in memory. */
  readonly seen?: SeenStorage;
  /** Where the tiles of the policy's log are read. Default: through the service. */
  readonly tiles?: string;
  /** The public file of a simulated root, or how to get it: for services on this machine, and with development builds only. */
  readonly developmentRoot?: string | (() => Promise<string>);
}

const PATH = '/subrosa/v1';
const MAX_DIRECTORY = 64 << 10;
const MAX_PROOF = 96 << 10;
const MAX_BUNDLE = 4 << 20;
const MAX_TILE = 256 * 32;
/** Seconds that a key must still live. */
const MARGIN = 60;

/** The nodes of one service. */
export class Nodes {
  #verifier: Promise<Verifier> | undefined;
  #current: Verified | undefined;
  #finding: Promise<Verified> | undefined;
  readonly #seen: SeenStorage;

  constructor(readonly options: NodesOptions) {
    this.#seen = options.seen ?? new MemoryStorage();
  }

  /** A verified node whose key lives for a minute more. Throws an error with the appraisal when no node passes. */
  async verified(): Promise<Verified> {
    if (this.#current && this.#current.node.notAfter - Date.now() / 1000 > MARGIN) return this.#current;
    this.#current = undefined;
    this.#finding ??= this.#find().finally(() => {
      this.#finding = undefined;
    });
    this.#current = await this.#finding;
    return this.#current;
  }

  /** Does not use the node again. */
  forget(): void {
    this.#current = undefined;
  }

  /** Sends a request to the service. No cookie goes along, and no other address is followed to. */
  request(path: string, init: RequestInit = {}): Promise<Response> {
    const send = this.options.fetch ?? fetch;
    return send(`${this.options.origin}${PATH}${path}`, { credentials: 'omit', redirect: 'error', cache: 'no-store', ...init });
  }

  async #find(): Promise<Verified> {
    try {
      return await this.#findOnce();
    } catch (error) {
      const found = subrosaError(error);
      // The directory and its proof are two documents: in between it may have changed.
      if (found.code !== 'directory-not-logged') throw found;
    }
    try {
      return await this.#findOnce();
    } catch (error) {
      throw subrosaError(error);
    }
  }

  async #findOnce(): Promise<Verified> {
    const verifier = await this.#judge();
    const directory = await this.#download('/directory', MAX_DIRECTORY);
    const proof = verifier.asksLog ? await this.#download('/directory/proof', MAX_PROOF).catch(absent) : undefined;
    const listing = verifier.listing(directory, proof);
    let failure = new SubrosaError('not-found', 'The service lists no node.');
    for (const index of shuffled(listing.length)) {
      const name = listing.bundle(index);
      if (name === undefined) continue;
      try {
        const bundle = await this.#download(`/bundles/${name}`, MAX_BUNDLE);
        const node = await this.#ask(verifier, listing, index, bundle);
        return { node, report: JSON.parse(node.report()) as Report };
      } catch (error) {
        failure = subrosaError(error);
      }
    }
    throw failure;
  }

  /** Judges by evidence and log. What is seen of the log is kept before the node is used. */
  #ask(verifier: Verifier, listing: Listing, index: number, bundle: Uint8Array): Promise<Node> {
    const judge = async (seen: string) => {
      const inquiry = verifier.inquire(listing, index, bundle, seen, Date.now() / 1000);
      for (let tile = inquiry.tile(); tile !== undefined; tile = inquiry.tile()) {
        const full = inquiry.full();
        inquiry.add(await this.#tile(tile, full));
      }
      const judged = inquiry.judge();
      const after = judged.seen;
      return { result: judged.node(), seen: after };
    };
    return verifier.asksLog ? this.#seen.update(judge) : judge('').then(({ result }) => result);
  }

  /** A tile, or the same when it is full: a log may have deleted the parts of a full one. */
  async #tile(tile: string, full: string | undefined): Promise<Uint8Array> {
    const { tiles } = this.options;
    const get = (path: string) =>
      tiles === undefined
        ? this.#download(`/log/${path}`, MAX_TILE)
        : read((this.options.fetch ?? fetch)(`${tiles.replace(/\/+$/, '')}/${path}`, { credentials: 'omit', redirect: 'error' }), MAX_TILE);
    try {
      return await get(tile);
    } catch (error) {
      if (full === undefined || !(error instanceof NetworkError)) throw error;
      return get(full);
    }
  }

  async #judge(): Promise<Verifier> {
    this.#verifier ??= this.#make();
    try {
      return await this.#verifier;
    } catch (error) {
      // The next one may work.
      this.#verifier = undefined;
      throw error;
    }
  }

  async #make(): Promise<Verifier> {
    const { developmentRoot, origin, policy, source } = this.options;
    await core.start(source);
    const text = typeof policy === 'string' ? policy : await policy();
    if (developmentRoot === undefined) return new Verifier(text);
    const root = typeof developmentRoot === 'string' ? developmentRoot : await developmentRoot();
    const { development } = Verifier as unknown as { development?: (policy: string, root: string, host: string) => Verifier };
    if (!development) throw new SubrosaError('development-root', 'This build judges real hardware only.');
    return development(text, root, origin ? new URL(origin).hostname : location.hostname);
  }

  #download(path: string, limit: number): Promise<Uint8Array> {
    return read(this.request(path), limit);
  }
}

function absent(error: unknown): undefined {
  // A service without a proof is refused by the core; one that is away is not refused.
  if (!(error instanceof NetworkError)) throw error;
}

/** A document of at most so many bytes. */
export async function read(answer: Promise<Response>, limit: number): Promise<Uint8Array> {
  const response = await answer;
  if (!response.ok || !response.body) throw new NetworkError(`The service answered ${response.status}.`);
  const parts: Uint8Array[] = [];
  let length = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > limit) {
      await reader.cancel();
      throw new SubrosaError('too-large', 'The service sent more than it may.');
    }
    parts.push(value);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Numbers below a count in random order: every node is chosen equally often. */
function shuffled(count: number): number[] {
  const order = Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last -= 1) {
    const other = below(last + 1);
    [order[last], order[other]] = [order[other] as number, order[last] as number];
  }
  return order;
}

function below(limit: number): number {
  const range = 2 ** 32 - (2 ** 32 % limit);
  for (const one = new Uint32Array(1); ; ) {
    crypto.getRandomValues(one);
    const value = one[0] as number;
    if (value < range) return value % limit;
  }
}
