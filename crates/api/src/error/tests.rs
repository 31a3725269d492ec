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

/// Official clients send again after 408, 409, 429 and 5xx unless this header says no.
#[test]
fn clients_are_told_to_send_again_only_what_is_safe() {
    for code in Code::ALL {
        let headers = ApiError::from_code(*code).headers();
        let value = |name| {
            headers
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.as_str())
        };
        assert_eq!(value("subrosa-error"), Some(code.as_str()));
        let safe = code.retry() == Retry::Safe;
        assert_eq!(
            value("x-should-retry"),
            Some(if safe { "true" } else { "false" })
        );
        assert_eq!(value("retry-after").is_some(), safe, "{code}");
    }
    let headers = ApiError::from_code(Code::QueueFull)
        .with_retry_after(7)
        .headers();
    assert!(headers.contains(&("retry-after", "7".to_owned())));
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
