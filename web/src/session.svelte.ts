/** What the page shows: who is in, which conversation is open, and what is known of the machine. */
import { deleteAccount, leave, type Opened } from './account/account';
import { newRecoveryWords, Problem, problem } from './core';
import { put, choose, visible, type Attachment, type Message, type Tree } from './chat/message-tree';
import { ask, type Turn } from './service/ask';
import { forgetNode, verifiedNode, type Report } from './service/node';
import { isBreach, OpenHistory, type Way } from './history/history';
import type { Imported } from './history/import';
import { fold, foldersOf, fresh, NOTHING, orderAt, titleOf, whole, type Conversation, type Folder, type Library, type Note } from './history/conversations';

/** What is known of the machine. It comes from the core only. */
export type Trust =
  | { readonly state: 'checking' }
  | { readonly state: 'passed'; readonly report: Report; readonly evidence: Uint8Array }
  | { readonly state: 'refused'; readonly problem: Problem; readonly report: Report | null };

export type Screen = 'start' | 'chat';

class Session {
  screen = $state<Screen>('start');
  trust = $state.raw<Trust>({ state: 'checking' });
  library = $state.raw<Library>(NOTHING);
  /** The conversation that is open. */
  open = $state.raw<Conversation>(fresh(newId()));
  answering = $state(false);
  /** What the last answer took: tokens and tokens each second. */
  speed = $state.raw<{ tokens: number; perSecond: number; context: number } | null>(null);
  problem = $state.raw<Problem | null>(null);
  breach = $state.raw<Problem | null>(null);
  /** Receipts of answers of this page, by message. */
  receipts = $state.raw<ReadonlyMap<string, Uint8Array>>(new Map());
  isKept = $state(false);
  /** Whether what is shown was opened without the store: it can be read, and nothing is written. */
  isOffline = $state(false);

  /** The ways into the account. */
  ways = $state.raw<readonly Way[]>([]);

  #history: OpenHistory | undefined;
  #account: string | undefined;
  #stop: AbortController | undefined;

  /** Whether something can be sent: only to a machine that passed. */
  get maySend(): boolean {
    return this.trust.state === 'passed' && !this.answering && !this.breach && !this.isOffline;
  }

  get messages(): readonly Message[] {
    return visible(this.open.tree);
  }

  async check(): Promise<void> {
    this.trust = { state: 'checking' };
    forgetNode();
    await this.#verify();
  }

  async #verify(): Promise<boolean> {
    try {
      const { node, report } = await verifiedNode();
      this.trust = { state: 'passed', report, evidence: node.bundle() };
      return true;
    } catch (error) {
      const found = problem(error);
      const report = found.report ? (JSON.parse(found.report) as Report) : null;
      this.trust = { state: 'refused', problem: found, report };
      return false;
    }
  }

  /** Shows the chat without an account. */
  chatWithout(): void {
    this.isKept = false;
    this.screen = 'chat';
    void this.check();
  }

  /** Shows the chat of somebody who came in. */
  async enter(opened: Opened): Promise<void> {
    const show = (library: Library) => this.#show(library);
    try {
      this.#history = await OpenHistory.open(opened, show, (found) => this.#failed(found));
    } catch (error) {
      this.#failed(problem(error));
      throw error;
    }
    this.isKept = true;
    this.isOffline = opened.isOffline;
    this.#account = opened.account;
    this.ways = this.#history.ways();
    this.screen = 'chat';
    void this.check();
  }

  /** Forgets everything that was open: the page begins anew. */
  lock(): void {
    this.#history?.close();
    location.reload();
  }

  /** Ends the session at the store, and forgets what this browser keeps of the history. */
  async signOut(): Promise<void> {
    if (this.#account !== undefined) await leave(this.#account).catch(() => undefined);
    this.lock();
  }

  /** Deletes the account with everything. */
  async deleteAccount(): Promise<void> {
    try {
      await deleteAccount();
    } catch (error) {
      this.#failed(problem(error));
      return;
    }
    this.lock();
  }

  async addPasskey(): Promise<void> {
    await this.#history?.addPasskey().catch(() => undefined);
    this.ways = this.#history?.ways() ?? [];
  }

  async removeWay(slot: string): Promise<void> {
    await this.#history?.remove(slot).catch(() => undefined);
    this.ways = this.#history?.ways() ?? [];
  }

  start(folder: string | null = null): void {
    this.stop();
    this.open = fresh(newId(), folder);
    this.problem = null;
    this.speed = null;
  }

  choose(id: string): void {
    this.stop();
    this.open = this.library.conversations.get(id) ?? fresh(newId());
    this.problem = null;
    this.speed = null;
  }

  /** Shows another version of a message. */
  version(id: string): void {
    this.open = { ...this.open, tree: choose(this.open.tree, id) };
  }

  /** Changes a conversation's name, folder or place. */
  async arrange({ id, title, folder, isPinned }: Conversation, to: { title: string; folder: string | null; isPinned: boolean }): Promise<void> {
    if (to.title && to.title !== title) await this.#keep(id, { v: 1, title: to.title });
    if (to.folder !== folder) await this.#keep(id, { v: 1, folder: to.folder });
    if (to.isPinned !== isPinned) await this.#keep(id, { v: 1, pinned: to.isPinned });
  }

  /** Chooses the model that answers in the open conversation. */
  chooseModel(model: string): void {
    this.open = { ...this.open, model };
    if (this.open.tree.messages.length > 0) void this.#keep(this.open.id, { v: 1, model });
  }

  get folders(): readonly Folder[] {
    return foldersOf(this.library);
  }

  /** Keeps a folder: a new one, or one that was changed. */
  async keepFolder(folder: { id?: string; name: string; prompt: string }): Promise<void> {
    const known = folder.id === undefined ? undefined : this.library.folders.get(folder.id);
    const order = known?.order ?? orderAt(this.folders, this.folders.length);
    const { name, prompt } = folder;
    await this.#history?.replace(folder.id ?? newId(), { v: 1, folder: { name, prompt, order } }).catch(() => undefined);
  }

  /** Moves a folder up (-1) or down (1). */
  async moveFolder(id: string, by: -1 | 1): Promise<void> {
    const at = this.folders.findIndex((folder) => folder.id === id);
    const folder = this.folders[at];
    if (!folder || !this.folders[at + by]) return;
    const others = this.folders.filter((other) => other !== folder);
    const { name, prompt } = folder;
    await this.#history?.replace(id, { v: 1, folder: { name, prompt, order: orderAt(others, at + by) } }).catch(() => undefined);
  }

  /** Deletes a folder. Its conversations stay. */
  async deleteFolder(id: string): Promise<void> {
    await this.#history?.delete(id).catch(() => undefined);
  }

  /** Makes the words of a recovery code that counts from now on. */
  async addRecovery(): Promise<string | null> {
    const words = newRecoveryWords();
    try {
      await this.#history?.addRecovery(words);
    } catch {
      // It was shown by who follows the history.
      return null;
    }
    this.ways = this.#history?.ways() ?? [];
    return words;
  }

  /** Keeps a conversation that came from elsewhere. */
  async adopt({ title, messages }: Imported): Promise<void> {
    const id = newId();
    await this.#history?.append(id, { v: 1, title });
    for (const message of messages) await this.#history?.append(id, { v: 1, message });
  }

  async delete(id: string): Promise<void> {
    if (this.open.id === id) this.start();
    await this.#history?.delete(id).catch(() => undefined);
  }

  /** Sends a message after the one that is shown last, or instead of one. */
  async send(text: string, attachments: readonly Attachment[] = [], instead?: Message): Promise<void> {
    if (!this.maySend || !(text.trim() || attachments.length > 0)) return;
    const parent = instead ? instead.parent : (this.messages.at(-1)?.id ?? null);
    const isFirst = this.open.tree.messages.length === 0;
    const message: Message = { id: crypto.randomUUID(), parent, role: 'user', text, at: Date.now(), ...(attachments.length > 0 && { attachments }) };
    // Kept while the answer comes: nobody waits for the store.
    if (isFirst) {
      const { folder, model } = this.open;
      this.#note({ v: 1, title: titleOf(text) || (attachments[0]?.name ?? '') });
      if (folder !== null) this.#note({ v: 1, folder });
      if (model !== null) this.#note({ v: 1, model });
    }
    this.#note({ v: 1, message });
    await this.#answer(message.id);
  }

  /** Another answer to the same question. */
  async again(answer: Message): Promise<void> {
    if (this.maySend && answer.parent) await this.#answer(answer.parent);
  }

  stop(): void {
    this.#stop?.abort();
  }

  async #answer(question: string): Promise<void> {
    this.problem = null;
    this.answering = true;
    const stop = new AbortController();
    this.#stop = stop;
    const { id } = this.open;
    let answer: Message = { id: crypto.randomUUID(), parent: question, role: 'assistant', text: '', at: Date.now(), partial: true };
    const before = pathTo(this.open.tree, question);
    const prompt = this.open.folder === null ? '' : (this.library.folders.get(this.open.folder)?.prompt.trim() ?? '');
    const turns: Turn[] = before.map((message) => ({ role: message.role, content: whole(message) }));
    if (prompt) turns.unshift({ role: 'system', content: prompt });
    let begun = 0;
    let [tokens, context] = [0, 0];
    try {
      if (!(await this.#verify())) return;
      this.#see(answer);
      for await (const piece of ask(turns, this.open.model, stop.signal)) {
        if (piece.type === 'text') {
          begun ||= performance.now();
          answer = { ...answer, text: answer.text + piece.text };
          this.#see(answer);
        } else if (piece.type === 'usage') {
          tokens = piece.completion;
          context = piece.prompt + piece.completion;
        } else if (piece.type === 'complete') {
          const { partial: _, ...whole } = answer;
          answer = { ...whole, receipt: piece.receipt };
          this.receipts = new Map(this.receipts).set(answer.id, piece.file);
          const seconds = Math.max((performance.now() - begun) / 1000, 0.001);
          this.speed = { tokens, perSecond: tokens / seconds, context };
          this.#see(answer);
        }
      }
    } catch (error) {
      const found = problem(error);
      if (found.code !== 'cancelled') this.problem = found;
      if (found.report) this.trust = { state: 'refused', problem: found, report: JSON.parse(found.report) as Report };
    } finally {
      this.answering = false;
      if (this.#stop === stop) this.#stop = undefined;
    }
    // What came before it was stopped is kept, and marked.
    if (answer.text) await this.#keep(id, { v: 1, message: answer });
  }

  #see(message: Message): void {
    this.open = { ...this.open, tree: put(this.open.tree, message) };
  }

  #note(note: Note): void {
    this.open = fold(this.open, note);
    void this.#keep(this.open.id, note);
  }

  async #keep(id: string, note: Note): Promise<void> {
    // A failure is shown by who follows the history; the text stays on the page.
    await this.#history?.append(id, note).catch(() => undefined);
  }

  #show(library: Library): void {
    this.library = library;
    const open = library.conversations.get(this.open.id);
    if (open && !this.answering) this.open = { ...open, tree: { ...open.tree, chosen: { ...open.tree.chosen, ...this.open.tree.chosen } } };
  }

  #failed(found: Problem): void {
    if (isBreach(found)) this.breach = found;
    else this.problem = found;
  }
}

function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function pathTo(tree: Tree, id: string): readonly Message[] {
  const path: Message[] = [];
  for (let at: string | null = id; at !== null; ) {
    const message: Message | undefined = tree.messages.find((one) => one.id === at);
    if (!message || path.includes(message)) break;
    path.unshift(message);
    at = message.parent;
  }
  return path;
}

export const session = new Session();
