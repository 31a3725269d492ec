//! The log itself: appending, signing, publishing, proving.

mod edge;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;

use subrosa_translog::merkle::{
    Frontier, HashSource, ProofError, consistency_proof, inclusion_proof,
};
use subrosa_translog::{
    Checkpoint, CheckpointFormatError, Hash, LogProof, LogProofError, Note, NoteError,
    NoteSignature, NoteSigner, Timestamp, VerifierKey,
};
use thiserror::Error;

use self::edge::Edge;
use crate::storage::Storage;
use subrosa_translog::tiles::{
    MAX_ENTRIES, MAX_HASHES, TilePath, WIDTH, parse_entries, parse_hashes, reduce,
};

/// A log, open for appending.
#[derive(Debug)]
pub struct Log<S> {
    storage: S,
    key: NoteSigner,
    frontier: Frontier,
    edge: Edge,
    /// The last checkpoint that was signed, with the log's signature alone. It is durable.
    signed: Note,
    /// Whether a write has failed, so that what is stored is not known.
    failed: bool,
}

/// Why a log does not do something.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LogError {
    /// There is a log already.
    #[error("there is a log here already")]
    Exists,
    /// An entry is empty or too large.
    #[error("an entry has 1 to {max} bytes, not {actual}", max = LogProof::MAX_ENTRY)]
    Entry {
        /// How many it has.
        actual: usize,
    },
    /// A write has failed before.
    #[error("a write has failed, so what is stored is not known: open the log again")]
    Failed,
    /// The stored tree is not the one that was signed. Nothing is appended to it.
    #[error(
        "{0} is damaged: restore the folder from a backup that is not older; signing again would fork the log"
    )]
    Damaged(String),
    /// The system's answer.
    #[error("cannot {action}: {error}")]
    Io {
        /// What was tried.
        action: String,
        /// What the system says.
        error: io::Error,
    },
    /// There is no log.
    #[error("there is no log here: make one first")]
    Missing,
    /// The key is not the one that signed the log.
    #[error("the log was signed with another key, or has another name")]
    OtherKey,
    /// What was asked to be proven is not in the log.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The checkpoint that is to be published is not the last one that was signed.
    #[error("a checkpoint of {actual} entries cannot be published: {expected} entries are signed")]
    Stale {
        /// Entries of the checkpoint.
        actual: u64,
        /// Entries that are signed.
        expected: u64,
    },
    /// A note or a proof cannot be made, which is a limit of their formats.
    #[error("{0}")]
    Statement(String),
}

impl<S: Storage> Log<S> {
    /// Makes an empty log.
    ///
    /// # Errors
    ///
    /// [`LogError::Exists`], or what the system says.
    pub fn create(storage: S, key: NoteSigner) -> Result<Self, LogError> {
        if take(&storage)?.is_some() {
            return Err(LogError::Exists);
        }
        let frontier = Frontier::new();
        let signed = sign(&key, &frontier)?;
        commit(&storage, &signed)?;
        Ok(Self {
            storage,
            key,
            frontier,
            edge: Edge::default(),
            signed,
            failed: false,
        })
    }

    /// Opens a log, and checks that its tree is the one that was signed last.
    ///
    /// # Errors
    ///
    /// [`LogError::Missing`], [`LogError::OtherKey`], [`LogError::Damaged`], or what the system says.
    pub fn open(storage: S, key: NoteSigner) -> Result<Self, LogError> {
        let bytes = take(&storage)?.ok_or(LogError::Missing)?;
        let damaged = |_| LogError::Damaged(SIGNED.to_owned());
        let signed = Note::parse(&bytes).map_err(damaged)?;
        let checkpoint =
            Checkpoint::parse(signed.text()).map_err(|_| LogError::Damaged(SIGNED.to_owned()))?;
        match signed.verify(key.verifier_key()) {
            Ok(_) => {}
            Err(NoteError::Unsigned(_)) => return Err(LogError::OtherKey),
            Err(error) => return Err(damaged(error)),
        }
        let tree = Tree::new(&storage, checkpoint.size());
        let frontier = Frontier::load(&tree, checkpoint.size())?;
        if frontier.root() != *checkpoint.root() {
            return Err(LogError::Damaged("the tree".to_owned()));
        }
        let edge = Edge::load(&tree, checkpoint.size())?;
        Ok(Self {
            storage,
            key,
            frontier,
            edge,
            signed,
            failed: false,
        })
    }

    /// The log's public key.
    #[must_use]
    pub const fn key(&self) -> &VerifierKey {
        self.key.verifier_key()
    }

    /// How many entries are signed.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The last checkpoint, signed by the log alone, for witnesses.
    #[must_use]
    pub const fn signed(&self) -> &Note {
        &self.signed
    }

    /// Appends entries, makes them durable, and signs the tree that holds them. The number of the first is the answer.
    ///
    /// Either all of them are appended or none. After the system's failure it is not known which; the log must then be
    /// opened again.
    ///
    /// # Errors
    ///
    /// [`LogError::Entry`], [`LogError::Failed`], or what the system says.
    pub fn append<E: AsRef<[u8]>>(&mut self, entries: &[E]) -> Result<u64, LogError> {
        if self.failed {
            return Err(LogError::Failed);
        }
        let first = self.size();
        let mut frontier = self.frontier.clone();
        let mut edge = self.edge.clone();
        let mut files = BTreeMap::new();
        for entry in entries {
            let entry = entry.as_ref();
            let size = entry.len();
            if size == 0 || size > LogProof::MAX_ENTRY {
                return Err(LogError::Entry { actual: size });
            }
            edge.push(entry, &mut frontier, &mut files)
                .ok_or(LogError::Entry { actual: size })?;
        }
        if entries.is_empty() {
            return Ok(first);
        }
        edge.partial(frontier.size(), &mut files);
        let signed = sign(&self.key, &frontier)?;
        self.failed = true;
        self.store(&files)?;
        // From here on the tree may be known to others: nothing else of this size is ever signed.
        commit(&self.storage, &signed)?;
        (self.frontier, self.edge, self.signed) = (frontier, edge, signed);
        self.failed = false;
        Ok(first)
    }

    /// Writes tiles so that all of them are durable before anything refers to them.
    fn store(&self, files: &BTreeMap<TilePath, Vec<u8>>) -> Result<(), LogError> {
        for (path, bytes) in files {
            write(&self.storage, &path.to_string(), bytes)?;
        }
        Ok(())
    }

    /// Publishes the last signed checkpoint with the cosignatures of witnesses, which were verified by the caller.
    ///
    /// # Errors
    ///
    /// [`LogError::Stale`] if the note is of another tree, or what the system says.
    pub fn publish(&self, note: &Note) -> Result<(), LogError> {
        let expected = self.size();
        let actual = Checkpoint::parse(note.text()).map_or(0, |checkpoint| checkpoint.size());
        if note.text() != self.signed.text() {
            return Err(LogError::Stale { actual, expected });
        }
        write(&self.storage, PUBLISHED, note.to_string().as_bytes())
    }

    /// The checkpoint that was published last, if any was.
    ///
    /// # Errors
    ///
    /// [`LogError::Damaged`], or what the system says.
    pub fn published(&self) -> Result<Option<Note>, LogError> {
        read(&self.storage, PUBLISHED, Note::MAX)?
            .map(|bytes| Note::parse(&bytes).map_err(|_| LogError::Damaged(PUBLISHED.to_owned())))
            .transpose()
    }

    /// Proves that the tree of `new_size` entries begins with that of `old_size`.
    ///
    /// # Errors
    ///
    /// [`LogError::Proof`], [`LogError::Damaged`], or what the system says.
    pub fn consistency(&self, old_size: u64, new_size: u64) -> Result<Vec<Hash>, LogError> {
        if new_size > self.size() {
            return Err(ProofError::Index {
                index: new_size,
                size: self.size(),
            }
            .into());
        }
        consistency_proof(&self.tree(), old_size, new_size)
    }

    /// Proves that an entry is in the tree of a checkpoint.
    ///
    /// # Errors
    ///
    /// [`LogError::Proof`], [`LogError::Damaged`], or what the system says.
    pub fn proof(&self, index: u64, checkpoint: &Note) -> Result<LogProof, LogError> {
        let size = Checkpoint::parse(checkpoint.text())
            .map_err(|_| LogError::Damaged(PUBLISHED.to_owned()))?
            .size();
        if size > self.size() {
            return Err(ProofError::Index {
                index: size,
                size: self.size(),
            }
            .into());
        }
        let hashes = inclusion_proof(&self.tree(), index, size)?;
        let entry = self.entry(index)?;
        LogProof::new(entry, index, hashes, checkpoint.clone())
            .map_err(|error| LogError::Statement(error.to_string()))
    }

    /// An entry.
    ///
    /// # Errors
    ///
    /// [`LogError::Proof`], [`LogError::Damaged`], or what the system says.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, LogError> {
        let size = self.size();
        if index >= size {
            return Err(ProofError::Index { index, size }.into());
        }
        let entries = self.tree().entries(index / WIDTH)?;
        let at = usize::try_from(index % WIDTH).unwrap_or(usize::MAX);
        entries
            .into_iter()
            .nth(at)
            .ok_or_else(|| LogError::Damaged("the tree".to_owned()))
    }

    pub(crate) fn tree(&self) -> Tree<'_, S> {
        Tree::new(&self.storage, self.size())
    }
}

/// The stored tree of some size. Tiles that were read are kept.
pub(crate) struct Tree<'a, S> {
    storage: &'a S,
    size: u64,
    read: RefCell<BTreeMap<TilePath, Vec<Hash>>>,
}

impl<'a, S: Storage> Tree<'a, S> {
    pub(crate) const fn new(storage: &'a S, size: u64) -> Self {
        Self {
            storage,
            size,
            read: RefCell::new(BTreeMap::new()),
        }
    }

    /// A tile of hashes, as far as the tree has it.
    fn hashes(&self, level: u8, index: u64) -> Result<Vec<Hash>, LogError> {
        let outside = || ProofError::Index {
            index,
            size: self.size,
        };
        let path = TilePath::hashes(level, index, self.size).ok_or_else(outside)?;
        if let Some(hashes) = self.read.borrow().get(&path) {
            return Ok(hashes.clone());
        }
        let bytes = self.tile(&path, MAX_HASHES)?;
        let hashes = parse_hashes(&bytes, path.width())
            .ok_or_else(|| LogError::Damaged(path.to_string()))?;
        self.read.borrow_mut().insert(path, hashes.clone());
        Ok(hashes)
    }

    /// A bundle of entries, as far as the tree has it.
    fn entries(&self, index: u64) -> Result<Vec<Vec<u8>>, LogError> {
        let outside = || ProofError::Index {
            index,
            size: self.size,
        };
        let path = TilePath::entries(index, self.size).ok_or_else(outside)?;
        let bytes = self.tile(&path, MAX_ENTRIES)?;
        parse_entries(&bytes, path.width()).ok_or_else(|| LogError::Damaged(path.to_string()))
    }

    fn tile(&self, path: &TilePath, max: usize) -> Result<Vec<u8>, LogError> {
        let name = path.to_string();
        read(self.storage, &name, max)?.ok_or(LogError::Damaged(name))
    }
}

impl<S: Storage> HashSource for Tree<'_, S> {
    type Error = LogError;

    fn subtree(&self, level: u8, index: u64) -> Result<Hash, LogError> {
        let (tile_level, height) = (level / 8, level % 8);
        let first = index << height;
        let hashes = self.hashes(tile_level, first / WIDTH)?;
        let start = usize::try_from(first % WIDTH).unwrap_or(usize::MAX);
        let end = start.saturating_add(1 << height);
        hashes
            .get(start..end)
            .map(reduce)
            .ok_or_else(|| LogError::Damaged("the tree".to_owned()))
    }
}

fn sign(key: &NoteSigner, frontier: &Frontier) -> Result<Note, LogError> {
    let origin = key.verifier_key().name().clone();
    let statement = |error: CheckpointFormatError| LogError::Statement(error.to_string());
    let text = Checkpoint::new(origin, frontier.size(), frontier.root())
        .map_err(statement)?
        .to_string();
    let noted = |error: NoteError| LogError::Statement(error.to_string());
    // A log's own signature has no time.
    let line = key.sign(&text, Timestamp::new(0)).map_err(noted)?;
    let mut note = Note::new(text).map_err(noted)?;
    note.add(line).map_err(noted)?;
    Ok(note)
}

pub(crate) fn read<S: Storage>(
    storage: &S,
    name: &str,
    max: usize,
) -> Result<Option<Vec<u8>>, LogError> {
    storage
        .get(name, max)
        .map_err(|error| failed("read", name, error))
}

/// The last checkpoint that was signed. Nobody who had it before can sign another one.
fn take<S: Storage>(storage: &S) -> Result<Option<Vec<u8>>, LogError> {
    storage
        .take(SIGNED, Note::MAX)
        .map_err(|error| failed("read", SIGNED, error))
}

fn commit<S: Storage>(storage: &S, signed: &Note) -> Result<(), LogError> {
    storage
        .commit(SIGNED, signed.to_string().as_bytes())
        .map_err(|error| failed("write", SIGNED, error))
}

pub(crate) fn write<S: Storage>(storage: &S, name: &str, bytes: &[u8]) -> Result<(), LogError> {
    storage
        .put(name, bytes)
        .map_err(|error| failed("write", name, error))
}

fn failed(action: &str, name: &str, error: io::Error) -> LogError {
    LogError::Io {
        action: format!("{action} {name}"),
        error,
    }
}

impl From<LogProofError> for LogError {
    fn from(error: LogProofError) -> Self {
        Self::Statement(error.to_string())
    }
}

/// Adds cosignatures to a note.
///
/// # Errors
///
/// [`LogError::Statement`] if there are too many.
pub fn with_cosignatures(
    signed: &Note,
    cosignatures: impl IntoIterator<Item = NoteSignature>,
) -> Result<Note, LogError> {
    let mut note = signed.clone();
    for line in cosignatures {
        note.add(line)
            .map_err(|error| LogError::Statement(error.to_string()))?;
    }
    Ok(note)
}

/// The last checkpoint that was signed: never shown to others in another form.
const SIGNED: &str = "signed";
/// The last checkpoint that was published, with its cosignatures. C2SP names it.
const PUBLISHED: &str = "checkpoint";

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod tests;
