//! Admitted machines (spec/transparency.md §6).

use serde::{Deserialize, Serialize};

use super::{Authors, EntryError, check_life, check_span, hex32, verify, write};
use crate::merkle::{MAX_INCLUSION, verify_inclusion};
use crate::{Hash, LogPolicy, LogProof, Timestamp, WitnessedCheckpoint};

/// What is logged of a roster: the root of the tree of its records.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Roster {
    /// Which roster it is, from 1; a later one has a higher number.
    pub sequence: u64,
    /// From when it holds, in POSIX seconds.
    pub not_before: u64,
    /// Until when it holds, in POSIX seconds; at most [`Roster::MAX_LIFE`] later.
    pub not_after: u64,
    /// How many machines it admits.
    pub size: u64,
    /// The root of the tree of the records.
    #[serde(with = "hex32")]
    pub root: [u8; 32],
}

/// A roster that a witnessed log holds. Only [`LoggedRoster::verify`] makes one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LoggedRoster {
    roster: Roster,
    checkpoint: WitnessedCheckpoint,
}

/// One machine of a roster, as its author wrote it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MachineRecord {
    /// Which platform the identity is of, such as `sev-snp`.
    pub platform: String,
    /// SHA-256 of the identity.
    #[serde(with = "hex32")]
    pub identity: [u8; 32],
    /// Where the machine stands.
    pub site: String,
    /// Who looks after it.
    pub custodian: String,
    /// Until when it is admitted, in POSIX seconds.
    pub not_after: u64,
}

impl Roster {
    /// The first line of the entry.
    pub const KIND: &'static str = "subrosa.dev/machines@v1";
    /// The longest life, in seconds: 7 days.
    pub const MAX_LIFE: u64 = 7 * 24 * 3600;

    /// The text of the entry, to be signed and logged.
    ///
    /// # Errors
    ///
    /// [`EntryError::Field`] if the values are not a roster's.
    pub fn entry_text(&self) -> Result<String, EntryError> {
        self.check()?;
        write(Self::KIND, self)
    }

    fn check(&self) -> Result<(), EntryError> {
        check_span(self.not_before, self.not_after, Self::MAX_LIFE)?;
        if self.sequence == 0 {
            return Err(EntryError::Field("sequences begin with 1"));
        }
        Ok(())
    }
}

impl LoggedRoster {
    /// Verifies that a roster is logged, signed by its admitters, and for now.
    ///
    /// # Errors
    ///
    /// [`EntryError`].
    pub fn verify(
        proof: &LogProof,
        admitters: &Authors,
        log: &LogPolicy,
        now: Timestamp,
    ) -> Result<Self, EntryError> {
        let statement = verify::<Roster>(proof, Roster::KIND, admitters, log, now)?;
        let roster = statement.content;
        roster.check()?;
        check_life(roster.not_before, roster.not_after, Roster::MAX_LIFE, now)?;
        Ok(Self {
            roster,
            checkpoint: statement.logged.checkpoint().clone(),
        })
    }

    /// Verifies that `record` is record `index` of this roster, and that it admits this machine now.
    ///
    /// # Errors
    ///
    /// [`EntryError`].
    pub fn admits(
        &self,
        record: &[u8],
        index: u64,
        proof: &[Hash],
        platform: &str,
        identity: &[u8; 32],
        now: Timestamp,
    ) -> Result<MachineRecord, EntryError> {
        if record.len() > MachineRecord::MAX || proof.len() > MAX_INCLUSION {
            return Err(EntryError::Field("the record of a machine is too large"));
        }
        let root = Hash::new(self.roster.root);
        verify_inclusion(
            proof,
            self.roster.size,
            &root,
            index,
            &Hash::of_leaf(record),
        )
        .map_err(|_| EntryError::Field("the machine is not in the roster"))?;
        let record: MachineRecord =
            serde_json::from_slice(record).map_err(|error| EntryError::Json(error.to_string()))?;
        if record.platform != platform || record.identity != *identity {
            return Err(EntryError::Field("the record is of another machine"));
        }
        if now.get() > record.not_after {
            return Err(EntryError::Expired {
                seconds: now.get().saturating_sub(record.not_after),
            });
        }
        Ok(record)
    }

    /// What is logged.
    #[must_use]
    pub const fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The checkpoint that proves it.
    #[must_use]
    pub const fn checkpoint(&self) -> &WitnessedCheckpoint {
        &self.checkpoint
    }
}

impl MachineRecord {
    /// The largest record, in bytes.
    pub const MAX: usize = 1024;
}
