//! ID blocks: what an owner expects a guest to be, under his signature.
//!
//! AMD 56860, section 8.18 (`SNP_LAUNCH_FINISH`): structures `ID_BLOCK` and
//! `ID_AUTH`, and appendix "Digital signatures" for keys and signatures. The
//! firmware starts the guest only if block and launch digest agree, and puts the
//! digests of both keys into reports.

use p384::ecdsa::signature::Verifier as _;
use p384::ecdsa::{Signature, VerifyingKey};

use crate::{Sha384Digest, field};

/// What the owner expects.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "the format fixes it")]
pub struct IdBlock {
    /// The launch digest.
    pub launch_digest: Sha384Digest,
    /// Family of the guest, as the owner names it.
    pub family_id: [u8; 16],
    /// Image of the guest, as the owner names it.
    pub image_id: [u8; 16],
    /// Security version of the guest.
    pub guest_svn: u32,
    /// Guest policy; it must be the one the guest is started with.
    pub policy: u64,
}

impl IdBlock {
    /// Size in bytes.
    pub const LEN: usize = 96;
    /// The version of the format.
    pub const VERSION: u32 = 1;

    /// Reads a block.
    ///
    /// # Errors
    ///
    /// [`IdBlockError`] if it is of another size or version.
    pub fn parse(bytes: &[u8]) -> Result<Self, IdBlockError> {
        let length = IdBlockError::Length {
            expected: Self::LEN,
            got: bytes.len(),
        };
        if bytes.len() != Self::LEN {
            return Err(length);
        }
        let parsed = || {
            let version = field::u32(bytes, 80)?;
            let block = Self {
                launch_digest: Sha384Digest::new(field::array(bytes, 0)?),
                family_id: field::array(bytes, 48)?,
                image_id: field::array(bytes, 64)?,
                guest_svn: field::u32(bytes, 84)?,
                policy: field::u64(bytes, 88)?,
            };
            Some((version, block))
        };
        let (version, block) = parsed().ok_or(length)?;
        if version != Self::VERSION {
            return Err(IdBlockError::Version { got: version });
        }
        Ok(block)
    }

    /// The bytes that are signed, and given to the firmware.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        field::put(&mut bytes, 0, self.launch_digest.as_bytes());
        field::put(&mut bytes, 48, &self.family_id);
        field::put(&mut bytes, 64, &self.image_id);
        field::put(&mut bytes, 80, &Self::VERSION.to_le_bytes());
        field::put(&mut bytes, 84, &self.guest_svn.to_le_bytes());
        field::put(&mut bytes, 88, &self.policy.to_le_bytes());
        bytes
    }
}

/// Who signed a block, and who vouches for that key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IdAuth {
    id_key: IdKey,
    block_signature: IdSignature,
    author: Option<(IdKey, IdSignature)>,
}

impl IdAuth {
    /// Size in bytes.
    pub const LEN: usize = 4096;

    /// Puts the parts together; an author is optional.
    #[must_use]
    pub fn new(
        id_key: IdKey,
        block_signature: IdSignature,
        author: Option<(IdKey, IdSignature)>,
    ) -> Self {
        Self {
            id_key,
            block_signature,
            author,
        }
    }

    /// Reads the page. Reserved bytes are zero; whoever names an author has key and
    /// signature of one.
    ///
    /// # Errors
    ///
    /// [`IdBlockError`] if it has another form.
    pub fn parse(bytes: &[u8]) -> Result<Self, IdBlockError> {
        let length = IdBlockError::Length {
            expected: Self::LEN,
            got: bytes.len(),
        };
        if bytes.len() != Self::LEN {
            return Err(length);
        }
        let part = |at, size| field::slice(bytes, at, size).ok_or(length.clone());
        let algorithm = |at| field::u32(bytes, at).ok_or(length.clone());
        for (at, size) in [(0x8, 0x38), (0x644, 0x3c), (0xc84, 0x37c)] {
            if part(at, size)?.iter().any(|&byte| byte != 0) {
                return Err(IdBlockError::Reserved { at });
            }
        }
        let id_algorithm = algorithm(0)?;
        if id_algorithm != ECDSA_P384_SHA384 {
            return Err(IdBlockError::Algorithm { got: id_algorithm });
        }
        let author = match algorithm(4)? {
            ECDSA_P384_SHA384 => Some((
                IdKey::parse(part(0x880, IdKey::LEN)?)?,
                IdSignature::parse(part(0x680, IdSignature::LEN)?)?,
            )),
            0 if part(0x680, 0x604)?.iter().all(|&byte| byte == 0) => None,
            got => return Err(IdBlockError::Algorithm { got }),
        };
        Ok(Self {
            id_key: IdKey::parse(part(0x240, IdKey::LEN)?)?,
            block_signature: IdSignature::parse(part(0x40, IdSignature::LEN)?)?,
            author,
        })
    }

    /// The page that is given to the firmware.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; Self::LEN];
        field::put(&mut bytes, 0, &ECDSA_P384_SHA384.to_le_bytes());
        field::put(&mut bytes, 0x40, self.block_signature.as_bytes());
        field::put(&mut bytes, 0x240, self.id_key.as_bytes());
        if let Some((key, signature)) = &self.author {
            field::put(&mut bytes, 4, &ECDSA_P384_SHA384.to_le_bytes());
            field::put(&mut bytes, 0x680, signature.as_bytes());
            field::put(&mut bytes, 0x880, key.as_bytes());
        }
        bytes
    }

    /// Checks that the ID key signed `block`.
    ///
    /// # Errors
    ///
    /// [`IdSignatureError::Block`] if it did not.
    pub fn verify_block(&self, block: &IdBlock) -> Result<(), IdSignatureError> {
        self.id_key
            .verify(&block.to_bytes(), &self.block_signature)
            .ok_or(IdSignatureError::Block)
    }

    /// Checks that the author, if one is named, signed the ID key.
    ///
    /// # Errors
    ///
    /// [`IdSignatureError::Author`] if he did not.
    pub fn verify_author(&self) -> Result<(), IdSignatureError> {
        match &self.author {
            None => Ok(()),
            Some((key, signature)) => key
                .verify(self.id_key.as_bytes(), signature)
                .ok_or(IdSignatureError::Author),
        }
    }

    /// The key that signed the block.
    #[must_use]
    pub fn id_key(&self) -> &IdKey {
        &self.id_key
    }

    /// The signature over the block.
    #[must_use]
    pub fn block_signature(&self) -> &IdSignature {
        &self.block_signature
    }

    /// The key that vouches for the ID key, and its signature over it.
    #[must_use]
    pub fn author(&self) -> Option<(&IdKey, &IdSignature)> {
        self.author
            .as_ref()
            .map(|(key, signature)| (key, signature))
    }
}

/// A public key on P-384.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IdKey(Box<[u8; Self::LEN]>);

impl IdKey {
    /// Size in bytes: curve, x and y of 72 bytes each, little-endian, reserved.
    pub const LEN: usize = 0x404;

    /// Reads a key.
    ///
    /// # Errors
    ///
    /// [`IdBlockError`] if it is not one on P-384, or not a point of it.
    pub fn parse(bytes: &[u8]) -> Result<Self, IdBlockError> {
        let length = IdBlockError::Length {
            expected: Self::LEN,
            got: bytes.len(),
        };
        let array: [u8; Self::LEN] = bytes.try_into().map_err(|_| length)?;
        let curve = field::u32(&array, 0).unwrap_or_default();
        if curve != CURVE_P384 {
            return Err(IdBlockError::Curve { got: curve });
        }
        if field::slice(&array, 148, 880).is_none_or(|rest| rest.iter().any(|&byte| byte != 0)) {
            return Err(IdBlockError::Reserved { at: 148 });
        }
        let key = Self(Box::new(array));
        key.verifying_key().ok_or(IdBlockError::Key)?;
        Ok(key)
    }

    /// What reports call `ID_KEY_DIGEST` or `AUTHOR_KEY_DIGEST`.
    #[must_use]
    pub fn digest(&self) -> Sha384Digest {
        Sha384Digest::of(&self.0[..])
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    fn verifying_key(&self) -> Option<VerifyingKey> {
        let x = big_endian(&self.0[..], 4)?;
        let y = big_endian(&self.0[..], 76)?;
        VerifyingKey::from_sec1_bytes(&[&[4], x.as_slice(), &y].concat()).ok()
    }

    fn verify(&self, message: &[u8], signature: &IdSignature) -> Option<()> {
        let r = big_endian(&signature.0[..], 0)?;
        let s = big_endian(&signature.0[..], 72)?;
        let signature = Signature::from_scalars(r, s).ok()?;
        self.verifying_key()?.verify(message, &signature).ok()
    }
}

/// A signature by a key on P-384 over SHA-384.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IdSignature(Box<[u8; Self::LEN]>);

impl IdSignature {
    /// Size in bytes: r and s of 72 bytes each, little-endian, reserved.
    pub const LEN: usize = 0x200;

    /// Reads a signature; whether it verifies is another question.
    ///
    /// # Errors
    ///
    /// [`IdBlockError`] if it has another size, or reserved bytes that are not zero.
    pub fn parse(bytes: &[u8]) -> Result<Self, IdBlockError> {
        let length = IdBlockError::Length {
            expected: Self::LEN,
            got: bytes.len(),
        };
        let array: [u8; Self::LEN] = bytes.try_into().map_err(|_| length)?;
        let zero = |at, size| {
            field::slice(&array, at, size).is_some_and(|part| part.iter().all(|&byte| byte == 0))
        };
        for (at, size) in [(48, 24), (120, 24), (144, 368)] {
            if !zero(at, size) {
                return Err(IdBlockError::Reserved { at });
            }
        }
        Ok(Self(Box::new(array)))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

/// 48 bytes from a little-endian field of 72, whose rest is zero.
fn big_endian(bytes: &[u8], at: usize) -> Option<[u8; 48]> {
    let (mut number, rest): ([u8; 48], [u8; 24]) = (
        field::array(bytes, at)?,
        field::array(bytes, at.checked_add(48)?)?,
    );
    if rest != [0; 24] {
        return None;
    }
    number.reverse();
    Some(number)
}

/// Why a structure was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum IdBlockError {
    /// It is signed with another algorithm than ECDSA on P-384 with SHA-384.
    #[error("the algorithm {got} is not 1, ECDSA on P-384 with SHA-384")]
    Algorithm {
        /// Its number.
        got: u32,
    },

    /// A key is on another curve.
    #[error("the curve {got} is not 2, P-384")]
    Curve {
        /// Its number.
        got: u32,
    },

    /// A key is not a point of its curve.
    #[error("the key is not a point of P-384")]
    Key,

    /// It is not as long as its format says.
    #[error("{got} bytes instead of {expected}")]
    Length {
        /// The size of the format.
        expected: usize,
        /// Bytes that are there.
        got: usize,
    },

    /// Bytes that must be zero are not.
    #[error("reserved bytes at {at:#x} are not zero")]
    Reserved {
        /// Where they begin.
        at: usize,
    },

    /// The format is of another version.
    #[error("version {got} instead of 1")]
    Version {
        /// Its version.
        got: u32,
    },
}

/// A signature that does not verify.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum IdSignatureError {
    /// The author did not sign the ID key.
    #[error("the author key did not sign the ID key")]
    Author,

    /// The ID key did not sign the block.
    #[error("the ID key did not sign the block")]
    Block,
}

const ECDSA_P384_SHA384: u32 = 1;
const CURVE_P384: u32 = 2;

#[cfg(test)]
mod tests;
