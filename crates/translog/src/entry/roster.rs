//! Admitted machines (spec/transparency.md §6).

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{Authors, EntryError, check_life, check_span, hex32, verify, write};
use crate::checkpoint::decimal;
use crate::merkle::{Leaves, MAX_INCLUSION, inclusion_proof, verify_inclusion};
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

/// A record with its place in a roster. Nothing of it is verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RecordProof {
    record: Vec<u8>,
    index: u64,
    hashes: Vec<Hash>,
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

    /// A roster of these records, each as it will be shown.
    ///
    /// # Errors
    ///
    /// [`EntryError::Field`] or [`EntryError::Json`] if the values are not a roster's, or a record is none.
    pub fn of_records<T: AsRef<[u8]>>(
        sequence: u64,
        not_before: Timestamp,
        not_after: Timestamp,
        records: &[T],
    ) -> Result<Self, EntryError> {
        for record in records {
            MachineRecord::parse(record.as_ref())?;
        }
        let leaves = Leaves::of(records);
        let roster = Self {
            sequence,
            not_before: not_before.get(),
            not_after: not_after.get(),
            size: leaves.size(),
            root: *leaves.root().as_bytes(),
        };
        roster.check()?;
        Ok(roster)
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

    /// Verifies that a record is of this roster, and that it admits this machine now.
    ///
    /// # Errors
    ///
    /// [`EntryError`].
    pub fn admits(
        &self,
        proof: &RecordProof,
        platform: &str,
        identity: &[u8; 32],
        now: Timestamp,
    ) -> Result<MachineRecord, EntryError> {
        let root = Hash::new(self.roster.root);
        verify_inclusion(
            &proof.hashes,
            self.roster.size,
            &root,
            proof.index,
            &Hash::of_leaf(&proof.record),
        )
        .map_err(|_| EntryError::Field("the machine is not in the roster"))?;
        let record = MachineRecord::parse(&proof.record)?;
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

    /// Reads a record.
    ///
    /// # Errors
    ///
    /// [`EntryError::Field`] if it is too large, [`EntryError::Json`] if it has another form.
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        if bytes.len() > Self::MAX {
            return Err(EntryError::Field("the record of a machine is too large"));
        }
        serde_json::from_slice(bytes).map_err(|error| EntryError::Json(error.to_string()))
    }
}

impl RecordProof {
    /// The largest proof, in bytes.
    pub const MAX: usize = 8 * 1024;

    /// A proof from its parts.
    ///
    /// # Errors
    ///
    /// [`EntryError::Field`] if record or proof are too large.
    pub fn new(record: Vec<u8>, index: u64, hashes: Vec<Hash>) -> Result<Self, EntryError> {
        if record.len() > MachineRecord::MAX || hashes.len() > MAX_INCLUSION {
            return Err(EntryError::Field("the record of a machine is too large"));
        }
        Ok(Self {
            record,
            index,
            hashes,
        })
    }

    /// The proof of record `index` of a roster of these records.
    ///
    /// # Errors
    ///
    /// [`EntryError::Field`] if there is no such record.
    pub fn of_records<T: AsRef<[u8]>>(records: &[T], index: u64) -> Result<Self, EntryError> {
        let missing = EntryError::Field("the roster has no such record");
        let at = usize::try_from(index).ok().and_then(|at| records.get(at));
        let record = at.ok_or(missing.clone())?.as_ref().to_vec();
        let leaves = Leaves::of(records);
        let hashes = inclusion_proof(&leaves, index, leaves.size()).map_err(|_| missing)?;
        Self::new(record, index, hashes)
    }

    /// Reads a proof.
    ///
    /// # Errors
    ///
    /// [`EntryError::Field`].
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        let format = |words| EntryError::Field(words);
        if bytes.len() > Self::MAX {
            return Err(format("the record of a machine is too large"));
        }
        let text = core::str::from_utf8(bytes)
            .ok()
            .and_then(|text| text.strip_suffix('\n'))
            .ok_or(format("the record of a machine is not lines of text"))?;
        let mut lines = text.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(format(
                "the record of a machine does not begin with subrosa.dev/machine-record@v1",
            ));
        }
        let record = lines
            .next()
            .and_then(|line| line.strip_prefix("record "))
            .and_then(|line| STANDARD.decode(line).ok())
            .ok_or(format("no `record` line with canonical base64"))?;
        let index = lines
            .next()
            .and_then(|line| line.strip_prefix("index "))
            .and_then(decimal)
            .ok_or(format("no `index` line with a number"))?;
        let hashes: Option<Vec<Hash>> = lines.map(Hash::from_base64).collect();
        let hashes = hashes.ok_or(format("a line is not a hash"))?;
        Self::new(record, index, hashes)
    }

    /// The record, of which nothing is verified.
    #[must_use]
    pub fn record(&self) -> &[u8] {
        &self.record
    }
}

impl fmt::Display for RecordProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        writeln!(f, "record {}", STANDARD.encode(&self.record))?;
        writeln!(f, "index {}", self.index)?;
        self.hashes
            .iter()
            .try_for_each(|hash| writeln!(f, "{}", hash.to_base64()))
    }
}

const HEADER: &str = "subrosa.dev/machine-record@v1";
