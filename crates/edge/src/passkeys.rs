//! Passkeys: registering and coming in (`WebAuthn` Level 3), with `webauthn_rp`.

use serde_json::Value;
use webauthn_rp::bin::{Decode as _, Encode as _};
use webauthn_rp::request::auth::AuthenticationVerificationOptions;
use webauthn_rp::request::register::{
    CredProtect, PublicKeyCredentialUserEntity, RegistrationVerificationOptions, UserHandle,
    UserHandle16,
};
use webauthn_rp::request::{
    AsciiDomain, ExtensionInfo, PublicKeyCredentialDescriptor, RpId, TimedCeremony as _,
};
use webauthn_rp::response::SentChallenge;
use webauthn_rp::response::auth::ser_relaxed::DiscoverableAuthenticationRelaxed16;
use webauthn_rp::response::register::ser_relaxed::RegistrationRelaxed;
use webauthn_rp::response::register::{DynamicState, StaticState};
use webauthn_rp::response::{AuthTransports, CredentialId};
use webauthn_rp::{
    AuthenticatedCredential, DiscoverableAuthenticationServerState,
    DiscoverableCredentialRequestOptions, PublicKeyCredentialCreationOptions,
    RegistrationServerState,
};

use crate::config::Origin;
use crate::database::Database;
use crate::error::Problem;
use crate::store::Credential;

const WRONG: Problem = Problem::BadRequest("this is no answer of a passkey");

/// What a browser is to ask a passkey for.
pub(crate) async fn begin_registration(
    database: &Database,
    origin: &Origin,
    account: Option<&str>,
) -> Result<Vec<u8>, Problem> {
    let rp = relying_party(origin)?;
    let user = match account {
        None => UserHandle16::new(),
        Some(account) => handle(account)?,
    };
    let known = match account {
        None => Vec::new(),
        Some(account) => descriptors(&database.credentials(account).await?)?,
    };
    let entity: PublicKeyCredentialUserEntity<'_, '_, '_, 16> = (&user).into();
    let mut options = PublicKeyCredentialCreationOptions::passkey(&rp, entity, known);
    // User verification is asked for at each use anyway, and passkeys that cannot promise it by themselves are welcome.
    options.extensions.cred_protect = CredProtect::None;
    // Asked for, so that the passkey can have one. Its results stay on the device.
    options.extensions.prf = Some(ExtensionInfo::AllowDontEnforceValue);
    let (server, client) = options.start_ceremony().map_err(|_| Problem::Unavailable)?;
    let state = server.encode().map_err(|_| Problem::Unavailable)?;
    let challenge = challenge(&server.sent_challenge());
    let account = account.unwrap_or_default();
    database.begin_ceremony(&challenge, account, &state).await?;
    serde_json::to_vec(&client).map_err(|_| Problem::Unavailable)
}

/// The passkey that a browser made, for whom it was asked: nobody, for a new account.
pub(crate) async fn finish_registration(
    database: &Database,
    origin: &Origin,
    session: Option<&str>,
    answer: &[u8],
) -> Result<Credential, Problem> {
    refuse_prf_results(answer)?;
    let RegistrationRelaxed(registration) = serde_json::from_slice(answer).map_err(|_| WRONG)?;
    let challenge = registration.challenge_relaxed().map_err(|_| WRONG)?;
    let key = self::challenge(&challenge);
    let (account, state) = database
        .end_ceremony(&key)
        .await?
        .ok_or(Problem::Unauthorized)?;
    if account != session.unwrap_or_default() {
        return Err(Problem::Unauthorized);
    }
    let state = RegistrationServerState::<16>::decode(&state).map_err(|_| Problem::Unauthorized)?;
    let rp = relying_party(origin)?;
    let origins = [origin.as_str()];
    let options = RegistrationVerificationOptions::<&str, &str> {
        allowed_origins: &origins,
        error_on_unsolicited_extensions: false,
        ..RegistrationVerificationOptions::default()
    };
    let credential = state
        .verify(&rp, &registration, &options)
        .map_err(|_| Problem::Unauthorized)?;
    let account = hex::encode(credential.user_id().as_ref());
    let transports = credential
        .transports()
        .encode()
        .map_err(|_| Problem::Unavailable)?;
    let fixed = credential
        .static_state()
        .encode()
        .map_err(|_| Problem::Unavailable)?;
    let changing = credential
        .dynamic_state()
        .encode()
        .map_err(|_| Problem::Unavailable)?;
    Ok(Credential {
        id: hex::encode(credential.id().as_ref()),
        account,
        transports: i64::from(transports),
        fixed,
        changing: changing.to_vec(),
    })
}

/// What a browser is to ask any passkey of the store for.
pub(crate) async fn begin_login(database: &Database, origin: &Origin) -> Result<Vec<u8>, Problem> {
    let rp = relying_party(origin)?;
    let options = DiscoverableCredentialRequestOptions::passkey(&rp);
    let (server, client) = options.start_ceremony().map_err(|_| Problem::Unavailable)?;
    let state = server.encode().map_err(|_| Problem::Unavailable)?;
    let challenge = challenge(&server.sent_challenge());
    database.begin_ceremony(&challenge, "", &state).await?;
    serde_json::to_vec(&client).map_err(|_| Problem::Unavailable)
}

/// The passkey that somebody came in with.
pub(crate) async fn finish_login(
    database: &Database,
    origin: &Origin,
    answer: &[u8],
) -> Result<Credential, Problem> {
    refuse_prf_results(answer)?;
    let parsed: DiscoverableAuthenticationRelaxed16 =
        serde_json::from_slice(answer).map_err(|_| WRONG)?;
    let authentication = parsed.0;
    let challenge = authentication.challenge_relaxed().map_err(|_| WRONG)?;
    let key = self::challenge(&challenge);
    let (_, state) = database
        .end_ceremony(&key)
        .await?
        .ok_or(Problem::Unauthorized)?;
    let state = DiscoverableAuthenticationServerState::decode(state.as_slice())
        .map_err(|_| Problem::Unauthorized)?;
    let id = hex::encode(authentication.raw_id().as_ref());
    let mut kept = database
        .credential(&id)
        .await?
        .ok_or(Problem::Unauthorized)?;
    let user = authentication.response().user_handle();
    if hex::encode(user.as_ref()) != kept.account {
        return Err(Problem::Unauthorized);
    }
    let fixed = StaticState::decode(kept.fixed.as_slice()).map_err(|_| Problem::Unavailable)?;
    let changing = kept
        .changing
        .as_slice()
        .try_into()
        .map_err(|_| Problem::Unavailable)?;
    let changing = DynamicState::decode(changing).map_err(|_| Problem::Unavailable)?;
    let mut credential =
        AuthenticatedCredential::new(authentication.raw_id(), user, fixed, changing)
            .map_err(|_| Problem::Unavailable)?;
    let rp = relying_party(origin)?;
    let origins = [origin.as_str()];
    let options = AuthenticationVerificationOptions::<&str, &str> {
        allowed_origins: &origins,
        error_on_unsolicited_extensions: false,
        ..AuthenticationVerificationOptions::default()
    };
    let is_changed = state
        .verify(&rp, &authentication, &mut credential, &options)
        .map_err(|_| Problem::Unauthorized)?;
    if is_changed {
        let changing = credential
            .dynamic_state()
            .encode()
            .map_err(|_| Problem::Unavailable)?;
        kept.changing = changing.to_vec();
        database.update_credential(&id, &kept.changing).await?;
    }
    Ok(kept)
}

/// The store must never have what opens a slot: a device that sends it is told, whatever else it sent.
fn refuse_prf_results(answer: &[u8]) -> Result<(), Problem> {
    let answer: Value = serde_json::from_slice(answer).map_err(|_| WRONG)?;
    let results = answer.pointer("/clientExtensionResults/prf/results");
    match results {
        None | Some(Value::Null) => Ok(()),
        Some(_) => Err(Problem::PrfRefused),
    }
}

fn relying_party(origin: &Origin) -> Result<RpId, Problem> {
    let domain =
        AsciiDomain::try_from(origin.host().to_owned()).map_err(|_| Problem::Unavailable)?;
    Ok(RpId::Domain(domain))
}

fn handle(account: &str) -> Result<UserHandle16, Problem> {
    let mut bytes = [0; 16];
    hex::decode_to_slice(account, &mut bytes).map_err(|_| Problem::Unavailable)?;
    UserHandle::decode(bytes).map_err(|_| Problem::Unavailable)
}

fn descriptors(
    credentials: &[Credential],
) -> Result<Vec<PublicKeyCredentialDescriptor<Vec<u8>>>, Problem> {
    let describe = |credential: &Credential| {
        let id = hex::decode(&credential.id).ok()?;
        let transports = u8::try_from(credential.transports).ok()?;
        Some(PublicKeyCredentialDescriptor {
            id: CredentialId::<Vec<u8>>::decode(id).ok()?,
            transports: AuthTransports::decode(transports).ok()?,
        })
    };
    let described: Option<_> = credentials.iter().map(describe).collect();
    described.ok_or(Problem::Unavailable)
}

/// The name of a challenge.
fn challenge(sent: &SentChallenge) -> String {
    let Ok(number) = sent.encode();
    hex::encode(number.to_be_bytes())
}
