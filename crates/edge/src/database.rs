//! The database: `SQLite` in a file, or Postgres.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{Any, AnyPool, Executor as _, Row as _, Transaction};
use thiserror::Error;

/// The database: `SQLite` in a file, or Postgres. What it has taken is durable.
#[derive(Clone, Debug)]
pub struct Database {
    pub(crate) pool: AnyPool,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Sqlite,
    Postgres,
}

/// Why a database cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// It cannot be reached or opened, or does not do what it is asked.
    #[error("the database does not work: {0}")]
    Sql(#[from] sqlx::Error),
    /// Its address is of another kind.
    #[error("a database is sqlite://FILE or postgres://USER@HOST/NAME")]
    Address,
    /// A newer program made it.
    #[error(
        "the database has schema {found}, and this program knows {known}: use the newer program, or another database"
    )]
    Newer {
        /// What it has.
        found: i64,
        /// What this program knows.
        known: i64,
    },
    /// It could lose what it has said to have.
    #[error("the database does not promise to keep what it has taken: {0}")]
    NotDurable(&'static str),
}

const SCHEMA: i64 = 1;

impl Database {
    /// Opens it, and makes its tables if there are none.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`].
    pub async fn open(url: &str) -> Result<Self, DatabaseError> {
        sqlx::any::install_default_drivers();
        let kind = if url.starts_with("sqlite:") {
            Kind::Sqlite
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            Kind::Postgres
        } else {
            return Err(DatabaseError::Address);
        };
        let url = match kind {
            Kind::Sqlite if !url.contains('?') => format!("{url}?mode=rwc"),
            _ => url.to_owned(),
        };
        let options = AnyConnectOptions::from_str(&url)?;
        let connections = match kind {
            Kind::Sqlite => 8,
            Kind::Postgres => 16,
        };
        let pool = AnyPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(Duration::from_secs(30))
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if kind == Kind::Sqlite {
                        connection.execute(SQLITE_SETTINGS).await?;
                    }
                    Ok(())
                })
            })
            .connect_with(options)
            .await?;
        let database = Self { pool, kind };
        database.check_durable().await?;
        database.prepare().await?;
        Ok(database)
    }

    /// Begins a transaction that will write.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        match self.kind {
            // Otherwise a second writer would be refused in the middle, instead of waiting.
            Kind::Sqlite => self.pool.begin_with("BEGIN IMMEDIATE").await,
            Kind::Postgres => self.pool.begin().await,
        }
    }

    /// Refuses settings with which an answer could be given for what a crash undoes.
    async fn check_durable(&self) -> Result<(), DatabaseError> {
        match self.kind {
            Kind::Sqlite => {
                let row = self.pool.fetch_one("PRAGMA synchronous").await?;
                // 2 is FULL, 3 is EXTRA.
                if row.try_get::<i64, _>(0)? < 2 {
                    return Err(DatabaseError::NotDurable("synchronous is not FULL"));
                }
            }
            Kind::Postgres => {
                for setting in [
                    "SHOW fsync",
                    "SHOW synchronous_commit",
                    "SHOW full_page_writes",
                ] {
                    let row = self.pool.fetch_one(setting).await?;
                    if row.try_get::<String, _>(0)? == "off" {
                        return Err(DatabaseError::NotDurable(setting));
                    }
                }
            }
        }
        Ok(())
    }

    async fn prepare(&self) -> Result<(), DatabaseError> {
        let mut transaction = self.begin().await?;
        transaction
            .execute(
                "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BIGINT NOT NULL)",
            )
            .await?;
        let found = sqlx::query("SELECT value FROM meta WHERE name = 'schema'")
            .fetch_optional(&mut *transaction)
            .await?;
        let found = found.map(|row| row.try_get::<i64, _>(0)).transpose()?;
        match found {
            Some(SCHEMA) => {}
            Some(found) => {
                return Err(DatabaseError::Newer {
                    found,
                    known: SCHEMA,
                });
            }
            None => {
                let tables = match self.kind {
                    Kind::Sqlite => SQLITE_TABLES,
                    Kind::Postgres => POSTGRES_TABLES,
                };
                for table in tables {
                    transaction.execute(*table).await?;
                }
                sqlx::query("INSERT INTO meta (name, value) VALUES ('schema', $1)")
                    .bind(SCHEMA)
                    .execute(&mut *transaction)
                    .await?;
            }
        }
        transaction.commit().await?;
        Ok(())
    }
}

/// A write waits for another one; what was deleted is overwritten; the log is synced at each commit.
const SQLITE_SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 20000; \
    PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON";

macro_rules! tables {
    ($bytes:literal) => {
        &[
            concat!(
                "CREATE TABLE account (id TEXT PRIMARY KEY, created BIGINT NOT NULL, roster ",
                $bytes,
                " NOT NULL, roster_version BIGINT NOT NULL, sequence BIGINT NOT NULL, head TEXT NOT NULL, manifest BIGINT NOT NULL, ",
                "bytes BIGINT NOT NULL)"
            ),
            concat!(
                "CREATE TABLE credential (id TEXT PRIMARY KEY, account TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE, ",
                "transports BIGINT NOT NULL, fixed ",
                $bytes,
                " NOT NULL, changing ",
                $bytes,
                " NOT NULL)"
            ),
            concat!(
                "CREATE TABLE slot (account TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE, id TEXT NOT NULL, locked ",
                $bytes,
                " NOT NULL, credential TEXT NOT NULL, recovery_name TEXT NOT NULL, recovery_proof TEXT NOT NULL, PRIMARY KEY (account, id))"
            ),
            concat!(
                "CREATE TABLE record (account TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE, sequence BIGINT NOT NULL, ",
                "object TEXT NOT NULL, is_manifest BIGINT NOT NULL, superseded BIGINT NOT NULL, is_stub BIGINT NOT NULL, bytes ",
                $bytes,
                " NOT NULL, PRIMARY KEY (account, sequence))"
            ),
            "CREATE INDEX record_object ON record (account, object)",
            "CREATE INDEX slot_recovery ON slot (recovery_name)",
            concat!(
                "CREATE TABLE share (id TEXT PRIMARY KEY, account TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE, until BIGINT NOT NULL, bytes ",
                $bytes,
                " NOT NULL)"
            ),
            "CREATE TABLE session (token TEXT PRIMARY KEY, account TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE, until BIGINT NOT NULL)",
            concat!(
                "CREATE TABLE ceremony (challenge TEXT PRIMARY KEY, account TEXT NOT NULL, until BIGINT NOT NULL, state ",
                $bytes,
                " NOT NULL)"
            ),
        ]
    };
}

const SQLITE_TABLES: &[&str] = tables!("BLOB");
const POSTGRES_TABLES: &[&str] = tables!("BYTEA");
