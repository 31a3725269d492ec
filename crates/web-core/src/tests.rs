#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;

fn code<T>(result: Result<T, Failure>) -> String {
    result.err().unwrap().code()
}

/// Parts of an answer of the store.
fn parts(records: &[Vec<u8>]) -> Vec<u8> {
    let part = |record: &Vec<u8>| {
        let length = u32::try_from(record.len()).unwrap().to_be_bytes();
        [&length[..], &[0], record].concat()
    };
    records.iter().flat_map(part).collect()
}

#[test]
fn a_history_is_written_on_one_device_and_read_on_another() {
    let passkey = || Secret::passkey(vec![1; 32]).unwrap();
    let created = Member::create(&passkey()).unwrap();
    let (locked, slot) = (created.locked().unwrap(), created.slot().unwrap());
    let member = created.taken();
    assert_eq!(member.slot(), slot);
    assert!(!member.may_synchronise());
    let mut one = Chronicle::empty(&member);
    let object = "11".repeat(16);
    assert_eq!(
        code(one.seal(&member, "append", &object, b"text".to_vec())),
        "history-one-slot"
    );
    let words = new_recovery_words();
    let recovery = Secret::recovery(&words).unwrap();
    let added = member.add_slot(&recovery, &one).unwrap();
    let (roster, by_code) = (added.roster(), added.locked().unwrap());
    let member = added.taken();
    assert_eq!(member.slots().lines().count(), 2);
    let mut records = Vec::new();
    for (how, text) in [("append", "one"), ("append", "two"), ("rewrite", "all")] {
        let record = one.seal(&member, how, &object, text.into()).unwrap();
        one.accept_own(&member, &record).unwrap();
        records.push(record);
    }
    let other = Member::unlock(&by_code, &recovery, &roster, None).unwrap();
    let mut read = Chronicle::empty(&other);
    let contents = read.accept(&other, &parts(&records), "3").unwrap();
    assert_eq!(contents.length(), 3);
    assert_eq!(contents.how(2).unwrap(), "rewrite");
    assert_eq!(contents.content(2).unwrap(), b"all");
    assert_eq!(contents.object(0).unwrap(), object);
    assert_eq!((read.sequence(), read.head()), (one.sequence(), one.head()));
    assert_eq!(code(read.accept(&other, &[], "2")), "history-rolled-back");
    let wrong = Secret::passkey(vec![2; 32]).unwrap();
    let refused = Member::unlock(&locked, &wrong, &roster, None);
    assert_eq!(code(refused), "slot-refused");
    Member::unlock(&locked, &passkey(), &roster, None).unwrap();
    let cut = parts(&records);
    let mut fresh = Chronicle::empty(&other);
    assert_eq!(
        code(fresh.accept(&other, &cut[..cut.len() - 1], "3")),
        "history-malformed"
    );
}

#[test]
fn a_device_goes_on_after_another_one_removed_a_slot() {
    let passkey = Secret::passkey(vec![1; 32]).unwrap();
    let member = Member::create(&passkey).unwrap().taken();
    let mut one = Chronicle::empty(&member);
    let words = new_recovery_words();
    let recovery = Secret::recovery(&words).unwrap();
    let added = member.add_slot(&recovery, &one).unwrap();
    let (by_code, roster) = (added.locked().unwrap(), added.roster());
    let member = added.taken();
    let added = member
        .add_slot(&Secret::device(vec![3; 32]).unwrap(), &one)
        .unwrap();
    let (device_slot, newer) = (added.slot().unwrap(), added.roster());
    let member = added.taken();
    let mut other = Member::unlock(&by_code, &recovery, &roster, None).unwrap();
    let object = "11".repeat(16);
    let first = one
        .seal(&member, "append", &object, b"before".to_vec())
        .unwrap();
    one.accept_own(&member, &first).unwrap();
    let removed = member.remove_slot(&device_slot, &one).unwrap();
    assert!(removed.locked().is_none());
    let newest = removed.roster();
    let member = removed.taken();
    let second = one
        .seal(&member, "append", &object, b"after".to_vec())
        .unwrap();
    one.accept_own(&member, &second).unwrap();
    let mut read = Chronicle::empty(&other);
    let contents = read
        .accept(&other, &parts(&[first, second.clone()]), "2")
        .unwrap();
    assert_eq!((contents.length(), contents.needs_roster()), (1, true));
    // A store that shows an older list, or slot and list as they were, is found out by what a device has kept.
    let unlock = |shown: &[u8], kept: &[u8]| {
        Member::unlock(&by_code, &recovery, shown, Some(kept.to_vec())).map(|_| ())
    };
    assert_eq!(code(unlock(&roster, &newer)), "roster-rolled-back");
    // New keys have signed since.
    assert_eq!(code(unlock(&newer, &newest)), "roster-unsigned");
    for (shown, kept) in [(&newest, &newest), (&newest, &roster)] {
        unlock(shown, kept).unwrap();
    }
    unlock(&newest, b"damaged").unwrap();
    other.refresh(&newer).unwrap();
    other.refresh(&newest).unwrap();
    let contents = read.accept(&other, &parts(&[second]), "2").unwrap();
    assert_eq!((contents.length(), contents.needs_roster()), (1, false));
    assert_eq!(contents.content(0).unwrap(), b"after");
    assert_eq!(other.slots().lines().count(), 2);
}

#[test]
fn what_is_no_secret_or_name_is_refused() {
    assert_eq!(code(Secret::passkey(vec![1; 31])), "slot-refused");
    assert_eq!(code(Secret::recovery("one two")), "recovery-code-wrong");
    assert_eq!(code(recovery_login("one two")), "recovery-code-wrong");
    let login = recovery_login(&new_recovery_words()).unwrap();
    assert_eq!(login.len(), 32 + 1 + 64);
    assert_eq!(code(seal_share("xyz", Vec::new())), "history-malformed");
    let share = "22".repeat(16);
    let sealed = seal_share(&share, b"text".to_vec()).unwrap();
    let (key, copy) = sealed.split_at(32);
    assert_eq!(open_share(key.to_vec(), &share, copy).unwrap(), b"text");
    assert_eq!(code(open_share(vec![1; 32], &share, copy)), "share-refused");
    assert_eq!(code(open_share(vec![1; 31], &share, copy)), "share-refused");
}

#[test]
fn what_is_no_policy_or_directory_is_refused() {
    assert_eq!(code(Verifier::new("x")), "policy-malformed");
    let policy = "version = 1\nname = \"t\"\nplatforms = [\"sev-snp\"]\n";
    let verifier = Verifier::new(policy).unwrap();
    assert!(!verifier.asks_log());
    assert_eq!(code(verifier.listing(b"{}", None)), "directory-malformed");
    #[cfg(feature = "development")]
    {
        let refused = Verifier::development(policy, "", "chat.example.org");
        assert_eq!(code(refused), "development-address");
        assert_eq!(
            code(Verifier::development(policy, "", "localhost")),
            "development-root"
        );
    }
}
