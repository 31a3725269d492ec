#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests"
)]

use super::*;
use crate::fixtures::{TestRng, code, device, opened, passkey};
use crate::{RecoveryCode, SlotKind};

fn refused(result: Result<(Account, Pin), HistoryError>) -> HistoryError {
    result.map(drop).unwrap_err()
}

#[test]
fn each_slot_opens_the_same_account() {
    let opened = opened();
    for (locked, secret) in [(&opened.by_passkey, passkey(1)), (&opened.by_code, code(9))] {
        let (account, pin) = Account::unlock(locked, &secret, &opened.roster, None).unwrap();
        assert_eq!(account.id(), opened.account.id());
        assert_eq!(account.key(1), opened.account.key(1));
        assert_eq!(account.known(), opened.account.known());
        assert_eq!(pin, Pin::new(account.id()));
    }
    let kinds: Vec<_> = opened
        .account
        .roster()
        .slots()
        .map(|(_, kind)| kind)
        .collect();
    assert!(kinds.contains(&SlotKind::Passkey) && kinds.contains(&SlotKind::RecoveryCode));
}

#[test]
fn another_secret_opens_nothing() {
    let opened = opened();
    for secret in [passkey(2), device(1), code(10)] {
        let result = Account::unlock(&opened.by_passkey, &secret, &opened.roster, None);
        assert_eq!(refused(result), HistoryError::SlotRefused);
    }
    for secret in [code(10), passkey(1)] {
        let result = Account::unlock(&opened.by_code, &secret, &opened.roster, None);
        assert_eq!(refused(result), HistoryError::SlotRefused);
    }
}

#[test]
fn every_byte_of_a_locked_key_counts() {
    let opened = opened();
    for place in 0..opened.by_passkey.len() {
        let mut locked = opened.by_passkey.clone();
        locked[place] ^= 1;
        refused(Account::unlock(&locked, &passkey(1), &opened.roster, None));
    }
    // The other slot's private key under this slot's name.
    let mut locked = opened.by_code.clone();
    locked[20..37].copy_from_slice(&opened.by_passkey[20..37]);
    let result = Account::unlock(&locked, &passkey(1), &opened.roster, None);
    assert_eq!(refused(result), HistoryError::SlotRefused);
}

#[test]
fn every_byte_of_the_list_of_slots_counts() {
    let opened = opened();
    for place in (0..opened.roster.len()).step_by(7).chain(0..140) {
        let mut roster = opened.roster.clone();
        roster[place] ^= 1;
        refused(Account::unlock(
            &opened.by_passkey,
            &passkey(1),
            &roster,
            None,
        ));
    }
    for length in (0..opened.roster.len()).step_by(11) {
        let roster = &opened.roster[..length];
        refused(Account::unlock(
            &opened.by_passkey,
            &passkey(1),
            roster,
            None,
        ));
    }
    let longer = [&opened.roster[..], b"x"].concat();
    let result = Account::unlock(&opened.by_passkey, &passkey(1), &longer, None);
    assert_eq!(refused(result), HistoryError::Malformed("a list of slots"));
}

#[test]
fn a_list_that_the_account_did_not_sign_is_refused() {
    let ours = opened();
    let rng = &mut TestRng(500);
    // A store that makes an account of its own, with our slots.
    let theirs = Account::create(&passkey(3), rng).unwrap().account;
    let mut forged = ours.account.clone();
    let first = theirs.identity().verifying_key().to_bytes();
    forged.roster_mut().first = first;
    let roster = forged.roster_mut().sign(theirs.identity()).unwrap();
    let result = Account::unlock(&ours.by_passkey, &passkey(1), &roster, None);
    assert_eq!(refused(result), HistoryError::RosterUnsigned);
    // Our identity first, then a link that it did not sign.
    let mut forged = ours.account.clone();
    let link = Link::sign(ours.account.id(), theirs.identity(), first);
    forged.roster_mut().links.push(link);
    let roster = forged.roster_mut().sign(theirs.identity()).unwrap();
    let result = Account::unlock(&ours.by_passkey, &passkey(1), &roster, None);
    assert_eq!(refused(result), HistoryError::RosterUnsigned);
    // Somebody else's signature.
    let roster = ours
        .account
        .clone()
        .roster_mut()
        .sign(theirs.identity())
        .unwrap();
    let result = Account::unlock(&ours.by_passkey, &passkey(1), &roster, None);
    assert_eq!(refused(result), HistoryError::RosterUnsigned);
    // Signed by the account that it is of, which is another one.
    let mut forged = ours.account.clone();
    forged.roster_mut().account = theirs.id();
    let roster = forged.roster_mut().sign(ours.account.identity()).unwrap();
    let result = Account::unlock(&ours.by_passkey, &passkey(1), &roster, None);
    assert_eq!(refused(result), HistoryError::OtherAccount);
}

/// A store that puts its own key into the list before the account's keys are made anew would be sent the new ones.
#[test]
fn a_slot_that_the_account_did_not_sign_gets_no_keys() {
    let ours = opened();
    let rng = &mut TestRng(500);
    let theirs = OwnSlot::generate(ours.account.id(), &passkey(3), rng);
    let public_key = public_key_bytes(&theirs.public_key().unwrap());
    let mut roster = ours.roster.clone();
    let place = roster.len() - 64 - public_key.len() - 1500;
    let old = ours.account.roster.slots[1].public_key;
    let at = roster
        .windows(old.len())
        .position(|part| part == old)
        .unwrap();
    assert!(at < place + 1500);
    roster[at..at + public_key.len()].copy_from_slice(&public_key);
    let error = ours.account.refresh(&roster).map(drop).unwrap_err();
    assert_eq!(error, HistoryError::RosterUnsigned);
}

#[test]
fn keys_that_are_not_the_accounts_are_refused() {
    let ours = opened();
    let rng = &mut TestRng(500);
    let change = |edit: &mut dyn FnMut(&mut Account)| {
        let mut account = ours.account.clone();
        edit(&mut account);
        let roster = account.roster.sign(ours.account.identity()).unwrap();
        refused(Account::unlock(
            &ours.by_passkey,
            &passkey(1),
            &roster,
            None,
        ))
    };
    let own = ours
        .account
        .roster
        .slots
        .iter()
        .position(|slot| slot.kind == SlotKind::Passkey);
    let (own, other) = (own.unwrap(), 1 - own.unwrap());
    // Another slot's sealed keys.
    let error = change(&mut |account| {
        account.roster.slots[own].sealed = account.roster.slots[other].sealed.clone();
    });
    assert_eq!(error, HistoryError::WrapRefused);
    // Of another epoch than the list says.
    assert_eq!(
        change(&mut |account| account.roster.epoch = 2),
        HistoryError::WrapRefused
    );
    // Sealed rightly, but with another identity or another epoch inside.
    let theirs = Account::create(&passkey(3), rng).unwrap().account.secrets;
    let seal = |secrets: &Secrets, account: &mut Account| {
        let slot = account.roster.slots[own].clone();
        let sealed = secrets
            .seal_again(account.id, &slot, 1, &mut TestRng(7))
            .unwrap();
        account.roster.slots[own] = sealed;
    };
    let error = change(&mut |account| seal(&theirs, account));
    assert_eq!(error, HistoryError::WrapRefused);
    let mut identity = theirs.clone();
    identity.keys.clone_from(&ours.account.secrets.keys);
    // Its associated data would show the other identity; sealed with ours, its content is still refused.
    let error = change(&mut |account| {
        let slot = account.roster.slots[own].clone();
        let key = PublicKey::from_bytes(&slot.public_key).unwrap();
        let info = info(account.id, &slot);
        let (enc, mut context) =
            setup_sender_with_rng::<Aead, Kdf, Kem>(&OpModeS::Base, &key, &info, &mut TestRng(8))
                .unwrap();
        let aad = aad(1, &account.roster.identity());
        let sealed = context.seal(&identity.write(), &aad).unwrap();
        account.roster.slots[own].sealed = [&enc.to_bytes()[..], &sealed].concat();
    });
    assert_eq!(error, HistoryError::WrapRefused);
    let mut later = ours.account.secrets.clone();
    later.keys.push((2, new_key(rng)));
    assert_eq!(
        change(&mut |account| seal(&later, account)),
        HistoryError::WrapRefused
    );
    let mut none = ours.account.secrets.clone();
    none.keys.clear();
    assert_eq!(
        change(&mut |account| seal(&none, account)),
        HistoryError::WrapRefused
    );
}

#[test]
fn an_older_list_is_refused_by_who_saw_a_newer_one() {
    let ours = opened();
    let rng = &mut TestRng(500);
    let pin = Pin::new(ours.account.id());
    let added = ours.account.add_slot(&device(4), &pin, rng).unwrap();
    let known = added.account.known();
    let result = Account::unlock(&ours.by_passkey, &passkey(1), &ours.roster, Some(&known));
    let error = HistoryError::RosterRolledBack { found: 2, known: 3 };
    assert_eq!(refused(result), error);
    assert_eq!(added.account.refresh(&ours.roster).map(drop), Err(error));
    // The new slot knows it too: a device that knows nothing is not shown the older list.
    let (_, locked) = added.locked.unwrap();
    assert_eq!(
        refused(Account::unlock(&locked, &device(4), &ours.roster, None)),
        error
    );
    // So does the old slot, once it was used.
    let (account, pin) =
        Account::unlock(&ours.by_passkey, &passkey(1), &added.roster, None).unwrap();
    let locked = account.lock(&pin, rng).unwrap();
    assert_eq!(
        refused(Account::unlock(&locked, &passkey(1), &ours.roster, None)),
        error
    );
    Account::unlock(&locked, &passkey(1), &added.roster, None).unwrap();
}

#[test]
fn another_list_of_the_same_version_or_with_another_predecessor_is_refused() {
    let ours = opened();
    let pin = Pin::new(ours.account.id());
    let add = |secret, seed| {
        ours.account
            .add_slot(&secret, &pin, &mut TestRng(seed))
            .unwrap()
    };
    let (one, other) = (add(device(4), 500), add(device(5), 600));
    assert_eq!(
        one.account.refresh(&other.roster).map(drop),
        Err(HistoryError::RosterForked)
    );
    let after = other
        .account
        .add_slot(&device(6), &pin, &mut TestRng(700))
        .unwrap();
    assert_eq!(
        one.account.refresh(&after.roster).map(drop),
        Err(HistoryError::RosterForked)
    );
    ours.account.refresh(&one.roster).unwrap();
    let roster = other.account.refresh(&after.roster).unwrap();
    assert_eq!(roster.roster().version(), 4);
}

#[test]
fn removing_a_slot_makes_identity_and_key_anew() {
    let ours = opened();
    let rng = &mut TestRng(500);
    let (by_code, pin) = Account::unlock(&ours.by_code, &code(9), &ours.roster, None).unwrap();
    let passkey_slot = ours.account.slot();
    let removed = by_code.remove_slot(passkey_slot, rng).unwrap();
    assert!(removed.locked.is_none());
    assert_ne!(
        removed.account.known().identity,
        ours.account.known().identity
    );
    assert_eq!(removed.account.roster().epoch(), 2);
    assert_eq!(removed.account.key(1), ours.account.key(1));
    assert!(removed.account.key(2).is_some() && ours.account.key(2).is_none());
    assert!(!removed.account.roster().may_synchronise());
    // The removed slot is out; the other one, which knew the old identity only, follows the link.
    let result = Account::unlock(&ours.by_passkey, &passkey(1), &removed.roster, None);
    assert_eq!(refused(result), HistoryError::NoSuchSlot);
    let (again, _) = Account::unlock(&ours.by_code, &code(9), &removed.roster, None).unwrap();
    assert_eq!(again.key(2), removed.account.key(2));
    // Who was removed knows the old identity, and can make a list with it. Who saw the new identity refuses.
    let forged = ours.account.add_slot(&passkey(8), &pin, rng).unwrap();
    let result = removed.account.refresh(&forged.roster).map(drop);
    assert_eq!(result, Err(HistoryError::RosterUnsigned));
}

#[test]
fn the_slot_in_use_and_one_that_is_not_there_are_not_removed() {
    let ours = opened();
    let rng = &mut TestRng(500);
    let error = |id, rng: &mut TestRng| ours.account.remove_slot(id, rng).map(drop).unwrap_err();
    assert_eq!(error(ours.account.slot(), rng), HistoryError::SlotInUse);
    assert_eq!(error(SlotId([0; 16]), rng), HistoryError::NoSuchSlot);
}

#[test]
fn there_are_at_most_32_slots() {
    let rng = &mut TestRng(1);
    let mut account = Account::create(&passkey(1), rng).unwrap().account;
    let pin = Pin::new(account.id());
    for n in 0..31 {
        account = account.add_slot(&device(n), &pin, rng).unwrap().account;
    }
    let error = account
        .add_slot(&device(99), &pin, rng)
        .map(drop)
        .unwrap_err();
    assert_eq!(error, HistoryError::TooMany("ways in"));
}

#[test]
fn a_recovery_code_is_fifteen_words_whatever_they_look_like() {
    let code = RecoveryCode::generate(&mut TestRng(3));
    let words = code.words();
    assert_eq!(words.split(' ').count(), RecoveryCode::WORDS);
    let spaced = format!("  {}\n", words.to_uppercase().replace(' ', " \t "));
    assert_eq!(*RecoveryCode::parse(&spaced).unwrap().words(), *words);
    let (login, other) = (
        code.login(),
        RecoveryCode::generate(&mut TestRng(4)).login(),
    );
    assert_ne!(login.name, other.name);
    assert_ne!(login.proof, other.proof);
    assert_ne!(login.name, login.proof[..16]);
    let wrong = |words: &str| RecoveryCode::parse(words).map(drop).unwrap_err();
    let list: Vec<_> = words.split(' ').collect();
    assert_eq!(
        wrong(&list[1..].join(" ")),
        HistoryError::RecoveryCode("there must be 15")
    );
    assert_eq!(wrong(""), HistoryError::RecoveryCode("there must be 15"));
    let unknown = words.replace(list[0], "subrosa");
    let unknown =
        HistoryError::RecoveryCode("one of them is not in the list of words") == wrong(&unknown);
    assert!(unknown);
    assert_eq!(
        wrong(&"abandon ".repeat(600)),
        HistoryError::RecoveryCode("they are too long")
    );
    // The checksum finds 31 of 32 changes; this one it finds.
    let mut changed = list.clone();
    changed.swap(0, 1);
    assert_eq!(
        wrong(&changed.join(" ")),
        HistoryError::RecoveryCode("a word is another, or two changed places")
    );
}
