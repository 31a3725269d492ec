// Verifies in Node what it is told to and says how long that took, as tests/differential/src/bin/worker.rs.
// node worker.mjs EVIDENCE OUT; lines `ours TIMES CASE…` in, `NANOSECONDS ACCEPTED` out.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const [evidence, out] = process.argv.slice(2);
const module = await import(pathToFileURL(join(out, 'subrosa_attest_case_wasm.js')).href);
const wasm = readFileSync(join(out, 'subrosa_attest_case_wasm_bg.wasm'));
await module.default({ module_or_path: wasm });

const cases = new Map();
function load(name) {
  if (!cases.has(name)) {
    const description = readFileSync(join(evidence, name, 'case.json'));
    const files = new module.Files();
    for (const file of Object.keys(JSON.parse(description).files)) {
      files.add(file, readFileSync(join(evidence, name, file)));
    }
    cases.set(name, { description, files });
  }
  return cases.get(name);
}

for await (const line of createInterface({ input: process.stdin })) {
  const [, times, ...names] = line.split(' ');
  const loaded = names.map(load);
  let accepted = 0;
  const start = process.hrtime.bigint();
  for (let turn = 0; turn < Number(times); turn += 1) {
    const judged = loaded.map(({ description, files }) => files.judge(description));
    accepted = judged.filter((text) => JSON.parse(text).verdict === 'accept').length;
  }
  const nanoseconds = process.hrtime.bigint() - start;
  const count = BigInt(Number(times) * names.length || 1);
  console.log(`${nanoseconds / count} ${accepted}`);
}
