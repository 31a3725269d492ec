/** The nodes of the page's own service. What is shown to people comes from here only: from what the core has verified. */
import { Nodes, read, type Verified } from '../../../npm/src/nodes';
import type { SeenStorage } from '../../../npm/src/seen';
import { source } from '../core';
import { withDatabase } from '../device';

export type { Check, Report } from '../../../npm/src/nodes';

/** What was seen of logs, kept by this browser for all its tabs. */
const seen: SeenStorage = {
  update: (work) =>
    navigator.locks.request('subrosa-log', async () => {
      const before = await withDatabase((store) => store.get('log', 'seen'));
      const { result, seen: after } = await work(before ?? '');
      if (after !== undefined) await withDatabase((store) => store.put('log', after, 'seen'));
      return result;
    }),
};

const text = async (path: string) => new TextDecoder().decode(await read(fetch(path, { credentials: 'omit', redirect: 'error', cache: 'no-store' }), 1 << 20));

const nodes = new Nodes({
  origin: '',
  policy: () => text('/policy.toml'),
  source,
  seen,
  ...(__DEVELOPMENT__ && { developmentRoot: () => text('/development-root') }),
});

/** A verified node whose key lives for a minute more. Throws a problem with the appraisal when no node passes. */
export const verifiedNode = (): Promise<Verified> => nodes.verified();

/** Does not use the node again. */
export const forgetNode = (): void => nodes.forget();
