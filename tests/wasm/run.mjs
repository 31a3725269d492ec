// Judges every case in Node and in Chromium and compares with the native judgements.
// node run.mjs EVIDENCE OUT TIMES
import { createServer } from 'node:http';
import { existsSync, readdirSync, readFileSync, mkdtempSync, rmSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { chromium } from 'playwright-core';
import { judgeAll } from './judge.mjs';

const [evidence, out, times] = process.argv.slice(2);
const native = JSON.parse(readFileSync(join(out, 'native.json'), 'utf8'));
const wasm = readFileSync(join(out, 'subrosa_attest_case_wasm_bg.wasm'));
const cases = Object.keys(native).map((name) => {
  const folder = join(evidence, name);
  const description = readFileSync(join(folder, 'case.json'));
  const files = Object.keys(JSON.parse(description).files).map((file) => [
    file,
    readFileSync(join(folder, file)).toString('base64'),
  ]);
  const lent = Object.entries(native[name].lent).map(([file, lender]) => [
    file,
    readFileSync(join(evidence, lender, 'case.json')).toString('base64'),
    readFileSync(join(evidence, lender, file)).toString('base64'),
  ]);
  return { name, description: description.toString('base64'), files, lent };
});

async function inNode() {
  const module = await import(pathToFileURL(join(out, 'subrosa_attest_case_wasm.js')).href);
  await module.default({ module_or_path: wasm });
  return judgeAll(module.Files, cases, Number(times));
}

async function inChromium() {
  const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);
  if (!executablePath) throw new Error('Chromium is not installed; run: scripts/setup wasm');
  const served = {
    '/': ['text/html', '<!doctype html><title>test</title>'],
    '/judge.mjs': ['text/javascript', readFileSync(new URL('judge.mjs', import.meta.url))],
    '/cases.json': ['application/json', JSON.stringify(cases)],
    '/module.js': ['text/javascript', readFileSync(join(out, 'subrosa_attest_case_wasm.js'))],
    '/module.wasm': ['application/wasm', wasm],
  };
  const server = createServer((request, response) => {
    const [type, body] = served[request.url] ?? ['text/plain', ''];
    response.writeHead(served[request.url] ? 200 : 404, { 'content-type': type }).end(body);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const profile = mkdtempSync(join(tmpdir(), 'subrosa-wasm-'));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    args: [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync',
    ],
  });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    return await page.evaluate(async (times) => {
      const { judgeAll } = await import('/judge.mjs');
      const module = await import('/module.js');
      await module.default({ module_or_path: '/module.wasm' });
      const cases = await (await fetch('/cases.json')).json();
      return judgeAll(module.Files, cases, times);
    }, Number(times));
  } finally {
    await browser.close();
    server.close();
    rmSync(profile, { recursive: true, force: true });
  }
}

function compare(where, found) {
  const wrong = cases.filter(
    ({ name }) => !isDeepStrictEqual(found[name].judgement, native[name].judgement),
  );
  for (const { name } of wrong) {
    console.error(`${where} ${name}: ${JSON.stringify(found[name].judgement).slice(0, 300)}`);
    console.error(`native ${name}: ${JSON.stringify(native[name].judgement).slice(0, 300)}`);
  }
  const accepted = cases.filter(({ name }) => found[name].judgement.verdict === 'accept').length;
  console.log(`${where}: ${cases.length} cases, ${accepted} accepted, ${wrong.length} not as native`);
  return wrong.length;
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

const results = { node: await inNode(), chromium: await inChromium() };
const wrong = Object.entries(results).map(([where, found]) => compare(where, found));
console.log(`module: ${wasm.length} bytes, ${gzipSync(wasm, { level: 9 }).length} with gzip`);
if (Number(times) > 1) {
  const platforms = [...new Set(cases.map(({ name }) => name.split('/')[0]))];
  console.log('median ms of accepted cases'.padEnd(30), 'native', 'node', 'chromium');
  for (const platform of platforms) {
    const good = cases.filter(
      ({ name }) =>
        name.startsWith(`${platform}/`) && native[name].judgement.verdict === 'accept',
    );
    if (good.length === 0) continue;
    const row = [native, results.node, results.chromium].map((found) =>
      median(good.map(({ name }) => found[name].milliseconds)).toFixed(2),
    );
    console.log(platform.padEnd(30), ...row);
  }
}
if (cases.length === 0 || wrong.some((count) => count > 0)) process.exit(1);
