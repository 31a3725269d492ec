// The npm package as somebody uses it: packed, installed into an empty folder, in Node and in a browser. node tests/web/npm.mjs PACKAGE
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { promisify } from 'node:util';
import { Device, Place } from './harness.mjs';

const [tarball] = process.argv.slice(2);
const require = createRequire(new URL('../../web/package.json', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'subrosa-npm-'));
const modules = join(folder, 'node_modules');
mkdirSync(join(modules, 'subrosa'), { recursive: true });
execFileSync('tar', ['xzf', tarball, '-C', join(modules, 'subrosa'), '--strip-components=1']);
cpSync(dirname(require.resolve('openai')), join(modules, 'openai'), { recursive: true });

const place = await Place.start(null);
const policy = await (await fetch(`${place.url}/policy.toml`)).text();
const developmentRoot = await (await fetch(`${place.url}/development-root`)).text();
writeFileSync(join(folder, 'policy.toml'), policy);
writeFileSync(join(folder, 'root.json'), developmentRoot);

/** Runs a program in the folder, and gives what it printed. */
async function run(program) {
  writeFileSync(join(folder, 'program.mjs'), program);
  const { stdout } = await promisify(execFile)('node', ['program.mjs'], { cwd: folder, timeout: 60_000 });
  return stdout;
}

const tests = [];
const test = (name, work) => tests.push({ name, work });

const quick = /```js\n([\s\S]*?)```/.exec(readFileSync('npm/README.md', 'utf8'))[1];
// The only differences to what a person copies: the address, and the simulated platform of this machine.
const here = quick
  .replaceAll('https://chat.example.org', place.url)
  .replace("new Subrosa({ policy", "new Subrosa({ developmentRoot: readFileSync('root.json', 'utf8'), policy");

test('the quick start of the npm package has at most 20 lines and works', async () => {
  assert.ok(quick.trim().split('\n').length <= 20);
  assert.notEqual(here, quick);
  place.seen.length = 0;
  assert.match(await run(here), /Paris/);
  assert.ok(place.seen.length > 0);
  for (const secret of ['capital of France', 'unused', 'OpenAI/JS', 'x-stainless']) {
    assert.ok(!place.seen.some((bytes) => bytes.includes(secret)), secret);
  }
});

const BEGIN = `
import { readFileSync } from 'node:fs';
import OpenAI from 'openai';
import { NetworkError, RefusedError, Subrosa, SubrosaError } from 'subrosa';
const options = { developmentRoot: readFileSync('root.json', 'utf8'), policy: readFileSync('policy.toml', 'utf8') };
const client = (subrosa) => new OpenAI({ baseURL: '${place.url}/v1', apiKey: 'unused', maxRetries: 0, fetch: subrosa.fetch });
const messages = [{ role: 'user', content: 'What is the capital of France?' }];
`;

test('a whole answer, its receipt, and the API’s own errors', async () => {
  const said = JSON.parse(
    await run(`${BEGIN}
const receipts = [];
const subrosa = new Subrosa({ ...options, profile: 'off', onReceipt: ({ file, report }) => receipts.push([JSON.parse(new TextDecoder().decode(file)), report.kind]) });
const openai = client(subrosa);
const [model] = (await openai.models.list()).data;
const answer = await openai.chat.completions.create({ model: model.id, messages });
const wrong = await openai.chat.completions.create({ model: 'no such model', messages }).catch((error) => [error.status, error.code, error.constructor.name]);
const report = await subrosa.verify('${place.url}');
console.log(JSON.stringify({ text: answer.choices[0].message.content, receipts: receipts.length, kind: receipts[0][1], wrong, verdict: report.verdict }));
`),
  );
  assert.match(said.text, /Paris/);
  assert.deepEqual(said.wrong, [404, 'model_not_found', 'NotFoundError']);
  assert.equal(said.receipts, 3);
  assert.equal(said.kind, 'development');
  assert.match(said.verdict, /NOT PROTECTED/);
});

test('a machine that does not pass: a typed error, and nothing is sent', async () => {
  place.lie(/\/bundles\//, { body: (bytes) => Buffer.concat([bytes.subarray(0, -1), Buffer.from([bytes.at(-1) ^ 1])]) });
  place.seen.length = 0;
  const garbled = await run(`${BEGIN}
const error = await client(new Subrosa(options)).chat.completions.create({ model: 'm', messages }).catch((error) => error);
console.log(JSON.stringify([error.constructor.name, error.cause instanceof SubrosaError, error.cause.code]));
`);
  place.honest();
  const other = await run(`${BEGIN}
const strict = await new Subrosa({ ...options, policy: options.policy.replace(/value = "../, 'value = "00') }).verify('${place.url}').catch((error) => error);
console.log(JSON.stringify([strict.name, strict instanceof RefusedError, strict.code, JSON.parse(strict.report ?? '{}').kind]));
`);
  assert.deepEqual(JSON.parse(garbled), ['APIConnectionError', true, 'bundle-malformed']);
  assert.deepEqual(JSON.parse(other), ['RefusedError', true, 'measurement-not-allowed', 'refused']);
  assert.ok(!place.seen.some((bytes) => bytes.includes('/exchange')), 'something was sent');
});

test('an answer that is cut off, or changed, throws in the middle of its events', async () => {
  const program = `${BEGIN}
let text = '';
const openai = client(new Subrosa(options));
const [model] = (await openai.models.list()).data;
await (await fetch('${place.url}/begin-to-lie')).text();
try {
  for await (const chunk of await openai.chat.completions.create({ model: model.id, stream: true, messages })) text += chunk.choices[0]?.finish_reason ?? '';
  console.log('whole');
} catch (error) {
  console.log(error.code ?? error.cause?.code, text);
}
`;
  for (const [lie, code] of [
    // Behind a header of 1155 bytes come the records; what follows the complete one is padding.
    [(bytes) => bytes.subarray(0, 1600), 'truncated'],
    [(bytes) => Buffer.concat([bytes.subarray(0, 1400), Buffer.from([bytes[1400] ^ 1]), bytes.subarray(1401)]), 'record-forged'],
  ]) {
    place.lies = [
      {
        matches: ({ url }) => {
          if (url === '/begin-to-lie') place.lie(/exchange/, { body: lie });
          return false;
        },
      },
    ];
    const said = (await run(program)).trim();
    assert.equal(said, code);
    place.honest();
  }
});

test('a service that is away is a network error, which accuses nobody', async () => {
  const said = await run(`${BEGIN}
const error = await new Subrosa(options).verify('http://localhost:1').catch((error) => error);
console.log(error instanceof NetworkError, error.code);
`);
  assert.equal(said.trim(), 'true network');
});

test('the same package in a browser', async () => {
  const device = await Device.open(place);
  const types = { '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm', '.json': 'application/json' };
  await device.page.route(`${place.url}/npm-test/**`, async (route) => {
    const path = new URL(route.request().url()).pathname.slice('/npm-test/'.length);
    if (path === '') {
      const imports = { openai: '/npm-test/openai/index.mjs', subrosa: '/npm-test/subrosa/dist/index.js', '#load': '/npm-test/subrosa/dist/load.js' };
      await route.fulfill({ contentType: 'text/html', body: `<!doctype html><script type="importmap">${JSON.stringify({ imports })}</script>` });
    } else {
      await route.fulfill({ contentType: types[extname(path)] ?? 'text/plain', body: readFileSync(join(modules, path)) });
    }
  });
  await device.page.goto(`${place.url}/npm-test/`);
  const text = await device.page.evaluate(
    async ({ policy, developmentRoot, url }) => {
      const [{ default: OpenAI }, { Subrosa }] = [await import('openai'), await import('subrosa')];
      const subrosa = new Subrosa({ policy, developmentRoot });
      const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'unused', dangerouslyAllowBrowser: true, fetch: subrosa.fetch });
      const [model] = (await openai.models.list()).data;
      let text = '';
      const answer = await openai.chat.completions.create({ model: model.id, stream: true, messages: [{ role: 'user', content: 'What is the capital of France?' }] });
      for await (const chunk of answer) text += chunk.choices[0]?.delta.content ?? '';
      return text;
    },
    { policy, developmentRoot, url: place.url },
  );
  assert.match(text, /Paris/);
  await device.close();
});

let failed = 0;
for (const { name, work } of tests) {
  const began = performance.now();
  try {
    await work();
    console.log(`✓ npm: ${name} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed += 1;
    console.log(`✗ npm: ${name}\n${error.stack}`);
  }
  place.honest();
}
await place.stop();
rmSync(folder, { recursive: true, force: true });
console.log(`npm: ${tests.length} tests, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
