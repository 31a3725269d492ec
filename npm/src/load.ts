/** Where the core's WebAssembly is, for browsers. */
export function source(): URL {
  return new URL('./wasm/subrosa_web_core_bg.wasm', import.meta.url);
}
