//! Lists that are good but for one thing.

use super::*;
use crate::development::certificates::{ExtensionDraft, RevocationDraft};
use crate::fixtures::NOW;
use crate::fixtures::pki::{TestKey, authority_draft, leaf_draft};

fn issuer_key() -> TestKey {
    TestKey::p256(1)
}

/// `KeyUsage { keyCertSign, cRLSign }`.
const MAY_SIGN_LISTS: [u8; 4] = [0x03, 0x02, 0x01, 0x06];
/// `KeyUsage { keyCertSign }`.
const MAY_NOT: [u8; 4] = [0x03, 0x02, 0x02, 0x04];

fn issuer(usage: [u8; 4]) -> Certificate {
    let mut draft = authority_draft("issuer", "issuer", &issuer_key());
    let extensions = &mut draft.extensions;
    extensions.retain(|one| one.oid != "2.5.29.15");
    extensions.push(ExtensionDraft::new("2.5.29.15", true, usage));
    Certificate::parse(&issuer_key().certify(&draft)).unwrap()
}

fn leaf() -> Certificate {
    let draft = leaf_draft("leaf", "issuer", &TestKey::p256(2));
    Certificate::parse(&issuer_key().certify(&draft)).unwrap()
}

fn draft() -> RevocationDraft {
    RevocationDraft {
        issuer: "issuer".to_owned(),
        this_update: NOW,
        next_update: NOW.saturating_add(10),
        revoked: vec![vec![2]],
        entry_extensions: Vec::new(),
        // CRLNumber 1.
        extensions: vec![ExtensionDraft::new("2.5.29.20", false, [2, 1, 1])],
    }
}

fn check(draft: &RevocationDraft, key: &TestKey, now: UnixSeconds) -> Result<UnixSeconds, Code> {
    let list = RevocationList::parse(&key.revoke(draft)).map_err(|error| error.code())?;
    let checked = list.check(&issuer(MAY_SIGN_LISTS), &[&leaf()], now);
    checked.map_err(|error| error.code())
}

#[test]
fn a_list_is_good_from_its_first_second_to_its_last() {
    let until = NOW.saturating_add(10);
    for now in [NOW, until] {
        assert_eq!(check(&draft(), &issuer_key(), now), Ok(until));
    }
    let list = RevocationList::parse(&issuer_key().revoke(&draft())).unwrap();
    assert_eq!(list.this_update(), NOW);
    let stale = Err(Code::RevocationListStale);
    for now in [UnixSeconds::new(NOW.get() - 1), until.saturating_add(1)] {
        assert_eq!(check(&draft(), &issuer_key(), now), stale);
    }
}

#[test]
fn a_listed_certificate_is_revoked_even_by_an_old_list() {
    let mut listed = draft();
    listed.revoked.push(leaf().serial().to_vec());
    for now in [NOW, NOW.saturating_add(11)] {
        assert_eq!(check(&listed, &issuer_key(), now), Err(Code::Revoked));
    }
}

#[test]
fn only_the_issuers_own_list_counts() {
    let invalid = Err(Code::RevocationListInvalid);
    let mut other = draft();
    other.issuer = "other".to_owned();
    assert_eq!(check(&other, &issuer_key(), NOW), invalid);
    assert_eq!(check(&draft(), &TestKey::p256(9), NOW), invalid);
    let list = RevocationList::parse(&issuer_key().revoke(&draft())).unwrap();
    let checked = list.check(&issuer(MAY_NOT), &[&leaf()], NOW);
    assert_eq!(checked.map_err(|error| error.code()), invalid);
}

#[test]
fn a_list_that_is_cut_or_followed_or_too_long_is_refused() {
    let good = issuer_key().revoke(&draft());
    for length in 0..good.len() {
        assert!(RevocationList::parse(&good[..length]).is_err(), "{length}");
    }
    assert!(RevocationList::parse(&[&good[..], &[0]].concat()).is_err());
    let mut long = draft();
    long.revoked = vec![vec![2]; 60_000];
    let long = issuer_key().revoke(&long);
    assert!(long.len() > RevocationList::MAX_LEN);
    assert!(RevocationList::parse(&long).is_err());
}

#[test]
fn the_longest_list_is_read_and_no_longer_one() {
    let list_with = |padding: usize| {
        let mut list = draft();
        let filler = ExtensionDraft::new("1.2.3", false, vec![0; padding]);
        list.extensions.push(filler);
        // Its signatures are all of one length.
        TestKey::rsa_pkcs1().revoke(&list)
    };
    let overhead = list_with(100_000).len().checked_sub(100_000).unwrap();
    let padding = RevocationList::MAX_LEN.checked_sub(overhead).unwrap();
    let longest = list_with(padding);
    assert_eq!(longest.len(), RevocationList::MAX_LEN);
    assert!(RevocationList::parse(&longest).is_ok());
    let longer = list_with(padding.saturating_add(1));
    assert!(RevocationList::parse(&longer).is_err());
}

#[test]
fn a_list_that_is_not_complete_is_refused() {
    for (oid, critical) in [("2.5.29.27", false), ("2.5.29.28", false), ("1.2.3", true)] {
        let extension = ExtensionDraft::new(oid, critical, [0x02, 1, 1]);
        let mut of_list = draft();
        of_list.extensions.push(extension.clone());
        let mut of_entry = draft();
        of_entry.entry_extensions.push(extension);
        for list in [of_list, of_entry] {
            assert_eq!(
                check(&list, &issuer_key(), NOW),
                Err(Code::RevocationListInvalid),
                "{oid}"
            );
        }
    }
}
