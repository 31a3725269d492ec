// Figures of the page: node bench/web.mjs FOLDER EDGE. Needs a release build in web/dist (bench/run web).
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { freePort } from '../tests/web/harness.mjs';

const [out, edge] = process.argv.slice(2);
const search = join(out, 'web-search.json');
execFileSync('npx', ['--no-install', 'vitest', 'bench', '--run', '--outputJson', resolve(search)], { cwd: 'web', stdio: ['ignore', 'ignore', 'inherit'] });
const require = createRequire(new URL('../web/package.json', import.meta.url));
const { chromium } = require('playwright-core');
const ROUNDS = 11;

const sizes = {};
for (const name of readdirSync('web/dist/assets')) {
  const bytes = readFileSync(join('web/dist/assets', name));
  sizes[name.split('.').at(-1)] = { bytes: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length };
}

const folder = mkdtempSync(join(tmpdir(), 'subrosa-bench-'));
const port = await freePort();
const child = spawn(edge, ['--listen', `127.0.0.1:${port}`, '--origin', `http://localhost:${port}`, '--database', `sqlite://${folder}/store.db`, '--web', 'web/dist'], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
await new Promise((resolve) => child.stdout.once('data', resolve));
const times = { start: [], core: [] };
try {
  for (let round = 0; round < ROUNDS; round += 1) {
    // A browser that has nothing of the page.
    const profile = mkdtempSync(join(tmpdir(), 'subrosa-bench-browser-'));
    const browser = await chromium.launchPersistentContext(profile, {
      executablePath: '/usr/bin/chromium',
      headless: true,
      args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    });
    const page = browser.pages()[0] ?? (await browser.newPage());
    let began = performance.now();
    await page.goto(`http://localhost:${port}/`, { waitUntil: 'commit' });
    await page.getByRole('button', { name: 'Chat without an account' }).click({ trial: true });
    times.start.push(performance.now() - began);
    // There is no node: the core is loaded, and says so.
    began = performance.now();
    await page.getByRole('button', { name: 'Chat without an account' }).click();
    await page.locator('[data-testid=badge]:not([data-kind=checking])').waitFor();
    times.core.push(performance.now() - began);
    await browser.close();
    rmSync(profile, { recursive: true, force: true });
  }
} finally {
  child.kill();
  rmSync(folder, { recursive: true, force: true });
}
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const [{ groups }] = JSON.parse(readFileSync(search, 'utf8')).files;
rmSync(search);
const searches = groups[0].benchmarks.map(({ name, median: middle, p99, sampleCount }) => ({ name, median: middle, p99, sampleCount }));
const result = { sizes, milliseconds: times, searches };
writeFileSync(join(out, 'web.json'), `${JSON.stringify(result, null, 2)}\n`);
const total = Object.values(sizes).reduce((sum, { gzip }) => sum + gzip, 0);
const rows = [
  ...Object.entries(sizes).map(([name, { bytes, gzip }]) => [`${name}: bytes (with gzip -9)`, `${bytes} (${gzip})`, 'bytes', 1, name === 'wasm' ? '≤ 250000' : '']),
  ['all of it, with gzip -9', total, 'bytes', 1, ''],
  ['from opening the address until the first button can be used', median(times.start).toFixed(0), 'ms', ROUNDS, ''],
  ['from that button until the core is loaded and has said that there is no node', median(times.core).toFixed(0), 'ms', ROUNDS, ''],
  ...searches.map(({ name, median: middle, p99, sampleCount }) => [
    `search in 10,000 conversations of 20 messages of 300 characters: ${name} (99 % below)`,
    `${middle.toFixed(1)} (${p99.toFixed(1)})`, 'ms', sampleCount, '≤ 50',
  ]),
];
const lines = rows.map((row) => `| ${row.join(' | ')} |`);
writeFileSync(join(out, 'web.md'), ['| measured | median | unit | rounds | goal |', '|---|---|---|---|---|', ...lines, ''].join('\n'));
