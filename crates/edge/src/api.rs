//! The store's requests (spec/store.md).

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, Query, State as Extract};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::error::Problem;
use crate::passkeys;
use crate::record::Header;
use crate::service::State;
use crate::session::{Session, Token, digest_of_cookie, ended_cookie, sha256_hex};
use crate::store::{Slot, Stored, now};

const MAX_ROSTER: usize = 1 << 20;
const MAX_LOCKED: usize = 4096;
const DAY: i64 = 24 * 3600;

type Answer<T> = Result<T, Problem>;

pub(crate) fn routes() -> Router<State> {
    let record = DefaultBodyLimit::max(Header::MAX_RECORD);
    Router::new()
        .route("/passkeys/begin", post(begin_registration))
        .route("/passkeys", post(finish_registration))
        .route("/login/begin", post(begin_login))
        .route("/login", post(finish_login))
        .route("/login/recovery", post(recover))
        .route("/logout", post(logout))
        .route(
            "/roster",
            get(roster)
                .put(put_roster)
                .layer(DefaultBodyLimit::max(MAX_ROSTER)),
        )
        .route("/slots", get(slots))
        .route(
            "/slots/{id}",
            get(slot)
                .put(put_slot)
                .delete(delete_slot)
                .layer(DefaultBodyLimit::max(MAX_LOCKED)),
        )
        .route("/history", get(history))
        .route("/history/records", get(records).post(append).layer(record))
        .route("/history/counted", get(counted))
        .route("/history/changes", get(changes))
        .route("/shares", get(shares))
        .route("/shares/{id}", get(share).layer(record))
        .route("/shares/{id}", put(put_share).layer(record))
        .route("/shares/{id}", delete(delete_share))
        .route("/account", get(account).delete(delete_account))
        .route("/account/export", get(export))
        .layer(DefaultBodyLimit::max(64 << 10))
}

async fn begin_registration(
    Extract(state): Extract<State>,
    session: Option<Session>,
) -> Answer<impl IntoResponse> {
    let account = session.as_ref().map(|session| session.account.as_str());
    let options =
        passkeys::begin_registration(&state.database, &state.config.origin, account).await?;
    Ok(json_bytes(options))
}

async fn finish_registration(
    Extract(state): Extract<State>,
    session: Option<Session>,
    body: Bytes,
) -> Answer<Response> {
    let account = session.as_ref().map(|session| session.account.as_str());
    let (database, origin) = (&state.database, &state.config.origin);
    let credential = passkeys::finish_registration(database, origin, account, &body).await?;
    let answer = json!({ "account": credential.account, "credential": credential.id });
    if session.is_some() {
        database.add_credential(&credential).await?;
        return Ok((StatusCode::CREATED, Json(answer)).into_response());
    }
    let token = Token::generate()?;
    database
        .create_account(&credential, &token.digest())
        .await?;
    let cookie = AppendHeaders([(header::SET_COOKIE, token.cookie(origin))]);
    Ok((StatusCode::CREATED, cookie, Json(answer)).into_response())
}

async fn begin_login(Extract(state): Extract<State>) -> Answer<impl IntoResponse> {
    let options = passkeys::begin_login(&state.database, &state.config.origin).await?;
    Ok(json_bytes(options))
}

async fn finish_login(Extract(state): Extract<State>, body: Bytes) -> Answer<Response> {
    let credential = passkeys::finish_login(&state.database, &state.config.origin, &body).await?;
    let slots = state.database.slots(&credential.account).await?;
    let slot = slots
        .into_iter()
        .find(|slot| slot.credential == credential.id);
    let slot = slot.map(|slot| slot.id);
    enter(
        &state,
        &credential.account,
        Some(&credential.id),
        slot.as_deref(),
    )
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recovery {
    name: String,
    proof: String,
}

async fn recover(Extract(state): Extract<State>, body: Bytes) -> Answer<Response> {
    let wrong = Problem::BadRequest("a recovery has a name and a proof");
    let recovery: Recovery = serde_json::from_slice(&body).map_err(|_| wrong)?;
    let (name, proof) = (hex_of(&recovery.name, 16)?, hex_of(&recovery.proof, 32)?);
    let found = state
        .database
        .recover(&name, &sha256_hex(proof.as_bytes()))
        .await?;
    let (account, slot) = found.ok_or(Problem::Unauthorized)?;
    enter(&state, &account, None, Some(&slot)).await
}

/// Begins a session.
async fn enter(
    state: &State,
    account: &str,
    credential: Option<&str>,
    slot: Option<&str>,
) -> Answer<Response> {
    let token = Token::generate()?;
    state
        .database
        .begin_session(account, &token.digest())
        .await?;
    let cookie = AppendHeaders([(header::SET_COOKIE, token.cookie(&state.config.origin))]);
    let answer = json!({ "account": account, "credential": credential, "slot": slot });
    Ok((cookie, Json(answer)).into_response())
}

/// Ends a session, if there is one: a device with one that is over gets rid of its cookie too.
async fn logout(Extract(state): Extract<State>, headers: HeaderMap) -> Answer<impl IntoResponse> {
    if let Some(digest) = digest_of_cookie(&headers) {
        state.database.end_session(&digest).await?;
    }
    let cookie = AppendHeaders([(header::SET_COOKIE, ended_cookie(&state.config.origin))]);
    Ok((StatusCode::NO_CONTENT, cookie))
}

async fn roster(Extract(state): Extract<State>, session: Session) -> Answer<Response> {
    let (version, roster) = state.database.roster(&session.account).await?;
    if version == 0 {
        return Err(Problem::NoRoster);
    }
    Ok((numbers([("subrosa-version", version)]), roster).into_response())
}

async fn put_roster(
    Extract(state): Extract<State>,
    session: Session,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<Response> {
    let version = number(&headers, "subrosa-version")?;
    match state
        .database
        .put_roster(&session.account, version, &body)
        .await
    {
        Ok(()) => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(Problem::Conflict) => {
            let tip = state.database.tip(&session.account).await?;
            let version = numbers([("subrosa-version", tip.roster_version)]);
            Ok((version, Problem::Conflict).into_response())
        }
        Err(problem) => Err(problem),
    }
}

async fn slots(Extract(state): Extract<State>, session: Session) -> Answer<Json<Value>> {
    let slots = state.database.slots(&session.account).await?;
    let shown = |slot: Slot| {
        let credential = (!slot.credential.is_empty()).then_some(slot.credential);
        json!({ "slot": slot.id, "credential": credential })
    };
    let slots: Vec<_> = slots.into_iter().map(shown).collect();
    Ok(Json(json!({ "slots": slots })))
}

async fn slot(
    Extract(state): Extract<State>,
    session: Session,
    Path(id): Path<String>,
) -> Answer<Response> {
    let slots = state.database.slots(&session.account).await?;
    let slot = slots.into_iter().find(|slot| slot.id == id);
    Ok(slot.ok_or(Problem::NotFound)?.locked.into_response())
}

async fn put_slot(
    Extract(state): Extract<State>,
    session: Session,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<StatusCode> {
    let text = |name| match headers.get(name) {
        None => Ok(""),
        Some(value) => value
            .to_str()
            .map_err(|_| Problem::BadRequest("a header is no text")),
    };
    let (name, proof) = (
        text("subrosa-recovery-name")?,
        text("subrosa-recovery-proof")?,
    );
    let (name, proof) = match (name, proof) {
        ("", "") => (String::new(), String::new()),
        (name, proof) => (hex_of(name, 16)?, sha256_hex(hex_of(proof, 32)?.as_bytes())),
    };
    let slot = Slot {
        id: hex_of(&id, 16)?,
        locked: body.to_vec(),
        credential: text("subrosa-credential")?.to_owned(),
        recovery_name: name,
        recovery_proof: proof,
    };
    state.database.put_slot(&session.account, &slot).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete_slot(
    Extract(state): Extract<State>,
    session: Session,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    let Session { account, digest } = session;
    state.database.delete_slot(&account, &id, &digest).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn history(Extract(state): Extract<State>, session: Session) -> Answer<Json<Value>> {
    let tip = state.database.tip(&session.account).await?;
    Ok(Json(json!({
        "sequence": tip.sequence,
        "head": tip.head,
        "manifest": tip.manifest,
        "bytes": tip.bytes,
        "quota": state.config.limits.quota,
    })))
}

async fn append(
    Extract(state): Extract<State>,
    session: Session,
    body: Bytes,
) -> Answer<StatusCode> {
    let header = Header::read(&body).ok_or(Problem::BadRequest("this is no record"))?;
    let quota = state.config.limits.quota;
    let account = session.account;
    state
        .database
        .append(&account, &header, &body, quota)
        .await?;
    // Nobody may be listening.
    let _ = state.changes.send((account, header.sequence));
    Ok(StatusCode::CREATED)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct After {
    #[serde(default)]
    after: i64,
}

async fn records(
    Extract(state): Extract<State>,
    session: Session,
    Query(After { after }): Query<After>,
) -> Answer<impl IntoResponse> {
    // The newest first, so that it is never below what follows.
    let tip = state.database.tip(&session.account).await?;
    let records = state.database.records(&session.account, after).await?;
    let newest = records
        .last()
        .map_or(0, |last| last.sequence)
        .max(tip.sequence);
    Ok((numbers([("subrosa-sequence", newest)]), parts(records)))
}

async fn counted(
    Extract(state): Extract<State>,
    session: Session,
    Query(After { after }): Query<After>,
) -> Answer<impl IntoResponse> {
    let tip = state.database.tip(&session.account).await?;
    if tip.manifest == 0 {
        return Err(Problem::NotFound);
    }
    let records = state
        .database
        .counted(&session.account, tip.manifest, after)
        .await?;
    Ok((
        numbers([("subrosa-manifest", tip.manifest)]),
        parts(records),
    ))
}

/// The newest sequence, now and whenever it changes.
async fn changes(
    Extract(state): Extract<State>,
    session: Session,
) -> Answer<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let heard = state.changes.subscribe();
    state.database.tip(&session.account).await?;
    let follower = Follower {
        stopping: state.stopping.subscribe(),
        state,
        account: session.account,
        heard,
        last: -1,
    };
    let stream = unfold(follower, |mut follower| async move {
        let sequence = follower.next().await?;
        let event = Event::default().event("newest").data(sequence.to_string());
        Some((Ok(event), follower))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

/// Who waits for an account's history to grow.
struct Follower {
    state: State,
    account: String,
    heard: Receiver<(String, i64)>,
    stopping: watch::Receiver<bool>,
    /// What was said last; below 0 before the first time.
    last: i64,
}

impl Follower {
    /// The newest sequence, once it is another; none when the account or the database is gone, or the service stops: the device will ask again.
    async fn next(&mut self) -> Option<i64> {
        loop {
            if self.last >= 0 {
                // Another edge may have taken a record: the database is asked now and then.
                let heard = tokio::select! {
                    heard = timeout(Duration::from_secs(5), self.heard.recv()) => heard,
                    _ = self.stopping.wait_for(|stopping| *stopping) => return None,
                };
                match heard {
                    Ok(Ok((changed, _))) if changed != self.account => continue,
                    Ok(Err(RecvError::Closed)) => return None,
                    Ok(Ok(_) | Err(RecvError::Lagged(_))) | Err(_) => {}
                }
            }
            let tip = self.state.database.tip(&self.account).await.ok()?;
            if tip.sequence > self.last {
                self.last = tip.sequence;
                return Some(self.last);
            }
        }
    }
}

async fn shares(Extract(state): Extract<State>, session: Session) -> Answer<Json<Value>> {
    let shares = state.database.shares(&session.account).await?;
    let shown = |(share, until)| json!({ "share": share, "until": until });
    let shares: Vec<_> = shares.into_iter().map(shown).collect();
    Ok(Json(json!({ "shares": shares })))
}

async fn share(Extract(state): Extract<State>, Path(id): Path<String>) -> Answer<Response> {
    Ok(state.database.share(&id).await?.into_response())
}

async fn put_share(
    Extract(state): Extract<State>,
    session: Session,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<StatusCode> {
    let days = number(&headers, "subrosa-days")?;
    if !(1..=365).contains(&days) {
        return Err(Problem::BadRequest(
            "a shared copy is kept for 1 to 365 days",
        ));
    }
    let until = now().saturating_add(days.saturating_mul(DAY));
    let quota = state.config.limits.quota;
    let id = hex_of(&id, 16)?;
    state
        .database
        .put_share(&session.account, &id, until, &body, quota)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete_share(
    Extract(state): Extract<State>,
    session: Session,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    state.database.delete_share(&session.account, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn account(Extract(state): Extract<State>, session: Session) -> Answer<Json<Value>> {
    let tip = state.database.tip(&session.account).await?;
    let credentials = state.database.credentials(&session.account).await?;
    let slots = state.database.slots(&session.account).await?;
    Ok(Json(json!({
        "account": session.account,
        "credentials": credentials.len(),
        "slots": slots.len(),
        "bytes": tip.bytes,
        "quota": state.config.limits.quota,
    })))
}

/// Everything that the store has of an account. Contents are as they are: sealed.
async fn export(Extract(state): Extract<State>, session: Session) -> Answer<Response> {
    let account = session.account.clone();
    let first = first_lines(&state, &account).await?;
    let body = unfold(
        (state, account, Some(0), first),
        |(state, account, after, lines)| async move {
            if !lines.is_empty() {
                return Some((
                    Ok(Bytes::from(lines)),
                    (state, account, after, String::new()),
                ));
            }
            let Ok(records) = state.database.records(&account, after?).await else {
                let error = std::io::Error::other("the store does not work");
                return Some((Err(error), (state, account, None, lines)));
            };
            let last = records.last()?.sequence;
            let mut lines = String::new();
            for record in &records {
                let bytes = STANDARD.encode(&record.bytes);
                let line =
                    json!({ "record": record.sequence, "stub": record.is_stub, "bytes": bytes });
                lines += &line.to_string();
                lines.push('\n');
            }
            Some((
                Ok(Bytes::from(lines)),
                (state, account, Some(last), String::new()),
            ))
        },
    );
    let media = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((media, Body::from_stream(body)).into_response())
}

async fn first_lines(state: &State, account: &str) -> Answer<String> {
    let database = &state.database;
    let (version, roster) = database.roster(account).await?;
    let mut lines = vec![json!({
        "account": account, "roster": version, "bytes": STANDARD.encode(roster),
    })];
    for credential in database.credentials(account).await? {
        let key = STANDARD.encode(credential.fixed);
        lines.push(json!({ "credential": credential.id, "key": key }));
    }
    for slot in database.slots(account).await? {
        let bytes = STANDARD.encode(slot.locked);
        lines.push(json!({ "slot": slot.id, "credential": slot.credential, "bytes": bytes }));
    }
    for (share, until) in database.shares(account).await? {
        let bytes = STANDARD.encode(database.share(&share).await?);
        lines.push(json!({ "share": share, "until": until, "bytes": bytes }));
    }
    let mut text = String::new();
    for line in lines {
        text += &line.to_string();
        text.push('\n');
    }
    Ok(text)
}

async fn delete_account(
    Extract(state): Extract<State>,
    session: Session,
    headers: HeaderMap,
) -> Answer<impl IntoResponse> {
    let is_meant = headers
        .get("subrosa-confirm")
        .is_some_and(|value| *value == session.account);
    if !is_meant {
        return Err(Problem::BadRequest(
            "deleting an account needs its name in subrosa-confirm",
        ));
    }
    state.database.delete_account(&session.account).await?;
    let cookie = AppendHeaders([(header::SET_COOKIE, ended_cookie(&state.config.origin))]);
    Ok((StatusCode::NO_CONTENT, cookie))
}

/// Records, each with its length and whether it is a stub.
fn parts(records: Vec<Stored>) -> Vec<u8> {
    let mut body = Vec::new();
    for record in records {
        let length = u32::try_from(record.bytes.len()).unwrap_or(u32::MAX);
        body.extend_from_slice(&length.to_be_bytes());
        body.push(u8::from(record.is_stub));
        body.extend_from_slice(&record.bytes);
    }
    body
}

fn json_bytes(bytes: Vec<u8>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], bytes)
}

fn numbers<const N: usize>(
    headers: [(&'static str, i64); N],
) -> AppendHeaders<[(&'static str, HeaderValue); N]> {
    AppendHeaders(headers.map(|(name, value)| (name, HeaderValue::from(value))))
}

fn number(headers: &HeaderMap, name: &'static str) -> Answer<i64> {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    let number = value
        .and_then(|value| value.parse().ok())
        .filter(|number| *number >= 1);
    number.ok_or(Problem::BadRequest(
        "a header with a number is missing or wrong",
    ))
}

/// Lower-case hexadecimal of so many bytes.
fn hex_of(text: &str, bytes: usize) -> Answer<String> {
    let is_right = text.len() == bytes.saturating_mul(2)
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let wrong = Problem::BadRequest("a name is so many lower-case hexadecimal digits");
    is_right.then(|| text.to_owned()).ok_or(wrong)
}
