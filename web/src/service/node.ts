/** Finding a node of the service and verifying it. What is shown to people comes from here only: from what the core has verified. */
import { Problem, problem, start, Verifier, type Node } from '../core';

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

const PATH = '/subrosa/v1';
const MAX_DIRECTORY = 64 << 10;
const MAX_BUNDLE = 4 << 20;
/** Seconds that a key must still live. */
const MARGIN = 60;

let verifier: Promise<Verifier> | undefined;
let current: Verified | undefined;

/** A verified node whose key lives for a minute more. Throws a problem with the appraisal when no node passes. */
export async function verifiedNode(): Promise<Verified> {
  if (current && current.node.notAfter - Date.now() / 1000 > MARGIN) return current;
  current = undefined;
  current = await find();
  return current;
}

/** Does not use the node again. */
export function forgetNode(): void {
  current = undefined;
}

async function find(): Promise<Verified> {
  verifier ??= makeVerifier();
  const judge = await verifier.catch((error: unknown) => {
    verifier = undefined;
    throw error;
  });
  try {
    const listing = judge.listing(await download(`${PATH}/directory`, MAX_DIRECTORY));
    let failure = new Problem('not-found', 'The service lists no node.');
    for (const index of shuffled(listing.length)) {
      const name = listing.bundle(index);
      if (name === undefined) continue;
      try {
        const bundle = await download(`${PATH}/bundles/${name}`, MAX_BUNDLE);
        const node = judge.judge(listing, index, bundle, Date.now() / 1000);
        return { node, report: JSON.parse(node.report()) as Report };
      } catch (error) {
        failure = problem(error);
      }
    }
    throw failure;
  } catch (error) {
    throw problem(error);
  }
}

async function makeVerifier(): Promise<Verifier> {
  await start();
  const policy = new TextDecoder().decode(await download('/policy.toml', 1 << 20));
  try {
    if (__DEVELOPMENT__) {
      const root = new TextDecoder().decode(await download('/development-root', 1 << 20));
      // The static method exists in development builds of the core only.
      const made = (Verifier as unknown as { development(policy: string, root: string, host: string): Verifier }).development(
        policy,
        root,
        location.hostname,
      );
      return made;
    }
    return new Verifier(policy);
  } catch (error) {
    throw problem(error);
  }
}

/** A document of at most so many bytes. */
async function download(path: string, limit: number): Promise<Uint8Array> {
  const response = await fetch(path, { credentials: 'omit', redirect: 'error', cache: 'no-store' });
  if (!response.ok || !response.body) throw new Problem('network', `The service answered ${response.status}.`);
  const parts: Uint8Array[] = [];
  let length = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > limit) {
      await reader.cancel();
      throw new Problem('too-large', 'The service sent more than it may.');
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
export function shuffled(count: number): number[] {
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
