//! The two shapes, and that codes are what their names say.

use super::*;

#[test]
fn each_api_shows_an_error_in_its_shape() {
    let error = ApiError::new(Code::UnsupportedField, "no").with_param("n");
    let read = |api| -> Value { serde_json::from_slice(&error.body(api)).unwrap() };
    let openai = json!({"error": {
        "message": "no", "type": "invalid_request_error", "param": "n", "code": "unsupported_field",
    }});
    for api in [Api::Chat, Api::Completions, Api::Responses] {
        assert_eq!(read(api), openai);
    }
    let anthropic =
        json!({"type": "error", "error": {"type": "invalid_request_error", "message": "no"}});
    assert_eq!(read(Api::Messages), anthropic);
}

#[test]
fn names_are_unique_and_read_back() {
    for code in Code::ALL {
        assert_eq!(Code::parse(code.as_str()), Some(*code));
    }
    assert_eq!(Code::parse("Truncated"), None);
}

/// A device sends again without asking only where nothing ran, or where the code says that the
/// request may run twice.
#[test]
fn only_what_proves_that_nothing_ran_is_safe_to_retry() {
    for code in Code::ALL {
        if code.retry() == Retry::Safe || code.retry() == Retry::Never {
            assert!(code.nothing_ran(), "{code}");
        }
    }
}
