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

/// n - s verifies where s does: ECDSA in certificates and evidence has no lower half
/// (FIPS 186-5, section 6.4.2), so refusing one would refuse half of all genuine ones.
#[test]
fn both_halves_of_s_verify() {
    let negated = |signature: &[u8], bytes: usize, order: &str| {
        let order = hex::decode(order).unwrap();
        let (r, s) = signature.split_at(bytes);
        let mut borrow = 0;
        let mut other = vec![0; bytes];
        for at in (0..bytes).rev() {
            let difference = i32::from(order[at]) - i32::from(s[at]) - borrow;
            borrow = i32::from(difference < 0);
            other[at] = u8::try_from(difference.rem_euclid(256)).unwrap();
        }
        [r, &other].concat()
    };
    for (key, hash, bytes, order) in [
        (TestKey::p256(1), Hash::Sha256, 32, ORDER_P256),
        (TestKey::p384(1), Hash::Sha384, 48, ORDER_P384),
    ] {
        let signature = key.sign_fixed(MESSAGE);
        let other = negated(&signature, bytes, order);
        assert_ne!(signature, other);
        let scheme = Scheme::EcdsaFixed(hash);
        assert!(public(&key).verifies(scheme, MESSAGE, &signature));
        assert!(public(&key).verifies(scheme, MESSAGE, &other));
    }
}

#[test]
fn r_or_s_of_zero_or_of_the_order_or_above_is_refused() {
    for (key, hash, bytes, order) in [
        (TestKey::p256(1), Hash::Sha256, 32, ORDER_P256),
        (TestKey::p384(1), Hash::Sha384, 48, ORDER_P384),
    ] {
        let good = key.sign_fixed(MESSAGE);
        let (r, s) = good.split_at(bytes);
        let mut above = hex::decode(order).unwrap();
        above[bytes - 1] += 1;
        for bad in [
            vec![0; bytes],
            hex::decode(order).unwrap(),
            above,
            vec![0xFF; bytes],
        ] {
            for signature in [
                [&bad, s].concat(),
                [r, &bad].concat(),
                [&bad[..], &bad].concat(),
            ] {
                let scheme = Scheme::EcdsaFixed(hash);
                assert!(!public(&key).verifies(scheme, MESSAGE, &signature));
            }
        }
    }
}

/// X.690, section 8.3.2, and negative numbers.
#[test]
fn r_and_s_in_another_encoding_than_der_are_refused() {
    for (key, hash) in [
        (TestKey::p256(1), Hash::Sha256),
        (TestKey::p384(1), Hash::Sha384),
    ] {
        let fixed = key.sign_fixed(MESSAGE);
        let (r, s) = fixed.split_at(fixed.len() / 2);
        let integer = |zeros: usize, number: &[u8]| {
            let content = [&vec![0; zeros], number].concat();
            [&[0x02, u8::try_from(content.len()).unwrap()], &content[..]].concat()
        };
        let sequence = |r: &[u8], s: &[u8]| {
            let length = u8::try_from(r.len() + s.len()).unwrap();
            [&[0x30, length], r, s].concat()
        };
        let zeros = |number: &[u8]| usize::from(number[0] >= 0x80);
        let (good_r, good_s) = (integer(zeros(r), r), integer(zeros(s), s));
        let scheme = Scheme::EcdsaDer(hash);
        let verifies = |signature: &[u8]| public(&key).verifies(scheme, MESSAGE, signature);
        assert!(verifies(&sequence(&good_r, &good_s)));
        assert!(!verifies(&sequence(&integer(zeros(r) + 1, r), &good_s)));
        assert!(!verifies(&sequence(&good_r, &integer(zeros(s) + 1, s))));
        assert!(!verifies(&sequence(&good_s, &good_r)));
        assert!(!verifies(&sequence(&integer(0, &[0]), &good_s)));
        assert!(!verifies(&sequence(&good_r, &integer(0, &[0xFF]))));
        let length = u8::try_from(good_r.len() + good_s.len()).unwrap();
        let long_form = [&[0x30, 0x81, length], &good_r[..], &good_s].concat();
        assert!(!verifies(&long_form));
    }
}

/// An RSA signature is a number as long as the modulus, and below it.
#[test]
fn rsa_signatures_of_another_length_or_above_the_modulus_are_refused() {
    for (key, scheme) in [
        (TestKey::rsa_pkcs1(), Scheme::RsaPkcs1(Hash::Sha256)),
        (TestKey::rsa_pss(), Scheme::RsaPss(Hash::Sha384)),
    ] {
        let public = public(&key);
        let PublicKey::Rsa(inner) = &public else {
            panic!("not an RSA key");
        };
        let len = inner.size();
        let good = key.sign(MESSAGE);
        assert!(public.verifies(scheme, MESSAGE, &good));
        let modulus = inner.n_bytes().to_vec();
        for bad in [
            [&[0], &good[..]].concat(),
            [&good[..], &[0]].concat(),
            vec![0; len],
            vec![0xFF; len],
            modulus,
            [&vec![0; len - 1][..], &[1]].concat(),
            vec![1; 16 * len],
        ] {
            assert!(!public.verifies(scheme, MESSAGE, &bad), "{}", bad.len());
        }
    }
}

/// A modulus of 2,047 bits fills 256 bytes too.
#[test]
fn a_modulus_just_below_2048_bits_is_refused() {
    let mut modulus = vec![0xFF; 256];
    modulus[0] = 0x7F;
    assert!(PublicKey::rsa(&modulus).is_none());
    modulus[0] = 0x80;
    assert!(PublicKey::rsa(&modulus).is_some());
}

/// One encoding of a point per key: hybrid forms are refused, and a compressed point
/// is the point itself (SEC 1, section 2.3.4).
#[test]
fn points_in_unusual_forms_give_no_other_key() {
    let uncompressed = |key: &TestKey, bytes: usize| {
        let spki = key.spki();
        spki[spki.len() - 2 * bytes - 1..].to_vec()
    };
    for (key, bytes) in [(TestKey::p256(3), 32), (TestKey::p384(3), 48)] {
        let read = |point: &[u8]| match bytes {
            32 => PublicKey::p256(point),
            _ => PublicKey::p384(point),
        };
        let point = uncompressed(&key, bytes);
        assert_eq!(read(&point), Some(public(&key)));
        for tag in [0x00, 0x01, 0x06, 0x07, 0xFF] {
            let mut hybrid = point.clone();
            hybrid[0] = tag;
            assert!(read(&hybrid).is_none(), "{tag}");
        }
        assert!(read(&point[..point.len() - 1]).is_none());
        assert!(read(&[&point[..], &[0]].concat()).is_none());
        assert!(read(&[]).is_none());
        let mut zero = vec![0; point.len()];
        zero[0] = 0x04;
        assert!(read(&zero).is_none(), "(0, 0) is not on the curve");
        let mut above = vec![0xFF; point.len()];
        above[0] = 0x04;
        assert!(
            read(&above).is_none(),
            "coordinates above the field's prime"
        );
    }
}

/// ECDSA over a digest of another length than the curve's order.
#[test]
fn a_digest_of_another_length_is_judged_alike() {
    let TestKey::P384(signer) = TestKey::p384(1) else {
        panic!("not a P-384 key");
    };
    for hash in [Hash::Sha256, Hash::Sha384, Hash::Sha512] {
        let digest = hash.digest(MESSAGE);
        let signature: p384::ecdsa::Signature =
            signature::hazmat::PrehashSigner::sign_prehash(&signer, &digest).unwrap();
        let key = public(&TestKey::p384(1));
        let fixed = signature.to_bytes();
        assert!(key.verifies(Scheme::EcdsaFixed(hash), MESSAGE, &fixed));
        assert!(!key.verifies(Scheme::EcdsaFixed(hash), b"evidencf", &fixed));
    }
}

// FIPS 186-5 and SP 800-186, sections 3.2.1.3 and 3.2.1.4: n.
const ORDER_P256: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
const ORDER_P384: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf\
                          581a0db248b0a77aecec196accc52973";
