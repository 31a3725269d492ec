/** What went wrong, with a stable code (spec/errors.md, spec/verdicts.md, spec/channel.md §6). Nothing of a person's text is in it. */
import { Failure } from './wasm/subrosa_web_core.js';

/** Something was not accepted, or could not be done. */
export class SubrosaError extends Error {
  override readonly name: string = 'SubrosaError';

  constructor(
    /** The stable code. */
    readonly code: string,
    message: string,
    /** The appraisal as JSON, where a node was judged. */
    readonly report?: string,
    /** Two signed notes of a transparency log that contradict each other, as JSON: keep them, and show them to others. */
    readonly conflict?: string,
  ) {
    super(message);
  }
}

/** A node did not pass verification. Nothing was sent to it. */
export class RefusedError extends SubrosaError {
  override readonly name = 'RefusedError';
}

/** The network, or a server outside of the seal: it proves nothing about any node. */
export class NetworkError extends SubrosaError {
  override readonly name = 'NetworkError';

  constructor(message: string) {
    super('network', message);
  }
}

/** Turns whatever was thrown into an error with a code. */
export function subrosaError(thrown: unknown): SubrosaError {
  if (thrown instanceof SubrosaError) return thrown;
  if (thrown instanceof Failure) {
    const { code, message, report, conflict } = thrown;
    thrown.free();
    return report === undefined ? new SubrosaError(code, message) : new RefusedError(code, message, report, conflict);
  }
  if (thrown instanceof DOMException && thrown.name === 'AbortError') return new SubrosaError('cancelled', 'It was stopped.');
  // What `fetch` throws when there is no answer.
  if (thrown instanceof TypeError) return new NetworkError(thrown.message);
  return new SubrosaError('internal', thrown instanceof Error ? thrown.message : 'Something went wrong in this program.');
}
