// A service, an edge and browsers for one test after the other.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, readSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer, request as ask } from 'node:http';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const require = createRequire(new URL('../../web/package.json', import.meta.url));
const { chromium } = require('playwright-core');
export const { strFromU8, unzipSync } = require('fflate');
export const axeSource = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const ARGUMENTS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A service with the edge before it, and between them and the browser somebody who can change every answer. */
export class Place {
  static async start(database, engine = 'demo') {
    const place = new Place();
    place.folder = mkdtempSync(join(tmpdir(), 'subrosa-web-'));
    const [inner, outer] = [await freePort(), await freePort()];
    await place.front(inner, outer);
    place.child = spawn(
      'scripts/try-web',
      ['--port', String(inner), '--origin', place.url, '--folder', place.folder, '--engine', engine, ...(database ? ['--database', database] : [])],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    for await (const line of createInterface({ input: place.child.stdout })) {
      if (line.startsWith('http')) return place;
    }
    throw new Error('the service did not start');
  }

  /** Listens before the edge. */
  async front(inner, outer) {
    this.lies = [];
    this.seen = [];
    this.server = createServer((incoming, outgoing) => this.pass(incoming, outgoing, inner));
    await new Promise((resolve) => this.server.listen(outer, '127.0.0.1', resolve));
    this.url = `http://localhost:${outer}`;
  }

  /** Passes a request on, as a store and a server could that lie. The edge is told the origin that it knows. */
  pass(incoming, outgoing, inner) {
    if (this.isAway) {
      outgoing.destroy();
      return;
    }
    const body = [];
    incoming.on('data', (bytes) => body.push(bytes));
    incoming.on('end', () => {
      const sent = Buffer.concat(body);
      this.seen.push(Buffer.concat([Buffer.from(`${incoming.method} ${incoming.url} ${JSON.stringify(incoming.headers)} `), sent]));
      const lie = this.lies.find((one) => one.matches(incoming));
      const forwarded = ask(
        { host: '127.0.0.1', port: inner, method: incoming.method, path: lie?.path?.(incoming.url) ?? incoming.url, headers: incoming.headers },
        (answer) => {
          if (!lie?.body) {
            outgoing.writeHead(answer.statusCode, answer.headers);
            answer.pipe(outgoing);
            return;
          }
          const parts = [];
          answer.on('data', (bytes) => parts.push(bytes));
          answer.on('end', () => {
            const changed = lie.body(Buffer.concat(parts), answer, incoming);
            const headers = { ...answer.headers, ...lie.headers, 'content-length': changed.length };
            delete headers['transfer-encoding'];
            delete headers.etag;
            outgoing.writeHead(answer.statusCode, headers).end(changed);
          });
        },
      );
      forwarded.on('error', () => outgoing.destroy());
      outgoing.on('close', () => forwarded.destroy());
      forwarded.end(sent);
    });
  }

  /** Everything that the edge has in memory, and what was written beside it: database, logs. */
  everything() {
    const found = [];
    const children = readFileSync(`/proc/${this.child.pid}/task/${this.child.pid}/children`, 'utf8').trim().split(' ');
    const edge = children.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('subrosa-edge'));
    if (!edge) throw new Error('the edge does not run');
    const memory = openSync(`/proc/${edge}/mem`, 'r');
    for (const line of readFileSync(`/proc/${edge}/maps`, 'utf8').trim().split('\n')) {
      const [, from, to, access, name] = /^(\w+)-(\w+) (\S+) \S+ \S+ \S+ *(.*)$/.exec(line);
      if (!access.startsWith('r') || name.startsWith('[v')) continue;
      const [start, end] = [BigInt(`0x${from}`), BigInt(`0x${to}`)];
      const bytes = Buffer.alloc(Number(end - start));
      found.push(bytes.subarray(0, readSync(memory, bytes, 0, bytes.length, start)));
    }
    closeSync(memory);
    for (const name of readdirSync(this.folder)) if (/^(store\.db|.*\.log)/.test(name)) found.push(readFileSync(join(this.folder, name)));
    return found;
  }

  lie(pattern, what) {
    this.lies = [{ matches: ({ url }) => pattern.test(url), ...what }];
  }

  honest() {
    this.isAway = false;
    this.lies = [];
  }

  /** Ends the programs. */
  async end() {
    this.child.kill('SIGTERM');
    await new Promise((resolve) => this.child.on('exit', resolve));
  }

  async stop() {
    await this.end();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A browser with nothing in it, and a passkey of its own. */
export class Device {
  static all = new Set();

  static async open(place, { hasPrf = true, width = 1200, dark = false, reduced = false } = {}) {
    const device = new Device();
    Device.all.add(device);
    const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);
    if (!executablePath) throw new Error('Chromium is not installed; run: scripts/setup web');
    device.profile = mkdtempSync(join(tmpdir(), 'subrosa-browser-'));
    device.browser = await chromium.launchPersistentContext(device.profile, {
      executablePath,
      headless: true,
      args: ARGUMENTS,
      viewport: { width, height: 800 },
      colorScheme: dark ? 'dark' : 'light',
      reducedMotion: reduced ? 'reduce' : 'no-preference',
      acceptDownloads: true,
    });
    device.page = device.browser.pages()[0] ?? (await device.browser.newPage());
    device.errors = [];
    device.page.setDefaultTimeout(12_000);
    device.page.on('pageerror', (error) => device.errors.push(String(error)));
    device.page.on('console', (message) => {
      // What the page's own policy stopped is said here.
      if (message.type() === 'error' && /Content Security Policy|Trusted/.test(message.text())) device.errors.push(message.text());
    });
    const session = await device.browser.newCDPSession(device.page);
    await session.send('WebAuthn.enable');
    await session.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2', ctap2Version: 'ctap2_1', transport: 'internal', hasResidentKey: true,
        hasUserVerification: true, isUserVerified: true, hasPrf, automaticPresenceSimulation: true,
      },
    });
    device.session = session;
    device.page.on('dialog', (dialog) => dialog.accept());
    // What the PRF gave, so that a test can look for it where it must not be.
    await device.page.addInitScript(() => {
      window.prfOutputs = [];
      const original = PublicKeyCredential.prototype.getClientExtensionResults;
      PublicKeyCredential.prototype.getClientExtensionResults = function () {
        const results = original.call(this);
        const first = results.prf?.results?.first;
        if (first) window.prfOutputs.push([...new Uint8Array(first.buffer ?? first)]);
        return results;
      };
    });
    await device.page.goto(place.url);
    return device;
  }

  /** One more authenticator, as a key that is plugged in. */
  async plugIn() {
    await this.session.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2', ctap2Version: 'ctap2_1', transport: 'usb', hasResidentKey: true,
        hasUserVerification: true, isUserVerified: true, hasPrf: true, automaticPresenceSimulation: true,
      },
    });
  }

  button(name) {
    return this.page.getByRole('button', { name, exact: true });
  }

  /** Makes an account, and gives the recovery words. */
  async signUp() {
    await this.button('Create an account with a passkey').click();
    await this.page.getByTestId('words').waitFor();
    const words = await this.page.getByTestId('words').locator('li').allTextContents();
    await this.page.getByRole('checkbox').check();
    await this.button('Begin').click();
    await this.page.getByLabel('Message', { exact: true }).waitFor();
    return words.join(' ');
  }

  async say(text) {
    await this.page.getByLabel('Message', { exact: true }).fill(text);
    await this.button('Send').click();
  }

  /** Asks, and waits for the whole answer. */
  async askFor(text) {
    const before = await this.page.getByTestId('assistant').count();
    await this.say(text);
    const answer = this.page.getByTestId('assistant').nth(before);
    await answer.getByText(/Save receipt/).waitFor({ timeout: 30_000 });
    return answer.locator('.text').innerText();
  }

  async recover(words) {
    await this.button('Come in with a recovery code').click();
    await this.page.getByLabel('Recovery code (15 words)').fill(words);
    await this.button('Open my history').click();
  }

  conversations() {
    return this.page.getByTestId('conversations').locator('.title').allTextContents();
  }

  /** Closes what a test that failed left open. */
  static async closeAll() {
    for (const device of Device.all) await device.close();
  }

  async close() {
    Device.all.delete(this);
    await this.browser?.close();
    rmSync(this.profile, { recursive: true, force: true });
  }
}
