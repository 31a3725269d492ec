/** Requests to the store (spec/store.md). It keeps bytes that it cannot read; what it says is checked by the core. */
import { Problem } from '../core';

/** An answer that the store gave. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
}

/** Asks the store. Codes of its own refusals are thrown as problems, except those in `allowed`. */
export async function ask(
  method: string,
  path: string,
  { body, headers = {}, allowed = [] }: { body?: Uint8Array | string; headers?: Record<string, string>; allowed?: readonly number[] } = {},
): Promise<Answer> {
  const response = await fetch(`/store/v1/${path}`, {
    method,
    headers: method === 'GET' ? headers : { 'subrosa-store': '1', ...headers },
    credentials: 'same-origin',
    redirect: 'error',
    cache: 'no-store',
    ...(body === undefined ? {} : { body: body as BodyInit }),
  });
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (response.ok || allowed.includes(response.status)) return { status: response.status, headers: response.headers, bytes };
  let refusal = { code: 'network', title: `The store answered ${response.status}.` };
  try {
    refusal = JSON.parse(new TextDecoder().decode(bytes)) as typeof refusal;
  } catch {
    // Not the store's own words: the status says it.
  }
  throw new Problem(refusal.code, refusal.title);
}

/** An answer in JSON. */
export function json<T>({ bytes }: Answer): T {
  return JSON.parse(new TextDecoder().decode(bytes)) as T;
}
