//! A secure module that answers from memory.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::sync::{Arc, Mutex};

use super::*;

/// What the module was asked for: user data, nonce and public key.
type Asked = Arc<Mutex<Vec<[Option<Vec<u8>>; 3]>>>;

struct Fake {
    answer: fn() -> Response,
    asked: Asked,
}

impl Module for Fake {
    fn process(&mut self, request: Request) -> Response {
        let Request::Attestation {
            user_data,
            nonce,
            public_key,
        } = request
        else {
            panic!("another request");
        };
        let asked = [user_data, nonce, public_key].map(|field| field.map(ByteBuf::into_vec));
        self.asked.lock().unwrap().push(asked);
        (self.answer)()
    }
}

/// A module that has this document about this user data, and no other.
struct Recorded {
    user_data: Vec<u8>,
    document: Vec<u8>,
}

impl Module for Recorded {
    fn process(&mut self, request: Request) -> Response {
        match request {
            Request::Attestation {
                user_data: Some(user_data),
                nonce: None,
                public_key: None,
            } if user_data == self.user_data => Response::Attestation {
                document: self.document.clone(),
            },
            _ => Response::Error(ErrorCode::InvalidArgument),
        }
    }
}

pub(crate) fn answering(user_data: Vec<u8>, document: Vec<u8>) -> Box<dyn Collector> {
    Box::new(Nitro(Box::new(Recorded {
        user_data,
        document,
    })))
}

fn collect(answer: fn() -> Response) -> (Result<Evidence, CollectError>, Asked) {
    let asked = Asked::default();
    let mut nitro = Nitro(Box::new(Fake {
        answer,
        asked: Arc::clone(&asked),
    }));
    (nitro.collect(&Challenge::of_bytes([5; 64])), asked)
}

/// A `COSE_Sign1` with ES384 and the fields of a document, signed by nobody.
fn document() -> Vec<u8> {
    let text = |text: &str| [&[0x60 | u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let payload = [
        vec![0xA6],
        text("module_id"),
        text("i-0-enc0"),
        text("digest"),
        text("SHA384"),
        text("timestamp"),
        vec![0x1A, 0x6A, 0, 0, 0],
        text("pcrs"),
        [&[0xA1, 0x00, 0x58, 48][..], &[7; 48]].concat(),
        text("certificate"),
        vec![0x41, 0x30],
        text("cabundle"),
        vec![0x81, 0x41, 0x30],
    ]
    .concat();
    let length = u8::try_from(payload.len()).unwrap();
    [
        &[0x84, 0x44, 0xA1, 0x01, 0x38, 0x22, 0xA0, 0x58, length][..],
        &payload,
        &[0x58, 96],
        &[1; 96],
    ]
    .concat()
}

#[test]
fn a_document_is_asked_for_with_the_bytes_as_user_data_and_nothing_else() {
    let (collected, asked) = collect(|| Response::Attestation {
        document: document(),
    });
    let expected = Evidence::Nitro {
        document: document(),
    };
    assert_eq!(collected.unwrap(), expected);
    let asked = asked.lock().unwrap();
    assert_eq!(*asked, [[Some(vec![5; 64]), None, None]]);
}

#[test]
fn what_is_no_document_is_refused() {
    let (collected, _) = collect(|| Response::Attestation {
        document: b"not a document".to_vec(),
    });
    assert!(matches!(
        collected,
        Err(CollectError::Malformed { what: "document" })
    ));
}

#[test]
fn an_answer_to_another_question_is_refused() {
    let (collected, _) = collect(|| Response::GetRandom { random: vec![1] });
    assert!(matches!(
        collected,
        Err(CollectError::Malformed { what: "answer" })
    ));
}

#[test]
fn a_refusal_is_passed_on_with_its_code() {
    let (collected, _) = collect(|| Response::Error(ErrorCode::InternalError));
    let error = collected.unwrap_err();
    assert!(error.to_string().contains("InternalError"), "{error}");
}

/// The real device call, on a file that is none: the kernel refuses the request.
#[test]
fn a_file_that_is_no_module_gives_an_error() {
    let settings = serde_json::json!({ "device": "/dev/null" });
    let mut nitro = Nitro::open(&serde_json::from_value(settings).unwrap()).unwrap();
    let error = nitro.collect(&Challenge::of_bytes([5; 64])).unwrap_err();
    assert!(matches!(error, CollectError::Refused { .. }), "{error}");
}

#[test]
fn outside_of_an_enclave_there_is_no_module() {
    let folder = tempfile::tempdir().unwrap();
    let settings = serde_json::json!({ "device": folder.path().join("nsm") });
    let error = Nitro::open(&serde_json::from_value(settings).unwrap())
        .err()
        .unwrap();
    assert!(matches!(error, CollectError::Missing { .. }));
    assert!(error.hint().contains("`nsm`"));
}
