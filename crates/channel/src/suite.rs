//! The one suite of version 1 and its sizes (spec/channel.md, "Suite").

use hkdf::Hkdf;
use sha2::{Digest, Sha256};

pub(crate) type Kem = hpke::kem::XWing;
pub(crate) type Kdf = hpke::kdf::HkdfSha256;
pub(crate) type Aead = hpke::aead::ChaCha20Poly1305;
pub(crate) type PrivateKey = <Kem as hpke::Kem>::PrivateKey;
pub(crate) type PublicKey = <Kem as hpke::Kem>::PublicKey;
pub(crate) type EncappedKey = <Kem as hpke::Kem>::EncappedKey;

/// X-Wing (draft-ietf-hpke-pq).
pub(crate) const KEM_ID: u16 = 0x647a;
/// HKDF-SHA256 (RFC 9180 §7.2).
pub(crate) const KDF_ID: u16 = 0x0001;
/// ChaCha20-Poly1305 (RFC 9180 §7.3).
pub(crate) const AEAD_ID: u16 = 0x0003;

/// Bytes of an X-Wing public key.
pub(crate) const PUBLIC_KEY_LEN: usize = 1216;
/// Bytes of an X-Wing ciphertext.
pub(crate) const ENC_LEN: usize = 1120;
/// Bytes an AEAD adds.
pub(crate) const TAG_LEN: usize = 16;

/// SHA-256 over the parts, in order.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// HKDF-SHA256 with a fixed salt and input, for several labels (RFC 5869).
pub(crate) struct Expander(Hkdf<Sha256>);

impl Expander {
    pub(crate) fn new(salt: &[u8], input: &[u8]) -> Self {
        Self(Hkdf::new(Some(salt), input))
    }

    /// Fills `N` bytes for `label ‖ context`.
    pub(crate) fn expand<const N: usize>(&self, label: &[u8], context: &[u8]) -> [u8; N] {
        let mut out = [0; N];
        // RFC 5869 §2.3 limits the output to 255 blocks of 32 bytes; every N
        // here is 12 or 32, so the call cannot fail.
        if self
            .0
            .expand_multi_info(&[label, context], &mut out)
            .is_err()
        {
            unreachable!("the output is far below the limit of HKDF");
        }
        out
    }
}
