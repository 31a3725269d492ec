/** The worker that keeps the page's files for when there is no network. */

interface Types {
  createPolicy(name: string, rules: { createScriptURL: (url: string) => string }): { createScriptURL(url: string): string };
}

/** Starts it. Without it the page works as before, with a network. */
export function keepPage(): void {
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return;
  const address = '/worker.js';
  // The page's policy lets only this name, and this policy only this address, become code.
  const { trustedTypes } = window as unknown as { trustedTypes?: Types };
  const policy = trustedTypes?.createPolicy('subrosa-worker', {
    createScriptURL(url) {
      if (url !== address) throw new TypeError('not the worker');
      return url;
    },
  });
  navigator.serviceWorker.register(policy?.createScriptURL(address) ?? address).catch(() => {
    // A browser may forbid it, in a private window for one.
  });
}
