/** Accounts: making one, and coming in by passkey, recovery code or this device. */
import { Member, newRecoveryWords, Problem, problem, recoveryLogin, Secret, start, Chronicle, type Change } from '../core';
import { keep, kept } from './device-key';
import { createPasskey, usePasskey, type Entered } from './passkey';
import { ask, json } from './store';

/** A new account whose recovery words a person has yet to write down. */
export interface Draft {
  readonly words: string;
  /** Whether the passkey holds a key; otherwise this device does. */
  readonly hasPrf: boolean;
  /** Puts the recovery code's slot, and so lets history be kept. */
  finish(): Promise<Member>;
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
      finish: () => named(() => addRecovery(member, words)),
    };
  });
}

async function addRecovery(member: Member, words: string): Promise<Member> {
  const change = member.addSlot(Secret.recovery(words), Chronicle.empty(member));
  const [name, proof] = recoveryLogin(words).split(' ') as [string, string];
  await put(change, { 'subrosa-recovery-name': name, 'subrosa-recovery-proof': proof });
  return change.taken();
}

/** Comes in with a passkey. */
export async function signIn(): Promise<Member> {
  return named(async () => {
    await start();
    const entered = await usePasskey();
    const { slot, secret } = await way(entered);
    return unlock(slot, secret);
  });
}

/** Comes in with the words of a recovery code. */
export async function recover(words: string): Promise<Member> {
  return named(async () => {
    await start();
    const secret = Secret.recovery(words);
    const [name, proof] = recoveryLogin(words).split(' ') as [string, string];
    const { slot } = json<{ slot: string }>(await ask('POST', 'login/recovery', { body: JSON.stringify({ name, proof }) }));
    return unlock(slot, secret);
  });
}

/** Adds a passkey made now, or this device where the passkey holds no key. */
export async function addPasskey(member: Member, chronicle: Chronicle): Promise<Member> {
  return named(async () => {
    const entered = await createPasskey();
    const secret = entered.prf ?? crypto.getRandomValues(new Uint8Array(32));
    const change = member.addSlot(entered.prf ? Secret.passkey(secret) : Secret.device(secret), chronicle);
    await put(change, entered.prf && entered.credential ? { 'subrosa-credential': entered.credential } : {});
    const slot = change.slot();
    if (!entered.prf && slot) await keep(entered.account, slot, secret);
    return change.taken();
  });
}

/** Removes a way in: the list of slots first, so that whoever had it is not sent the new keys, then its locked key and its passkey at the store. */
export async function removeWay(member: Member, chronicle: Chronicle, slot: string): Promise<Member> {
  return named(async () => {
    const change = member.removeSlot(slot, chronicle);
    await put(change, {});
    await ask('DELETE', `slots/${slot}`);
    return change.taken();
  });
}

/** Deletes the account and everything that the store has of it. */
export async function deleteAccount(): Promise<void> {
  const { account } = json<{ account: string }>(await ask('GET', 'account'));
  await ask('DELETE', 'account', { headers: { 'subrosa-confirm': account } });
}

/** Ends the session. What was open is gone with the page. */
export async function leave(): Promise<void> {
  await ask('POST', 'logout');
}

async function way({ account, slot, prf }: Entered): Promise<{ slot: string; secret: Secret }> {
  if (slot && prf) return { slot, secret: Secret.passkey(prf) };
  const device = await kept(account);
  if (device) return { slot: device.slot, secret: Secret.device(device.secret) };
  throw new Problem('no-key-here', 'This passkey holds no key, and this device keeps none for the account: use the recovery code.');
}

async function unlock(slot: string, secret: Secret): Promise<Member> {
  const locked = await ask('GET', `slots/${slot}`);
  const roster = await ask('GET', 'roster');
  return Member.unlock(locked.bytes, secret, roster.bytes);
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
