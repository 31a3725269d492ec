use super::*;
use crate::fixtures::request;

#[test]
fn a_request_is_read_back_whole() {
    let request = request();
    assert_eq!(
        InnerRequest::decode(&request.encode().unwrap()),
        Ok(request)
    );
}

#[test]
fn control_lines_that_no_client_sends_are_refused() {
    let edits: [fn(&mut InnerRequest); 5] = [
        |request| request.method = String::new(),
        |request| request.method = "post".to_owned(),
        |request| request.path = "v1/models".to_owned(),
        |request| request.path = "/v1/mo dels".to_owned(),
        |request| request.path = "/v1/\u{e9}".to_owned(),
    ];
    for edit in edits {
        let mut request = request();
        edit(&mut request);
        assert_eq!(request.encode().unwrap_err(), MessageError::Control);
    }
}

#[test]
fn header_fields_that_could_smuggle_are_refused() {
    for (name, value) in [
        ("Content-Type", "a"),
        ("", "a"),
        ("a b", "a"),
        ("a", "x\r\ny: z"),
        ("a", "\0"),
    ] {
        let mut request = request();
        request.headers = vec![(name.to_owned(), value.to_owned())];
        let error = request.encode().unwrap_err();
        assert!(
            matches!(error, MessageError::Header | MessageError::Format),
            "{name}"
        );
    }
}

#[test]
fn too_many_header_fields_are_refused() {
    let mut request = request();
    request.headers = vec![("a".to_owned(), "b".to_owned()); 65];
    assert_eq!(request.encode().unwrap_err(), MessageError::Header);
}

#[test]
fn a_message_with_more_fields_than_the_limit_is_refused_before_they_are_kept() {
    let with = |fields: usize| {
        let fields = [1, b'a', 0].repeat(fields);
        let mut bytes = control(["POST", "https", "", "/"]);
        crate::wire::put_varint(&mut bytes, crate::wire::len_u64(fields.len()));
        bytes.extend(fields);
        InnerRequest::decode(&bytes)
    };
    assert_eq!(with(64).unwrap().headers.len(), 64);
    assert_eq!(with(65).unwrap_err(), MessageError::Format);
    assert_eq!(with(30_000).unwrap_err(), MessageError::Format);
}

#[test]
fn an_authority_or_another_scheme_is_refused() {
    assert!(InnerRequest::decode(&control(["POST", "https", "", "/"])).is_ok());
    for fields in [
        ["POST", "https", "example.org", "/"],
        ["POST", "http", "", "/"],
        ["POST", "HTTPS", "", "/"],
        ["POST", "", "", "/"],
    ] {
        let error = InnerRequest::decode(&control(fields)).unwrap_err();
        assert_eq!(error, MessageError::Control, "{fields:?}");
    }
}

#[test]
fn a_trailer_is_refused() {
    let mut request = control(["POST", "https", "", "/"]);
    request.extend([0, 0]);
    assert!(InnerRequest::decode(&[&request[..], &[0]].concat()).is_ok());
    let trailer = [4, 1, b'a', 1, b'b'];
    assert_eq!(
        InnerRequest::decode(&[&request[..], &trailer].concat()),
        Err(MessageError::Control)
    );
    let response = [1, 0x40, 200, 0, 0];
    assert!(ResponseHead::decode(&response).is_ok());
    assert_eq!(
        ResponseHead::decode(&[&response[..], &trailer].concat()),
        Err(MessageError::Format)
    );
}

#[test]
fn a_head_with_content_or_an_informational_response_is_refused() {
    let informational = [1, 0x40, 103, 0, 0x40, 200, 0, 0, 0];
    for bytes in [&[1, 0x40, 200, 0, 1, b'x', 0][..], &informational] {
        assert_eq!(ResponseHead::decode(bytes), Err(MessageError::Format));
    }
}

/// The first bytes of a request: framing and control data.
fn control(fields: [&str; 4]) -> Vec<u8> {
    let mut bytes = vec![0];
    for field in fields {
        bytes.push(u8::try_from(field.len()).unwrap());
        bytes.extend(field.as_bytes());
    }
    bytes
}

#[test]
fn bytes_after_the_message_are_refused() {
    let mut bytes = request().encode().unwrap();
    bytes.push(0);
    assert_eq!(
        InnerRequest::decode(&bytes).unwrap_err(),
        MessageError::Format
    );
}

#[test]
fn a_response_is_not_a_request_nor_the_reverse() {
    let head = ResponseHead::new(200, "text/plain").encode().unwrap();
    assert_eq!(
        InnerRequest::decode(&head).unwrap_err(),
        MessageError::Format
    );
    let request = request().encode().unwrap();
    assert_eq!(
        ResponseHead::decode(&request).unwrap_err(),
        MessageError::Format
    );
}

#[test]
fn a_status_outside_of_final_answers_is_refused() {
    for status in [100, 199, 600] {
        let error = ResponseHead::new(status, "text/plain")
            .encode()
            .unwrap_err();
        assert!(
            matches!(error, MessageError::Control | MessageError::Format),
            "{status}"
        );
    }
}

#[test]
fn debug_output_shows_nothing_of_the_user() {
    let mut request = request();
    request.path = "/v1/canary-path".to_owned();
    request.headers = vec![("x".to_owned(), "canary-header".to_owned())];
    request.body = b"canary-body".to_vec();
    assert!(!format!("{request:?}").contains("canary"));
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        let _ = InnerRequest::decode(&bytes);
        let _ = ResponseHead::decode(&bytes);
    }
}
