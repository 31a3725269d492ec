//! Records: the sealed pieces of an answer (spec/channel.md §3).

use chacha20poly1305::aead::{Aead as _, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use zeroize::Zeroizing;

use crate::suite::{Expander, TAG_LEN, sha256};

/// Keys of one answer. They exist on both ends and nowhere else.
pub(crate) struct ResponseKeys {
    cipher: ChaCha20Poly1305,
    base_nonce: [u8; 12],
    receipt_key: Zeroizing<[u8; 32]>,
    next: u64,
}

/// What both ends know once the request is sent and before the answer starts.
pub(crate) struct ExchangeSecret {
    pub(crate) exported: Zeroizing<[u8; 32]>,
    pub(crate) enc: Vec<u8>,
    pub(crate) request_digest: [u8; 32],
}

/// An opened record.
pub(crate) struct Record {
    pub(crate) plaintext: Zeroizing<Vec<u8>>,
    pub(crate) last: bool,
}

impl ExchangeSecret {
    /// Derives the keys; `header` is every byte of the response before its
    /// first record, `shared` the client ephemeral's secret or nothing.
    pub(crate) fn response_keys(&self, header: &[u8], nonce: &[u8], shared: &[u8]) -> ResponseKeys {
        let transcript = sha256(&[b"subrosa/transcript/1", &self.request_digest, header]);
        let salt = [self.enc.as_slice(), nonce].concat();
        let input = Zeroizing::new([self.exported.as_slice(), shared].concat());
        let expander = Expander::new(&salt, &input);
        let key = Zeroizing::new(expander.expand::<32>(b"subrosa/response/1/key", &transcript));
        ResponseKeys {
            cipher: ChaCha20Poly1305::new(&Key::from(*key)),
            base_nonce: expander.expand(b"subrosa/response/1/nonce", &transcript),
            receipt_key: Zeroizing::new(expander.expand(b"subrosa/receipt/1", &transcript)),
            next: 0,
        }
    }
}

impl ResponseKeys {
    /// The key under which receipts commit to what was said.
    pub(crate) fn receipt_key(&self) -> &[u8; 32] {
        &self.receipt_key
    }

    /// Appends the next record to `out`. `None` when the plaintext is longer
    /// than [`MAX_RECORD_PLAINTEXT`] or the counter is used up.
    pub(crate) fn seal(&mut self, plaintext: &[u8], last: bool, out: &mut Vec<u8>) -> Option<()> {
        if plaintext.len() > MAX_RECORD_PLAINTEXT {
            return None;
        }
        let length = u16::try_from(plaintext.len().checked_add(TAG_LEN)?).ok()?;
        let head = (length | if last { LAST } else { 0 }).to_be_bytes();
        let nonce = self.nonce()?;
        let ciphertext = self.cipher.encrypt(&nonce, payload(plaintext, &aad(head)));
        out.extend(head);
        out.extend(ciphertext.ok()?);
        Some(())
    }

    /// Opens the next record, of which `head` are the first two bytes.
    pub(crate) fn open(&mut self, head: [u8; 2], ciphertext: &[u8]) -> Option<Record> {
        let nonce = self.nonce()?;
        let plaintext = self
            .cipher
            .decrypt(&nonce, payload(ciphertext, &aad(head)))
            .ok()?;
        Some(Record {
            plaintext: Zeroizing::new(plaintext),
            last: u16::from_be_bytes(head) & LAST != 0,
        })
    }

    /// The nonce of the next record: the base with the number added into its
    /// last 8 bytes by XOR (RFC 9180 §5.2, `ComputeNonce`).
    fn nonce(&mut self) -> Option<Nonce> {
        let number = self.next;
        self.next = self.next.checked_add(1)?;
        let mut nonce = self.base_nonce;
        for (to, from) in nonce
            .iter_mut()
            .rev()
            .zip(number.to_be_bytes().iter().rev())
        {
            *to ^= from;
        }
        Some(Nonce::from(nonce))
    }
}

/// Length of the ciphertext that follows a record's head.
pub(crate) fn ciphertext_len(head: [u8; 2]) -> usize {
    usize::from(u16::from_be_bytes(head) & !LAST)
}

fn aad(head: [u8; 2]) -> [u8; 20] {
    let mut aad = *b"subrosa/response/1\0\0";
    if let Some(tail) = aad.last_chunk_mut::<2>() {
        *tail = head;
    }
    aad
}

fn payload<'a>(msg: &'a [u8], aad: &'a [u8]) -> Payload<'a, 'a> {
    Payload { msg, aad }
}

/// The bit of a record's head that marks the last record.
const LAST: u16 = 0x8000;
/// Most plaintext in one record: 16 KiB and the `used` field.
pub(crate) const MAX_RECORD_PLAINTEXT: usize = 16_384 + 2;
