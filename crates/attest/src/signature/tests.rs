//! Each kind of key, with signatures that are good but for one thing.

use super::*;
use crate::fixtures::pki::TestKey;

const MESSAGE: &[u8] = b"evidence";

fn keys() -> [(TestKey, Scheme); 4] {
    [
        (TestKey::p256(1), Scheme::EcdsaDer(Hash::Sha256)),
        (TestKey::p384(1), Scheme::EcdsaDer(Hash::Sha384)),
        (TestKey::rsa_pkcs1(), Scheme::RsaPkcs1(Hash::Sha256)),
        (TestKey::rsa_pss(), Scheme::RsaPss(Hash::Sha384)),
    ]
}

fn public(key: &TestKey) -> PublicKey {
    PublicKey::from_spki(&key.spki()).unwrap()
}

#[test]
fn each_kind_of_key_verifies_what_it_signed() {
    for (key, scheme) in keys() {
        assert!(public(&key).verifies(scheme, MESSAGE, &key.sign(MESSAGE)));
    }
}

#[test]
fn r_and_s_one_behind_the_other_verify_as_such_only() {
    for (key, hash) in [
        (TestKey::p256(1), Hash::Sha256),
        (TestKey::p384(1), Hash::Sha384),
    ] {
        let fixed = key.sign_fixed(MESSAGE);
        let public = public(&key);
        assert!(public.verifies(Scheme::EcdsaFixed(hash), MESSAGE, &fixed));
        assert!(!public.verifies(Scheme::EcdsaDer(hash), MESSAGE, &fixed));
        assert!(!public.verifies(Scheme::EcdsaFixed(hash), MESSAGE, &key.sign(MESSAGE)));
    }
}

#[test]
fn another_message_key_hash_or_scheme_is_refused() {
    let schemes = [Hash::Sha256, Hash::Sha384, Hash::Sha512]
        .into_iter()
        .flat_map(|hash| {
            [
                Scheme::EcdsaDer(hash),
                Scheme::EcdsaFixed(hash),
                Scheme::RsaPkcs1(hash),
                Scheme::RsaPss(hash),
            ]
        });
    let schemes: Vec<_> = schemes.collect();
    for (key, right) in keys() {
        let signature = key.sign(MESSAGE);
        for &scheme in &schemes {
            let verifies = public(&key).verifies(scheme, MESSAGE, &signature);
            assert_eq!(verifies, scheme == right, "{scheme:?}, signed {right:?}");
        }
        assert!(!public(&key).verifies(right, b"evidencf", &signature));
        for (other, _) in keys() {
            if other.spki() != key.spki() {
                assert!(!public(&other).verifies(right, MESSAGE, &signature));
            }
        }
        assert!(!public(&TestKey::p256(2)).verifies(right, MESSAGE, &signature));
        assert!(!public(&TestKey::p384(2)).verifies(right, MESSAGE, &signature));
    }
}

#[test]
fn no_bit_of_a_signature_may_change() {
    for (key, scheme) in keys() {
        let good = key.sign(MESSAGE);
        let public = public(&key);
        for at in 0..good.len() {
            let mut signature = good.clone();
            signature[at] ^= 1;
            assert!(!public.verifies(scheme, MESSAGE, &signature), "{at}");
        }
        let longer = [good.as_slice(), &[0]].concat();
        assert!(!public.verifies(scheme, MESSAGE, &longer));
        assert!(!public.verifies(scheme, MESSAGE, &good[1..]));
        assert!(!public.verifies(scheme, MESSAGE, &[]));
    }
}

#[test]
fn a_point_off_the_curve_is_no_key() {
    for (key, bytes) in [(TestKey::p256(1), 32), (TestKey::p384(1), 48)] {
        let mut spki = key.spki();
        assert!(PublicKey::from_spki(&spki).is_some());
        let last = spki.last_mut().unwrap();
        *last ^= 1;
        assert!(PublicKey::from_spki(&spki).is_none(), "{bytes}");
    }
    assert!(PublicKey::p256(&[0]).is_none(), "the point at infinity");
    assert!(PublicKey::p384(&[0]).is_none(), "the point at infinity");
}

#[test]
fn a_point_gives_the_same_key_as_its_certificate_form() {
    let key = TestKey::p256(3);
    let spki = key.spki();
    let point = &spki[spki.len() - 65..];
    let signature = key.sign_fixed(MESSAGE);
    let scheme = Scheme::EcdsaFixed(Hash::Sha256);
    assert!(
        PublicKey::p256(point)
            .unwrap()
            .verifies(scheme, MESSAGE, &signature)
    );
    let key = TestKey::p384(3);
    let spki = key.spki();
    let point = &spki[spki.len() - 97..];
    let signature = key.sign_fixed(MESSAGE);
    let scheme = Scheme::EcdsaFixed(Hash::Sha384);
    assert!(
        PublicKey::p384(point)
            .unwrap()
            .verifies(scheme, MESSAGE, &signature)
    );
}

#[test]
fn rsa_keys_of_unusual_size_are_refused() {
    for bytes in [0, 128, 255, 513, 4096] {
        let mut modulus = vec![0xFF; bytes];
        if let Some(last) = modulus.last_mut() {
            *last = 0x01;
        }
        assert!(PublicKey::rsa(&modulus).is_none(), "{bytes}");
    }
    let mut modulus = vec![0xFF; 256];
    modulus[255] = 1;
    assert!(PublicKey::rsa(&modulus).is_some());
    modulus[0] = 0;
    modulus[1] = 0;
    assert!(PublicKey::rsa(&modulus).is_none(), "leading zeros");
}

/// RSA with the exponent 3 and a key of another algorithm.
#[test]
fn keys_of_other_kinds_are_refused() {
    let mut spki = TestKey::rsa_pkcs1().spki();
    let at = spki.len() - 3;
    assert_eq!(spki[at..], [1, 0, 1]);
    spki[at] = 3;
    assert!(PublicKey::from_spki(&spki).is_none());
    let mut spki = TestKey::p256(1).spki();
    let oid = spki.windows(2).position(|two| two == [0x06, 0x07]).unwrap();
    spki[oid + 8] ^= 1;
    assert!(PublicKey::from_spki(&spki).is_none());
    assert!(PublicKey::from_spki(b"").is_none());
}
