//! The root's description: how long it is, and what it must hash to.

use core::fmt;

/// A root under dm-verity: `squashfs,BLOCKS,ROOT HASH,SALT`.
///
/// Blocks of data and of hashes have 4096 bytes, the hash is SHA-256. The tree
/// follows the data on the same disk, behind the one block of `veritysetup`'s
/// header, which is not read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Verity {
    data_blocks: u64,
    root_hash: [u8; 32],
    salt: [u8; 32],
}

impl Verity {
    /// Bytes of a block.
    pub const BLOCK: u64 = 4096;
    /// Most blocks of data: 1 TiB.
    pub const MAX_BLOCKS: u64 = 1 << 28;

    /// # Errors
    ///
    /// [`VerityError::Blocks`] for none, or more than [`Self::MAX_BLOCKS`].
    pub fn new(data_blocks: u64, root_hash: [u8; 32], salt: [u8; 32]) -> Result<Self, VerityError> {
        if data_blocks == 0 || data_blocks > Self::MAX_BLOCKS {
            return Err(VerityError::Blocks { got: data_blocks });
        }
        Ok(Self {
            data_blocks,
            root_hash,
            salt,
        })
    }

    /// Reads a description.
    ///
    /// # Errors
    ///
    /// [`VerityError`].
    pub fn parse(text: &str) -> Result<Self, VerityError> {
        let parts: Vec<&str> = text.split(',').collect();
        let &[FILE_SYSTEM, blocks, root_hash, salt] = parts.as_slice() else {
            return Err(VerityError::Format);
        };
        let is_canonical =
            !blocks.starts_with('0') && blocks.bytes().all(|byte| byte.is_ascii_digit());
        let blocks = blocks.parse().ok().filter(|_| is_canonical);
        Self::new(
            blocks.ok_or(VerityError::Format)?,
            digest(root_hash)?,
            digest(salt)?,
        )
    }

    /// Blocks of data.
    #[must_use]
    pub const fn data_blocks(&self) -> u64 {
        self.data_blocks
    }

    /// The root hash.
    #[must_use]
    pub const fn root_hash(&self) -> &[u8; 32] {
        &self.root_hash
    }

    /// The table's line for the device mapper (Linux,
    /// `Documentation/admin-guide/device-mapper/verity.rst`). A block that is not
    /// what it was stops the machine.
    #[must_use]
    pub fn table(&self, disk: &str) -> String {
        let Self { data_blocks, .. } = self;
        let tree = data_blocks.saturating_add(1);
        format!(
            "1 {disk} {disk} 4096 4096 {data_blocks} {tree} sha256 {} {} 1 panic_on_corruption",
            hex::encode(self.root_hash),
            hex::encode(self.salt)
        )
    }

    /// Sectors of 512 bytes that the data has.
    #[must_use]
    pub const fn sectors(&self) -> u64 {
        self.data_blocks.saturating_mul(8)
    }
}

impl fmt::Display for Verity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hash, salt) = (hex::encode(self.root_hash), hex::encode(self.salt));
        write!(f, "{FILE_SYSTEM},{},{hash},{salt}", self.data_blocks)
    }
}

/// Why a description was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum VerityError {
    /// No data, or too much.
    #[error("a root has 1 to {} blocks, not {got}", Verity::MAX_BLOCKS)]
    Blocks {
        /// How many were named.
        got: u64,
    },

    /// A digest is not 64 hexadecimal digits in lower case.
    #[error("a digest is not 64 hexadecimal digits in lower case")]
    Digest,

    /// It is not the four parts that are expected.
    #[error("expected {FILE_SYSTEM},BLOCKS,ROOT HASH,SALT")]
    Format,
}

fn digest(text: &str) -> Result<[u8; 32], VerityError> {
    let mut digest = [0; 32];
    let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    match hex::decode_to_slice(text, &mut digest) {
        Ok(()) if is_lower => Ok(digest),
        _ => Err(VerityError::Digest),
    }
}

const FILE_SYSTEM: &str = "squashfs";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn good() -> Verity {
        Verity::new(7, [0x11; 32], [0x22; 32]).unwrap()
    }

    #[test]
    fn what_is_written_is_read_back() {
        assert_eq!(Verity::parse(&good().to_string()), Ok(good()));
    }

    #[test]
    fn damage_stops_the_machine_and_the_tree_lies_behind_a_header() {
        let (ones, twos) = ("11".repeat(32), "22".repeat(32));
        let expected =
            format!("1 /dev/vda /dev/vda 4096 4096 7 8 sha256 {ones} {twos} 1 panic_on_corruption");
        assert_eq!(good().table("/dev/vda"), expected);
        assert_eq!(good().sectors(), 56);
    }

    #[test]
    fn a_description_has_one_spelling() {
        let digest = "ab".repeat(32);
        for (text, expected) in [
            (String::new(), VerityError::Format),
            (format!("erofs,7,{digest},{digest}"), VerityError::Format),
            (format!("squashfs,7,{digest}"), VerityError::Format),
            (
                format!("squashfs,7,{digest},{digest},"),
                VerityError::Format,
            ),
            (
                format!("squashfs,07,{digest},{digest}"),
                VerityError::Format,
            ),
            (
                format!("squashfs,+7,{digest},{digest}"),
                VerityError::Format,
            ),
            (format!("squashfs,,{digest},{digest}"), VerityError::Format),
            (format!("squashfs,0,{digest},{digest}"), VerityError::Format),
            (
                format!("squashfs,268435457,{digest},{digest}"),
                VerityError::Blocks { got: 268_435_457 },
            ),
            (
                format!("squashfs,7,{},{digest}", digest.to_uppercase()),
                VerityError::Digest,
            ),
            (format!("squashfs,7,{digest},ab"), VerityError::Digest),
            (
                format!("squashfs,7,{digest},{digest}ab"),
                VerityError::Digest,
            ),
        ] {
            assert_eq!(Verity::parse(&text), Err(expected), "{text}");
        }
    }
}
