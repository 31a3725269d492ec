//! What the tests of this crate share: a repeatable random number generator
//! and an exchange with the values that matter left to the test.

use core::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};
use subrosa_attest::UnixSeconds;

use crate::node::UncheckedNode;
use crate::{
    Epoch, Gateway, InnerRequest, KeyConfigurationParams, ModelEntry, OpenedExchange, Profile,
    ResponseClass, ResponseHead, ResponseOpener, ResponseSealer, SealOptions, StreamShape,
    absent_release, seal_request,
};

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
            let bytes = crate::suite::sha256(&[b"test rng", &self.0.to_be_bytes()]);
            block.copy_from_slice(&bytes[..block.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for TestRng {}

/// A time within the life of [`epoch`]'s key.
pub(crate) const NOW: u64 = 1_800_000_000;

pub(crate) fn params() -> KeyConfigurationParams {
    KeyConfigurationParams {
        not_before: NOW - 10,
        not_after: NOW + 1190,
        release_id: absent_release(),
        configuration: [3; 32],
        balanced: StreamShape {
            tick_ms: 40,
            record_len: 256,
        },
        strict: StreamShape {
            tick_ms: 50,
            record_len: 512,
        },
        models: vec![ModelEntry {
            name: "subrosa-demo".to_owned(),
            weights: WEIGHTS,
        }],
    }
}

pub(crate) const WEIGHTS: [u8; 32] = [9; 32];

pub(crate) fn epoch(seed: u64) -> Epoch {
    Epoch::generate(&params(), 64, &mut TestRng(seed)).unwrap()
}

pub(crate) fn node(epoch: &Epoch) -> UncheckedNode {
    UncheckedNode(epoch.key_configuration().clone())
}

pub(crate) fn gateway(epoch: Epoch) -> Gateway {
    let mut gateway = Gateway::new();
    gateway.add(epoch);
    gateway
}

pub(crate) fn request() -> InnerRequest {
    InnerRequest {
        method: "POST".to_owned(),
        path: "/v1/chat/completions".to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: b"{\"messages\":[]}".to_vec(),
    }
}

/// One exchange up to the opened request.
pub(crate) struct Started {
    pub(crate) sent: Vec<u8>,
    pub(crate) opener: ResponseOpener,
    pub(crate) opened: OpenedExchange,
}

pub(crate) fn start(profile: Profile, seed: u64) -> Started {
    let epoch = epoch(seed);
    let options = SealOptions {
        profile,
        keep_transcript: true,
        ..SealOptions::default()
    };
    let sealed = seal_request(
        &node(&epoch),
        &request(),
        &options,
        UnixSeconds::new(NOW),
        &mut TestRng(seed + 1000),
    );
    let sealed = sealed.unwrap();
    let opened = gateway(epoch).open(&sealed.bytes, NOW).unwrap();
    Started {
        sent: sealed.bytes,
        opener: sealed.opener,
        opened,
    }
}

/// The answer to an opened request: its header and each record on its own.
pub(crate) fn answer(opened: OpenedExchange, class: ResponseClass, body: &[u8]) -> Vec<Vec<u8>> {
    let mut sealer = opened.responder.start(class, &mut TestRng(77)).unwrap();
    let mut header = Vec::new();
    sealer.poll(&mut header);
    let mut wire = vec![header];
    sealer.head(&ResponseHead::new(200, "text/plain")).unwrap();
    sealer.body(body).unwrap();
    sealer.complete(&WEIGHTS).unwrap();
    finish(&mut sealer, &mut wire);
    if class == ResponseClass::Stream && wire[0].len() > HEADER_LEN {
        let record = wire[0].split_off(HEADER_LEN);
        wire.insert(1, record);
    }
    wire
}

fn finish(sealer: &mut ResponseSealer, wire: &mut Vec<Vec<u8>>) {
    while !sealer.has_ended() {
        let mut out = Vec::new();
        sealer.poll(&mut out);
        wire.push(out);
    }
}

/// Bytes of a response header with an ephemeral key.
pub(crate) const HEADER_LEN: usize = 3 + 32 + 1120;
