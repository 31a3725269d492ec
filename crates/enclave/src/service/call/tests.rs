//! Which request becomes which call.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use super::*;

fn parse(method: &str, path: &str, body: &str) -> Result<Call, Refusal> {
    let request = InnerRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        headers: vec![(
            "content-type".to_owned(),
            "application/json; charset=utf-8".to_owned(),
        )],
        body: body.as_bytes().to_vec(),
    };
    let sampling = SamplingDefaults {
        temperature: Some(0.5),
        top_k: Some(7),
        max_tokens: Some(11),
        system_prompt: Some("first".to_owned()),
        ..SamplingDefaults::default()
    };
    Call::parse(&request, &Limits::default(), &sampling)
}

fn generate(path: &str, body: &str) -> GenerateRequest {
    match parse("POST", path, body).unwrap() {
        Call::Generate(request) => *request,
        other => panic!("{other:?}"),
    }
}

fn code(method: &str, path: &str) -> Code {
    parse(method, path, "{}").unwrap_err().error.code
}

const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"x"}]"#;

#[test]
fn a_setting_that_the_request_leaves_open_comes_from_the_configuration() {
    let request = generate("/v1/chat/completions", &format!("{CHAT}}}"));
    assert_eq!(request.sampling.temperature, Some(0.5));
    assert_eq!(request.sampling.top_k, Some(7));
    assert_eq!(request.sampling.max_tokens, Some(11));
}

#[test]
fn a_setting_of_the_request_comes_before_the_configuration() {
    let request = generate(
        "/v1/chat/completions",
        &format!("{CHAT},\"temperature\":1.5,\"max_tokens\":3}}"),
    );
    assert_eq!(request.sampling.temperature, Some(1.5));
    assert_eq!(request.sampling.max_tokens, Some(3));
}

#[test]
fn the_system_prompt_stands_before_the_conversation_and_not_before_a_prompt() {
    let Input::Chat(messages) = generate("/v1/chat/completions", &format!("{CHAT}}}")).input else {
        panic!("not a conversation")
    };
    assert_eq!(
        (messages[0].role, messages[0].joined()),
        (Role::System, "first".to_owned())
    );
    assert_eq!(messages.len(), 2);
    let plain = generate("/v1/completions", r#"{"model":"m","prompt":"x"}"#);
    assert!(matches!(plain.input, Input::Prompt(text) if text == "x"));
}

#[test]
fn the_application_s_instructions_come_after_the_service_s() {
    let body = r#"{"model":"m","messages":[{"role":"system","content":"second"},{"role":"user","content":"x"}]}"#;
    let Input::Chat(messages) = generate("/v1/chat/completions", body).input else {
        panic!("not a conversation")
    };
    assert_eq!(messages[0].joined(), "first\n\nsecond");
    assert_eq!(messages.len(), 2);
}

#[test]
fn more_tokens_than_the_service_gives_are_refused_in_the_words_of_each_api() {
    for (path, body, field) in [
        (
            "/v1/chat/completions",
            format!("{CHAT},\"max_tokens\":4097}}"),
            "max_tokens",
        ),
        (
            "/v1/completions",
            r#"{"model":"m","prompt":"x","max_tokens":4097}"#.to_owned(),
            "max_tokens",
        ),
        (
            "/v1/responses",
            r#"{"model":"m","input":"x","max_output_tokens":4097}"#.to_owned(),
            "max_output_tokens",
        ),
        (
            "/v1/messages",
            format!("{CHAT},\"max_tokens\":4097}}"),
            "max_tokens",
        ),
    ] {
        let refusal = parse("POST", path, &body).unwrap_err();
        assert_eq!(refusal.error.param.as_deref(), Some(field), "{path}");
    }
}

#[test]
fn a_name_with_escaped_characters_is_the_model_s() {
    let Ok(Call::Model(name)) = parse("GET", "/v1/models/a%2Fb%3Ac", "") else {
        panic!("not a model")
    };
    assert_eq!(name, "a/b:c");
}

#[test]
fn a_path_that_is_not_exactly_one_of_ours_is_not_found() {
    for path in [
        "/",
        "/v1",
        "/v1/models/",
        "/v1/chat/completions/",
        "/V1/models",
        "/v1/chat/completions?x=1",
        "//v1/models",
    ] {
        assert_eq!(code("POST", path), Code::NotFound, "{path}");
    }
}

#[test]
fn a_wrong_method_is_refused_on_every_path() {
    for (method, path) in [
        ("GET", "/v1/chat/completions"),
        ("PUT", "/v1/completions"),
        ("GET", "/v1/responses"),
        ("DELETE", "/v1/messages"),
        ("GET", "/v1/embeddings"),
        ("POST", "/v1/models"),
        ("HEAD", "/v1/models/m"),
    ] {
        assert_eq!(
            code(method, path),
            Code::MethodNotAllowed,
            "{method} {path}"
        );
    }
}
