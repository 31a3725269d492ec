//! What the fuzz targets of the sealed exchange share: one enclave whose keys are the same in every run.

pub mod exchange;
pub mod history;

use std::sync::OnceLock;

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable, Kem, OpModeS, Serializable, setup_sender_with_rng};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use subrosa_channel::{
    Epoch, Gateway, KeyConfiguration, KeyConfigurationParams, ModelEntry, StreamShape,
};

/// A time within the life of the enclave's key.
pub const NOW: u64 = 1_800_000_000;

/// SHA-256 of the weights of the enclave's only model.
pub const WEIGHTS: [u8; 32] = [9; 32];

/// A generator that gives the same numbers in every run: an input that was found must fail again.
#[must_use]
pub fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Requests that an enclave of [`gateway`] can take before its replay register is full.
pub const CAPACITY: usize = 4096;

/// The enclave's key of this epoch, always the same, with an empty replay register.
#[must_use]
pub fn epoch() -> Epoch {
    let shape = |tick_ms, record_len| StreamShape {
        tick_ms,
        record_len,
    };
    let params = KeyConfigurationParams {
        not_before: NOW - 10,
        not_after: NOW + 1190,
        release_id: subrosa_channel::absent_release(),
        configuration: [3; 32],
        balanced: shape(40, 256),
        strict: shape(50, 512),
        models: vec![ModelEntry {
            name: "subrosa-demo".to_owned(),
            weights: WEIGHTS,
        }],
    };
    Epoch::generate(&params, CAPACITY, &mut rng(1)).expect("the parameters are valid")
}

/// An enclave with that key.
#[must_use]
pub fn gateway() -> Gateway {
    let mut gateway = Gateway::new();
    gateway.add(epoch());
    gateway
}

/// The key configuration's bytes.
pub fn key_configuration() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| epoch().key_configuration().as_bytes().to_vec())
}

/// Seals `plaintext`, whatever it is, as one last chunk: what an attacker who knows only the public key can
/// do (spec/channel.md §2). Another `seed` gives another encapsulation.
#[must_use]
pub fn seal(plaintext: &[u8], seed: u64) -> Vec<u8> {
    static RECIPIENT: OnceLock<(KeyConfiguration, <XWing as Kem>::PublicKey)> = OnceLock::new();
    let (kc, public_key) = RECIPIENT.get_or_init(|| {
        let kc = KeyConfiguration::parse(key_configuration()).expect("it was made by an enclave");
        let public_key = <XWing as Kem>::PublicKey::from_bytes(&kc.as_bytes()[PUBLIC_KEY]);
        (kc, public_key.expect("it was made by an enclave"))
    });
    let info = [b"subrosa/request/1".as_slice(), &kc.digest()].concat();
    let (enc, mut context) = setup_sender_with_rng::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &OpModeS::Base,
        public_key,
        &info,
        &mut rng(seed),
    )
    .expect("the public key is valid");
    let mut request = vec![1];
    request.extend(kc.key_id().0);
    request.extend(enc.to_bytes());
    request.push(0);
    request.extend(context.seal(plaintext, b"final").expect("the first chunk"));
    request
}

/// Where the X-Wing public key lies in a key configuration (spec/channel.md §1).
const PUBLIC_KEY: std::ops::Range<usize> = 99..1315;
