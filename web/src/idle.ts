/** Locks the page when nobody uses it. */

const NAME = 'subrosa-idle-minutes';
/** Minutes that can be chosen; 0 never locks. */
export const CHOICES = [0, 5, 15, 60] as const;

/** After how many minutes the page locks. */
export function idleMinutes(): number {
  const kept = Number(localStorage.getItem(NAME) ?? '15');
  return CHOICES.find((choice) => choice === kept) ?? 15;
}

/** Chooses after how many minutes it locks. */
export function setIdleMinutes(minutes: number): void {
  localStorage.setItem(NAME, String(minutes));
}

/** Calls `lock` when nothing was touched for so long. Gives what ends it. */
export function lockWhenIdle(lock: () => void, now = () => Date.now()): () => void {
  let last = now();
  const used = () => {
    last = now();
  };
  const events = ['pointerdown', 'keydown', 'scroll'] as const;
  for (const event of events) addEventListener(event, used, { capture: true, passive: true });
  // A timer that runs for long does not run while a device sleeps: the clock is asked.
  const timer = setInterval(() => {
    const minutes = idleMinutes();
    if (minutes > 0 && now() - last >= minutes * 60_000) lock();
  }, 5_000);
  return () => {
    clearInterval(timer);
    for (const event of events) removeEventListener(event, used, { capture: true });
  };
}
