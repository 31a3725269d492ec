/** The Rust core: everything that verifies, seals and opens. */
import init, * as wasm from './wasm/subrosa_web_core.js';
import url from './wasm/subrosa_web_core_bg.wasm?url';

export * from './wasm/subrosa_web_core.js';

let started: Promise<unknown> | undefined;

/** Loads the core, once. */
export async function start(): Promise<void> {
  started ??= init({ module_or_path: url });
  await started;
}

/** What went wrong, with a stable code. `report` is the appraisal of a node that was refused. */
export class Problem extends Error {
  override readonly name = 'Problem';

  constructor(
    readonly code: string,
    message: string,
    readonly report?: string,
  ) {
    super(message);
  }
}

/** Turns whatever was thrown into a problem with a code. */
export function problem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown;
  if (thrown instanceof wasm.Failure) {
    const { code, message, report } = thrown;
    thrown.free();
    return new Problem(code, message, report);
  }
  if (thrown instanceof DOMException && thrown.name === 'AbortError') return new Problem('cancelled', 'It was stopped.');
  if (thrown instanceof TypeError) return new Problem('network', thrown.message);
  return new Problem('internal', thrown instanceof Error ? thrown.message : 'Something went wrong in this page.');
}
