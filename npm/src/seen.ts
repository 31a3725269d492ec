/** What this device has seen of transparency logs (spec/transparency.md §8). */

/** Keeps one text. */
export interface SeenStorage {
  /**
   * Gives `work` what was kept, empty if nothing, and keeps what it returns as `seen` before it resolves. One after the other: nobody changes it
   * while `work` runs.
   */
  update<T>(work: (seen: string) => Promise<{ readonly result: T; readonly seen?: string | undefined }>): Promise<T>;
}

/** Keeps it as long as the program runs: a log that goes back between two runs is not noticed. */
export class MemoryStorage implements SeenStorage {
  #seen = '';
  #last: Promise<unknown> = Promise.resolve();

  update<T>(work: (seen: string) => Promise<{ readonly result: T; readonly seen?: string | undefined }>): Promise<T> {
    const next = async () => {
      const { result, seen } = await work(this.#seen);
      if (seen !== undefined) this.#seen = seen;
      return result;
    };
    const done = this.#last.then(next);
    this.#last = done.catch(() => undefined);
    return done;
  }
}
