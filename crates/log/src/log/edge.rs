//! The tiles at the right edge of the tree: those that are not full.

use std::collections::BTreeMap;

use subrosa_translog::Hash;
use subrosa_translog::merkle::Frontier;

use super::{LogError, Tree};
use crate::storage::Storage;
use subrosa_translog::tiles::{TilePath, WIDTH, push_entry};

/// What the partial tiles hold: entries, and hashes of each level.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edge {
    entries: Vec<u8>,
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    pub(crate) fn load<S: Storage>(tree: &Tree<'_, S>, size: u64) -> Result<Self, LogError> {
        let mut edge = Self::default();
        if !size.is_multiple_of(WIDTH) {
            let entries = tree.entries(size / WIDTH)?;
            let leaves = tree.hashes(0, size / WIDTH)?;
            // They are written again with the entries that follow.
            if !entries.iter().map(|entry| Hash::of_leaf(entry)).eq(leaves) {
                return Err(LogError::Damaged("the last bundle of entries".to_owned()));
            }
            for entry in entries {
                push_entry(&mut edge.entries, &entry)
                    .ok_or_else(|| LogError::Damaged("the tree".to_owned()))?;
            }
        }
        let (mut level, mut hashes) = (0, size);
        while hashes > 0 {
            let partial = if hashes.is_multiple_of(WIDTH) {
                Vec::new()
            } else {
                tree.hashes(level, hashes / WIDTH)?
            };
            edge.levels.push(partial);
            hashes /= WIDTH;
            level = level.saturating_add(1);
        }
        Ok(edge)
    }

    /// Appends an entry. Tiles that this fills are put into `files`.
    pub(crate) fn push(
        &mut self,
        entry: &[u8],
        frontier: &mut Frontier,
        files: &mut BTreeMap<TilePath, Vec<u8>>,
    ) -> Option<()> {
        let index = frontier.size();
        push_entry(&mut self.entries, entry)?;
        let mut made = Vec::new();
        frontier.append(Hash::of_leaf(entry), |level, at, hash| {
            if level % 8 == 0 {
                made.push((level / 8, at, hash));
            }
        });
        let size = frontier.size();
        for (level, at, hash) in made {
            let depth = usize::from(level);
            if self.levels.len() <= depth {
                self.levels.push(Vec::new());
            }
            let tile = self.levels.get_mut(depth)?;
            tile.push(hash);
            if at % WIDTH == WIDTH.saturating_sub(1) {
                let path = TilePath::hashes(level, at / WIDTH, size)?;
                files.insert(path, bytes(tile));
                tile.clear();
            }
        }
        if size.is_multiple_of(WIDTH) {
            let path = TilePath::entries(index / WIDTH, size)?;
            files.insert(path, core::mem::take(&mut self.entries));
        }
        Some(())
    }

    /// Puts the tiles that a tree of `size` entries has begun into `files`.
    pub(crate) fn partial(&self, size: u64, files: &mut BTreeMap<TilePath, Vec<u8>>) {
        if !self.entries.is_empty() {
            let path = TilePath::entries(size / WIDTH, size);
            files.extend(path.map(|path| (path, self.entries.clone())));
        }
        let mut hashes = size;
        for (level, tile) in (0..).zip(&self.levels) {
            if !tile.is_empty() {
                let path = TilePath::hashes(level, hashes / WIDTH, size);
                files.extend(path.map(|path| (path, bytes(tile))));
            }
            hashes /= WIDTH;
        }
    }
}

fn bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}
