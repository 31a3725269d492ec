/** Following and writing a history. Everything that the store says is checked by the core before it is believed. */
import { Chronicle, Problem, problem, type Contents, type Member } from '../core';
import { addPasskey, addRecovery, removeWay, type Opened } from '../account/account';
import { concat, keepAccount, keepRecords, lastSequence, part, restore, upTo } from './copy';
import { ask } from '../account/store';
import { apply, NOTHING, write, type Entry, type FolderNote, type Library, type Note } from './conversations';

/** Codes that mean that the store does what it must not do (spec/history.md §8). */
const BREACHES = new Set([
  'history-malformed',
  'history-other-account',
  'history-rolled-back',
  'history-forked',
  'history-forged',
  'history-version',
  'history-incomplete',
  'roster-rolled-back',
  'roster-forked',
  'roster-unsigned',
  'wrap-refused',
]);

/** Whether a problem is the store's doing. */
export function isBreach({ code }: Problem): boolean {
  return BREACHES.has(code);
}

/** A way into the account: 1 a passkey, 2 a recovery code, 3 a device. */
export interface Way {
  readonly slot: string;
  readonly kind: '1' | '2' | '3';
  readonly isOwn: boolean;
}

/** A history that is open. */
export class OpenHistory {
  /** Work that is under way: one thing after the other. */
  #queue: Promise<unknown> = Promise.resolve();
  #changes: AbortController | undefined;
  #broken: Problem | undefined;

  private constructor(
    private member: Member,
    private opened: Opened,
    private readonly chronicle: Chronicle,
    private library: Library,
    private readonly show: (library: Library) => void,
    private readonly fail: (problem: Problem) => void,
  ) {}

  /** Opens a history and reads all of it: from this browser's copy, and what is new from the store. */
  static async open(
    opened: Opened,
    show: (library: Library) => void,
    fail: (problem: Problem) => void,
  ): Promise<OpenHistory> {
    try {
      const { member, account, isOffline } = opened;
      const kept = await restore(member, account);
      const { chronicle, contents } = kept ?? (isOffline ? { chronicle: Chronicle.empty(member), contents: [] } : await begin(member, account));
      const library = contents.reduce(read, NOTHING);
      const history = new OpenHistory(member, opened, chronicle, library, show, fail);
      if (isOffline) {
        show(library);
        return history;
      }
      await history.#follow();
      history.#listen();
      await ask('PUT', `slots/${member.slot()}`, { body: member.lock(chronicle) });
      await history.#keep();
      return history;
    } catch (error) {
      throw problem(error);
    }
  }

  /** Adds an entry to a conversation. Resolves when the store has taken it. */
  append(conversation: string, note: Note): Promise<void> {
    return this.#write('append', conversation, write(note));
  }

  /** Keeps a folder. */
  replace(folder: string, note: FolderNote): Promise<void> {
    return this.#write('replace', folder, write(note));
  }

  /** Deletes a conversation or a folder. */
  delete(object: string): Promise<void> {
    return this.#write('delete', object, new Uint8Array());
  }

  /** Makes a recovery code for an account that has none. Gives its words once they count. */
  addRecovery(words: string): Promise<void> {
    return this.#next(async () => {
      await this.#take(await addRecovery(this.member, words, this.chronicle));
    });
  }

  /** The ways into the account. */
  ways(): readonly Way[] {
    const own = this.member.slot();
    return this.member
      .slots()
      .split('\n')
      .map((line) => {
        const [slot = '', kind = ''] = line.split(' ');
        return { slot, kind: kind as Way['kind'], isOwn: slot === own };
      });
  }

  /** Makes one more passkey that leads into the account. */
  addPasskey(): Promise<void> {
    return this.#next(async () => {
      await this.#take(await addPasskey(this.member, this.chronicle));
    });
  }

  /** Removes a way in. What is written from now on has new keys. */
  remove(slot: string): Promise<void> {
    return this.#next(async () => {
      await this.#take(await removeWay(this.member, this.chronicle, slot));
    });
  }

  /** Goes on with a changed list of slots. */
  async #take({ member, roster }: { member: Member; roster: Uint8Array }): Promise<void> {
    this.member = member;
    this.opened = { ...this.opened, roster };
    await this.#keep();
  }

  /** Keeps what opens the account offline. */
  #keep(): Promise<void> {
    const { account, credential, roster } = this.opened;
    return keepAccount({ account, credential, slot: this.member.slot(), locked: this.member.lock(this.chronicle), roster });
  }

  /** Stops following. */
  close(): void {
    this.#changes?.abort();
  }

  #write(how: string, object: string, content: Uint8Array): Promise<void> {
    return this.#next(async () => {
      await this.#put(() => this.chronicle.seal(this.member, how, object, content));
      this.library = apply(this.library, [{ object, how, content }]);
      this.show(this.library);
      const manifest = this.chronicle.manifest(this.member);
      if (manifest) await this.#put(() => this.chronicle.manifest(this.member) ?? manifest);
    });
  }

  /** Puts a record; where another device was faster, after what it wrote. */
  async #put(seal: () => Uint8Array): Promise<void> {
    for (let tries = 0; tries < 20; tries += 1) {
      const record = seal();
      const { status } = await ask('POST', 'history/records', { body: record, allowed: [409] });
      if (status !== 409) {
        this.chronicle.acceptOwn(this.member, record);
        await keepRecords(this.opened.account, this.chronicle.sequence(), { isCounted: false, parts: part(record) });
        return;
      }
      await this.#follow();
    }
    throw new Problem('conflict', 'Other devices write all the time; try again.');
  }

  async #follow(): Promise<void> {
    for (;;) {
      const before = this.chronicle.sequence();
      const answer = await ask('GET', `history/records?after=${before}`);
      const newest = answer.headers.get('subrosa-sequence') ?? '';
      const contents = this.chronicle.accept(this.member, answer.bytes, newest);
      const needsRoster = contents.needsRoster;
      this.library = read(this.library, contents);
      this.show(this.library);
      const sequence = this.chronicle.sequence();
      await keepRecords(this.opened.account, sequence, { isCounted: false, parts: upTo(answer.bytes, BigInt(sequence)) });
      if (BigInt(this.chronicle.sequence()) >= BigInt(newest)) return;
      if (needsRoster) {
        const version = this.member.rosterVersion();
        const roster = (await ask('GET', 'roster')).bytes;
        this.member.refresh(roster);
        this.opened = { ...this.opened, roster };
        await this.#keep();
        if (this.member.rosterVersion() !== version) continue;
      }
      // Otherwise it would go on for ever.
      if (this.chronicle.sequence() === before) throw new Problem('history-incomplete', 'The store keeps records back.');
    }
  }

  /** Follows when another device has written. */
  #listen(): void {
    this.#changes = new AbortController();
    const { signal } = this.#changes;
    const events = new EventSource('/store/v1/history/changes');
    signal.addEventListener('abort', () => events.close());
    events.addEventListener('newest', ({ data }: MessageEvent<string>) => {
      if (BigInt(data) === BigInt(this.chronicle.sequence())) return;
      this.#next(() => this.#follow()).catch(() => {
        // It was shown.
      });
    });
  }

  /** Does one thing after the other. After a breach nothing is done any more. */
  #next<T>(work: () => Promise<T>): Promise<T> {
    const guarded = async () => {
      if (this.#broken) throw this.#broken;
      try {
        return await work();
      } catch (error) {
        const found = problem(error);
        if (isBreach(found)) {
          this.#broken = found;
          this.close();
        }
        this.fail(found);
        throw found;
      }
    };
    const result = this.#queue.then(guarded);
    this.#queue = result.catch(() => undefined);
    return result;
  }
}

async function begin(member: Member, account: string): Promise<{ chronicle: Chronicle; contents: Contents[] }> {
  const answer = await ask('GET', 'history/counted', { allowed: [404] });
  if (answer.status === 404) return { chronicle: Chronicle.empty(member), contents: [] };
  // A long history comes in several answers, the last of which ends with the manifest.
  const parts: Uint8Array[] = [answer.bytes];
  const manifest = BigInt(answer.headers.get('subrosa-manifest') ?? '0');
  for (let last = lastSequence(answer.bytes); last < manifest; ) {
    const more = await ask('GET', `history/counted?after=${last}`);
    if (more.bytes.length === 0) break;
    parts.push(more.bytes);
    last = lastSequence(more.bytes);
  }
  const whole = concat(parts);
  const begun = Chronicle.begin(member, whole);
  const contents = begun.contents();
  const chronicle = begun.chronicle();
  await keepRecords(account, chronicle.sequence(), { isCounted: true, parts: whole });
  return { chronicle, contents: [contents] };
}

function read(library: Library, contents: Contents): Library {
  const next = apply(library, entries(contents));
  contents.free();
  return next;
}

function* entries(contents: Contents): Generator<Entry> {
  for (let index = 0; index < contents.length; index += 1) {
    const [object, how, content] = [contents.object(index), contents.how(index), contents.content(index)];
    if (object !== undefined && how !== undefined && content !== undefined) yield { object, how, content };
  }
}
