//! Node directories (spec/transparency.md §7).

use serde::{Deserialize, Serialize};

use super::{Authors, EntryError, check_life, check_span, hex32, read, verify, write};
use crate::merkle::Leaves;
use crate::{Hash, LogPolicy, LogProof, Note, Timestamp, WitnessedCheckpoint};

/// What is logged of a directory.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Content {
    epoch: u64,
    not_before: u64,
    not_after: u64,
    size: u64,
    #[serde(with = "hex32")]
    root: [u8; 32],
}

/// The nodes of one epoch: hashes of evidence bundles, ascending.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Directory {
    epoch: u64,
    not_before: Timestamp,
    not_after: Timestamp,
    bundles: Vec<[u8; 32]>,
}

/// A directory that a witnessed log holds. Only [`LoggedDirectory::verify`] makes one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LoggedDirectory {
    directory: Directory,
    entry: String,
    checkpoint: WitnessedCheckpoint,
}

impl Directory {
    /// The first line of the entry.
    pub const KIND: &'static str = "subrosa.dev/directory@v1";
    /// The longest life, in seconds.
    pub const MAX_LIFE: u64 = 1200;
    /// The most nodes.
    pub const MAX_NODES: usize = 65_536;

    /// A directory of these bundles, in any order.
    ///
    /// # Errors
    ///
    /// [`EntryError::Field`] if it lives too long, is empty or too large, or names a bundle twice.
    pub fn new(
        epoch: u64,
        not_before: Timestamp,
        not_after: Timestamp,
        mut bundles: Vec<[u8; 32]>,
    ) -> Result<Self, EntryError> {
        check_span(not_before.get(), not_after.get(), Self::MAX_LIFE)?;
        bundles.sort_unstable();
        check_bundles(&bundles)?;
        Ok(Self {
            epoch,
            not_before,
            not_after,
            bundles,
        })
    }

    /// The document that lists the nodes.
    #[must_use]
    pub fn document(&self) -> Vec<u8> {
        self.bundles.concat()
    }

    /// The text of the entry, to be signed and logged.
    ///
    /// # Errors
    ///
    /// None that is known: [`EntryError::Json`] if the library cannot write it.
    pub fn entry_text(&self) -> Result<String, EntryError> {
        let (size, root) = tree(&self.bundles);
        let content = Content {
            epoch: self.epoch,
            not_before: self.not_before.get(),
            not_after: self.not_after.get(),
            size,
            root: *root.as_bytes(),
        };
        write(Self::KIND, &content)
    }

    /// Whether the entry of `proof` is that of a directory of exactly these bundles, in any order.
    ///
    /// Nothing is verified: it tells a service which of its directories a proof belongs to.
    #[must_use]
    pub fn is_proven_by(proof: &LogProof, bundles: &[[u8; 32]]) -> bool {
        let mut bundles = bundles.to_vec();
        bundles.sort_unstable();
        let (size, root) = tree(&bundles);
        Note::parse(proof.entry())
            .ok()
            .and_then(|note| read::<Content>(note.text(), Self::KIND).ok())
            .is_some_and(|content| content.size == size && content.root == *root.as_bytes())
    }

    /// Which epoch it is.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The hashes of the nodes' bundles, ascending.
    #[must_use]
    pub fn bundles(&self) -> &[[u8; 32]] {
        &self.bundles
    }
}

impl LoggedDirectory {
    /// Verifies that `document` is the directory that `proof` shows to be logged, for now.
    ///
    /// # Errors
    ///
    /// [`EntryError`].
    pub fn verify(
        document: &[u8],
        proof: &LogProof,
        operator: &Authors,
        log: &LogPolicy,
        now: Timestamp,
    ) -> Result<Self, EntryError> {
        let statement = verify::<Content>(proof, Directory::KIND, operator, log, now)?;
        let content = statement.content;
        check_life(
            content.not_before,
            content.not_after,
            Directory::MAX_LIFE,
            now,
        )?;
        let bundles = read_document(document)?;
        let (size, root) = tree(&bundles);
        if size != content.size || *root.as_bytes() != content.root {
            return Err(EntryError::Field(
                "the list of nodes is not the one that is logged",
            ));
        }
        Ok(Self {
            directory: Directory {
                epoch: content.epoch,
                not_before: Timestamp::new(content.not_before),
                not_after: Timestamp::new(content.not_after),
                bundles,
            },
            entry: String::from_utf8_lossy(statement.logged.entry()).into_owned(),
            checkpoint: statement.logged.checkpoint().clone(),
        })
    }

    /// What is logged.
    #[must_use]
    pub const fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The root of the tree of the bundles.
    #[must_use]
    pub fn root(&self) -> Hash {
        tree(&self.directory.bundles).1
    }

    /// The entry, a signed note.
    #[must_use]
    pub fn entry(&self) -> &str {
        &self.entry
    }

    /// The checkpoint that proves it.
    #[must_use]
    pub const fn checkpoint(&self) -> &WitnessedCheckpoint {
        &self.checkpoint
    }

    /// Whether a bundle with this hash is one of the epoch's.
    #[must_use]
    pub fn names(&self, bundle: &[u8; 32]) -> bool {
        self.directory.bundles.binary_search(bundle).is_ok()
    }
}

fn read_document(document: &[u8]) -> Result<Vec<[u8; 32]>, EntryError> {
    let (hashes, rest) = document.as_chunks::<32>();
    if !rest.is_empty() || hashes.len() > Directory::MAX_NODES {
        return Err(EntryError::Field("a list of nodes has 32 bytes for each"));
    }
    check_bundles(hashes)?;
    Ok(hashes.to_vec())
}

fn check_bundles(bundles: &[[u8; 32]]) -> Result<(), EntryError> {
    if bundles.is_empty() || bundles.len() > Directory::MAX_NODES {
        return Err(EntryError::Field("a directory has 1 to 65536 nodes"));
    }
    if !bundles.is_sorted_by(|one, next| one < next) {
        return Err(EntryError::Field(
            "the nodes of a directory ascend, and none is named twice",
        ));
    }
    Ok(())
}

fn tree(bundles: &[[u8; 32]]) -> (u64, Hash) {
    let leaves = Leaves::of(bundles);
    (leaves.size(), leaves.root())
}
