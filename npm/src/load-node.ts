/** The core's WebAssembly, for Node. */
import { readFile } from 'node:fs/promises';

export function source(): Promise<Uint8Array<ArrayBuffer>> {
  return readFile(new URL('./wasm/subrosa_web_core_bg.wasm', import.meta.url));
}
