/**
 * Private AI that you can check, for applications that speak the API of OpenAI or Anthropic.
 *
 * ```ts
 * const subrosa = new Subrosa({ policy });
 * const openai = new OpenAI({ baseURL: 'https://chat.example.org/v1', apiKey: 'unused', fetch: subrosa.fetch });
 * ```
 *
 * Every call is sealed to a node that passed the policy. If none passes, nothing is sent and a {@link RefusedError} is thrown.
 */
import { source } from '#load';
import { sealedFetch, type Profile, type Receipt } from './call.js';
import { Nodes, type Report } from './nodes.js';
import type { SeenStorage } from './seen.js';

export type { Profile, Receipt } from './call.js';
export { NetworkError, RefusedError, SubrosaError } from './error.js';
export type { Check, Report } from './nodes.js';
export { MemoryStorage, type SeenStorage } from './seen.js';

/** How nodes are judged, and calls are made. */
export interface SubrosaOptions {
  /** The policy by which nodes are judged, in TOML (spec/policy.md). */
  readonly policy: string;
  /** How much is hidden of sizes and times. Default: `balanced`. */
  readonly profile?: Profile;
  /** Where what was seen of transparency logs is kept. Default: in memory, so that a log that goes back between two runs is not noticed. */
  readonly seen?: SeenStorage;
  /** Where the tiles of the policy's log are read. Default: through the service. */
  readonly tiles?: string;
  /** Is given the receipt of every whole answer. */
  readonly onReceipt?: (receipt: Receipt) => void;
  /** What the network is reached with. Default: the platform's `fetch`. */
  readonly fetch?: typeof fetch;
  /** The public file of a simulated root: for services on this machine, and with development builds of this package only. */
  readonly developmentRoot?: string;
}

/** A `fetch` that verifies, seals and opens. */
export class Subrosa {
  readonly #options: SubrosaOptions;
  readonly #services = new Map<string, Nodes>();

  constructor(options: SubrosaOptions) {
    this.#options = options;
  }

  /**
   * Calls an API inside the seal: for the `fetch` option of a client. The service is the origin of the address. Of the headers only `accept`,
   * `content-type`, `anthropic-version` and `subrosa-conversation` go along; an API key does not.
   */
  readonly fetch = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const request = new Request(input, init);
    const { profile = 'balanced', onReceipt } = this.#options;
    return sealedFetch(this.#nodes(new URL(request.url).origin), request, profile, onReceipt);
  };

  /** Verifies a node of the service at this address, and says what was found. Throws a {@link RefusedError} if none passes. */
  async verify(service: string | URL): Promise<Report> {
    const { report } = await this.#nodes(new URL(service).origin).verified();
    return report;
  }

  #nodes(origin: string): Nodes {
    const known = this.#services.get(origin);
    if (known) return known;
    const { policy, seen, tiles, fetch, developmentRoot } = this.#options;
    const nodes = new Nodes({
      origin,
      policy,
      source,
      ...(seen && { seen }),
      ...(tiles !== undefined && { tiles }),
      ...(fetch && { fetch }),
      ...(developmentRoot !== undefined && { developmentRoot }),
    });
    this.#services.set(origin, nodes);
    return nodes;
  }
}
