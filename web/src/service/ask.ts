/** One question and its answer, through the sealed channel. */
import { Problem, problem } from '../core';
import { forgetNode, verifiedNode, type Report } from './node';

/** What a model is told. */
export interface Turn {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/** What comes back, piece by piece. */
export type Piece =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'usage'; readonly prompt: number; readonly completion: number }
  | { readonly type: 'finish'; readonly reason: string }
  | { readonly type: 'complete'; readonly receipt: string; readonly file: Uint8Array; readonly report: Report };

interface Event {
  readonly type: 'head' | 'text' | 'body' | 'finish' | 'usage' | 'error' | 'complete';
  readonly status?: number;
  readonly text?: string;
  readonly reason?: string;
  readonly code?: string;
  readonly message?: string;
  readonly prompt?: number;
  readonly completion?: number;
  readonly receipt?: string;
}

/**
 * Asks, and yields the answer's pieces. Only when `complete` has come was it an answer: before that it may be cut off, which is thrown as `truncated`.
 * Nothing is sent unless a node was verified.
 */
export async function* ask(turns: readonly Turn[], model: string | null, signal: AbortSignal): AsyncGenerator<Piece> {
  const { node, report } = await verifiedNode();
  const served = report.models?.find(({ name }) => name === model) ?? report.models?.[0];
  const body = JSON.stringify({ model: served?.name, messages: turns, stream: true });
  try {
    const now = Date.now() / 1000;
    const sent = node.seal('/v1/chat/completions', 'content-type: application/json', new TextEncoder().encode(body), 'balanced', now);
    const response = await fetch('/subrosa/v1/exchange', {
      method: 'POST',
      body: sent.request() as Uint8Array<ArrayBuffer>,
      headers: { 'content-type': 'message/ohttp-chunked-req' },
      credentials: 'omit',
      redirect: 'error',
      signal,
    });
    if (response.headers.get('content-type') !== 'message/ohttp-chunked-res' || !response.body) {
      forgetNode();
      throw new Problem('network', `The service answered ${response.status} outside of the seal. Try again.`);
    }
    let refusal: { status: number; text: string } | undefined;
    for (const reader = response.body.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      for (const event of JSON.parse(sent.push(value)) as Event[]) {
        switch (event.type) {
          case 'head':
            if (event.status !== 200) refusal = { status: event.status ?? 0, text: '' };
            break;
          case 'body':
            if (refusal) refusal.text += event.text ?? '';
            break;
          case 'text':
            yield { type: 'text', text: event.text ?? '' };
            break;
          case 'usage':
            yield { type: 'usage', prompt: event.prompt ?? 0, completion: event.completion ?? 0 };
            break;
          case 'finish':
            yield { type: 'finish', reason: event.reason ?? '' };
            break;
          case 'error':
            throw new Problem(event.code ?? 'internal', event.message ?? '');
          case 'complete': {
            if (refusal) throw refused(refusal.text);
            const file = sent.receipt();
            if (file) yield { type: 'complete', receipt: event.receipt ?? '', file, report };
            return;
          }
        }
      }
    }
    sent.finish();
  } catch (error) {
    throw problem(error);
  }
}

/** A sealed refusal, in the API's own words. */
function refused(text: string): Problem {
  try {
    const { error } = JSON.parse(text) as { error: { code?: string; message?: string } };
    return new Problem(error.code ?? 'internal', error.message ?? 'The service refused the question.');
  } catch {
    return new Problem('internal', 'The service refused the question.');
  }
}
