#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::similar_names,
    clippy::too_many_lines,
    reason = "tests"
)]

use p384::ecdsa::SigningKey;
use p384::ecdsa::signature::Signer as _;
use proptest::prelude::*;

use super::*;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_slice(&[seed; 48]).unwrap()
}

fn public(seed: u8) -> Vec<u8> {
    let point = key(seed).verifying_key().to_sec1_point(false);
    let mut bytes = vec![0; IdKey::LEN];
    bytes[0] = 2;
    let (x, y) = point.as_bytes()[1..].split_at(48);
    for (at, number) in [(4, x), (76, y)] {
        bytes[at..at + 48].copy_from_slice(number);
        bytes[at..at + 48].reverse();
    }
    bytes
}

fn signature(seed: u8, message: &[u8]) -> Vec<u8> {
    let signature: Signature = key(seed).sign(message);
    let mut bytes = vec![0; IdSignature::LEN];
    let numbers = signature.to_bytes();
    let (r, s) = numbers.split_at(48);
    for (at, number) in [(0, r), (72, s)] {
        bytes[at..at + 48].copy_from_slice(number);
        bytes[at..at + 48].reverse();
    }
    bytes
}

fn block() -> IdBlock {
    IdBlock {
        launch_digest: Sha384Digest::of(b"guest"),
        family_id: [1; 16],
        image_id: [2; 16],
        guest_svn: 3,
        policy: 0x3_0000,
    }
}

fn auth() -> IdAuth {
    IdAuth::new(
        IdKey::parse(&public(1)).unwrap(),
        IdSignature::parse(&signature(1, &block().to_bytes())).unwrap(),
        Some((
            IdKey::parse(&public(2)).unwrap(),
            IdSignature::parse(&signature(2, &public(1))).unwrap(),
        )),
    )
}

#[test]
fn a_block_and_its_authentication_are_read_back_and_verify() {
    assert_eq!(IdBlock::parse(&block().to_bytes()), Ok(block()));
    let page = auth().to_bytes();
    let read = IdAuth::parse(&page).unwrap();
    assert_eq!(read, auth());
    assert_eq!(read.to_bytes(), page);
    assert_eq!(read.verify_block(&block()), Ok(()));
    assert_eq!(read.verify_author(), Ok(()));
    assert_eq!(read.id_key().digest(), Sha384Digest::of(&public(1)));
    assert_eq!(read.author().unwrap().0.as_bytes()[..], public(2));
}

#[test]
fn an_author_is_optional() {
    let alone = IdAuth::new(auth().id_key, auth().block_signature, None);
    let read = IdAuth::parse(&alone.to_bytes()).unwrap();
    assert_eq!(read, alone);
    assert_eq!(read.verify_author(), Ok(()));
    assert!(read.author().is_none());
}

#[test]
fn each_field_of_a_block_is_under_the_signature() {
    let auth = auth();
    let changes: [fn(&mut IdBlock); 5] = [
        |block| block.launch_digest = Sha384Digest::of(b"other"),
        |block| block.family_id[0] ^= 1,
        |block| block.image_id[15] ^= 1,
        |block| block.guest_svn += 1,
        |block| block.policy ^= 1 << 19,
    ];
    for change in changes {
        let mut changed = block();
        change(&mut changed);
        assert_eq!(IdBlock::parse(&changed.to_bytes()), Ok(changed.clone()));
        let refused = auth.verify_block(&changed);
        assert_eq!(refused, Err(IdSignatureError::Block));
    }
}

#[test]
fn a_key_that_the_author_did_not_sign_is_refused() {
    let other = IdKey::parse(&public(3)).unwrap();
    let changed = IdAuth::new(other, auth().block_signature, auth().author);
    assert_eq!(changed.verify_author(), Err(IdSignatureError::Author));
    assert_eq!(changed.verify_block(&block()), Err(IdSignatureError::Block));
    let author = IdKey::parse(&public(3)).unwrap();
    let (_, signature) = auth().author.unwrap();
    let changed = IdAuth::new(
        auth().id_key,
        auth().block_signature,
        Some((author, signature)),
    );
    assert_eq!(changed.verify_author(), Err(IdSignatureError::Author));
}

#[test]
fn a_block_of_another_size_or_version_is_refused() {
    let bytes = block().to_bytes();
    for got in [0, 95] {
        let length = IdBlockError::Length { expected: 96, got };
        assert_eq!(IdBlock::parse(&bytes[..got]), Err(length));
    }
    let mut bytes = bytes;
    for got in [0, 2] {
        bytes[80] = got;
        let got = u32::from(got);
        assert_eq!(IdBlock::parse(&bytes), Err(IdBlockError::Version { got }));
    }
}

#[test]
fn reserved_bytes_and_other_algorithms_are_refused() {
    let good = auth().to_bytes();
    let refused = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        IdAuth::parse(&bytes).unwrap_err()
    };
    for at in [0x8, 0x3f, 0x644, 0x67f, 0xc84, 0xfff] {
        assert!(
            matches!(refused(at, 1), IdBlockError::Reserved { .. }),
            "{at}"
        );
    }
    for at in [0, 4] {
        assert_eq!(refused(at, 2), IdBlockError::Algorithm { got: 2 });
    }
    assert_eq!(refused(0, 0), IdBlockError::Algorithm { got: 0 });
    // An author that is said not to be there, and is.
    assert_eq!(refused(4, 0), IdBlockError::Algorithm { got: 0 });
    let length = IdBlockError::Length {
        expected: 4096,
        got: 4095,
    };
    assert_eq!(IdAuth::parse(&good[..4095]), Err(length));
}

#[test]
fn a_key_that_is_no_point_of_the_curve_is_refused() {
    let refused = |at: usize, byte: u8| {
        let mut bytes = public(1);
        bytes[at] = byte;
        IdKey::parse(&bytes).unwrap_err()
    };
    assert_eq!(refused(0, 1), IdBlockError::Curve { got: 1 });
    for at in [148, IdKey::LEN - 1] {
        assert_eq!(refused(at, 1), IdBlockError::Reserved { at: 148 });
    }
    for at in [52, 75, 124, 147] {
        assert_eq!(refused(at, 1), IdBlockError::Key, "{at}");
    }
    let changed = public(1)[4] ^ 1;
    assert_eq!(refused(4, changed), IdBlockError::Key);
    assert!(IdKey::parse(&public(1)[1..]).is_err());
}

#[test]
fn a_signature_with_bytes_beside_its_numbers_is_refused() {
    for at in [48, 71, 120, 143, 144, 511] {
        let mut bytes = signature(1, b"message");
        bytes[at] = 1;
        let refused = IdSignature::parse(&bytes);
        assert!(
            matches!(refused, Err(IdBlockError::Reserved { .. })),
            "{at}"
        );
    }
    assert!(IdSignature::parse(&[0; 511]).is_err());
    let zero = IdSignature::parse(&[0; 512]).unwrap();
    let auth = IdAuth::new(auth().id_key, zero, None);
    assert_eq!(auth.verify_block(&block()), Err(IdSignatureError::Block));
}

static PAGE: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| auth().to_bytes());

proptest! {
    #[test]
    fn no_bytes_make_the_parsers_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        at in 0_usize..4096,
        byte in any::<u8>(),
    ) {
        let _refused = (IdAuth::parse(&bytes), IdBlock::parse(&bytes), IdKey::parse(&bytes));
        let mut page = PAGE.clone();
        page[at] = byte;
        if let Ok(read) = IdAuth::parse(&page) {
            prop_assert_eq!(read.to_bytes(), page);
        }
    }
}
