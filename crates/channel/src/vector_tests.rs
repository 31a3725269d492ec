//! Writes and reads `spec/vectors/channel.json` and `receipt.json`.

use std::path::PathBuf;

use serde_json::{Value, json};
use subrosa_attest::UnixSeconds;

use crate::fixtures::{NOW, TestRng, WEIGHTS, answer, epoch, gateway, node, request};
use crate::opener::ResponseOpener;
use crate::suite::sha256;
use crate::{
    KeyConfiguration, Profile, Receipt, ResponseClass, ResponseEvent, SealOptions, seal_request,
};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../spec/vectors")
        .join(name)
}

struct Vectors {
    channel: Value,
    receipt: Value,
}

/// One exchange for each profile and class, from a repeatable generator.
fn generate() -> Vectors {
    let mut exchanges = Vec::new();
    let mut receipts = Vec::new();
    for profile in Profile::ALL {
        for class in [ResponseClass::Stream, ResponseClass::Whole] {
            let (exchange, receipt) = generate_one(profile, class);
            exchanges.push(exchange);
            receipts.push(receipt);
        }
    }
    let epoch = epoch(1);
    let kc = epoch.key_configuration();
    let head = json!({
        "format": "subrosa sealed exchange, version 1",
        "note": "hexadecimal; keys are made from a repeatable generator and protect nothing",
        "key_configuration": hex::encode(kc.as_bytes()),
        "key_id": kc.key_id().to_string(),
        "private_key": hex::encode(epoch.private_key_bytes()),
        "now": NOW,
    });
    let mut channel = head.clone();
    channel["exchanges"] = Value::Array(exchanges);
    let mut receipt = json!({ "format": "subrosa receipt, version 1" });
    receipt["key_configuration"] = head["key_configuration"].clone();
    receipt["receipts"] = Value::Array(receipts);
    Vectors { channel, receipt }
}

fn generate_one(profile: Profile, class: ResponseClass) -> (Value, Value) {
    let epoch = epoch(1);
    let options = SealOptions {
        profile,
        keep_transcript: true,
        ..SealOptions::default()
    };
    let mut sealed = seal_request(
        &node(&epoch),
        &request(),
        &options,
        UnixSeconds::new(NOW),
        &mut TestRng(40),
    )
    .unwrap();
    let ephemeral = sealed.opener.ephemeral_bytes();
    let opened = gateway(epoch).open(&sealed.bytes, NOW).unwrap();
    let request_id = opened.request_id;
    let wire = answer(opened, class, b"hello");
    let mut events = Vec::new();
    for piece in &wire {
        sealed.opener.push(piece, &mut events).unwrap();
    }
    let Some(ResponseEvent::Complete(completed)) = events.last() else {
        panic!("a complete answer");
    };
    let transcript = completed.transcript.as_ref().unwrap();
    let exchange = json!({
        "profile": profile.name(),
        "class": if class == ResponseClass::Stream { "stream" } else { "whole" },
        "message": hex::encode(&transcript.message),
        "request_id": hex::encode(request_id),
        "client_ephemeral_private_key": hex::encode(ephemeral),
        "request": hex::encode(&sealed.bytes),
        "response": hex::encode(wire.concat()),
        "frames": hex::encode(&transcript.frames),
        "receipt_key": hex::encode(completed.receipt_key.as_slice()),
        "receipt": hex::encode(completed.receipt.receipt().as_bytes()),
    });
    let receipt = json!({
        "receipt": exchange["receipt"],
        "id": completed.receipt.receipt().id(),
        "receipt_key": exchange["receipt_key"],
        "message": exchange["message"],
        "frames": exchange["frames"],
        "minute": NOW / 60,
        "weights": hex::encode(WEIGHTS),
    });
    (exchange, receipt)
}

fn read(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(path(name)).unwrap()).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

#[test]
#[ignore = "writes spec/vectors; run by `make vectors`"]
fn write_vectors() {
    let Vectors { channel, receipt } = generate();
    for (name, value) in [("channel.json", channel), ("receipt.json", receipt)] {
        let text = serde_json::to_string_pretty(&value).unwrap() + "\n";
        std::fs::write(path(name), text).unwrap();
        assert_eq!(read(name), value);
    }
}

#[test]
fn the_vectors_are_what_this_code_makes() {
    let Vectors { channel, receipt } = generate();
    assert_eq!(read("channel.json"), channel);
    assert_eq!(read("receipt.json"), receipt);
}

#[test]
fn the_vectors_requests_open_and_their_answers_too() {
    let vectors = read("channel.json");
    for exchange in vectors["exchanges"].as_array().unwrap() {
        let opened = gateway(epoch(1))
            .open(&bytes(&exchange["request"]), NOW)
            .unwrap();
        assert_eq!(
            opened.request.encode().unwrap().as_slice(),
            bytes(&exchange["message"])
        );
        assert_eq!(opened.request_id.to_vec(), bytes(&exchange["request_id"]));
    }
}

#[test]
fn the_vectors_receipts_verify_and_open() {
    let vectors = read("receipt.json");
    let kc = KeyConfiguration::parse(&bytes(&vectors["key_configuration"])).unwrap();
    for vector in vectors["receipts"].as_array().unwrap() {
        let receipt = Receipt::parse(&bytes(&vector["receipt"])).unwrap();
        let verified = receipt.verify(&kc).unwrap();
        let key = bytes(&vector["receipt_key"]).try_into().unwrap();
        verified
            .opens(&key, &bytes(&vector["message"]), &bytes(&vector["frames"]))
            .unwrap();
        assert_eq!(receipt.id(), vector["id"].as_str().unwrap());
    }
}

/// A second, independent implementation of HPKE and X-Wing reads our requests
/// and derives our exporter secret.
#[test]
fn another_implementation_of_hpke_opens_the_vectors() {
    use hpke_rs::hpke_types::{AeadAlgorithm, KdfAlgorithm, KemAlgorithm};
    use hpke_rs::{Hpke, HpkePrivateKey, Mode};
    use hpke_rs_libcrux::HpkeLibcrux;

    let vectors = read("channel.json");
    let kc = bytes(&vectors["key_configuration"]);
    let info = [b"subrosa/request/1", sha256(&[&kc]).as_slice()].concat();
    let private = HpkePrivateKey::new(bytes(&vectors["private_key"]));
    for exchange in vectors["exchanges"].as_array().unwrap() {
        let request = bytes(&exchange["request"]);
        let (enc, chunks) = request[17..].split_at(1120);
        let hpke = Hpke::<HpkeLibcrux>::new(
            Mode::Base,
            KemAlgorithm::XWingDraft06,
            KdfAlgorithm::HkdfSha256,
            AeadAlgorithm::ChaCha20Poly1305,
        );
        let mut context = hpke
            .setup_receiver(enc, &private, &info, None, None, None)
            .unwrap();
        assert_eq!(chunks[0], 0, "one chunk, the last");
        let plaintext = context.open(b"final", &chunks[1..]).unwrap();
        let message = bytes(&exchange["message"]);
        assert!(
            plaintext
                .windows(message.len())
                .any(|window| window == message)
        );
        let exported = context.export(b"subrosa/response/1", 32).unwrap();
        let keys = keys_of(exchange, &request, &exported);
        assert_eq!(keys, bytes(&exchange["receipt_key"]));
    }
}

/// Derives `k_r` as spec/channel.md §3 says, with the other implementation's
/// exporter secret.
fn keys_of(exchange: &Value, request: &[u8], exported: &[u8]) -> Vec<u8> {
    use hpke::{Deserializable, Kem as _};

    let response = bytes(&exchange["response"]);
    let header = &response[..3 + 32 + 1120];
    let private = bytes(&exchange["client_ephemeral_private_key"]);
    let private = crate::suite::PrivateKey::from_bytes(&private).unwrap();
    let ct2 = crate::suite::EncappedKey::from_bytes(&header[35..]).unwrap();
    let shared = crate::suite::Kem::decap(&private, None, &ct2).unwrap();
    let transcript = sha256(&[b"subrosa/transcript/1", &sha256(&[request]), header]);
    let salt = [&request[17..17 + 1120], &header[3..35]].concat();
    let input = [exported, shared.0.as_slice()].concat();
    let expander = crate::suite::Expander::new(&salt, &input);
    expander
        .expand::<32>(b"subrosa/receipt/1", &transcript)
        .to_vec()
}

impl ResponseOpener {
    fn ephemeral_bytes(&self) -> Vec<u8> {
        use hpke::Serializable;
        self.ephemeral().unwrap().to_bytes().to_vec()
    }
}
