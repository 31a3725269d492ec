/** What keys do: one table for what happens, for the page that explains it, and for the tests. */
import { words } from './strings';

/** What a key can do. */
export interface Actions {
  start(): void;
  focus(): void;
  search(): void;
  help(): void;
  panel(): void;
}

interface Shortcut {
  readonly does: keyof Actions;
  /** The key as the browser names it, in lower case. */
  readonly key: string;
  readonly command: boolean;
  readonly shift: boolean;
  readonly shown: string;
}

/** All of them. */
export const SHORTCUTS: readonly Shortcut[] = [
  { does: 'start', key: 'o', command: true, shift: true, shown: 'Ctrl/⌘ Shift O' },
  { does: 'search', key: 'k', command: true, shift: false, shown: 'Ctrl/⌘ K' },
  { does: 'focus', key: 'escape', command: false, shift: true, shown: 'Shift Esc' },
  { does: 'panel', key: '.', command: true, shift: false, shown: 'Ctrl/⌘ .' },
  { does: 'help', key: '/', command: true, shift: false, shown: 'Ctrl/⌘ /' },
];

/** What each does, in words. */
export const meanings: Record<keyof Actions, string> = words.keyboard.does;

/** Does what a key is for, if it is for anything. */
export function handle(event: KeyboardEvent, actions: Actions): void {
  const command = event.ctrlKey || event.metaKey;
  const found = SHORTCUTS.find((one) => one.key === event.key.toLowerCase() && one.command === command && one.shift === event.shiftKey);
  if (!found) return;
  event.preventDefault();
  actions[found.does]();
}
