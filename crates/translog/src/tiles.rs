//! Names and contents of tiles (c2sp.org/tlog-tiles).

use core::fmt;
use std::collections::BTreeMap;

use crate::Hash;
use crate::merkle::{HashSource, ProofError, consistency_proof};

/// Hashes, or entries, of a full tile.
pub const WIDTH: u64 = 256;
/// The largest tile of hashes, in bytes.
pub const MAX_HASHES: usize = 256 * Hash::LEN;
/// The largest bundle of entries, in bytes.
pub const MAX_ENTRIES: usize = 256 * (2 + 65_535);

/// A tile: of hashes at a level, or of entries.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct TilePath {
    /// The level, from 0; none for entries.
    level: Option<u8>,
    index: u64,
    /// From 1 to 256.
    width: u16,
}

impl TilePath {
    /// The tile of hashes `index` at `level`, with what a tree of `size` entries has of it.
    ///
    /// None where the tree has nothing of it.
    #[must_use]
    pub fn hashes(level: u8, index: u64, size: u64) -> Option<Self> {
        let shift = u32::from(level).checked_mul(8)?;
        let hashes = size.checked_shr(shift).unwrap_or(0);
        Self::new(Some(level), index, hashes)
    }

    /// The bundle `index` of entries, with what a tree of `size` entries has of it.
    #[must_use]
    pub fn entries(index: u64, size: u64) -> Option<Self> {
        Self::new(None, index, size)
    }

    fn new(level: Option<u8>, index: u64, count: u64) -> Option<Self> {
        let start = index.checked_mul(WIDTH)?;
        let width = count.checked_sub(start)?.min(WIDTH);
        let width = u16::try_from(width).ok().filter(|width| *width > 0)?;
        Some(Self {
            level,
            index,
            width,
        })
    }

    /// The same tile when it is full. Logs may delete the parts of a tile that has become full.
    #[must_use]
    pub const fn full(self) -> Self {
        Self { width: 256, ..self }
    }

    /// How many hashes or entries it has.
    #[must_use]
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Reads a path such as `tile/0/x001/234.p/5`.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let rest = path.strip_prefix("tile/")?;
        let (level, rest) = rest.split_once('/')?;
        let level = if level == "entries" {
            None
        } else {
            let number: u8 = level.parse().ok()?;
            Some(number).filter(|number| *number < 64 && number.to_string() == level)
        };
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, width.parse::<u16>().ok()?),
            None => (rest, 256),
        };
        let mut number = 0_u64;
        for part in index.split('/') {
            let digits = part.strip_prefix('x').unwrap_or(part);
            number = number
                .checked_mul(1000)?
                .checked_add(digits.parse().ok()?)?;
        }
        let tile = Self {
            level,
            index: number,
            width,
        };
        // There is one way to write a path: this one.
        let is_level = path.starts_with("tile/entries/") || level.is_some();
        let is_width = (1..=256).contains(&width);
        (is_level && is_width && tile.to_string() == path).then_some(tile)
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            Some(level) => write!(f, "tile/{level}/")?,
            None => f.write_str("tile/entries/")?,
        }
        let mut parts = vec![format!("{:03}", self.index % 1000)];
        let mut above = self.index / 1000;
        while above > 0 {
            parts.push(format!("x{:03}", above % 1000));
            above /= 1000;
        }
        parts.reverse();
        f.write_str(&parts.join("/"))?;
        if self.width < 256 {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

/// The hash of a complete subtree inside of a tile, from the tile's hashes below it.
#[must_use]
pub fn reduce(hashes: &[Hash]) -> Hash {
    let mut level: Vec<Hash> = hashes.to_vec();
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => Hash::of_node(left, right),
                rest => rest.first().copied().unwrap_or_else(Hash::of_nothing),
            })
            .collect();
    }
    level.first().copied().unwrap_or_else(Hash::of_nothing)
}

/// Reads a tile of hashes; none if it has another size.
#[must_use]
pub fn parse_hashes(bytes: &[u8], width: u16) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<{ Hash::LEN }>();
    let is_size = rest.is_empty() && hashes.len() == usize::from(width);
    is_size.then(|| hashes.iter().copied().map(Hash::new).collect())
}

/// Reads a bundle of entries; none if it has another number of them.
#[must_use]
pub fn parse_entries(mut bytes: &[u8], width: u16) -> Option<Vec<Vec<u8>>> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry.to_vec());
        bytes = rest;
    }
    (bytes.is_empty() && entries.len() == usize::from(width)).then_some(entries)
}

/// Adds an entry to a bundle; none if it is too large.
#[must_use]
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Option<()> {
    let length = u16::try_from(entry.len()).ok()?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Some(())
}

/// A proof of consistency that is made of tiles as they arrive.
#[derive(Clone, Debug)]
pub struct TiledProof {
    old: u64,
    new: u64,
    tiles: BTreeMap<TilePath, Vec<Hash>>,
}

/// What comes next of a [`TiledProof`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there is nothing else")]
pub enum TiledStep {
    /// The proof, of which nothing is verified.
    Done(Vec<Hash>),
    /// This tile is needed.
    Tile(TilePath),
}

impl TiledProof {
    /// The most tiles that a proof is made of.
    pub const MAX_TILES: usize = 64;

    /// The proof that the tree of `new` entries continues that of `old` entries.
    #[must_use]
    pub const fn new(old: u64, new: u64) -> Self {
        let tiles = BTreeMap::new();
        Self { old, new, tiles }
    }

    /// The proof, or the tile that it needs next.
    ///
    /// # Errors
    ///
    /// [`ProofError`] if there is no such proof, or it needs more than [`Self::MAX_TILES`].
    pub fn next(&self) -> Result<TiledStep, ProofError> {
        match consistency_proof(&Tiles(self), self.old, self.new) {
            Ok(proof) => Ok(TiledStep::Done(proof)),
            Err(Missing::Tile(path)) if self.tiles.len() < Self::MAX_TILES => {
                Ok(TiledStep::Tile(path))
            }
            Err(Missing::Tile(_)) => Err(ProofError::Length {
                actual: self.tiles.len(),
            }),
            Err(Missing::Never(error)) => Err(error),
        }
    }

    /// Takes a tile of hashes, or the same when it is full. None if it has another size.
    #[must_use]
    pub fn add(&mut self, path: TilePath, bytes: &[u8]) -> Option<()> {
        let width = usize::from(path.width);
        let mut hashes =
            parse_hashes(bytes, path.width).or_else(|| parse_hashes(bytes, path.full().width))?;
        hashes.truncate(width);
        self.tiles.insert(path, hashes);
        Some(())
    }
}

/// Why a proof cannot be made yet, or not at all.
enum Missing {
    Never(ProofError),
    Tile(TilePath),
}

impl From<ProofError> for Missing {
    fn from(error: ProofError) -> Self {
        Self::Never(error)
    }
}

/// The tiles that have arrived.
struct Tiles<'a>(&'a TiledProof);

impl HashSource for Tiles<'_> {
    type Error = Missing;

    fn subtree(&self, level: u8, index: u64) -> Result<Hash, Missing> {
        let size = self.0.new;
        let outside = || Missing::Never(ProofError::Index { index, size });
        let (tile_level, height) = (level / 8, level % 8);
        let first = index.checked_shl(height.into()).ok_or_else(outside)?;
        let path = TilePath::hashes(tile_level, first / WIDTH, size).ok_or_else(outside)?;
        let hashes = self.0.tiles.get(&path).ok_or(Missing::Tile(path))?;
        let start = usize::try_from(first % WIDTH).map_err(|_| outside())?;
        let end = start.saturating_add(1 << height);
        hashes.get(start..end).map(reduce).ok_or_else(outside)
    }
}

#[cfg(test)]
mod tests;
