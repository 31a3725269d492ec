//! Another implementation of RFC 9292 is the judge.

use std::io::Cursor;

use bhttp::{Message, Mode, StatusCode};
use proptest::prelude::*;

use super::*;

type Field = (Vec<u8>, Vec<u8>);

fn their_request(headers: &[Field], content: &[u8]) -> Message {
    let (method, scheme, path) = (b"POST".to_vec(), b"https".to_vec(), b"/v1".to_vec());
    let mut message = Message::request(method, scheme, Vec::new(), path);
    fill(&mut message, headers, content);
    message
}

fn fill(message: &mut Message, headers: &[Field], content: &[u8]) {
    for (name, value) in headers {
        message.put_header(name.as_slice(), value.as_slice());
    }
    message.write_content(content);
}

fn rest<'a>(headers: &'a [Field], content: &'a [u8]) -> Rest<'a> {
    let fields = headers.iter();
    Rest {
        headers: fields
            .map(|(name, value)| (&name[..], &value[..]))
            .collect(),
        content,
        trailer: &[],
    }
}

fn our_request<'a>(headers: &'a [Field], content: &'a [u8]) -> RawRequest<'a> {
    RawRequest {
        method: b"POST",
        scheme: b"https",
        authority: b"",
        path: b"/v1",
        rest: rest(headers, content),
    }
}

fn their_bytes(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.write_bhttp(Mode::KnownLength, &mut bytes).unwrap();
    bytes
}

/// What the other implementation reads from the bytes, all of them.
fn they_read(bytes: &[u8]) -> Option<Message> {
    let mut cursor = Cursor::new(bytes);
    let message = Message::read_bhttp(&mut cursor).ok()?;
    (cursor.position() == len_u64(bytes.len())).then_some(message)
}

fn fields() -> impl Strategy<Value = Vec<Field>> {
    let field = ("[a-z0-9_-]{1,80}", "[ -~]{0,200}");
    let bytes = |(name, value): (String, String)| (name.into_bytes(), value.into_bytes());
    proptest::collection::vec(field.prop_map(bytes), 0..20)
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..20_000)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn both_implementations_write_the_same_request(headers in fields(), content in content()) {
        let ours = our_request(&headers, &content);
        let bytes = ours.write();
        prop_assert_eq!(&bytes, &their_bytes(&their_request(&headers, &content)));
        prop_assert_eq!(RawRequest::read(&bytes), Some(ours));
    }

    #[test]
    fn both_implementations_write_the_same_response(
        headers in fields(), content in content(), status in 200_u16..600
    ) {
        let ours = RawResponse { status: u64::from(status), rest: rest(&headers, &content) };
        let mut theirs = Message::response(StatusCode::try_from(status).unwrap());
        fill(&mut theirs, &headers, &content);
        let bytes = ours.write();
        prop_assert_eq!(&bytes, &their_bytes(&theirs));
        prop_assert_eq!(RawResponse::read(&bytes), Some(ours));
    }

    /// What is accepted here means the same there, however it came about.
    #[test]
    fn a_changed_message_is_refused_or_read_alike(
        headers in fields(), at: proptest::sample::Index, byte: u8, cut: proptest::sample::Index
    ) {
        let mut bytes = our_request(&headers, b"content").write();
        let at = at.index(bytes.len().min(40));
        bytes[at] = byte;
        bytes.truncate(bytes.len() - cut.index(12));
        if let Some(ours) = RawRequest::read(&bytes) {
            let Some(theirs) = they_read(&bytes) else {
                // They also look at the fields' values, as `InnerRequest` does.
                return Ok(());
            };
            let control = theirs.control();
            prop_assert_eq!(control.method(), Some(ours.method));
            prop_assert_eq!(control.scheme(), Some(ours.scheme));
            prop_assert_eq!(control.authority().unwrap_or_default(), ours.authority);
            prop_assert_eq!(control.path(), Some(ours.path));
            prop_assert_eq!(theirs.content(), ours.rest.content);
            let fields = theirs.header().fields().iter();
            let fields: Vec<_> = fields.map(|field| (field.name(), field.value())).collect();
            prop_assert_eq!(fields, ours.rest.headers);
        }
    }
}

#[test]
fn nothing_is_reserved_twice() {
    let headers = vec![(b"content-type".to_vec(), vec![b'x'; 300]); 64];
    for len in [0, 63, 64, 16_383, 16_384, 1 << 20] {
        let content = vec![7; len];
        let message = our_request(&headers, &content);
        let bound = message.rest.bound() + 4 * MAX_VARINT + "POSThttps/v1".len();
        let bytes = message.write();
        assert!(bytes.len() <= bound && bytes.capacity() == bound, "{len}");
    }
}

#[test]
fn empty_sections_at_the_end_may_be_left_out() {
    let bytes = our_request(&[], b"").write();
    for left_out in 1..=3 {
        let short = &bytes[..bytes.len() - left_out];
        assert!(they_read(short).is_some());
        assert_eq!(RawRequest::read(short), RawRequest::read(&bytes));
    }
    assert_eq!(RawRequest::read(&bytes[..bytes.len() - 4]), None);
}

#[test]
fn a_section_over_its_limit_is_refused() {
    let with = |path: &[u8], value: &[u8]| {
        let headers = [(b"a".to_vec(), value.to_vec())];
        let mut message = our_request(&headers, b"");
        message.path = path;
        RawRequest::read(&message.write()).is_some()
    };
    let longest = vec![b'/'; MAX_SECTION];
    let over = vec![b'/'; MAX_SECTION + 1];
    assert!(with(&longest, b"") && !with(&over, b""));
    // A field's name and two lengths are part of the section.
    assert!(with(b"/", &longest[6..]) && !with(b"/", &longest[5..]));
}

#[test]
fn another_framing_indicator_is_refused() {
    let mut bytes = our_request(&[], b"").write();
    for framing in [1, 2, 3, 0x40] {
        bytes[0] = framing;
        assert_eq!(RawRequest::read(&bytes), None);
    }
    for framing in [0, 2, 3] {
        assert_eq!(RawResponse::read(&[framing, 0x40, 200, 0, 0, 0]), None);
    }
}
