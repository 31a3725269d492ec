//! How a refusal names the field, and what it may not repeat.

use super::*;

fn fields(body: &str) -> Fields {
    Fields::parse(body.as_bytes()).unwrap()
}

#[test]
fn a_body_that_is_no_object_is_refused() {
    for body in ["[]", "1", "null", "\"{}\""] {
        let error = Fields::parse(body.as_bytes()).err().unwrap();
        assert_eq!(error.code, Code::InvalidJson, "{body}");
    }
}

#[test]
fn a_field_nobody_took_is_refused_by_its_path() {
    let inner = fields(r#"{"outer":{"surprise":1}}"#)
        .object("outer")
        .unwrap()
        .unwrap();
    let error = inner.finish().unwrap_err();
    assert_eq!(error.code, Code::UnsupportedField);
    assert_eq!(error.param.as_deref(), Some("outer.surprise"));
    assert_eq!(error.message, "field `outer.surprise` is not supported");
}

#[test]
fn null_counts_as_absent() {
    let mut fields = fields(r#"{"known":null,"unknown":null}"#);
    assert_eq!(fields.boolean("known"), Ok(None));
    assert_eq!(fields.finish(), Ok(()));
}

#[test]
fn a_field_name_that_could_be_prose_is_not_repeated() {
    let long = "x".repeat(49);
    for name in ["my secret", "é", "", "1a", "a.b", long.as_str()] {
        let error = fields(&format!(r#"{{"{name}":1}}"#)).finish().unwrap_err();
        assert_eq!(error.code, Code::UnsupportedField, "{name}");
        assert_eq!(error.param, None, "{name}");
        assert_eq!(
            error.message,
            "the request has a field that is not supported"
        );
    }
    let mut outer = fields(r#"{"a":{"my secret":1}}"#);
    let error = outer.object("a").unwrap().unwrap().finish().unwrap_err();
    assert_eq!(error.param.as_deref(), Some("a"));
    assert!(!error.message.contains("secret"));
}

#[test]
fn a_value_of_the_wrong_kind_is_not_repeated() {
    let body = r#"{"a":"canary"}"#;
    let errors = [
        fields(body).boolean("a").unwrap_err(),
        fields(body).integer("a", 0..=1).unwrap_err(),
        fields(body).number("a", 0.0..=1.0).unwrap_err(),
        fields(body).array("a", 1).unwrap_err(),
        fields(body).object("a").err().unwrap(),
        fields(body).string("a", 5).unwrap_err(),
        fields(body)
            .only_false("a", "is not supported")
            .unwrap_err(),
        fields(body).only_text("a", &["b"]).unwrap_err(),
        fields(body).only_empty("a").unwrap_err(),
        fields(r#"{"type":"canary"}"#)
            .require_type("function")
            .unwrap_err(),
        fields(r#"{"a":"canary x"}"#)
            .require_name("a", 9)
            .unwrap_err(),
        fields(r#"{"a":"canary x"}"#)
            .require_id("a", 9)
            .unwrap_err(),
    ];
    for error in errors {
        assert!(error.param.is_some(), "{error}");
        assert!(!error.message.contains("canary"), "{error}");
    }
}

#[test]
fn whole_numbers_are_not_rounded() {
    for body in [
        "1.0",
        "1.5",
        "1e3",
        "-1",
        "4294967296",
        "\"1\"",
        "true",
        "[1]",
    ] {
        let body = format!(r#"{{"a":{body}}}"#);
        let error = fields(&body).integer("a", 0..=u32::MAX).unwrap_err();
        assert_eq!(error.code, Code::InvalidValue, "{body}");
    }
}
