/** The Rust core, and what its failures are to the page. */
import url from '../../npm/src/wasm/subrosa_web_core_bg.wasm?url';
import { start as load } from '../../npm/src/core';

export * from '../../npm/src/core';
export { SubrosaError as Problem, subrosaError as problem } from '../../npm/src/error';

/** Where the core's WebAssembly is. */
export const source = () => url;

/** Loads the core, once. */
export const start = () => load(source);
