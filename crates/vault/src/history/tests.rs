#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    clippy::unwrap_used,
    reason = "tests"
)]

use super::*;
use crate::fixtures::{TestRng, code, device, opened, passkey};

/// A store, and one device that writes to it.
struct Place {
    account: Account,
    history: History,
    records: Vec<Vec<u8>>,
    rng: TestRng,
}

fn object(n: u8) -> ObjectId {
    ObjectId([n; 16])
}

impl Place {
    fn new() -> Self {
        let account = opened().account;
        Self {
            history: History::new(account.id(), &[]),
            account,
            records: Vec::new(),
            rng: TestRng(1000),
        }
    }

    fn try_write(&mut self, write: Write, text: &str) -> Result<(), HistoryError> {
        let record = self
            .history
            .seal(&self.account, write, text.as_bytes(), &mut self.rng)?;
        self.history.accept(&self.account, &record)?;
        self.records.push(record);
        Ok(())
    }

    fn write(&mut self, write: Write, text: &str) {
        self.try_write(write, text).unwrap();
    }

    fn manifest(&mut self) {
        let record = self
            .history
            .seal_manifest(&self.account, &mut self.rng)
            .unwrap();
        self.history.accept(&self.account, &record).unwrap();
        self.records.push(record);
    }

    /// Some records of each kind.
    fn filled() -> Self {
        let mut place = Self::new();
        place.write(Write::Append(object(1)), "one");
        place.write(Write::Replace(object(2)), "folder");
        place.write(Write::Append(object(1)), "two");
        place.write(Write::Append(object(3)), "other");
        place.write(Write::Replace(object(2)), "renamed");
        place.write(Write::Append(object(3)), "other two");
        place.write(Write::Rewrite(object(1)), "one two");
        place.write(Write::Append(object(1)), "three");
        place.write(Write::Delete(object(3)), "");
        place
    }

    fn read(&self, records: &[Vec<u8>]) -> Result<Vec<String>, HistoryError> {
        let mut history = History::new(self.account.id(), &[]);
        let accept = |record: &Vec<u8>| {
            history
                .accept(&self.account, record)
                .map(|entry| text(&entry))
        };
        records.iter().map(accept).collect()
    }

    fn live(&self) -> Vec<&[u8]> {
        let is_live = |record: &&Vec<u8>| {
            let header = RecordHeader::parse(record).unwrap();
            self.history.is_live(header.sequence)
        };
        self.records
            .iter()
            .filter(is_live)
            .map(Vec::as_slice)
            .collect()
    }
}

fn text(entry: &Entry) -> String {
    String::from_utf8(entry.content.to_vec()).unwrap()
}

#[test]
fn another_device_reads_what_one_wrote() {
    let place = Place::filled();
    let texts = place.read(&place.records).unwrap();
    assert_eq!(
        texts,
        [
            "one",
            "folder",
            "two",
            "other",
            "renamed",
            "other two",
            "one two",
            "three",
            ""
        ]
    );
    assert_eq!(place.live().len(), 4);
}

#[test]
fn a_store_that_goes_back_is_found_out() {
    let place = Place::filled();
    place.history.check_newest(9).unwrap();
    place.history.check_newest(10).unwrap();
    let error = HistoryError::RolledBack { found: 8, known: 9 };
    assert_eq!(place.history.check_newest(8), Err(error));
    // A device that has no records, but knows what its slot saw.
    let history = History::new(place.account.id(), &[place.history.pin()]);
    assert_eq!(history.check_newest(8), Err(error));
}

#[test]
fn a_store_that_shows_two_histories_is_found_out() {
    let mut one = Place::filled();
    let mut other = Place::filled();
    other.rng = TestRng(5000);
    one.write(Write::Append(object(1)), "here");
    other.write(Write::Append(object(1)), "there");
    other.write(Write::Append(object(1)), "there again");
    let error = one
        .history
        .accept(&one.account, &other.records[10])
        .map(drop);
    assert_eq!(error, Err(HistoryError::Forked(11)));
    let error = one
        .history
        .accept(&one.account, &other.records[9])
        .map(drop);
    assert_eq!(error, Err(HistoryError::Forked(10)));
    // A device without records that knows the one branch refuses the other when it comes to where they part.
    let mut fresh = History::new(one.account.id(), &[one.history.pin()]);
    for record in &other.records[..9] {
        fresh.accept(&one.account, record).unwrap();
    }
    let error = fresh.accept(&one.account, &other.records[9]).map(drop);
    assert_eq!(error, Err(HistoryError::Forked(10)));
    fresh.accept(&one.account, &one.records[9]).unwrap();
}

#[test]
fn records_that_are_left_out_repeated_or_exchanged_are_found_out() {
    let place = Place::filled();
    for n in 0..8 {
        let mut records = place.records.clone();
        records.remove(n);
        assert!(place.read(&records).is_err(), "without {n}");
        let mut records = place.records.clone();
        records.swap(n, n + 1);
        assert!(place.read(&records).is_err(), "swapped {n}");
        let mut records = place.records.clone();
        records.insert(n, place.records[n].clone());
        assert!(place.read(&records).is_err(), "twice {n}");
    }
    // The content of one record under the header of another.
    let mut records = place.records.clone();
    let (header, _) = place.records[2].split_at(RecordHeader::LEN);
    let (_, content) = place.records[0].split_at(RecordHeader::LEN);
    records[2] = [header, content].concat();
    assert_eq!(place.read(&records).unwrap_err(), HistoryError::Forged(3));
}

#[test]
fn every_byte_of_a_record_counts() {
    let place = Place::filled();
    let record = &place.records[2];
    for at in 0..record.len() {
        let mut records = place.records[..3].to_vec();
        records[2][at] ^= 1;
        assert!(place.read(&records).is_err(), "byte {at}");
    }
    for length in 0..record.len() {
        let mut records = place.records[..3].to_vec();
        records[2].truncate(length);
        assert!(place.read(&records).is_err(), "{length} bytes");
    }
}

/// Each member of a header changed by who has the keys, so that only the rule of that member can refuse it.
#[test]
fn each_rule_of_a_header_is_checked() {
    let mut place = Place::filled();
    let rng = &mut TestRng(9000);
    let good = RecordHeader {
        kind: ObjectKind::Log,
        is_deletion: false,
        epoch: 1,
        account: place.account.id(),
        sequence: 10,
        object: object(1),
        version: 5,
        first_version: 3,
        previous: place.history.head,
    };
    let version = HistoryError::Version(10);
    let malformed = HistoryError::Malformed("a record");
    let wrong = [
        (
            RecordHeader {
                kind: ObjectKind::Item,
                first_version: 5,
                ..good
            },
            version,
        ),
        (
            RecordHeader {
                kind: ObjectKind::Item,
                ..good
            },
            malformed,
        ),
        (
            RecordHeader {
                kind: ObjectKind::Manifest,
                first_version: 5,
                ..good
            },
            version,
        ),
        (
            RecordHeader {
                is_deletion: true,
                ..good
            },
            malformed,
        ),
        (
            RecordHeader {
                sequence: 9,
                ..good
            },
            HistoryError::Forked(9),
        ),
        (
            RecordHeader {
                sequence: 11,
                ..good
            },
            HistoryError::Forked(11),
        ),
        (RecordHeader { version: 4, ..good }, version),
        (RecordHeader { version: 6, ..good }, version),
        (
            RecordHeader {
                first_version: 2,
                ..good
            },
            version,
        ),
        (
            RecordHeader {
                first_version: 4,
                ..good
            },
            version,
        ),
        (
            RecordHeader {
                first_version: 6,
                ..good
            },
            malformed,
        ),
        (
            RecordHeader {
                first_version: 0,
                ..good
            },
            malformed,
        ),
        (
            RecordHeader {
                previous: [0; 32],
                ..good
            },
            HistoryError::Forked(10),
        ),
        // A deleted object gets no more, and an unknown one begins with 1.
        (
            RecordHeader {
                object: object(3),
                version: 4,
                first_version: 4,
                ..good
            },
            version,
        ),
        (
            RecordHeader {
                object: object(9),
                version: 2,
                first_version: 2,
                ..good
            },
            version,
        ),
        (
            RecordHeader {
                object: object(9),
                version: 1,
                first_version: 1,
                is_deletion: true,
                ..good
            },
            version,
        ),
        (
            RecordHeader {
                object: manifest_id(),
                version: 1,
                first_version: 1,
                ..good
            },
            version,
        ),
    ];
    for (header, error) in wrong {
        let record = header.seal(&place.account, b"", rng).unwrap();
        let found = place.history.accept(&place.account, &record).map(drop);
        assert_eq!(found, Err(error), "{header:?}");
    }
    let other = RecordHeader {
        account: AccountId([0; 16]),
        ..good
    };
    let record = other.seal(&place.account, b"", rng).unwrap();
    let found = place.history.accept(&place.account, &record).map(drop);
    assert_eq!(found, Err(HistoryError::OtherAccount));
    let record = good.seal(&place.account, b"", rng).unwrap();
    place.history.accept(&place.account, &record).unwrap();
}

#[test]
fn what_its_reader_would_refuse_is_not_written() {
    let mut place = Place::filled();
    let error = Err(HistoryError::Version(10));
    assert_eq!(place.try_write(Write::Append(object(3)), "deleted"), error);
    assert_eq!(
        place.try_write(Write::Append(object(2)), "of another kind"),
        error
    );
    assert_eq!(
        place.try_write(Write::Replace(object(1)), "of another kind"),
        error
    );
    assert_eq!(place.try_write(Write::Delete(object(9)), ""), error);
    assert_eq!(place.try_write(Write::Delete(object(3)), ""), error);
}

#[test]
fn nothing_is_written_while_one_loss_would_lose_everything() {
    let rng = &mut TestRng(1);
    let mut account = Account::create(&passkey(1), rng).unwrap().account;
    let pin = Pin::new(account.id());
    let write = |account: &Account| {
        let history = History::new(account.id(), &[]);
        history
            .seal(account, Write::Append(object(1)), b"", &mut TestRng(2))
            .map(drop)
    };
    assert_eq!(write(&account), Err(HistoryError::OneSlot));
    account = account.add_slot(&device(1), &pin, rng).unwrap().account;
    write(&account).unwrap();
    let mut devices = Account::create(&device(1), rng).unwrap().account;
    devices = devices.add_slot(&device(2), &pin, rng).unwrap().account;
    assert_eq!(write(&devices), Err(HistoryError::OneSlot));
    let history = History::new(devices.id(), &[]);
    let manifest = history.seal_manifest(&devices, rng).map(drop);
    assert_eq!(manifest, Err(HistoryError::OneSlot));
    devices = devices.add_slot(&code(3), &pin, rng).unwrap().account;
    write(&devices).unwrap();
}

#[test]
fn a_device_without_records_begins_with_a_manifest() {
    let mut place = Place::filled();
    let before: Vec<_> = place.live().iter().map(|record| record.to_vec()).collect();
    place.manifest();
    place.write(Write::Append(object(1)), "four");
    let live = || before.iter().map(Vec::as_slice);
    let manifest = &place.records[9];
    let begin = |seen: &[Pin], records: &[&[u8]]| {
        History::begin(&place.account, seen, manifest, records.iter().copied())
    };
    let (mut history, entries) = begin(&[], &live().collect::<Vec<_>>()).unwrap();
    assert_eq!(
        entries.iter().map(text).collect::<Vec<_>>(),
        ["renamed", "one two", "three", ""]
    );
    history.accept(&place.account, &place.records[10]).unwrap();
    assert_eq!(history.pin(), place.history.pin());
    // Without one, with one too many, in another order, or with one of before.
    let all: Vec<_> = live().collect();
    for n in 0..all.len() {
        let mut records = all.clone();
        records.remove(n);
        let error = begin(&[], &records).map(drop).unwrap_err();
        assert_eq!(error, HistoryError::Incomplete);
    }
    for n in 0..3 {
        let mut records = all.clone();
        records.swap(n, n + 1);
        assert!(begin(&[], &records).is_err());
    }
    for old in [0, 1, 2, 3, 5, 9] {
        let mut records = all.clone();
        records.push(&place.records[old]);
        assert!(begin(&[], &records).is_err());
        records.rotate_right(1);
        assert!(begin(&[], &records).is_err());
    }
    let error = begin(&[place.history.pin()], &all)
        .unwrap()
        .0
        .check_newest(10);
    assert_eq!(
        error,
        Err(HistoryError::RolledBack {
            found: 10,
            known: 11
        })
    );
    let wrong = History::begin(&place.account, &[], &place.records[8], all.iter().copied());
    assert_eq!(wrong.map(drop), Err(HistoryError::Malformed("a manifest")));
}

#[test]
fn a_manifest_that_counts_something_else_is_refused() {
    let mut place = Place::filled();
    let header = RecordHeader {
        kind: ObjectKind::Manifest,
        is_deletion: false,
        epoch: 1,
        account: place.account.id(),
        sequence: 10,
        object: manifest_id(),
        version: 1,
        first_version: 1,
        previous: place.history.head,
    };
    let rng = &mut TestRng(9000);
    for content in [&[0; 32][..], &[0; 31], b""] {
        let record = header.seal(&place.account, content, rng).unwrap();
        let found = place.history.accept(&place.account, &record).map(drop);
        assert_eq!(found, Err(HistoryError::Incomplete));
    }
    place.manifest();
    // A second manifest has the next version.
    place.manifest();
    let second = RecordHeader::parse(&place.records[10]).unwrap();
    assert_eq!((second.version, second.sequence), (2, 11));
}

#[test]
fn a_device_goes_on_from_what_it_kept() {
    let mut place = Place::filled();
    place.manifest();
    let pin = Pin::from_bytes(&place.history.pin().to_bytes()).unwrap();
    assert_eq!(pin, place.history.pin());
    let (mut history, entries) = History::resume(&place.account, &pin, place.live()).unwrap();
    assert_eq!(entries.len(), 4);
    let next = history
        .seal_manifest(&place.account, &mut place.rng)
        .unwrap();
    assert_eq!(RecordHeader::parse(&next).unwrap().version, 2);
    history.accept(&place.account, &next).unwrap();
    let resume = |pin: &Pin, records: &[&[u8]]| {
        History::resume(&place.account, pin, records.iter().copied()).map(drop)
    };
    let records = place.live();
    let error = Err(HistoryError::Incomplete);
    assert_eq!(resume(&pin, &records[1..]), error);
    for wrong in [
        Pin {
            live: [0; 32],
            ..pin
        },
        Pin { sequence: 8, ..pin },
    ] {
        assert_eq!(resume(&wrong, &records), error);
    }
    let short = Pin::from_bytes(&pin.to_bytes()[1..]);
    assert_eq!(
        short,
        Err(HistoryError::Malformed("what this device remembers"))
    );
}

#[test]
fn what_is_written_after_a_removal_is_under_the_new_key() {
    let ours = opened();
    let rng = &mut TestRng(500);
    let mut place = Place::filled();
    let pin = Pin::new(ours.account.id());
    let old = ours.account.clone();
    let (by_code, _) = Account::unlock(&ours.by_code, &code(9), &ours.roster, None).unwrap();
    let removed = by_code.remove_slot(old.slot(), rng).unwrap();
    place.account = removed
        .account
        .add_slot(&passkey(7), &pin, rng)
        .unwrap()
        .account;
    place.write(Write::Append(object(1)), "later");
    let record = place.records.last().unwrap();
    assert_eq!(RecordHeader::parse(record).unwrap().epoch, 2);
    let mut history = History::new(old.id(), &[]);
    for record in &place.records[..9] {
        history.accept(&old, record).unwrap();
    }
    let error = history.accept(&old, record).map(drop);
    assert_eq!(error, Err(HistoryError::Epoch(10)));
    // The older records are read with the older key.
    assert_eq!(place.read(&place.records).unwrap().len(), 10);
}

#[test]
fn a_manifest_is_wanted_each_256_records() {
    let mut place = Place::new();
    for _ in 0..255 {
        place.write(Write::Append(object(1)), "text");
    }
    assert!(!place.history.wants_manifest());
    place.write(Write::Append(object(1)), "text");
    assert!(place.history.wants_manifest());
    place.manifest();
    assert!(!place.history.wants_manifest());
}

fn stub(record: &[u8]) -> Vec<u8> {
    let (header, rest) = record.split_at(RecordHeader::LEN);
    [header, &sha256(&[rest])].concat()
}

#[test]
fn what_no_longer_counts_may_come_as_a_stub() {
    let place = Place::filled();
    let mut history = History::new(place.account.id(), &[place.history.pin()]);
    for record in &place.records {
        let header = RecordHeader::parse(record).unwrap();
        if place.history.is_live(header.sequence) {
            history.accept(&place.account, record).unwrap();
        } else {
            let stub = Stub::parse(&stub(record)).unwrap();
            history.accept_stub(&stub).unwrap();
        }
    }
    history.check_followed().unwrap();
    assert_eq!(history.pin(), place.history.pin());
}

#[test]
fn a_stub_that_the_store_made_up_is_found_out() {
    let mut place = Place::filled();
    place.manifest();
    // Each record that counts, and the newest, as a stub.
    for n in 0..place.records.len() {
        let mut history = History::new(place.account.id(), &[]);
        for (m, record) in place.records.iter().enumerate() {
            if m == n {
                history
                    .accept_stub(&Stub::parse(&stub(record)).unwrap())
                    .unwrap();
            } else {
                history.accept(&place.account, record).unwrap();
            }
        }
        let sequence = u64::try_from(n).unwrap() + 1;
        let counts = place.history.is_live(sequence) || n == place.records.len() - 1;
        assert_eq!(history.check_followed().is_err(), counts, "{n}");
        let sealed = history.seal(
            &place.account,
            Write::Append(object(7)),
            b"",
            &mut TestRng(3),
        );
        assert_eq!(sealed.is_err(), counts);
    }
    // One that says more: that everything of an object is replaced, before the record that is sealed over it.
    let mut history = History::new(place.account.id(), &[]);
    let mut made_up = stub(&place.records[2]);
    made_up[65] = 2;
    for record in &place.records[..2] {
        history.accept(&place.account, record).unwrap();
    }
    history
        .accept_stub(&Stub::parse(&made_up).unwrap())
        .unwrap();
    let error = history.accept(&place.account, &place.records[3]).map(drop);
    assert_eq!(error, Err(HistoryError::Forked(4)));
    for wrong in [&made_up[1..], &[&made_up[..], b"x"].concat(), b""] {
        assert_eq!(Stub::parse(wrong), Err(HistoryError::Malformed("a stub")));
    }
}
