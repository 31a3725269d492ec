/** Accounts: making one, and coming in by passkey, recovery code or this device. */
import { Member, newRecoveryWords, Problem, problem, recoveryLogin, Secret, start, Chronicle, type Change } from '../core';
import { keep, kept } from './device-key';
import { forgetAccount, keptAccount, keptAccounts } from '../history/copy';
import { createPasskey, usePasskey, usePasskeyOffline, type Entered } from './passkey';
import { ask, json } from './store';

/** An account that is open, and what it takes to open it here again. */
export interface Opened {
  readonly member: Member;
  readonly account: string;
  readonly credential: string | null;
  readonly roster: Uint8Array;
  /** Whether it was opened without the store: it can be read, and nothing is written. */
  readonly isOffline: boolean;
}

/** A new account whose recovery words a person has yet to write down. */
export interface Draft {
  readonly words: string;
  /** Whether the passkey holds a key; otherwise this device does. */
  readonly hasPrf: boolean;
  /** Puts the recovery code's slot, and so lets history be kept. */
  finish(): Promise<Opened>;
}

/** Makes an account. */
export async function signUp(): Promise<Draft> {
  return named(async () => {
    await start();
    const entered = await createPasskey();
    const secret = entered.prf ?? crypto.getRandomValues(new Uint8Array(32));
    const first = Member.create(entered.prf ? Secret.passkey(secret) : Secret.device(secret));
    await put(first, entered.prf && entered.credential ? { 'subrosa-credential': entered.credential } : {});
    const slot = first.slot();
    if (!entered.prf && slot) await keep(entered.account, slot, secret);
    const member = first.taken();
    const words = newRecoveryWords();
    return {
      words,
      hasPrf: entered.prf !== null,
      finish: () =>
        named(async () => {
          const { account, credential } = entered;
          const added = await addRecovery(member, words, Chronicle.empty(member));
          return { ...added, account, credential, isOffline: false };
        }),
    };
  });
}

/** Adds a recovery code as a way in. */
export async function addRecovery(member: Member, words: string, chronicle: Chronicle): Promise<Changed> {
  const change = member.addSlot(Secret.recovery(words), chronicle);
  const [name, proof] = recoveryLogin(words).split(' ') as [string, string];
  await put(change, { 'subrosa-recovery-name': name, 'subrosa-recovery-proof': proof });
  return changed(change);
}

/** An account after a change of its list of slots. */
export interface Changed {
  readonly member: Member;
  readonly roster: Uint8Array;
}

function changed(change: Change): Changed {
  const roster = change.roster();
  return { roster, member: change.taken() };
}

/** Comes in with a passkey: offline too, where the account was opened here before. */
export async function signIn(): Promise<Opened> {
  return named(async () => {
    await start();
    let entered: Entered;
    try {
      entered = await usePasskey();
    } catch (error) {
      const kept = await keptAccounts().catch(() => []);
      if (problem(error).code !== 'network' || kept.length === 0) throw error;
      return signInOffline();
    }
    const { slot, secret } = await way(entered);
    return unlock(entered.account, entered.credential, slot, secret);
  });
}

async function signInOffline(): Promise<Opened> {
  const kept = await keptAccounts();
  const used = await usePasskeyOffline(kept.flatMap(({ credential }) => (credential === null ? [] : [credential])));
  const found = kept.find(({ credential }) => credential === used.credential);
  if (!found) throw new Problem('no-key-here', 'This browser keeps no copy of that account.');
  const { account, credential, roster, locked } = found;
  const { secret } = await way({ account, slot: found.slot, ...used });
  return { member: Member.unlock(locked, secret, roster), account, credential, roster, isOffline: true };
}

/** Comes in with the words of a recovery code. */
export async function recover(words: string): Promise<Opened> {
  return named(async () => {
    await start();
    const secret = Secret.recovery(words);
    const [name, proof] = recoveryLogin(words).split(' ') as [string, string];
    const { account, slot } = json<{ account: string; slot: string }>(await ask('POST', 'login/recovery', { body: JSON.stringify({ name, proof }) }));
    return unlock(account, null, slot, secret);
  });
}

/** Adds a passkey made now, or this device where the passkey holds no key. */
export async function addPasskey(member: Member, chronicle: Chronicle): Promise<Changed> {
  return named(async () => {
    const entered = await createPasskey();
    const secret = entered.prf ?? crypto.getRandomValues(new Uint8Array(32));
    const change = member.addSlot(entered.prf ? Secret.passkey(secret) : Secret.device(secret), chronicle);
    await put(change, entered.prf && entered.credential ? { 'subrosa-credential': entered.credential } : {});
    const slot = change.slot();
    if (!entered.prf && slot) await keep(entered.account, slot, secret);
    return changed(change);
  });
}

/** Removes a way in: the list of slots first, so that whoever had it is not sent the new keys, then its locked key and its passkey at the store. */
export async function removeWay(member: Member, chronicle: Chronicle, slot: string): Promise<Changed> {
  return named(async () => {
    const change = member.removeSlot(slot, chronicle);
    await put(change, {});
    await ask('DELETE', `slots/${slot}`);
    return changed(change);
  });
}

/** Deletes the account and everything that the store has of it. */
export async function deleteAccount(): Promise<void> {
  const { account } = json<{ account: string }>(await ask('GET', 'account'));
  await ask('DELETE', 'account', { headers: { 'subrosa-confirm': account } });
  await forgetAccount(account);
}

/** Ends the session, and forgets this browser's copy of the history. What was open is gone with the page. */
export async function leave(account: string): Promise<void> {
  await forgetAccount(account);
  await ask('POST', 'logout');
}

async function way({ account, slot, prf }: Entered): Promise<{ slot: string; secret: Secret }> {
  if (slot && prf) return { slot, secret: Secret.passkey(prf) };
  const device = await kept(account);
  if (device) return { slot: device.slot, secret: Secret.device(device.secret) };
  throw new Problem('no-key-here', 'This passkey holds no key, and this device keeps none for the account: use the recovery code.');
}

async function unlock(account: string, credential: string | null, slot: string, secret: Secret): Promise<Opened> {
  const locked = await ask('GET', `slots/${slot}`);
  const { bytes: roster } = await ask('GET', 'roster');
  const kept = await keptAccount(account).catch(() => undefined);
  return { member: Member.unlock(locked.bytes, secret, roster, kept?.roster), account, credential, roster, isOffline: false };
}

/** Puts a new list of slots, then the new slot. */
async function put(change: Change, headers: Record<string, string>): Promise<void> {
  await ask('PUT', 'roster', { body: change.roster(), headers: { 'subrosa-version': change.version() } });
  const [slot, locked] = [change.slot(), change.locked()];
  if (slot && locked) await ask('PUT', `slots/${slot}`, { body: locked, headers });
}

async function named<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw problem(error);
  }
}
