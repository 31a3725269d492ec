//! The hash tree of dm-verity, as `veritysetup format` writes it (Linux,
//! `Documentation/admin-guide/device-mapper/verity.rst`, and cryptsetup's
//! "DM-Verity on-disk specification", hash type 1).

use std::io::{self, Read};

use sha2::{Digest as _, Sha256};

/// A hash tree with its header: what stands behind the data.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tree {
    /// Blocks of data.
    pub data_blocks: u64,
    /// What the tree comes to.
    pub root_hash: [u8; 32],
    /// Header and tree.
    pub bytes: Vec<u8>,
}

/// Bytes of a block, of data and of hashes.
pub const BLOCK: usize = 4096;

/// Hashes data up to its end. What is missing to the last whole block counts as
/// zeros, and must be there as zeros when it is mounted.
///
/// # Errors
///
/// Those of the reader; [`io::ErrorKind::UnexpectedEof`] if there is nothing.
pub fn hash(data: &mut impl Read, salt: &[u8; 32]) -> io::Result<Tree> {
    let mut level = Vec::new();
    let mut data_blocks: u64 = 0;
    while let Some(block) = next_block(data)? {
        level.extend_from_slice(&digest(salt, &block));
        data_blocks = data_blocks.saturating_add(1);
    }
    if data_blocks == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    // From the level above the data up to a single hash. One block of data has no
    // tree: its hash is the root.
    let mut levels = Vec::new();
    while level.len() > HASH {
        level.resize(level.len().next_multiple_of(BLOCK), 0);
        let above = level
            .chunks(BLOCK)
            .flat_map(|block| digest(salt, block))
            .collect();
        levels.push(core::mem::replace(&mut level, above));
    }
    let root_hash = level
        .try_into()
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    let mut bytes = header(data_blocks, salt);
    // The highest level comes first.
    bytes.extend(levels.into_iter().rev().flatten());
    Ok(Tree {
        data_blocks,
        root_hash,
        bytes,
    })
}

fn next_block(data: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let limit = u64::try_from(BLOCK).unwrap_or(u64::MAX);
    let mut block = Vec::with_capacity(BLOCK);
    let read = data.by_ref().take(limit).read_to_end(&mut block)?;
    if read == 0 {
        return Ok(None);
    }
    block.resize(BLOCK, 0);
    Ok(Some(block))
}

fn digest(salt: &[u8; 32], block: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(salt)
        .chain_update(block)
        .finalize()
        .into()
}

/// `struct verity_sb`, in a block of its own.
fn header(data_blocks: u64, salt: &[u8; 32]) -> Vec<u8> {
    let block = u32::try_from(BLOCK).unwrap_or(0);
    let mut header = Vec::with_capacity(BLOCK);
    header.extend_from_slice(b"verity\0\0");
    header.extend_from_slice(&1_u32.to_le_bytes());
    // Hash type 1: the salt is in front.
    header.extend_from_slice(&1_u32.to_le_bytes());
    header.extend_from_slice(&UUID);
    header.extend_from_slice(&padded::<32>(b"sha256"));
    header.extend_from_slice(&block.to_le_bytes());
    header.extend_from_slice(&block.to_le_bytes());
    header.extend_from_slice(&data_blocks.to_le_bytes());
    header.extend_from_slice(&32_u16.to_le_bytes());
    header.extend_from_slice(&[0; 6]);
    header.extend_from_slice(salt);
    header.resize(BLOCK, 0);
    header
}

fn padded<const N: usize>(text: &[u8]) -> [u8; N] {
    let mut padded = [0; N];
    for (to, from) in padded.iter_mut().zip(text) {
        *to = *from;
    }
    padded
}

const HASH: usize = 32;
/// Always the same one: the root hash is what names a root.
const UUID: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

#[cfg(test)]
mod tests;
