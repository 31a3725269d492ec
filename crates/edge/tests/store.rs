//! The store with real databases, passkeys in software, and devices that use the vault.
#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::new_without_default,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests"
)]

mod support;

use std::io::Read as _;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use subrosa_vault::{
    Account, AccountId, History, HistoryError, ObjectId, ObjectKind, Pin, RecordHeader,
    RecoveryCode, SlotSecret, Stub, Write, prf_input,
};
use support::{Answer, Device, ORIGIN, Passkey, Place, Wrong, databases, each, random};

/// The system's randomness, as the vault takes it.
struct Rng;

impl rand_core::TryRng for Rng {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(u32::from_be_bytes(random()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(u64::from_be_bytes(random()))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        getrandom::fill(out).unwrap();
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Rng {}

fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.code(), (status, code.to_owned()), "{answer:?}");
    assert_eq!(answer.headers["content-type"], "application/problem+json");
}

fn passkey_secret(byte: u8) -> SlotSecret {
    SlotSecret::Passkey(vec![byte; 32].try_into().map(<[u8; 32]>::into).unwrap())
}

/// A record that only the store's rules are about: its seal opens nothing.
fn record(sequence: u64, previous: [u8; 32], text: &[u8]) -> Vec<u8> {
    record_of(2, sequence, [7; 16], (sequence, 1), previous, text)
}

fn record_of(
    kind: u8,
    sequence: u64,
    object: [u8; 16],
    (version, first): (u64, u64),
    previous: [u8; 32],
    text: &[u8],
) -> Vec<u8> {
    let mut record = b"SHO1".to_vec();
    record.extend_from_slice(&[kind, 0, 0, 0, 0, 1]);
    record.extend_from_slice(&[1; 16]);
    record.extend_from_slice(&sequence.to_be_bytes());
    record.extend_from_slice(&object);
    record.extend_from_slice(&version.to_be_bytes());
    record.extend_from_slice(&first.to_be_bytes());
    record.extend_from_slice(&previous);
    record.extend_from_slice(text);
    record
}

fn head(record: &[u8]) -> [u8; 32] {
    let (header, rest) = record.split_at(98);
    let rest = Sha256::digest(rest);
    Sha256::digest([b"subrosa/history/1/head", header, rest.as_slice()].concat()).into()
}

/// Parts of an answer: whether each is a stub, and its bytes.
fn parts(mut body: &[u8]) -> Vec<(bool, Vec<u8>)> {
    let mut parts = Vec::new();
    while let Some((length, rest)) = body.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap();
        parts.push((rest[0] == 1, rest[1..=length].to_vec()));
        body = &rest[1 + length..];
    }
    parts
}

#[test]
fn a_new_account_is_made_with_a_passkey_and_entered_again() {
    each(|place| {
        let (mut device, passkey) = place.account();
        let account = device.get("account").json();
        assert_eq!(account["credentials"], 1);
        assert_eq!(account["bytes"], 0);
        assert_eq!(device.post("logout", b"").status, 204);
        assert_eq!(device.cookie, None);
        refused(&device.get("account"), 401, "unauthorized");
        let entered = device.login(&passkey);
        assert_eq!(entered.status, 200, "{entered:?}");
        assert_eq!(entered.json()["account"], account["account"]);
        assert_eq!(entered.json()["credential"], passkey.name());
        assert_eq!(entered.json()["slot"], Value::Null);
        // A second passkey of the same account.
        let second = Passkey::new();
        assert_eq!(
            device.register(&second).json()["account"],
            account["account"]
        );
        let mut other = place.device();
        assert_eq!(other.login(&second).json()["account"], account["account"]);
        assert_eq!(other.get("account").json()["credentials"], 2);
    });
}

#[test]
fn every_wrong_answer_of_a_passkey_is_refused() {
    each(|place| {
        let (mut device, passkey) = place.account();
        device.post("logout", b"");
        let good = Wrong::default;
        let wrongs = [
            Wrong {
                origin: "https://evil.example",
                ..good()
            },
            Wrong {
                origin: "http://localhost:8791",
                ..good()
            },
            Wrong {
                rp: "evil.example",
                ..good()
            },
            Wrong {
                kind: Some("webauthn.other"),
                ..good()
            },
            // Nobody there; nobody verified.
            Wrong {
                flags: 0b100,
                ..good()
            },
            Wrong {
                flags: 0b001,
                ..good()
            },
            Wrong {
                challenge: Some("AAAAAAAAAAAAAAAAAAAAAA".to_owned()),
                ..good()
            },
        ];
        for wrong in &wrongs {
            let options = device.post("login/begin", b"").json();
            let answer = passkey.get(&options, wrong).to_string();
            let answer = device.post("login", answer.as_bytes());
            refused(&answer, 401, "unauthorized");
            let options = device.post("passkeys/begin", b"").json();
            let answer = Passkey::new().create(&options, wrong).to_string();
            let answer = device.post("passkeys", answer.as_bytes());
            refused(&answer, 401, "unauthorized");
        }
        for wrong in [
            Wrong {
                other_key: true,
                ..good()
            },
            Wrong {
                user: Some(vec![9; 16]),
                ..good()
            },
        ] {
            let options = device.post("login/begin", b"").json();
            let answer = passkey.get(&options, &wrong).to_string();
            refused(
                &device.post("login", answer.as_bytes()),
                401,
                "unauthorized",
            );
        }
        // Twice the same answer; one to a challenge of the other kind; one of a passkey that nobody knows.
        let options = device.post("login/begin", b"").json();
        let answer = passkey.get(&options, &good()).to_string();
        assert_eq!(device.post("login", answer.as_bytes()).status, 200);
        refused(
            &device.post("login", answer.as_bytes()),
            401,
            "unauthorized",
        );
        device.cookie = None;
        let options = device.post("passkeys/begin", b"").json();
        let answer = passkey.get(&options, &good()).to_string();
        refused(
            &device.post("login", answer.as_bytes()),
            401,
            "unauthorized",
        );
        let stranger = Passkey::new();
        let options = device.post("login/begin", b"").json();
        let answer = stranger.get(
            &options,
            &Wrong {
                user: Some(vec![9; 16]),
                ..good()
            },
        );
        refused(
            &device.post("login", answer.to_string().as_bytes()),
            401,
            "unauthorized",
        );
        for body in [&b"{}"[..], b"", b"[1]", b"\xff"] {
            refused(&device.post("login", body), 400, "bad-request");
            refused(&device.post("passkeys", body), 400, "bad-request");
        }
    });
}

#[test]
fn a_passkey_is_registered_for_the_account_that_asked_and_once() {
    each(|place| {
        let (mut one, _) = place.account();
        let (mut other, passkey) = place.account();
        let options = one.post("passkeys/begin", b"").json();
        let answer = Passkey::new()
            .create(&options, &Wrong::default())
            .to_string();
        refused(
            &other.post("passkeys", answer.as_bytes()),
            401,
            "unauthorized",
        );
        // A passkey that another account has.
        let options = one.post("passkeys/begin", b"").json();
        let answer = passkey.create(&options, &Wrong::default()).to_string();
        refused(&one.post("passkeys", answer.as_bytes()), 409, "conflict");
        // What was begun without a session is no new passkey of one.
        let options = place.device().post("passkeys/begin", b"").json();
        let answer = Passkey::new()
            .create(&options, &Wrong::default())
            .to_string();
        refused(
            &one.post("passkeys", answer.as_bytes()),
            401,
            "unauthorized",
        );
    });
}

#[test]
fn results_of_a_passkeys_prf_are_refused() {
    each(|place| {
        let (mut device, passkey) = place.account();
        for results in [
            json!({ "first": "c2VjcmV0" }),
            json!({ "first": null, "second": "c2VjcmV0" }),
            json!({}),
        ] {
            let wrong = Wrong {
                extensions: json!({ "prf": { "enabled": true, "results": results } }),
                ..Wrong::default()
            };
            let options = device.post("login/begin", b"").json();
            let answer = passkey.get(&options, &wrong).to_string();
            refused(&device.post("login", answer.as_bytes()), 400, "prf-refused");
            let options = device.post("passkeys/begin", b"").json();
            let answer = Passkey::new().create(&options, &wrong).to_string();
            refused(
                &device.post("passkeys", answer.as_bytes()),
                400,
                "prf-refused",
            );
        }
    });
}

#[test]
fn another_sites_page_can_ask_for_nothing() {
    each(|place| {
        let (device, _) = place.account();
        let cookie = device.cookie.clone().unwrap();
        let ask = |method: &str, path: &str, headers: &[(&str, &str)]| {
            let mut all = vec![("cookie", cookie.as_str())];
            all.extend_from_slice(headers);
            device
                .raw(method, &format!("/store/v1/{path}"), &all, b"")
                .unwrap()
        };
        for (method, path) in [
            ("POST", "logout"),
            ("PUT", "roster"),
            ("DELETE", "account"),
            ("POST", "history/records"),
        ] {
            refused(&ask(method, path, &[]), 403, "forbidden");
            refused(&ask(method, path, &[("origin", ORIGIN)]), 403, "forbidden");
            let evil = [("subrosa-store", "1"), ("origin", "https://evil.example")];
            refused(&ask(method, path, &evil), 403, "forbidden");
            let null = [("subrosa-store", "1"), ("origin", "null")];
            refused(&ask(method, path, &null), 403, "forbidden");
        }
        assert_eq!(ask("GET", "account", &[]).status, 200);
        // No answer lets another origin read it.
        let answer = ask("GET", "account", &[("origin", "https://evil.example")]);
        assert!(answer.headers.get("access-control-allow-origin").is_none());
    });
}

#[test]
fn without_a_session_there_is_nothing_of_an_account() {
    each(|place| {
        let (mut device, _) = place.account();
        let (mut other, _) = place.account();
        let slot = "ab".repeat(16);
        assert_eq!(
            device
                .ask("PUT", &format!("slots/{slot}"), &[], b"locked")
                .status,
            204
        );
        let stranger = || place.device();
        for (method, path) in [
            ("GET", "roster"),
            ("PUT", "roster"),
            ("GET", "slots"),
            ("GET", "history"),
            ("GET", "history/records"),
            ("GET", "history/counted"),
            ("GET", "history/changes"),
            ("POST", "history/records"),
            ("GET", "shares"),
            ("GET", "account"),
            ("GET", "account/export"),
            ("DELETE", "account"),
        ] {
            refused(&stranger().ask(method, path, &[], b""), 401, "unauthorized");
            let mut guess = stranger();
            guess.cookie = Some(format!("subrosa-session={}", "A".repeat(43)));
            refused(&guess.ask(method, path, &[], b""), 401, "unauthorized");
        }
        refused(&other.get(&format!("slots/{slot}")), 404, "not-found");
        refused(
            &other.ask("DELETE", &format!("slots/{slot}"), &[], b""),
            404,
            "not-found",
        );
    });
}

#[test]
fn a_list_of_slots_is_replaced_only_by_the_next() {
    each(|place| {
        let (mut device, _) = place.account();
        refused(&device.get("roster"), 404, "no-roster");
        let mut put = |version: &str, roster: &[u8]| {
            device.ask("PUT", "roster", &[("subrosa-version", version)], roster)
        };
        let late = put("2", b"second");
        refused(&late, 409, "conflict");
        assert_eq!(late.number("subrosa-version"), 0);
        assert_eq!(put("1", b"first").status, 204);
        refused(&put("1", b"other"), 409, "conflict");
        refused(&put("3", b"third"), 409, "conflict");
        assert_eq!(put("2", b"second").status, 204);
        for wrong in ["", "0", "-1", "x", "99999999999999999999"] {
            refused(&put(wrong, b"x"), 400, "bad-request");
        }
        refused(&put("3", &vec![0; (1 << 20) + 1]), 413, "too-large");
        let roster = device.get("roster");
        assert_eq!(
            (&roster.body[..], roster.number("subrosa-version")),
            (&b"second"[..], 2)
        );
    });
}

#[test]
fn a_removed_slot_lets_nobody_in() {
    each(|place| {
        let (mut device, first) = place.account();
        let second = Passkey::new();
        device.register(&second);
        let code = RecoveryCode::generate(&mut Rng).login();
        let (name, proof) = (hex::encode(code.name), hex::encode(*code.proof));
        let slot = |n: u8| format!("slots/{}", hex::encode([n; 16]));
        let put = |device: &mut Device, n: u8, headers: &[(&str, &str)]| {
            let put = device.ask("PUT", &slot(n), headers, b"locked");
            assert_eq!(put.status, 204, "{put:?}");
        };
        put(&mut device, 1, &[("subrosa-credential", &first.name())]);
        put(&mut device, 2, &[("subrosa-credential", &second.name())]);
        put(
            &mut device,
            3,
            &[
                ("subrosa-recovery-name", &name),
                ("subrosa-recovery-proof", &proof),
            ],
        );
        // A locked key is replaced at each use, and what leads to it stays.
        put(&mut device, 2, &[]);
        put(&mut device, 3, &[]);
        let recovery = json!({ "name": name, "proof": proof }).to_string();
        let mut lost = place.device();
        assert_eq!(lost.login(&second).json()["slot"], hex::encode([2; 16]));
        assert_eq!(
            lost.post("login/recovery", recovery.as_bytes()).json()["slot"],
            hex::encode([3; 16])
        );
        assert_eq!(lost.get(&slot(3)).body, b"locked");
        let guess = json!({ "name": name, "proof": "00".repeat(32) }).to_string();
        refused(
            &place.device().post("login/recovery", guess.as_bytes()),
            401,
            "unauthorized",
        );
        let guess = json!({ "name": "00".repeat(16), "proof": proof }).to_string();
        refused(
            &place.device().post("login/recovery", guess.as_bytes()),
            401,
            "unauthorized",
        );
        refused(
            &place.device().post("login/recovery", b"{}"),
            400,
            "bad-request",
        );
        for n in [2, 3] {
            assert_eq!(device.ask("DELETE", &slot(n), &[], b"").status, 204);
        }
        refused(&lost.get("account"), 401, "unauthorized");
        refused(&place.device().login(&second), 401, "unauthorized");
        refused(
            &place.device().post("login/recovery", recovery.as_bytes()),
            401,
            "unauthorized",
        );
        assert_eq!(
            device.get("slots").json(),
            json!({ "slots": [{ "slot": hex::encode([1; 16]), "credential": first.name() }] })
        );
        let stranger = device.ask("PUT", &slot(4), &[("subrosa-credential", "00")], b"locked");
        refused(&stranger, 400, "bad-request");
        refused(
            &device.ask("PUT", "slots/xyz", &[], b"locked"),
            400,
            "bad-request",
        );
        refused(
            &device.ask("PUT", &slot(4), &[], &[0; 4097]),
            413,
            "too-large",
        );
    });
}

#[test]
fn a_record_is_taken_only_if_it_is_the_next() {
    each(|place| {
        let (mut device, _) = place.account();
        let first = record(1, [5; 32], b"one");
        let second = record(2, head(&first), b"two");
        refused(&device.post("history/records", &second), 409, "conflict");
        assert_eq!(device.post("history/records", &first).status, 201);
        refused(&device.post("history/records", &first), 409, "conflict");
        let forked = record(2, [6; 32], b"two");
        refused(&device.post("history/records", &forked), 409, "conflict");
        let later = record(3, head(&first), b"two");
        refused(&device.post("history/records", &later), 409, "conflict");
        assert_eq!(device.post("history/records", &second).status, 201);
        let history = device.get("history").json();
        assert_eq!(history["sequence"], 2);
        assert_eq!(history["head"], hex::encode(head(&second)));
        let records = device.get("history/records?after=0");
        assert_eq!(records.number("subrosa-sequence"), 2);
        assert_eq!(
            parts(&records.body),
            [(false, first), (false, second.clone())]
        );
        assert_eq!(
            parts(&device.get("history/records?after=1").body),
            [(false, second.clone())]
        );
        assert!(parts(&device.get("history/records?after=2").body).is_empty());
        refused(&device.get("history/counted"), 404, "not-found");
        let next = head(&second);
        for wrong in [
            b"".to_vec(),
            b"SHO2".to_vec(),
            record(3, next, b"")[..97].to_vec(),
            record_of(0, 3, [7; 16], (3, 1), next, b""),
            record_of(4, 3, [7; 16], (3, 1), next, b""),
            record_of(2, 0, [7; 16], (3, 1), next, b""),
            record_of(2, u64::MAX, [7; 16], (3, 1), next, b""),
            record_of(2, 3, [7; 16], (3, 4), next, b""),
            record_of(2, 3, [7; 16], (3, 0), next, b""),
            record_of(2, 3, [7; 16], (0, 0), next, b""),
        ] {
            refused(&device.post("history/records", &wrong), 400, "bad-request");
        }
        let long = record(3, next, &vec![0; 1_180_770 - 97]);
        refused(&device.post("history/records", &long), 413, "too-large");
        let longest = record(3, next, &vec![0; 1_180_770 - 98]);
        assert_eq!(device.post("history/records", &longest).status, 201);
    });
}

#[test]
fn an_answer_has_a_limit_and_the_rest_is_asked_for() {
    each(|place| {
        let (mut device, _) = place.account();
        let (mut previous, text) = ([5; 32], vec![b'x'; 1_000_000]);
        for sequence in 1..=7 {
            let record = record(sequence, previous, &text);
            assert_eq!(device.post("history/records", &record).status, 201);
            previous = head(&record);
        }
        let first = device.get("history/records?after=0");
        assert_eq!(first.number("subrosa-sequence"), 7);
        // 4 MiB, and the record with which they are reached.
        assert_eq!(parts(&first.body).len(), 5);
        assert_eq!(parts(&device.get("history/records?after=5").body).len(), 2);
        let export = device.get("account/export").body;
        let records = export.split(|byte| *byte == b'\n');
        let records = records.filter(|line| line.windows(8).any(|part| part == b"\"record\""));
        assert_eq!(records.count(), 7);
    });
}

#[test]
fn an_account_has_a_limit() {
    for kind in databases() {
        let place = Place::with(kind, |config| config.limits.quota = 1000);
        let (mut device, _) = place.account();
        let first = record(1, [5; 32], &[0; 700]);
        assert_eq!(device.post("history/records", &first).status, 201);
        let second = record(2, head(&first), &[0; 200]);
        refused(&device.post("history/records", &second), 507, "over-quota");
        let small = record(2, head(&first), &[0; 90]);
        assert_eq!(device.post("history/records", &small).status, 201);
        let share = format!("shares/{}", "cd".repeat(16));
        let shared = device.ask("PUT", &share, &[("subrosa-days", "1")], &[0; 100]);
        refused(&shared, 507, "over-quota");
        assert_eq!(device.get("history").json()["bytes"], 986);
    }
}

#[test]
fn what_no_longer_counts_is_forgotten_at_a_manifest() {
    each(|place| {
        let (mut device, _) = place.account();
        let mut previous = [5; 32];
        let mut put = |record: Vec<u8>| {
            assert_eq!(device.post("history/records", &record).status, 201);
            previous = head(&record);
            (record, previous)
        };
        let text = vec![b'x'; 1000];
        let (one, h) = put(record_of(3, 1, [1; 16], (1, 1), [5; 32], &text));
        let (two, h) = put(record_of(2, 2, [2; 16], (1, 1), h, &text));
        let (three, h) = put(record_of(3, 3, [1; 16], (2, 2), h, &text));
        let (manifest, h) = put(record_of(1, 4, [9; 16], (1, 1), h, b"m"));
        let (five, _) = put(record_of(2, 5, [2; 16], (2, 2), h, &text));
        let stub = [&one[..98], Sha256::digest(&one[98..]).as_slice()].concat();
        let all = parts(&device.get("history/records?after=0").body);
        // The second record counts no longer, but did when the manifest was written.
        assert_eq!(
            all,
            [
                (true, stub),
                (false, two.clone()),
                (false, three.clone()),
                (false, manifest.clone()),
                (false, five)
            ]
        );
        let counted = device.get("history/counted?after=0");
        assert_eq!(counted.number("subrosa-manifest"), 4);
        assert_eq!(
            parts(&counted.body),
            [(false, two), (false, three), (false, manifest.clone())]
        );
        assert_eq!(
            parts(&device.get("history/counted?after=3").body),
            [(false, manifest)]
        );
        let bytes: u64 = all
            .iter()
            .map(|(_, bytes)| u64::try_from(bytes.len()).unwrap())
            .sum();
        assert_eq!(device.get("history").json()["bytes"], bytes);
    });
}

/// One device's view of an account at the store.
struct Member {
    device: Device,
    account: Account,
    history: History,
}

impl Member {
    /// Follows the store to its newest record.
    fn follow(&mut self) -> Vec<String> {
        let mut texts = Vec::new();
        loop {
            let path = format!("history/records?after={}", self.history.pin().sequence);
            let answer = self.device.get(&path);
            let newest = answer.number("subrosa-sequence");
            self.history.check_newest(newest).unwrap();
            for (is_stub, bytes) in parts(&answer.body) {
                if is_stub {
                    self.history
                        .accept_stub(&Stub::parse(&bytes).unwrap())
                        .unwrap();
                    continue;
                }
                let entry = self.history.accept(&self.account, &bytes).unwrap();
                if entry.header.kind != ObjectKind::Manifest {
                    texts.push(String::from_utf8(entry.content.to_vec()).unwrap());
                }
            }
            if self.history.pin().sequence >= newest {
                self.history.check_followed().unwrap();
                return texts;
            }
        }
    }

    /// Writes, whoever else does.
    fn write(&mut self, write: Write, text: &str) {
        loop {
            let record = self
                .history
                .seal(&self.account, write, text.as_bytes(), &mut Rng)
                .unwrap();
            match self.device.post("history/records", &record).status {
                201 => {
                    self.history.accept(&self.account, &record).unwrap();
                    return;
                }
                409 => drop(self.follow()),
                other => panic!("{other}"),
            }
        }
    }
}

/// An account with two slots at the store: its first device, and the recovery code.
fn member(place: &Place) -> (Member, RecoveryCode, Passkey) {
    let (mut device, passkey) = place.account();
    let created = Account::create(&passkey_secret(1), &mut Rng).unwrap();
    let pin = Pin::new(created.account.id());
    let code = RecoveryCode::generate(&mut Rng);
    let secret = SlotSecret::RecoveryCode(code.clone());
    let added = created.account.add_slot(&secret, &pin, &mut Rng).unwrap();
    let put = |device: &mut Device, version: &str, roster: &[u8]| {
        let put = device.ask("PUT", "roster", &[("subrosa-version", version)], roster);
        assert_eq!(put.status, 204);
    };
    put(&mut device, "1", &created.roster);
    put(&mut device, "2", &added.roster);
    let (slot, locked) = created.locked.unwrap();
    let headers = [("subrosa-credential", passkey.name())];
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    assert_eq!(
        device
            .ask("PUT", &format!("slots/{slot}"), &headers, &locked)
            .status,
        204
    );
    let (slot, locked) = added.locked.unwrap();
    let login = code.login();
    let (name, proof) = (hex::encode(login.name), hex::encode(*login.proof));
    let headers = [
        ("subrosa-recovery-name", name.as_str()),
        ("subrosa-recovery-proof", proof.as_str()),
    ];
    assert_eq!(
        device
            .ask("PUT", &format!("slots/{slot}"), &headers, &locked)
            .status,
        204
    );
    let history = History::new(added.account.id(), &[]);
    let member = Member {
        device,
        account: added.account,
        history,
    };
    (member, code, passkey)
}

/// A device that has nothing but the recovery code.
fn recovered(place: &Place, code: &RecoveryCode) -> Member {
    let mut device = place.device();
    let login = code.login();
    let body = json!({ "name": hex::encode(login.name), "proof": hex::encode(*login.proof) });
    let entered = device
        .post("login/recovery", body.to_string().as_bytes())
        .json();
    let slot = entered["slot"].as_str().unwrap();
    let locked = device.get(&format!("slots/{slot}")).body;
    let roster = device.get("roster").body;
    let secret = SlotSecret::RecoveryCode(code.clone());
    let (account, pin) = Account::unlock(&locked, &secret, &roster, None).unwrap();
    let history = match device.get("history/counted") {
        answer if answer.status == 200 => {
            let mut records: Vec<_> = parts(&answer.body)
                .into_iter()
                .map(|(_, bytes)| bytes)
                .collect();
            let manifest = records.pop().unwrap();
            let records = records.iter().map(Vec::as_slice);
            History::begin(&account, &[pin], &manifest, records)
                .unwrap()
                .0
        }
        _ => History::new(account.id(), &[pin]),
    };
    Member {
        device,
        account,
        history,
    }
}

#[test]
fn a_device_with_nothing_but_the_code_reads_everything() {
    each(|place| {
        let (mut one, code, _) = member(place);
        let conversation = ObjectId([1; 16]);
        for n in 0..20 {
            one.write(Write::Append(conversation), &format!("message {n}"));
        }
        let mut other = recovered(place, &code);
        assert_eq!(other.follow().len(), 20);
        other.write(Write::Rewrite(conversation), "all of it");
        let manifest = other
            .history
            .seal_manifest(&other.account, &mut Rng)
            .unwrap();
        assert_eq!(other.device.post("history/records", &manifest).status, 201);
        assert_eq!(one.follow(), ["all of it"]);
        one.write(Write::Append(conversation), "more");
        // What was forgotten meanwhile comes as stubs, or not at all.
        let mut late = recovered(place, &code);
        assert_eq!(late.follow(), ["more"]);
        assert_eq!(late.history.pin(), one.history.pin());
        let mut from_the_beginning = recovered(place, &code);
        from_the_beginning.history = History::new(one.account.id(), &[]);
        assert_eq!(from_the_beginning.follow(), ["all of it", "more"]);
        assert_eq!(from_the_beginning.history.pin(), one.history.pin());
    });
}

#[test]
fn many_devices_write_at_once_and_nothing_is_lost() {
    each(|place| {
        let (first, code, _) = member(place);
        drop(first);
        let writers: Vec<_> = (0..8_u8)
            .map(|n| {
                let mut member = recovered(place, &code);
                std::thread::spawn(move || {
                    for m in 0..25 {
                        member.write(Write::Append(ObjectId([n + 1; 16])), &format!("{n} {m}"));
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        let mut texts = recovered(place, &code).follow();
        assert_eq!(texts.len(), 200);
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), 200);
    });
}

/// A store that lies, made by changing its database or its answers. What the vault says of it is tested there; here it is shown end to end.
#[test]
fn a_store_that_lies_is_found_out_by_a_device() {
    each(|place| {
        let (mut one, code, _) = member(place);
        let conversation = ObjectId([1; 16]);
        for n in 0..5 {
            one.write(Write::Append(conversation), &format!("message {n}"));
        }
        let all = parts(&one.device.get("history/records?after=0").body);
        let fresh = recovered(place, &code);
        let read = |records: &[(bool, Vec<u8>)], newest: u64| {
            let mut history = History::new(fresh.account.id(), &[one.history.pin()]);
            history.check_newest(newest)?;
            for (_, record) in records {
                history.accept(&fresh.account, record)?;
            }
            history.check_followed()
        };
        read(&all, 5).unwrap();
        assert_eq!(
            read(&all[..4], 4),
            Err(HistoryError::RolledBack { found: 4, known: 5 })
        );
        let mut swapped = all.clone();
        swapped.swap(1, 2);
        assert_eq!(read(&swapped, 5), Err(HistoryError::Forked(3)));
        let mut garbled = all.clone();
        *garbled[2].1.last_mut().unwrap() ^= 1;
        assert_eq!(read(&garbled, 5), Err(HistoryError::Forged(3)));
        let header = RecordHeader::parse(&all[0].1).unwrap();
        assert_ne!(header.account, AccountId([0; 16]));
        // The list of slots of another account, and an older one of this.
        let (theirs, ..) = member(place);
        let mut theirs = theirs.device;
        let roster = theirs.get("roster").body;
        let error = one.account.refresh(&roster).map(drop);
        assert_eq!(error, Err(HistoryError::OtherAccount));
    });
}

#[test]
fn a_device_hears_of_what_another_one_wrote() {
    each(|place| {
        let (mut one, code, _) = member(place);
        let other = recovered(place, &code);
        let cookie = other.device.cookie.clone().unwrap();
        let response = ureq::get(format!("{}/store/v1/history/changes", place.url))
            .header("cookie", cookie)
            .call()
            .unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut body = response.into_body().into_reader();
        let mut heard = String::new();
        let mut until = |words: &str| {
            let mut buffer = [0; 256];
            while !heard.contains(words) {
                let read = body.read(&mut buffer).unwrap();
                assert!(read > 0, "{heard}");
                heard += std::str::from_utf8(&buffer[..read]).unwrap();
            }
        };
        until("event: newest\ndata: 0\n\n");
        one.write(Write::Append(ObjectId([1; 16])), "text");
        until("event: newest\ndata: 1\n\n");
    });
}

#[test]
fn a_service_stops_although_devices_listen() {
    each(|place| {
        let (one, _, _) = member(place);
        let cookie = one.device.cookie.clone().unwrap();
        let response = ureq::get(format!("{}/store/v1/history/changes", place.url))
            .header("cookie", cookie)
            .call()
            .unwrap();
        let mut body = response.into_body().into_reader();
        assert!(body.read(&mut [0; 256]).unwrap() > 0);
        place.stop();
        // A stream without an end would hold the service, and this would hang.
        let mut rest = Vec::new();
        body.read_to_end(&mut rest).unwrap();
    });
}

#[test]
fn a_shared_copy_is_there_for_its_time_only() {
    each(|place| {
        let (mut device, _) = place.account();
        let (mut other, _) = place.account();
        let share = format!("shares/{}", "cd".repeat(16));
        let put = |device: &mut Device, days: &str| {
            device.ask("PUT", &share, &[("subrosa-days", days)], b"sealed")
        };
        for wrong in ["0", "366", "x"] {
            refused(&put(&mut device, wrong), 400, "bad-request");
        }
        assert_eq!(put(&mut device, "1").status, 204);
        refused(&put(&mut other, "1"), 409, "conflict");
        assert_eq!(place.device().get(&share).body, b"sealed");
        let shares = device.get("shares").json();
        assert_eq!(shares["shares"][0]["share"], "cd".repeat(16));
        assert_eq!(other.get("shares").json(), json!({ "shares": [] }));
        refused(&other.ask("DELETE", &share, &[], b""), 404, "not-found");
        assert_eq!(device.get("account").json()["bytes"], 6);
        assert_eq!(device.ask("DELETE", &share, &[], b"").status, 204);
        refused(&place.device().get(&share), 404, "not-found");
        assert_eq!(device.get("account").json()["bytes"], 0);
    });
}

#[test]
fn an_account_is_exported_and_deleted_whole() {
    each(|place| {
        let (mut one, code, passkey) = member(place);
        one.write(Write::Append(ObjectId([1; 16])), "text");
        let share = format!("shares/{}", "cd".repeat(16));
        one.device
            .ask("PUT", &share, &[("subrosa-days", "1")], b"sealed");
        let export = one.device.get("account/export");
        let lines: Vec<Value> = export
            .body
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
        for (member, count) in [("roster", 1), ("slot", 2), ("record", 1), ("share", 1)] {
            let found = lines.iter().filter(|line| line.get(member).is_some());
            assert_eq!(found.count(), count, "{member}");
        }
        let account = one.device.get("account").json()["account"].clone();
        let account = account.as_str().unwrap();
        refused(
            &one.device.ask("DELETE", "account", &[], b""),
            400,
            "bad-request",
        );
        let other = [("subrosa-confirm", "00")];
        refused(
            &one.device.ask("DELETE", "account", &other, b""),
            400,
            "bad-request",
        );
        let mut second = recovered(place, &code).device;
        let confirm = [("subrosa-confirm", account)];
        assert_eq!(
            one.device.ask("DELETE", "account", &confirm, b"").status,
            204
        );
        refused(&second.get("account"), 401, "unauthorized");
        refused(&place.device().login(&passkey), 401, "unauthorized");
        refused(&place.device().get(&share), 404, "not-found");
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            sqlx::any::install_default_drivers();
            let pool = sqlx::AnyPool::connect(&place.database).await.unwrap();
            for table in [
                "account",
                "credential",
                "slot",
                "record",
                "share",
                "session",
            ] {
                let query = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
                let row = sqlx::query(query).fetch_one(&pool).await.unwrap();
                assert_eq!(sqlx::Row::get::<i64, _>(&row, 0), 0, "{table}");
            }
        });
    });
}

/// What a person wrote, and what opens it, in every file of the database.
#[test]
fn the_database_holds_nothing_that_can_be_read() {
    let place = Place::with("sqlite", |_| {});
    let (mut one, code, _) = member(&place);
    let canary = "canary-7f3a-conversation-about-roses";
    one.write(Write::Append(ObjectId([1; 16])), canary);
    one.write(Write::Replace(ObjectId([2; 16])), "canary-folder-name");
    let words = code.words();
    let login = code.login();
    let mut secrets = vec![
        canary.as_bytes().to_vec(),
        b"canary-folder-name".to_vec(),
        vec![1; 32],
        login.proof.to_vec(),
        hex::encode(*login.proof).into_bytes(),
        prf_input().to_vec(),
        one.device.cookie.clone().unwrap().as_bytes()["subrosa-session=".len()..].to_vec(),
    ];
    secrets.extend(
        words
            .split(' ')
            .take(3)
            .map(|word| word.as_bytes().to_vec())
            .filter(|word| word.len() > 6),
    );
    let mut held = Vec::new();
    for entry in std::fs::read_dir(place.folder.path()).unwrap() {
        held.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    let has = |bytes: &[u8]| held.windows(bytes.len()).any(|window| window == bytes);
    // What must be there is found, so the search works.
    assert!(has(b"SHO1") && has(b"SHR1") && has(b"SHP1"));
    for secret in &secrets {
        assert!(!has(secret), "{}", String::from_utf8_lossy(secret));
    }
}

#[test]
fn every_answer_keeps_pages_apart() {
    let place = Place::with("sqlite", |_| {});
    let device = place.device();
    for path in ["/", "/store/v1/account", "/subrosa/v1/directory", "/x"] {
        let answer = device.raw("GET", path, &[], b"").unwrap();
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self' 'wasm-unsafe-eval';"));
        assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"));
        assert!(policy.contains("require-trusted-types-for 'script'"));
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(answer.headers[name], value);
        }
    }
}
