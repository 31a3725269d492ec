//! What the store keeps, in SQL that both databases understand.

use futures_util::{Stream, TryStreamExt as _};
use sha2::{Digest as _, Sha256};
use sqlx::any::AnyRow;
use sqlx::{Any, Row as _, Transaction};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::database::Database;
use crate::error::Problem;
use crate::record::Header;
use crate::session::SESSION_LIFE;

const MAX_SHARES: i64 = 100;
const MAX_SESSIONS: i64 = 32;
const MAX_CREDENTIALS: i64 = 32;
const MAX_SLOTS: i64 = 32;
const MAX_CEREMONIES: i64 = 10_000;
const CEREMONY_LIFE: i64 = 300;
/// An account whose first list of slots never came.
const EMPTY_LIFE: i64 = 24 * 3600;

/// A passkey, as it is kept.
pub(crate) struct Credential {
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) transports: i64,
    pub(crate) fixed: Vec<u8>,
    pub(crate) changing: Vec<u8>,
}

/// A locked key and what leads to it.
#[derive(Default)]
pub(crate) struct Slot {
    pub(crate) id: String,
    pub(crate) locked: Vec<u8>,
    pub(crate) credential: String,
    pub(crate) recovery_name: String,
    /// H of the proof.
    pub(crate) recovery_proof: String,
}

/// How far an account's history is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Tip {
    pub(crate) sequence: i64,
    pub(crate) head: String,
    pub(crate) manifest: i64,
    pub(crate) bytes: i64,
    pub(crate) roster_version: i64,
}

/// A record, or what is left of it.
pub(crate) struct Stored {
    pub(crate) sequence: i64,
    pub(crate) is_stub: bool,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

type Sql<T> = Result<T, sqlx::Error>;

impl Database {
    pub(crate) async fn session(&self, digest: &str) -> Result<Option<String>, Problem> {
        let row = sqlx::query("SELECT account FROM session WHERE token = $1 AND until > $2")
            .bind(digest)
            .bind(now())
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    pub(crate) async fn begin_session(&self, account: &str, digest: &str) -> Result<(), Problem> {
        let mut transaction = self.begin().await?;
        // The oldest makes room.
        sqlx::query(
            "DELETE FROM session WHERE account = $1 AND token NOT IN \
             (SELECT token FROM session WHERE account = $1 ORDER BY until DESC LIMIT $2)",
        )
        .bind(account)
        .bind(MAX_SESSIONS.saturating_sub(1))
        .execute(&mut *transaction)
        .await?;
        insert_session(&mut transaction, account, digest).await?;
        transaction.commit().await?;
        Ok(())
    }

    pub(crate) async fn end_session(&self, digest: &str) -> Result<(), Problem> {
        sqlx::query("DELETE FROM session WHERE token = $1")
            .bind(digest)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Keeps a challenge until it is answered.
    pub(crate) async fn begin_ceremony(
        &self,
        challenge: &str,
        account: &str,
        state: &[u8],
    ) -> Result<(), Problem> {
        let mut transaction = self.begin().await?;
        sqlx::query("DELETE FROM ceremony WHERE until <= $1")
            .bind(now())
            .execute(&mut *transaction)
            .await?;
        if count(
            &mut transaction,
            "SELECT COUNT(*) FROM ceremony WHERE challenge <> $1",
            "",
        )
        .await?
            >= MAX_CEREMONIES
        {
            return Err(Problem::TooMany("too many people are coming in at once"));
        }
        sqlx::query(
            "INSERT INTO ceremony (challenge, account, until, state) VALUES ($1, $2, $3, $4)",
        )
        .bind(challenge)
        .bind(account)
        .bind(now().saturating_add(CEREMONY_LIFE))
        .bind(state)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The state of a challenge, once: for whom, and what was asked.
    pub(crate) async fn end_ceremony(
        &self,
        challenge: &str,
    ) -> Result<Option<(String, Vec<u8>)>, Problem> {
        let row = sqlx::query(
            "DELETE FROM ceremony WHERE challenge = $1 AND until > $2 RETURNING account, state",
        )
        .bind(challenge)
        .bind(now())
        .fetch_optional(&self.pool)
        .await?;
        let read = |row: AnyRow| Ok::<_, sqlx::Error>((row.try_get(0)?, row.try_get(1)?));
        Ok(row.map(read).transpose()?)
    }

    /// Makes an account with its first passkey and a session.
    pub(crate) async fn create_account(
        &self,
        credential: &Credential,
        session: &str,
    ) -> Result<(), Problem> {
        let mut transaction = self.begin().await?;
        sqlx::query(
            "INSERT INTO account (id, created, roster, roster_version, sequence, head, manifest, bytes) \
             VALUES ($1, $2, $3, 0, 0, '', 0, 0)",
        )
        .bind(&credential.account)
        .bind(now())
        .bind(Vec::new())
        .execute(&mut *transaction)
        .await?;
        insert_credential(&mut transaction, credential).await?;
        insert_session(&mut transaction, &credential.account, session).await?;
        transaction.commit().await?;
        Ok(())
    }

    pub(crate) async fn add_credential(&self, credential: &Credential) -> Result<(), Problem> {
        let mut transaction = self.begin().await?;
        let query = "SELECT COUNT(*) FROM credential WHERE account = $1";
        if count(&mut transaction, query, &credential.account).await? >= MAX_CREDENTIALS {
            return Err(Problem::TooMany(
                "the account has as many passkeys as it may",
            ));
        }
        insert_credential(&mut transaction, credential).await?;
        transaction.commit().await?;
        Ok(())
    }

    pub(crate) async fn credential(&self, id: &str) -> Result<Option<Credential>, Problem> {
        let row = sqlx::query(
            "SELECT id, account, transports, fixed, changing FROM credential WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.as_ref().map(read_credential).transpose()?)
    }

    pub(crate) async fn credentials(&self, account: &str) -> Result<Vec<Credential>, Problem> {
        let rows = sqlx::query("SELECT id, account, transports, fixed, changing FROM credential WHERE account = $1 ORDER BY id")
            .bind(account)
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.iter().map(read_credential).collect::<Sql<_>>()?)
    }

    pub(crate) async fn update_credential(&self, id: &str, changing: &[u8]) -> Result<(), Problem> {
        sqlx::query("UPDATE credential SET changing = $1 WHERE id = $2")
            .bind(changing)
            .bind(id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The list of slots and its version; version 0 is none.
    pub(crate) async fn roster(&self, account: &str) -> Result<(i64, Vec<u8>), Problem> {
        let row = sqlx::query("SELECT roster_version, roster FROM account WHERE id = $1")
            .bind(account)
            .fetch_optional(&self.pool)
            .await?
            .ok_or(Problem::Unauthorized)?;
        Ok((row.try_get(0)?, row.try_get(1)?))
    }

    /// Replaces the list of slots, if this is the next version.
    pub(crate) async fn put_roster(
        &self,
        account: &str,
        version: i64,
        roster: &[u8],
    ) -> Result<(), Problem> {
        let done = sqlx::query("UPDATE account SET roster = $1, roster_version = $2 WHERE id = $3 AND roster_version = $4")
            .bind(roster)
            .bind(version)
            .bind(account)
            .bind(version.saturating_sub(1))
            .execute(&self.pool)
            .await?;
        if done.rows_affected() == 1 {
            Ok(())
        } else {
            Err(Problem::Conflict)
        }
    }

    pub(crate) async fn slots(&self, account: &str) -> Result<Vec<Slot>, Problem> {
        let rows = sqlx::query("SELECT id, locked, credential, recovery_name, recovery_proof FROM slot WHERE account = $1 ORDER BY id")
            .bind(account)
            .fetch_all(&self.pool)
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| read_slot(&row))
            .collect::<Sql<_>>()?)
    }

    /// Puts a locked key. What leads to it stays as it was unless it is given.
    pub(crate) async fn put_slot(&self, account: &str, slot: &Slot) -> Result<(), Problem> {
        let mut transaction = self.begin().await?;
        let query = "SELECT COUNT(*) FROM slot WHERE account = $1";
        let slots = count(&mut transaction, query, account).await?;
        let row = sqlx::query("SELECT id, locked, credential, recovery_name, recovery_proof FROM slot WHERE account = $1 AND id = $2")
            .bind(account)
            .bind(&slot.id)
            .fetch_optional(&mut *transaction)
            .await?;
        let old = row.map(|row| read_slot(&row)).transpose()?;
        if old.is_none() && slots >= MAX_SLOTS {
            return Err(Problem::TooMany("the account has as many slots as it may"));
        }
        if !slot.credential.is_empty() {
            let query = "SELECT COUNT(*) FROM credential WHERE account = $1 AND id = $2";
            let row = sqlx::query(query)
                .bind(account)
                .bind(&slot.credential)
                .fetch_one(&mut *transaction)
                .await?;
            if row.try_get::<i64, _>(0)? != 1 {
                return Err(Problem::BadRequest("the account has no such passkey"));
            }
        }
        let old = old.unwrap_or_default();
        let either = |new: &String, old: String| if new.is_empty() { old } else { new.clone() };
        sqlx::query("DELETE FROM slot WHERE account = $1 AND id = $2")
            .bind(account)
            .bind(&slot.id)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "INSERT INTO slot (account, id, locked, credential, recovery_name, recovery_proof) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(account)
        .bind(&slot.id)
        .bind(&slot.locked)
        .bind(either(&slot.credential, old.credential))
        .bind(either(&slot.recovery_name, old.recovery_name))
        .bind(either(&slot.recovery_proof, old.recovery_proof))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Deletes a slot and its passkey, and ends all sessions but this one.
    pub(crate) async fn delete_slot(
        &self,
        account: &str,
        slot: &str,
        session: &str,
    ) -> Result<(), Problem> {
        let mut transaction = self.begin().await?;
        let row =
            sqlx::query("DELETE FROM slot WHERE account = $1 AND id = $2 RETURNING credential")
                .bind(account)
                .bind(slot)
                .fetch_optional(&mut *transaction)
                .await?
                .ok_or(Problem::NotFound)?;
        sqlx::query("DELETE FROM credential WHERE account = $1 AND id = $2")
            .bind(account)
            .bind(row.try_get::<String, _>(0)?)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("DELETE FROM session WHERE account = $1 AND token <> $2")
            .bind(account)
            .bind(session)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Account and slot of a recovery code.
    pub(crate) async fn recover(
        &self,
        name: &str,
        proof_digest: &str,
    ) -> Result<Option<(String, String)>, Problem> {
        let rows =
            sqlx::query("SELECT account, id, recovery_proof FROM slot WHERE recovery_name = $1")
                .bind(name)
                .fetch_all(&self.pool)
                .await?;
        for row in rows {
            let proof: String = row.try_get(2)?;
            if bool::from(subtle::ConstantTimeEq::ct_eq(
                proof.as_bytes(),
                proof_digest.as_bytes(),
            )) {
                return Ok(Some((row.try_get(0)?, row.try_get(1)?)));
            }
        }
        Ok(None)
    }

    pub(crate) async fn tip(&self, account: &str) -> Result<Tip, Problem> {
        let row = sqlx::query(
            "SELECT sequence, head, manifest, bytes, roster_version FROM account WHERE id = $1",
        )
        .bind(account)
        .fetch_optional(&self.pool)
        .await?
        .ok_or(Problem::Unauthorized)?;
        Ok(Tip {
            sequence: row.try_get(0)?,
            head: row.try_get(1)?,
            manifest: row.try_get(2)?,
            bytes: row.try_get(3)?,
            roster_version: row.try_get(4)?,
        })
    }

    /// Appends a record if it is the next. It is durable when this has returned.
    pub(crate) async fn append(
        &self,
        account: &str,
        header: &Header,
        record: &[u8],
        quota: u64,
    ) -> Result<(), Problem> {
        let length = i64::try_from(record.len()).map_err(|_| Problem::TooLarge)?;
        let previous = hex::encode(header.previous);
        let mut transaction = self.begin().await?;
        // First, because it takes the account for this transaction.
        let done = sqlx::query(
            "UPDATE account SET sequence = $1, head = $2, bytes = bytes + $3 \
             WHERE id = $4 AND sequence = $5 AND (sequence = 0 OR head = $6) AND bytes + $3 <= $7",
        )
        .bind(header.sequence)
        .bind(head_after(record))
        .bind(length)
        .bind(account)
        .bind(header.sequence.saturating_sub(1))
        .bind(&previous)
        .bind(i64::try_from(quota).unwrap_or(i64::MAX))
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() != 1 {
            drop(transaction);
            let tip = self.tip(account).await?;
            let is_next = tip.sequence.checked_add(1) == Some(header.sequence)
                && (tip.sequence == 0 || tip.head == previous);
            return Err(if is_next {
                Problem::OverQuota
            } else {
                Problem::Conflict
            });
        }
        let object = hex::encode(header.object);
        if header.first_version == header.version {
            sqlx::query("UPDATE record SET superseded = $1 WHERE account = $2 AND object = $3 AND superseded = 0")
                .bind(header.sequence)
                .bind(account)
                .bind(&object)
                .execute(&mut *transaction)
                .await?;
        }
        sqlx::query(
            "INSERT INTO record (account, sequence, object, is_manifest, superseded, is_stub, bytes) VALUES ($1, $2, $3, $4, 0, 0, $5)",
        )
        .bind(account)
        .bind(header.sequence)
        .bind(&object)
        .bind(i64::from(header.is_manifest))
        .bind(record)
        .execute(&mut *transaction)
        .await?;
        if header.is_manifest {
            forget(&mut transaction, account, header.sequence).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Records after this one, in order: as many as fit into an answer.
    pub(crate) async fn records(&self, account: &str, after: i64) -> Result<Vec<Stored>, Problem> {
        let rows = sqlx::query(
            "SELECT sequence, is_stub, bytes FROM record WHERE account = $1 AND sequence > $2 ORDER BY sequence",
        )
        .bind(account)
        .bind(after)
        .fetch(&self.pool);
        as_many_as_fit(rows).await
    }

    /// Records that counted when this manifest was written, after one, then the manifest: as many as fit into an answer.
    pub(crate) async fn counted(
        &self,
        account: &str,
        manifest: i64,
        after: i64,
    ) -> Result<Vec<Stored>, Problem> {
        let rows = sqlx::query(
            "SELECT sequence, is_stub, bytes FROM record WHERE account = $1 AND sequence > $2 AND \
             ((sequence < $3 AND is_manifest = 0 AND (superseded = 0 OR superseded > $3)) OR sequence = $3) ORDER BY sequence",
        )
        .bind(account)
        .bind(after)
        .bind(manifest)
        .fetch(&self.pool);
        as_many_as_fit(rows).await
    }

    pub(crate) async fn put_share(
        &self,
        account: &str,
        id: &str,
        until: i64,
        bytes: &[u8],
        quota: u64,
    ) -> Result<(), Problem> {
        let length = i64::try_from(bytes.len()).map_err(|_| Problem::TooLarge)?;
        let mut transaction = self.begin().await?;
        let done =
            sqlx::query("UPDATE account SET bytes = bytes + $1 WHERE id = $2 AND bytes + $1 <= $3")
                .bind(length)
                .bind(account)
                .bind(i64::try_from(quota).unwrap_or(i64::MAX))
                .execute(&mut *transaction)
                .await?;
        if done.rows_affected() != 1 {
            return Err(Problem::OverQuota);
        }
        let query = "SELECT COUNT(*) FROM share WHERE account = $1";
        if count(&mut transaction, query, account).await? >= MAX_SHARES {
            return Err(Problem::TooMany(
                "the account has as many shared copies as it may",
            ));
        }
        let taken = sqlx::query("SELECT account FROM share WHERE id = $1")
            .bind(id)
            .fetch_optional(&mut *transaction)
            .await?;
        if taken.is_some() {
            return Err(Problem::Conflict);
        }
        sqlx::query("INSERT INTO share (id, account, until, bytes) VALUES ($1, $2, $3, $4)")
            .bind(id)
            .bind(account)
            .bind(until)
            .bind(bytes)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    pub(crate) async fn share(&self, id: &str) -> Result<Vec<u8>, Problem> {
        let row = sqlx::query("SELECT bytes FROM share WHERE id = $1 AND until > $2")
            .bind(id)
            .bind(now())
            .fetch_optional(&self.pool)
            .await?
            .ok_or(Problem::NotFound)?;
        Ok(row.try_get(0)?)
    }

    pub(crate) async fn shares(&self, account: &str) -> Result<Vec<(String, i64)>, Problem> {
        let rows = sqlx::query(
            "SELECT id, until FROM share WHERE account = $1 AND until > $2 ORDER BY id",
        )
        .bind(account)
        .bind(now())
        .fetch_all(&self.pool)
        .await?;
        let read = |row: AnyRow| Ok((row.try_get(0)?, row.try_get(1)?));
        Ok(rows.into_iter().map(read).collect::<Sql<_>>()?)
    }

    pub(crate) async fn delete_share(&self, account: &str, id: &str) -> Result<(), Problem> {
        let mut transaction = self.begin().await?;
        let row = sqlx::query("DELETE FROM share WHERE account = $1 AND id = $2 RETURNING CAST(LENGTH(bytes) AS BIGINT)")
            .bind(account)
            .bind(id)
            .fetch_optional(&mut *transaction)
            .await?
            .ok_or(Problem::NotFound)?;
        sqlx::query("UPDATE account SET bytes = bytes - $1 WHERE id = $2")
            .bind(row.try_get::<i64, _>(0)?)
            .bind(account)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Deletes an account and everything of it.
    pub(crate) async fn delete_account(&self, account: &str) -> Result<(), Problem> {
        // What belongs to it goes with it, by the tables' own rule.
        sqlx::query("DELETE FROM account WHERE id = $1")
            .bind(account)
            .execute(&self.pool)
            .await?;
        sqlx::query("DELETE FROM ceremony WHERE account = $1")
            .bind(account)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Deletes what is over.
    pub(crate) async fn tidy(&self) -> Result<(), Problem> {
        let now = now();
        let shares = sqlx::query("SELECT account, id FROM share WHERE until <= $1")
            .bind(now)
            .fetch_all(&self.pool)
            .await?;
        for row in shares {
            let (account, id): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            match self.delete_share(&account, &id).await {
                // Its owner was faster.
                Ok(()) | Err(Problem::NotFound) => {}
                Err(problem) => return Err(problem),
            }
        }
        for query in [
            "DELETE FROM session WHERE until <= $1",
            "DELETE FROM ceremony WHERE until <= $1",
        ] {
            sqlx::query(query).bind(now).execute(&self.pool).await?;
        }
        sqlx::query("DELETE FROM account WHERE roster_version = 0 AND created <= $1")
            .bind(now.saturating_sub(EMPTY_LIFE))
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

/// Bytes of records in one answer, before its last one.
const MAX_ANSWER: usize = 4 << 20;

/// Reads records one by one, and no more than are sent.
async fn as_many_as_fit(
    mut rows: impl Stream<Item = Sql<AnyRow>> + Unpin,
) -> Result<Vec<Stored>, Problem> {
    let (mut records, mut length) = (Vec::new(), 0_usize);
    while length < MAX_ANSWER {
        let Some(row) = rows.try_next().await? else {
            break;
        };
        let record = read_stored(&row)?;
        length = length.saturating_add(record.bytes.len());
        records.push(record);
    }
    Ok(records)
}

async fn insert_session(
    transaction: &mut Transaction<'static, Any>,
    account: &str,
    digest: &str,
) -> Sql<()> {
    sqlx::query("INSERT INTO session (token, account, until) VALUES ($1, $2, $3)")
        .bind(digest)
        .bind(account)
        .bind(now().saturating_add(SESSION_LIFE))
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

async fn insert_credential(
    transaction: &mut Transaction<'static, Any>,
    credential: &Credential,
) -> Result<(), Problem> {
    let taken = sqlx::query("SELECT account FROM credential WHERE id = $1")
        .bind(&credential.id)
        .fetch_optional(&mut **transaction)
        .await?;
    if taken.is_some() {
        return Err(Problem::Conflict);
    }
    sqlx::query("INSERT INTO credential (id, account, transports, fixed, changing) VALUES ($1, $2, $3, $4, $5)")
        .bind(&credential.id)
        .bind(&credential.account)
        .bind(credential.transports)
        .bind(&credential.fixed)
        .bind(&credential.changing)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

async fn count(
    transaction: &mut Transaction<'static, Any>,
    query: &'static str,
    of: &str,
) -> Sql<i64> {
    let row = sqlx::query(query)
        .bind(of)
        .fetch_one(&mut **transaction)
        .await?;
    row.try_get(0)
}

/// Forgets the contents that no longer counted before this manifest, and keeps their stubs.
async fn forget(
    transaction: &mut Transaction<'static, Any>,
    account: &str,
    manifest: i64,
) -> Result<(), Problem> {
    let rows = sqlx::query(
        "SELECT sequence FROM record WHERE account = $1 AND superseded > 0 AND superseded < $2 AND is_stub = 0",
    )
    .bind(account)
    .bind(manifest)
    .fetch_all(&mut **transaction)
    .await?;
    let mut freed = 0_i64;
    // One by one: all of them together could be as much as an account may have.
    for row in &rows {
        let sequence: i64 = row.try_get(0)?;
        let record = sqlx::query("SELECT bytes FROM record WHERE account = $1 AND sequence = $2")
            .bind(account)
            .bind(sequence)
            .fetch_one(&mut **transaction)
            .await?;
        let bytes: Vec<u8> = record.try_get(0)?;
        let stub = stub(&bytes);
        let length = |bytes: &[u8]| i64::try_from(bytes.len()).unwrap_or(0);
        freed = freed.saturating_add(length(&bytes).saturating_sub(length(&stub)));
        sqlx::query(
            "UPDATE record SET is_stub = 1, bytes = $1 WHERE account = $2 AND sequence = $3",
        )
        .bind(stub)
        .bind(account)
        .bind(sequence)
        .execute(&mut **transaction)
        .await?;
    }
    sqlx::query("UPDATE account SET manifest = $1, bytes = bytes - $2 WHERE id = $3")
        .bind(manifest)
        .bind(freed)
        .bind(account)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

fn read_credential(row: &AnyRow) -> Sql<Credential> {
    Ok(Credential {
        id: row.try_get(0)?,
        account: row.try_get(1)?,
        transports: row.try_get(2)?,
        fixed: row.try_get(3)?,
        changing: row.try_get(4)?,
    })
}

fn read_slot(row: &AnyRow) -> Sql<Slot> {
    Ok(Slot {
        id: row.try_get(0)?,
        locked: row.try_get(1)?,
        credential: row.try_get(2)?,
        recovery_name: row.try_get(3)?,
        recovery_proof: row.try_get(4)?,
    })
}

fn read_stored(row: &AnyRow) -> Sql<Stored> {
    Ok(Stored {
        sequence: row.try_get(0)?,
        is_stub: row.try_get::<i64, _>(1)? == 1,
        bytes: row.try_get(2)?,
    })
}

/// The head after a record (spec/history.md §5).
fn head_after(record: &[u8]) -> String {
    let (header, rest) = record.split_at(record.len().min(Header::LEN));
    let mut hash = Sha256::new();
    hash.update(b"subrosa/history/1/head");
    hash.update(header);
    hash.update(Sha256::digest(rest));
    hex::encode(hash.finalize())
}

/// What is left of a record.
fn stub(record: &[u8]) -> Vec<u8> {
    let (header, rest) = record.split_at(record.len().min(Header::LEN));
    [header, Sha256::digest(rest).as_slice()].concat()
}
