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
fn a_section_of_very_many_fields_is_refused_before_they_are_read() {
    let mut bytes = vec![0];
    for field in ["POST", "https", "", "/"] {
        bytes.push(u8::try_from(field.len()).unwrap());
        bytes.extend(field.as_bytes());
    }
    let fields = [1, b'a', 0].repeat(30_000);
    crate::wire::put_varint(&mut bytes, crate::wire::len_u64(fields.len()));
    bytes.extend(fields);
    assert!(!within_limits(&bytes, KNOWN_LENGTH_REQUEST));
    assert_eq!(
        InnerRequest::decode(&bytes).unwrap_err(),
        MessageError::Format
    );
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
