// A service whose node, machine and directory are in a transparency log with two witnesses, all on this machine.
import { spawn, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { freePort, Place } from './harness.mjs';

const bin = resolve(process.env.CARGO_TARGET_DIR ?? 'target', 'debug');
const SERVICE = 'subrosa.example/chat';
const digest = (algorithm, bytes) => createHash(algorithm).update(bytes).digest('hex');

export class LoggedPlace extends Place {
  /** Everything runs but that the directory is in the log. */
  static async start() {
    const place = new LoggedPlace();
    place.folder = mkdtempSync(join(tmpdir(), 'subrosa-logged-'));
    place.children = [];
    // Entries of each log.
    place.sizes = {};
    const [inner, outer] = [await freePort(), await freePort()];
    await place.front(inner, outer);
    place.inner = inner;
    await place.prepare();
    await place.run('log', 'w', 5);
    return place;
  }

  /** A command of the client, in the place's own folder. */
  command(...args) {
    const env = { PATH: process.env.PATH, HOME: this.folder };
    return execFileSync(join(bin, 'subrosa'), args, { cwd: this.folder, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** A program that stays, when it has printed its first line. */
  async program(name, args) {
    const env = { PATH: process.env.PATH, HOME: this.folder };
    const child = spawn(join(bin, name), args, { cwd: this.folder, env, stdio: ['ignore', 'pipe', 'ignore'] });
    for await (const line of createInterface({ input: child.stdout })) {
      child.stdout.resume();
      return { child, line };
    }
    throw new Error(`${name} ${args[0]} did not start`);
  }

  write(name, content) {
    writeFileSync(join(this.folder, name), content);
  }

  /** Keys, and a simulated root: what stays as it is whatever the log does. */
  async prepare() {
    const key = (...args) => JSON.parse(this.command(...args, '--json')).key;
    this.logKey = key('log', 'init', 'log', '--name', 'example.com/log');
    this.witnessKeys = [0, 1].map((n) => key('witness', 'init', `w${n}`, '--name', `witness${n}.example`));
    this.authors = Object.fromEntries(['release', 'admitter', 'operator'].map((name) => [name, key('log', 'author', name, '--name', name)]));
    // What a fork begins with.
    for (const [from, to] of [['log', 'fork'], ['w0', 'f0'], ['w1', 'f1']]) cpSync(join(this.folder, from), join(this.folder, to), { recursive: true });
    // A service for development makes the root, and knows the weights of the engine that repeats.
    const { child, line } = await this.program('subrosa', ['serve', '--development', '--engine', 'echo', '--json']);
    const made = JSON.parse(line);
    child.kill('SIGTERM');
    this.root = readFileSync(made.development_root, 'utf8');
    const secret = readFileSync(join(dirname(made.development_root), 'root-secret.json'), 'utf8');
    this.chip = Buffer.from(JSON.parse(secret).chip_id, 'hex');
    this.weights = /\[\[weights\]\]\nname = "echo"\nsha256 = "(\w+)"/.exec(readFileSync(made.policy, 'utf8'))[1];
    this.write('root.secret', secret);
    const files = { release: 'release.tlog-proof', checkpoint: 'checkpoint', directory: 'directory.tlog-proof', machines: 'machines.tlog-proof', machine: 'machine.record' };
    this.configuration = [
      'listen.address = "127.0.0.1:0"', 'engine.kind = "echo"', 'platform = { kind = "simulated", root_secret = "root.secret" }', '[log]',
      ...Object.entries(files).map(([name, file]) => `${name} = "stapled/${file}"`), '',
    ].join('\n');
    this.write('service.toml', this.configuration);
  }

  entries(sequence) {
    const program = readFileSync(join(bin, 'subrosa-enclave'));
    const now = Math.floor(Date.now() / 1000);
    const manifest = {
      service: SERVICE, version: `0.${sequence}.0`, sequence, 'minimum-sequence': 5, 'not-before': now - 3600, 'not-after': now + 3600,
      source: { repository: 'https://git.example/subrosa', commit: 'c'.repeat(40) },
      builder: { id: 'https://ci.example/builder@v1' },
      artefacts: [{ name: 'subrosa-enclave', sha256: digest('sha256', program), bytes: program.length }],
      measurements: [{ name: 'simulated', platform: 'sev-snp', registers: { value: digest('sha384', program) } }],
      weights: [{ name: 'echo', sha256: this.weights }],
      configurations: [{ name: 'echo', sha256: digest('sha256', this.configuration) }],
    };
    const record = { platform: 'sev-snp', identity: digest('sha256', this.chip), site: 'here', custodian: 'somebody', 'not-after': now + 3600 };
    this.write('manifest.json', JSON.stringify(manifest));
    this.write('records', `${JSON.stringify(record)}\n`);
    this.command('log', 'release', 'manifest.json', '--key', 'release', '--output', 'release.note');
    this.command('log', 'machines', 'records', '--sequence', '1', '--key', 'admitter', '--output', 'machines.note');
  }

  /** Witnesses, log, node and edge. */
  async run(log, witnesses, sequence) {
    const started = async (name, args) => {
      const { child, line } = await this.program(name, args);
      this.children.push(child);
      return line;
    };
    let list = 'quorum = 2\n';
    for (const [n, key] of this.witnessKeys.entries()) {
      const url = await started('subrosa', ['witness', 'serve', `${witnesses}${n}`, '--listen', '127.0.0.1:0', '--log', this.logKey]);
      list += `[[witnesses]]\nurl = "${url}"\nkey = "${key}"\n`;
    }
    this.write('witnesses.toml', list);
    this.entries(sequence);
    this.current = log;
    this.first = this.sizes[log] ?? 0;
    this.sizes[log] = this.first + 2;
    this.command('log', 'add', log, 'release.note', 'machines.note', '--witnesses', 'witnesses.toml');
    this.log = await started('subrosa', ['log', 'serve', log, '--listen', '127.0.0.1:0', '--author', this.authors.operator, '--witnesses', 'witnesses.toml']);
    this.staple();
    this.node = `http://${JSON.parse(await started('subrosa-enclave', ['--config', 'service.toml'])).listening}`;
    this.web();
    await started('subrosa-edge', [
      '--listen', `127.0.0.1:${this.inner}`, '--origin', this.url, '--node', this.node, '--log', this.log, '--database', `sqlite://${join(this.folder, 'store.db')}`, '--web', 'web',
    ]);
  }

  staple(...more) {
    this.command('log', 'staple', this.log, 'stapled', '--release', `${this.first}`, '--machines', `${this.first + 1}`, '--records', 'records', '--record', '0', ...more);
  }

  /** Logs the node's directory, and waits until the node shows it. */
  async list() {
    this.staple('--service', this.node, '--operator', 'operator');
    this.sizes[this.current] += 1;
    for (let tries = 0; tries < 200; tries += 1) {
      if ((await fetch(`${this.node}/subrosa/v1/directory/proof`)).ok) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error('the node does not show its directory');
  }

  web() {
    const [log, witnesses] = [this.logKey, this.witnessKeys].map((keys) => JSON.stringify(keys));
    const signers = (name) => `{ keys = ["${this.authors[name]}"], threshold = 1 }`;
    const policy = [
      'version = 1', 'name = "logged"', 'platforms = ["sev-snp"]', '', '[log]', `service = "${SERVICE}"`, `key = ${log}`, `tiles = "${this.log}"`, `witnesses = ${witnesses}`,
      'quorum = 2', `releases = ${signers('release')}`, `machines = ${signers('admitter')}`, `directories = ${signers('operator')}`, '',
    ].join('\n');
    cpSync('web/dist', join(this.folder, 'web'), { recursive: true });
    this.write('web/policy.toml', policy);
    this.write('web/development-root', this.root);
  }

  /** The same log, with more in it, and a node that began again. */
  async grow() {
    await this.end();
    await this.run('log', 'w', 5);
    await this.list();
  }

  /** Log and witnesses conspire: they begin again from where they were empty. */
  async fork() {
    await this.end();
    await this.run('fork', 'f', 6);
    await this.list();
  }

  async end() {
    for (const child of this.children.splice(0).reverse()) {
      child.kill('SIGTERM');
      if (child.exitCode === null && child.signalCode === null) await new Promise((resolve) => child.on('exit', resolve));
    }
  }
}
