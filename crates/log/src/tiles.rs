//! Names and contents of tiles (c2sp.org/tlog-tiles).

use core::fmt;

use subrosa_translog::Hash;

/// Hashes, or entries, of a full tile.
pub const WIDTH: u64 = 256;
/// The largest tile of hashes, in bytes.
pub(crate) const MAX_HASHES: usize = 256 * Hash::LEN;
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

/// The hash of a complete subtree inside of a tile: `hashes` are those of the tile, `height` of the subtree over them.
pub(crate) fn reduce(hashes: &[Hash]) -> Hash {
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
pub(crate) fn parse_hashes(bytes: &[u8], width: u16) -> Option<Vec<Hash>> {
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

/// Adds an entry to a bundle.
pub(crate) fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Option<()> {
    let length = u16::try_from(entry.len()).ok()?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Some(())
}

#[cfg(test)]
mod tests;
