//! Ways into an account (spec/history.md §1 and §3).

use bip39::{Language, Mnemonic};
use hpke::{Deserializable as _, Kem as _, Serializable as _};
use rand_core::CryptoRng;
use zeroize::{Zeroize as _, Zeroizing};

use crate::account::Known;
use crate::history::Pin;
use crate::seal::{Key, derive, open, seal, sha256};
use crate::wire::Reader;
use crate::{AccountId, HistoryError, SlotId};

pub(crate) type Kem = hpke::kem::XWing;
pub(crate) type PrivateKey = <Kem as hpke::Kem>::PrivateKey;
pub(crate) type PublicKey = <Kem as hpke::Kem>::PublicKey;

/// Bytes of an X-Wing public key.
pub(crate) const PUBLIC_KEY_LEN: usize = 1216;

const MAGIC: &[u8] = b"SHP1";
const HEAD_LEN: usize = 37;
const PRIVATE_LEN: usize = 32 * 3 + 8 + Pin::LEN;

/// What kind of way into the account a slot is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SlotKind {
    /// A passkey with the PRF extension (`WebAuthn` Level 3 §10.1.4).
    Passkey = 1,
    /// Fifteen words on paper.
    RecoveryCode = 2,
    /// A key that one device keeps.
    Device = 3,
}

impl SlotKind {
    pub(crate) const fn read(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Passkey),
            2 => Some(Self::RecoveryCode),
            3 => Some(Self::Device),
            _ => None,
        }
    }

    pub(crate) const fn byte(self) -> u8 {
        match self {
            Self::Passkey => 1,
            Self::RecoveryCode => 2,
            Self::Device => 3,
        }
    }
}

/// The input of a passkey's PRF (`eval.first`): the same for everybody and everywhere.
#[must_use]
pub fn prf_input() -> [u8; 32] {
    sha256(&[b"subrosa/history/1/prf"])
}

/// What the holder of a slot has. It erases itself, and is never shown.
#[non_exhaustive]
pub enum SlotSecret {
    /// The output of a passkey's PRF for [`prf_input`].
    Passkey(Zeroizing<[u8; 32]>),
    /// The words.
    RecoveryCode(RecoveryCode),
    /// Random bytes that the device keeps.
    Device(Zeroizing<[u8; 32]>),
}

impl SlotSecret {
    /// Of which kind of slot it is.
    #[must_use]
    pub const fn kind(&self) -> SlotKind {
        match self {
            Self::Passkey(_) => SlotKind::Passkey,
            Self::RecoveryCode(_) => SlotKind::RecoveryCode,
            Self::Device(_) => SlotKind::Device,
        }
    }

    fn kek(&self, account: AccountId, slot: SlotId) -> Key {
        let kind = [self.kind().byte()];
        let info: [&[u8]; 4] = [b"subrosa/history/1/kek", &kind, &account.0, &slot.0];
        match self {
            Self::Passkey(bytes) | Self::Device(bytes) => derive(bytes.as_slice(), &info),
            Self::RecoveryCode(code) => derive(code.0.as_slice(), &info),
        }
    }
}

/// A recovery code: 160 random bits, written as 15 words with a checksum (BIP 39's English list).
#[derive(Clone)]
pub struct RecoveryCode(Zeroizing<[u8; 20]>);

impl RecoveryCode {
    /// Words of one.
    pub const WORDS: usize = 15;

    /// A new one.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; 20]);
        rng.fill_bytes(bytes.as_mut_slice());
        Self(bytes)
    }

    /// Reads words, in any case and with any space between them.
    ///
    /// # Errors
    ///
    /// [`HistoryError::RecoveryCode`] says whether their number, one of them or the checksum is wrong.
    pub fn parse(words: &str) -> Result<Self, HistoryError> {
        let wrong = |reason| Err(HistoryError::RecoveryCode(reason));
        if words.len() > MAX_WORDS_LEN {
            return wrong("they are too long");
        }
        let mut plain = Zeroizing::new(String::with_capacity(words.len()));
        for word in words.split_whitespace() {
            if !plain.is_empty() {
                plain.push(' ');
            }
            plain.extend(word.chars().map(|letter| letter.to_ascii_lowercase()));
        }
        if plain.split(' ').count() != Self::WORDS {
            return wrong("there must be 15");
        }
        let mut mnemonic = match Mnemonic::parse_in_normalized(Language::English, &plain) {
            Ok(mnemonic) => mnemonic,
            Err(bip39::Error::InvalidChecksum) => {
                return wrong("a word is another, or two changed places");
            }
            Err(_) => return wrong("one of them is not in the list of words"),
        };
        let (mut entropy, length) = mnemonic.to_entropy_array();
        let mut bytes = Zeroizing::new([0; 20]);
        let whole = entropy
            .get(..length)
            .filter(|entropy| entropy.len() == bytes.len());
        if let Some(whole) = whole {
            bytes.copy_from_slice(whole);
        }
        entropy.zeroize();
        mnemonic.zeroize();
        Ok(Self(bytes))
    }

    /// What logs in to a store by this code. It does not lead back to the code.
    #[must_use]
    pub fn login(&self) -> RecoveryLogin {
        let derive = |label: &[u8]| derive(self.0.as_slice(), &[label]);
        let (name, proof) = (
            derive(b"subrosa/history/1/recovery-name"),
            derive(b"subrosa/history/1/recovery-proof"),
        );
        let mut short = [0; 16];
        short
            .iter_mut()
            .zip(name.iter())
            .for_each(|(to, from)| *to = *from);
        RecoveryLogin { name: short, proof }
    }

    /// The words, with a space between each two. For a person's eyes, once.
    #[must_use]
    pub fn words(&self) -> Zeroizing<String> {
        let mut words = Zeroizing::new(String::with_capacity(MAX_WORDS_LEN));
        if let Ok(mut mnemonic) = Mnemonic::from_entropy_in(Language::English, self.0.as_slice()) {
            for word in mnemonic.words() {
                if !words.is_empty() {
                    words.push(' ');
                }
                words.push_str(word);
            }
            mnemonic.zeroize();
        }
        words
    }
}

/// What logs in to a store by a recovery code (spec/store.md).
pub struct RecoveryLogin {
    /// Which slot it is.
    pub name: [u8; 16],
    /// That the words are known.
    pub proof: Zeroizing<[u8; 32]>,
}

/// More than 15 of the longest words, with generous space between them.
const MAX_WORDS_LEN: usize = 1024;

/// A slot's private key, and how to lock it again.
#[derive(Clone)]
pub(crate) struct OwnSlot {
    pub(crate) id: SlotId,
    pub(crate) kind: SlotKind,
    pub(crate) seed: Key,
    kek: Key,
}

impl OwnSlot {
    /// A new slot for this secret.
    pub(crate) fn generate(
        account: AccountId,
        secret: &SlotSecret,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let id = SlotId::generate(rng);
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut_slice());
        Self {
            id,
            kind: secret.kind(),
            seed,
            kek: secret.kek(account, id),
        }
    }

    pub(crate) fn private_key(&self) -> Option<PrivateKey> {
        PrivateKey::from_bytes(self.seed.as_slice()).ok()
    }

    pub(crate) fn public_key(&self) -> Option<PublicKey> {
        self.private_key().map(|key| Kem::sk_to_pk(&key))
    }

    /// The private key, locked under the slot's secret, with what its holder knows.
    pub(crate) fn lock(
        &self,
        account: AccountId,
        known: &Known,
        pin: &Pin,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, HistoryError> {
        let head = head(account, self.id, self.kind);
        let mut private = Zeroizing::new(Vec::with_capacity(PRIVATE_LEN));
        private.extend_from_slice(self.seed.as_slice());
        private.extend_from_slice(&known.identity);
        private.extend_from_slice(&known.version.to_be_bytes());
        private.extend_from_slice(&known.digest);
        private.extend_from_slice(&pin.to_bytes());
        let sealed = seal(&self.kek, &head, &private, rng)?;
        Ok([&head[..], &sealed].concat())
    }

    /// Opens a locked private key.
    pub(crate) fn unlock(
        locked: &[u8],
        secret: &SlotSecret,
    ) -> Result<(AccountId, Self, Known, Pin), HistoryError> {
        const WHAT: HistoryError = HistoryError::Malformed("a locked key");
        let (account, id, kind) = read_head(locked).ok_or(WHAT)?;
        if kind != secret.kind() {
            return Err(HistoryError::SlotRefused);
        }
        let kek = secret.kek(account, id);
        let (head, sealed) = locked.split_at_checked(HEAD_LEN).ok_or(WHAT)?;
        let private = open(&kek, head, sealed).ok_or(HistoryError::SlotRefused)?;
        let (seed, known, pin) = read_private(&private).ok_or(WHAT)?;
        let own = Self {
            id,
            kind,
            seed,
            kek,
        };
        Ok((account, own, known, pin))
    }
}

fn head(account: AccountId, slot: SlotId, kind: SlotKind) -> [u8; HEAD_LEN] {
    let mut head = [0; HEAD_LEN];
    let bytes = [MAGIC, &account.0, &slot.0, &[kind.byte()]].concat();
    head.copy_from_slice(&bytes);
    head
}

fn read_head(bytes: &[u8]) -> Option<(AccountId, SlotId, SlotKind)> {
    let mut reader = Reader::new(bytes);
    reader.expect(MAGIC)?;
    let account = AccountId(reader.array()?);
    let slot = SlotId(reader.array()?);
    Some((account, slot, SlotKind::read(reader.u8()?)?))
}

fn read_private(bytes: &[u8]) -> Option<(Key, Known, Pin)> {
    let mut reader = Reader::new(bytes);
    let seed = Zeroizing::new(reader.array()?);
    let known = Known {
        identity: reader.array()?,
        version: reader.u64()?,
        digest: reader.array()?,
    };
    let pin = Pin::from_bytes(reader.rest()).ok()?;
    Some((seed, known, pin))
}

/// The bytes of a public key.
pub(crate) fn public_key_bytes(key: &PublicKey) -> [u8; PUBLIC_KEY_LEN] {
    let mut bytes = [0; PUBLIC_KEY_LEN];
    key.write_exact(&mut bytes);
    bytes
}
