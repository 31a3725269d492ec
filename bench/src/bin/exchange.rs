//! The cost of the sealed exchange itself: both ends, one thread, no network.

use std::process::ExitCode;
use std::time::Duration;

use aes_gcm::aead::{Aead as _, KeyInit};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Kem as _, OpModeR, OpModeS, setup_receiver, setup_sender_with_rng};
use subrosa_bench::arguments::Arguments;
use subrosa_bench::node::Node;
use subrosa_bench::report::{Row, write};
use subrosa_bench::stats::{each, pairs};
use subrosa_bench::{Failed, finish};
use subrosa_channel::{
    InnerRequest, Profile, ResponseClass, ResponseHead, ResponseSecrecy, SealOptions, seal_request,
};

fn main() -> ExitCode {
    finish(run())
}

fn run() -> Result<String, Failed> {
    let arguments = Arguments::read(&[])?;
    let rounds = arguments.rounds;
    let node = Node::new().map_err(|error| error.to_string())?;
    let mut rows = Vec::new();
    for (name, secrecy) in [
        (
            "sealed exchange, no client ephemeral",
            ResponseSecrecy::KeyOnly,
        ),
        (
            "sealed exchange, with client ephemeral",
            ResponseSecrecy::ClientEphemeral,
        ),
    ] {
        let raw = pairs(rounds, || exchange(&node, secrecy), bare_hpke);
        let milliseconds = raw.iter().map(|(ours, _)| (ours * 1000.0, 0.0)).collect();
        let ratio = format!("time: {name} ÷ bare HPKE exchange");
        rows.push(Row::ratio(ratio, "", raw));
        let cost = format!("{name}, both ends");
        rows.push(Row::difference(cost, "ms", "", milliseconds));
    }
    let raw = pairs(rounds, || records(&node), raw_aes);
    let name = "time: sealing and opening 1 MiB of records ÷ raw AES-256-GCM";
    rows.push(Row::ratio(name, "", raw));
    Ok(write(&arguments.results, "exchange", &rows)?)
}

/// One request of 4 KiB and its answer, both ends.
fn exchange(node: &Node, response_secrecy: ResponseSecrecy) -> Duration {
    let options = SealOptions {
        profile: Profile::Off,
        response_secrecy,
        ..SealOptions::default()
    };
    each(20, || {
        round(node, &options, 4096, 16);
    })
}

/// Seals and opens an answer of 1 MiB in records of 16 KiB.
fn records(node: &Node) -> Duration {
    let options = SealOptions {
        profile: Profile::Off,
        response_secrecy: ResponseSecrecy::KeyOnly,
        ..SealOptions::default()
    };
    each(2, || {
        round(node, &options, 16, 1 << 20);
    })
}

fn round(node: &Node, options: &SealOptions, request_len: usize, answer_len: usize) {
    let mut rng = rand::rng();
    let request = InnerRequest {
        method: "POST".to_owned(),
        path: "/v1/chat/completions".to_owned(),
        headers: Vec::new(),
        body: vec![7; request_len],
    };
    let answer = vec![9; answer_len];
    let done = (|| {
        let (to, now) = (node.recipient(), node.now());
        let mut sealed = seal_request(to, &request, options, now, &mut rng).ok()?;
        let opened = node.open(&sealed.bytes)?;
        let mut answering = opened
            .responder
            .start(ResponseClass::Whole, &mut rng)
            .ok()?;
        answering.head(&ResponseHead::new(200, "text/plain")).ok()?;
        answering.body(&answer).ok()?;
        answering
            .complete(&subrosa_channel::absent_weights())
            .ok()?;
        let mut wire = Vec::new();
        answering.poll(&mut wire);
        let mut events = Vec::new();
        sealed.opener.push(&wire, &mut events).ok()?;
        sealed.opener.finish().ok()
    })();
    assert!(done.is_some(), "an exchange failed");
}

/// What the exchange is built from, without the exchange: one encapsulation,
/// 4 KiB sealed and opened, one secret exported on both ends.
fn bare_hpke() -> Duration {
    let mut rng = rand::rng();
    let (private, public) = XWing::gen_keypair_with_rng(&mut rng);
    let message = vec![7; 4096];
    each(20, || {
        let sealed = setup_sender_with_rng::<ChaCha20Poly1305, HkdfSha256, XWing>(
            &OpModeS::Base,
            &public,
            b"bench",
            &mut rng,
        );
        let Ok((enc, mut sender)) = sealed else {
            return;
        };
        let sealed = sender.seal(&message, b"").unwrap_or_default();
        let received = setup_receiver::<ChaCha20Poly1305, HkdfSha256, XWing>(
            &OpModeR::Base,
            &private,
            &enc,
            b"bench",
        );
        let Ok(mut opening) = received else { return };
        let opened = opening.open(&sealed, b"").unwrap_or_default();
        assert_eq!(opened.len(), message.len(), "a bare exchange failed");
        let (mut a, mut b) = ([0; 32], [0; 32]);
        let exported = sender
            .export(b"x", &mut a)
            .and(opening.export(b"x", &mut b));
        assert!(exported.is_ok() && a == b, "a bare exchange failed");
    })
}

/// 1 MiB in pieces of 16 KiB, sealed and opened.
fn raw_aes() -> Duration {
    let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from([1; 32]));
    let piece = vec![9; 16 << 10];
    let nonce = Nonce::from([2; 12]);
    each(2, || {
        for _ in 0..64 {
            let sealed = cipher.encrypt(&nonce, piece.as_slice()).unwrap_or_default();
            let opened = cipher
                .decrypt(&nonce, sealed.as_slice())
                .unwrap_or_default();
            assert_eq!(opened.len(), piece.len(), "AES-256-GCM failed");
        }
    })
}
