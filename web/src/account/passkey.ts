/** Passkeys. What a passkey's PRF gives stays on this device: it is taken out before anything is sent. */
import { prfInput, Problem } from '../core';
import { ask, json } from './store';

/** Who came in, and with what. */
export interface Entered {
  readonly account: string;
  readonly credential: string | null;
  readonly slot: string | null;
  /** The PRF's output, if the passkey can give one. */
  readonly prf: Uint8Array | null;
}

/** Makes a passkey: for a new account, or one more while somebody is in. */
export async function createPasskey(): Promise<Entered> {
  const options = PublicKeyCredential.parseCreationOptionsFromJSON(json(await ask('POST', 'passkeys/begin')));
  const label = `Subrosa ${new Date().toISOString().slice(0, 10)}`;
  options.user = { ...options.user, name: label, displayName: label };
  options.extensions = { ...options.extensions, ...evaluate() };
  const credential = await asked(() => navigator.credentials.create({ publicKey: options }));
  const entered = json<{ account: string; credential: string }>(await ask('POST', 'passkeys', { body: stripped(credential) }));
  let prf = output(credential);
  // Some passkeys can, but only when they are used.
  if (!prf && results(credential)?.enabled) prf = await evaluatePasskey(credential.rawId);
  return { ...entered, slot: null, prf };
}

/** Comes in with any passkey of the store. */
export async function usePasskey(): Promise<Entered> {
  const options = PublicKeyCredential.parseRequestOptionsFromJSON(json(await ask('POST', 'login/begin')));
  options.extensions = { ...options.extensions, ...evaluate() };
  const credential = await asked(() => navigator.credentials.get({ publicKey: options }));
  const entered = json<Omit<Entered, 'prf'>>(await ask('POST', 'login', { body: stripped(credential) }));
  return { ...entered, prf: output(credential) };
}

/** Uses one of these passkeys, named as the store names them, without the store: nobody checks the answer, and only its key counts. */
export async function usePasskeyOffline(credentials: readonly string[]): Promise<{ credential: string; prf: Uint8Array | null }> {
  const publicKey: PublicKeyCredentialRequestOptions = {
    challenge: crypto.getRandomValues(new Uint8Array(32)),
    allowCredentials: credentials.map((name) => ({ type: 'public-key', id: Uint8Array.from(name.match(/../g) ?? [], (digits) => parseInt(digits, 16)) })),
    userVerification: 'required',
    extensions: evaluate(),
  };
  const credential = await asked(() => navigator.credentials.get({ publicKey }));
  const name = Array.from(new Uint8Array(credential.rawId), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return { credential: name, prf: output(credential) };
}

async function evaluatePasskey(id: ArrayBuffer): Promise<Uint8Array | null> {
  const challenge = crypto.getRandomValues(new Uint8Array(32));
  const publicKey: PublicKeyCredentialRequestOptions = {
    challenge,
    allowCredentials: [{ type: 'public-key', id }],
    userVerification: 'required',
    extensions: evaluate(),
  };
  return output(await asked(() => navigator.credentials.get({ publicKey })));
}

async function asked(question: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  let credential: Credential | null;
  try {
    credential = await question();
  } catch (error) {
    throw new Problem('passkey', error instanceof Error ? error.message : 'The passkey was not used.');
  }
  if (credential instanceof PublicKeyCredential) return credential;
  throw new Problem('passkey', 'The passkey was not used.');
}

function evaluate(): AuthenticationExtensionsClientInputs {
  return { prf: { eval: { first: prfInput() as Uint8Array<ArrayBuffer> } } };
}

function results(credential: PublicKeyCredential): AuthenticationExtensionsPRFOutputs | undefined {
  return credential.getClientExtensionResults().prf;
}

function output(credential: PublicKeyCredential): Uint8Array | null {
  const first = results(credential)?.results?.first;
  if (!first) return null;
  return first instanceof ArrayBuffer ? new Uint8Array(first) : new Uint8Array(first.buffer, first.byteOffset, first.byteLength);
}

/** What the store is told: built anew from what it needs, so that nothing else can be in it. */
export function stripped(credential: PublicKeyCredential): string {
  const { id, response } = credential;
  const shared = { id, rawId: id, type: 'public-key', clientExtensionResults: {} };
  if (response instanceof AuthenticatorAttestationResponse) {
    return JSON.stringify({
      ...shared,
      response: {
        clientDataJSON: base64(response.clientDataJSON),
        attestationObject: base64(response.attestationObject),
        transports: response.getTransports(),
      },
    });
  }
  if (response instanceof AuthenticatorAssertionResponse) {
    return JSON.stringify({
      ...shared,
      response: {
        clientDataJSON: base64(response.clientDataJSON),
        authenticatorData: base64(response.authenticatorData),
        signature: base64(response.signature),
        userHandle: response.userHandle && base64(response.userHandle),
      },
    });
  }
  throw new Problem('passkey', 'The passkey gave an unknown answer.');
}

function base64(bytes: ArrayBuffer): string {
  const text = Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte)).join('');
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
