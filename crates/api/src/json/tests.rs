//! What is refused although a lenient parser would take it, and what is kept.

use proptest::prelude::*;

use super::*;

#[test]
fn objects_keep_the_order_of_their_fields() {
    let text = r#"{"z":1,"a":{"y":[true,null,-2,0.5],"b":"\u00e9"}}"#;
    assert_eq!(
        Json::parse(text.as_bytes()).unwrap().to_string(),
        text.replace("\\u00e9", "é")
    );
}

#[test]
fn text_that_is_no_single_json_value_is_refused() {
    for text in [
        "",
        " ",
        "{",
        "{}x",
        "{} {}",
        "{'a':1}",
        "[1,]",
        "nul",
        "\"\u{1}\"",
        "01",
        "1e999",
        "NaN",
    ] {
        let error = Json::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error.code, Code::InvalidJson, "{text}");
    }
}

#[test]
fn bytes_that_are_not_utf8_are_refused() {
    let error = Json::parse(b"{\"a\":\"\xff\"}").unwrap_err();
    assert_eq!(error.code, Code::InvalidJson);
}

#[test]
fn a_key_that_comes_twice_is_refused_at_any_depth() {
    for text in [
        r#"{"a":1,"a":1}"#,
        r#"{"a":1,"b":2,"a":1}"#,
        r#"[{"x":{"a":1,"\u0061":2}}]"#,
    ] {
        let error = Json::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error.code, Code::InvalidJson, "{text}");
        assert!(error.message.contains("same key twice"), "{text}");
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(Json::parse(nested(MAX_DEPTH).as_bytes()).is_ok());
    for depth in [MAX_DEPTH + 1, 100_000] {
        let error = Json::parse(nested(depth).as_bytes()).unwrap_err();
        assert!(error.message.contains("nested deeper"), "{depth}");
    }
}

#[test]
fn the_number_of_values_is_bounded() {
    let list = |values: usize| format!("[{}0]", "0,".repeat(values - 2));
    assert!(Json::parse(list(MAX_VALUES).as_bytes()).is_ok());
    let error = Json::parse(list(MAX_VALUES + 1).as_bytes()).unwrap_err();
    assert!(error.message.contains("values"));
}

#[test]
fn a_body_over_the_limit_is_refused_before_it_is_read() {
    let error = Json::parse(&vec![b'{'; MAX_BODY_BYTES + 1]).unwrap_err();
    assert_eq!(error.code, Code::RequestTooLarge);
}

#[test]
fn neither_errors_nor_debug_output_repeat_what_was_sent() {
    for text in [
        r#"{"canary":tru"#,
        r#"{"canary":1,"canary":2}"#,
        r#""canary"#,
    ] {
        let error = Json::parse(text.as_bytes()).unwrap_err();
        assert!(!format!("{error:?} {error}").contains("canary"), "{text}");
    }
    let value = Json::parse(br#"{"canary":"canary"}"#).unwrap();
    assert!(!format!("{value:?}").contains("canary"));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Json::parse(&bytes);
    }

    #[test]
    fn what_is_written_reads_back_the_same(text in "[ \\[\\]{}\",:a0-9.é-]{0,40}") {
        if let Ok(value) = Json::parse(text.as_bytes()) {
            prop_assert!(Json::parse(value.to_string().as_bytes()).unwrap() == value);
        }
    }
}
