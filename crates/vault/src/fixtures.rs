//! What the tests of this crate share.

use core::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};
use zeroize::Zeroizing;

use crate::seal::sha256;
use crate::{Account, RecoveryCode, SlotSecret};

/// SHA-256 in counter mode. Repeatable, and therefore only for tests.
pub(crate) struct TestRng(pub(crate) u64);

impl TryRng for TestRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for block in out.chunks_mut(32) {
            self.0 = self.0.wrapping_add(1);
            let bytes = sha256(&[b"test rng", &self.0.to_be_bytes()]);
            for (to, from) in block.iter_mut().zip(bytes) {
                *to = from;
            }
        }
        Ok(())
    }
}

impl TryCryptoRng for TestRng {}

pub(crate) fn passkey(byte: u8) -> SlotSecret {
    SlotSecret::Passkey(Zeroizing::new([byte; 32]))
}

pub(crate) fn device(byte: u8) -> SlotSecret {
    SlotSecret::Device(Zeroizing::new([byte; 32]))
}

pub(crate) fn code(seed: u64) -> SlotSecret {
    SlotSecret::RecoveryCode(RecoveryCode::generate(&mut TestRng(seed)))
}

/// An account with a passkey (1) and a recovery code (seed 9): its list of slots, and both locked keys.
pub(crate) struct Opened {
    pub(crate) account: Account,
    pub(crate) roster: Vec<u8>,
    pub(crate) by_passkey: Vec<u8>,
    pub(crate) by_code: Vec<u8>,
}

pub(crate) fn opened() -> Opened {
    let rng = &mut TestRng(1);
    let created = Account::create(&passkey(1), rng).unwrap();
    let pin = crate::Pin::new(created.account.id());
    let added = created.account.add_slot(&code(9), &pin, rng).unwrap();
    Opened {
        account: added.account,
        roster: added.roster,
        by_passkey: created.locked.unwrap().1,
        by_code: added.locked.unwrap().1,
    }
}
