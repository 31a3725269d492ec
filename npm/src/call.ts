/** A call of an application inside the seal, answered as the API itself would answer. */
import type { Call } from './core.js';
import { NetworkError, SubrosaError, subrosaError } from './error.js';
import type { Nodes, Report } from './nodes.js';

/** How much is hidden of the sizes and times of a call (spec/channel.md §7). */
export type Profile = 'off' | 'balanced' | 'strict';

/** The receipt of a whole answer. */
export interface Receipt {
  /** A file that `subrosa receipt check` reads. It holds the key that opens its commitments: keep it as you keep the conversation. */
  readonly file: Uint8Array;
  /** What was known of the node. */
  readonly report: Report;
}

/** The only headers of an application that go along: the others say who and what it is. */
const FORWARDED = ['accept', 'anthropic-version', 'content-type', 'subrosa-conversation'];
const SEALED_REQUEST = 'message/ohttp-chunked-req';
const SEALED_ANSWER = 'message/ohttp-chunked-res';

interface Head {
  readonly status: number;
  readonly headers: [string, string][];
  readonly events: boolean;
}

/** Seals a request to a verified node, and opens the answer. An answer that breaks off, or is not authentic, throws: it never looks whole. */
export async function sealedFetch(nodes: Nodes, request: Request, profile: Profile, onReceipt?: (receipt: Receipt) => void): Promise<Response> {
  try {
    const { pathname, search } = new URL(request.url);
    if (search) throw new SubrosaError('invalid_value', 'A query is not supported.');
    const headers = FORWARDED.flatMap((name) => {
      const value = request.headers.get(name);
      return value === null ? [] : [`${name}: ${value}`];
    });
    const body = new Uint8Array(await request.arrayBuffer());
    const { node, report } = await nodes.verified();
    const call = node.call(request.method, pathname, headers.join('\n'), body, profile, Date.now() / 1000);
    const stop = new AbortController();
    request.signal.addEventListener('abort', () => stop.abort(request.signal.reason));
    if (request.signal.aborted) stop.abort(request.signal.reason);
    const response = await nodes.request('/exchange', {
      method: 'POST',
      body: call.request() as Uint8Array<ArrayBuffer>,
      headers: { 'content-type': SEALED_REQUEST },
      signal: stop.signal,
    });
    if (response.headers.get('content-type') !== SEALED_ANSWER || !response.body) {
      // The key may have changed: the node is verified again before the next call.
      nodes.forget();
      await response.body?.cancel();
      throw new NetworkError(`The service answered ${response.status} outside of the seal, which proves nothing.`);
    }
    const pieces = new Pieces(call, response.body.getReader(), () => {
      const file = call.receipt();
      if (file) onReceipt?.({ file, report });
    });
    const head = await pieces.head();
    if (!head.events) return new Response(await pieces.whole(), { status: head.status, headers: head.headers });
    const events = new ReadableStream<Uint8Array>({
      async pull(controller) {
        const next = await pieces.next();
        if (next) controller.enqueue(next);
        else controller.close();
      },
      cancel: () => stop.abort(),
    });
    return new Response(events, { status: head.status, headers: head.headers });
  } catch (error) {
    throw subrosaError(error);
  }
}

/** The pieces of one answer. */
class Pieces {
  readonly #call: Call;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #complete: () => void;

  constructor(call: Call, reader: ReadableStreamDefaultReader<Uint8Array>, complete: () => void) {
    this.#call = call;
    this.#reader = reader;
    this.#complete = complete;
  }

  async head(): Promise<Head> {
    while (this.#call.head === undefined) await this.#more();
    return JSON.parse(this.#call.head) as Head;
  }

  /** The next piece, or undefined after a whole answer. */
  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      const piece = this.#call.take();
      if (piece.length > 0) return piece;
      if (this.#call.isComplete) return undefined;
      await this.#more();
    }
  }

  /** Everything, when it is known to be whole. */
  async whole(): Promise<Uint8Array<ArrayBuffer>> {
    while (!this.#call.isComplete) await this.#more();
    return this.#call.take() as Uint8Array<ArrayBuffer>;
  }

  async #more(): Promise<void> {
    try {
      const { done, value } = await this.#reader.read();
      if (done) {
        this.#call.finish();
        throw new SubrosaError('truncated', 'The answer was cut off.');
      }
      this.#call.push(value);
      if (this.#call.isComplete) this.#complete();
    } catch (error) {
      throw subrosaError(error);
    }
  }
}
