/** The Rust core: everything that verifies, seals and opens. */
import init, { type InitInput } from './wasm/subrosa_web_core.js';

export * from './wasm/subrosa_web_core.js';

let started: Promise<unknown> | undefined;

/** Loads the core, once. */
export async function start(source: () => InitInput | Promise<InitInput>): Promise<void> {
  started ??= Promise.resolve(source()).then((module_or_path) => init({ module_or_path }));
  try {
    await started;
  } catch (error) {
    // The next one may load it.
    started = undefined;
    throw error;
  }
}
