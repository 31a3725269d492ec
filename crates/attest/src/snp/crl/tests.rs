//! Revocation lists that are good but for one thing.

use proptest::prelude::*;

use super::*;
use crate::development::certificates::ExtensionDraft;
use crate::fixtures::{NOW, Setup, TestRng};
use crate::snp::{Chain, KeyKind};

#[test]
fn a_good_list_passes() {
    let setup = Setup::new();
    assert_eq!(check(&setup, &setup.signed().revocation_list), Ok(()));
}

#[test]
fn a_listed_intermediate_is_revoked() {
    let mut setup = Setup::new();
    setup.drafts.revocation_list.revoked = vec![vec![1], setup.drafts.ask.serial.clone()];
    let expected = RevocationError::Revoked {
        serial: "090001".to_owned(),
    };
    assert_eq!(
        check(&setup, &setup.signed().revocation_list),
        Err(expected)
    );
}

#[test]
fn a_listed_root_is_revoked() {
    let mut setup = Setup::new();
    setup.drafts.revocation_list.revoked = vec![setup.drafts.ark.serial.clone()];
    let error = check(&setup, &setup.signed().revocation_list).unwrap_err();
    assert!(matches!(error, RevocationError::Revoked { .. }));
}

#[test]
fn another_serial_number_is_not_revoked() {
    let mut setup = Setup::new();
    setup.drafts.revocation_list.revoked = vec![vec![9, 0, 2], vec![9, 0], vec![1]];
    assert_eq!(check(&setup, &setup.signed().revocation_list), Ok(()));
}

#[test]
fn a_list_signed_by_another_key_is_refused() {
    let setup = Setup::new();
    for key in [&setup.keys.other, &setup.keys.ask] {
        let list = setup
            .drafts
            .revocation_list
            .sign(key, &mut TestRng::new(3))
            .unwrap();
        assert_eq!(check(&setup, &list), Err(RevocationError::Signature));
    }
}

#[test]
fn a_list_of_another_issuer_is_refused() {
    let mut setup = Setup::new();
    setup.drafts.revocation_list.issuer = "ARK-Milan".to_owned();
    let list = setup.signed().revocation_list;
    assert_eq!(check(&setup, &list), Err(RevocationError::Issuer));
}

#[test]
fn the_window_includes_both_ends_and_nothing_more() {
    let mut setup = Setup::new();
    let draft = &mut setup.drafts.revocation_list;
    (draft.this_update, draft.next_update) = (NOW, NOW);
    assert_eq!(check(&setup, &setup.signed().revocation_list), Ok(()));

    let earlier = UnixSeconds::new(NOW.get().saturating_sub(1));
    let draft = &mut setup.drafts.revocation_list;
    (draft.this_update, draft.next_update) = (earlier, earlier);
    let stale = RevocationError::Stale {
        next_update: earlier,
        now: NOW,
    };
    assert_eq!(check(&setup, &setup.signed().revocation_list), Err(stale));

    let later = NOW.saturating_add(1);
    let draft = &mut setup.drafts.revocation_list;
    (draft.this_update, draft.next_update) = (later, later);
    let early = RevocationError::NotYetValid {
        this_update: later,
        now: NOW,
    };
    assert_eq!(check(&setup, &setup.signed().revocation_list), Err(early));
}

/// An issuer says with these that the list means something else, or less.
#[test]
fn a_list_with_a_critical_extension_or_a_partial_list_is_refused() {
    let sign = |oid: &str, critical| {
        let mut setup = Setup::new();
        let extension = ExtensionDraft::new(oid, critical, [2, 1, 1]);
        setup.drafts.revocation_list.extensions.push(extension);
        RevocationList::parse(&setup.signed().revocation_list)
    };
    assert!(sign("2.5.29.46", false).is_ok());
    for (oid, critical) in [
        ("2.5.29.46", true),
        ("2.5.29.28", false),
        ("2.5.29.28", true),
        ("2.5.29.27", false),
        ("2.5.29.27", true),
    ] {
        assert_eq!(sign(oid, critical).unwrap_err(), RevocationError::Format);
    }
}

/// RFC 5280, section 5.3: whoever does not know one must not use the list.
#[test]
fn a_list_with_a_critical_extension_of_an_entry_is_refused() {
    let sign = |critical| {
        let mut setup = Setup::new();
        setup.drafts.revocation_list.revoked = vec![vec![1], vec![2]];
        // The reason of a revocation.
        let extension = ExtensionDraft::new("2.5.29.21", critical, [10, 1, 1]);
        setup.drafts.revocation_list.entry_extensions = vec![extension];
        RevocationList::parse(&setup.signed().revocation_list).map(|_| ())
    };
    assert_eq!(sign(false), Ok(()));
    assert_eq!(sign(true), Err(RevocationError::Format));
}

#[test]
fn a_listed_intermediate_is_revoked_whatever_the_entry_adds() {
    let mut setup = Setup::new();
    setup.drafts.revocation_list.revoked = vec![setup.drafts.ask.serial.clone()];
    let extension = ExtensionDraft::new("2.5.29.21", false, [10, 1, 1]);
    setup.drafts.revocation_list.entry_extensions = vec![extension];
    let error = check(&setup, &setup.signed().revocation_list).unwrap_err();
    assert!(matches!(error, RevocationError::Revoked { .. }));
}

#[test]
fn another_signature_algorithm_is_refused_in_either_place() {
    let list = Setup::new().signed().revocation_list;
    let sha384 = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
    let places: Vec<_> = (0..list.len())
        .filter(|&at| list[at..].starts_with(&sha384))
        .collect();
    assert_eq!(places.len(), 4);
    for at in places {
        let mut list = list.clone();
        list[at..][..9].copy_from_slice(&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01]);
        let error = RevocationList::parse(&list).unwrap_err();
        assert_eq!(error, RevocationError::Format);
    }
}

#[test]
fn another_version_is_refused() {
    let mut list = Setup::new().signed().revocation_list;
    assert_eq!(list[7..10], [0x02, 0x01, 0x01]);
    list[9] = 0;
    let error = RevocationList::parse(&list).unwrap_err();
    assert_eq!(error, RevocationError::Format);
}

#[test]
fn bytes_behind_a_list_are_refused() {
    let mut list = Setup::new().signed().revocation_list;
    list.push(0);
    let error = RevocationList::parse(&list).unwrap_err();
    assert_eq!(error, RevocationError::Format);
}

#[test]
fn a_certificate_is_no_list() {
    let signed = Setup::new().signed();
    let error = RevocationList::parse(&signed.ark).unwrap_err();
    assert_eq!(error, RevocationError::Format);
}

#[test]
fn an_overlong_list_is_refused_before_it_is_read() {
    let got = RevocationList::MAX_LEN.saturating_add(1);
    let error = RevocationList::parse(&vec![0x30; got]).unwrap_err();
    assert_eq!(error, RevocationError::TooLong { got });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_panic_the_parser(bytes: Vec<u8>) {
        let _ = RevocationList::parse(&bytes);
    }

    #[test]
    fn no_change_of_a_list_panics_or_passes(
        at in any::<proptest::sample::Index>(), byte: u8
    ) {
        let setup = Setup::new();
        let mut list = setup.signed().revocation_list;
        let at = at.index(list.len());
        prop_assume!(list[at] != byte);
        list[at] = byte;
        prop_assert!(check(&setup, &list).is_err());
    }
}

fn check(setup: &Setup, list: &[u8]) -> Result<(), RevocationError> {
    let signed = setup.signed();
    let chain = Chain::parse(&signed.ark, &signed.ask, &signed.vcek, KeyKind::Vcek)
        .and_then(|chain| chain.verify(&setup.anchors(), setup.now))
        .unwrap();
    let list = RevocationList::parse(list)?;
    list.check_against(&chain)?;
    list.check_window(setup.now)
}
