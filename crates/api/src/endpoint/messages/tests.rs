//! One row for each rule of `/v1/messages`.

#![allow(
    clippy::needless_pass_by_value,
    clippy::too_many_lines,
    reason = "tests"
)]

use serde_json::{Value, json};

use super::*;
use crate::endpoint::testing::Subject;
use crate::error::Code::{InvalidValue, MissingField, UnsupportedField};

fn subject() -> Subject<GenerateRequest> {
    let base = json!({
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "hi"}],
    });
    Subject { parse, base }
}

/// One more message of the user, made of one block.
fn block(block: Value) -> Value {
    json!({"messages": [{"role": "user", "content": [block]}]})
}

/// A message of the assistant, made of one block, before the last.
fn assistant_block(block: Value) -> Value {
    json!({"messages": [
        {"role": "assistant", "content": [block]},
        {"role": "user", "content": "hi"},
    ]})
}

fn messages(request: &GenerateRequest) -> &[Message] {
    match &request.input {
        Input::Chat(messages) => messages,
        Input::Prompt(_) => panic!("messages have messages"),
    }
}

#[test]
fn a_conversation_with_tools_becomes_neutral_messages() {
    let request = subject()
        .with(json!({
            "system": [{"type": "text", "text": "be brief"}],
            "messages": [
                {"role": "user", "content": "weather?"},
                {"role": "assistant", "content": [
                    {"type": "text", "text": "Let me see."},
                    {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Oslo"}},
                    {"type": "tool_use", "id": "t2", "name": "time", "input": {}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": "sunny"},
                    {"type": "tool_result", "tool_use_id": "t2", "is_error": true, "content": [{"type": "text", "text": "no clock"}]},
                    {"type": "text", "text": "well?"},
                ]},
            ],
        }))
        .unwrap();
    let messages = messages(&request);
    let roles: Vec<Role> = messages.iter().map(|message| message.role).collect();
    let expected = [
        Role::System,
        Role::User,
        Role::Assistant,
        Role::Tool,
        Role::Tool,
        Role::User,
    ];
    assert_eq!(roles, expected);
    assert_eq!(messages[2].tool_calls[0].arguments, r#"{"city":"Oslo"}"#);
    assert_eq!(messages[3].tool_call_id.as_deref(), Some("t1"));
    assert_eq!(messages[4].joined(), "Error: no clock");
    assert_eq!(messages[5].parts, ["well?"]);
}

#[test]
fn settings_reach_the_engine() {
    let request = subject()
        .with(json!({
            "temperature": 1, "top_p": 0.5, "top_k": 7, "stop_sequences": ["a"], "stream": true,
            "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"}}],
            "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": true},
        }))
        .unwrap();
    assert_eq!(request.sampling.max_tokens, Some(9));
    assert_eq!(request.sampling.top_k, Some(7));
    assert_eq!(request.sampling.stop, ["a"]);
    assert_eq!(request.tool_choice, ToolChoice::Named("f".to_owned()));
    assert!(request.tools[0].parameters.is_some());
    assert!(request.stream && !request.parallel_tool_calls);
}

#[test]
fn the_words_for_a_choice_of_tools_are_understood() {
    let tools = json!([{"type": "custom", "name": "f", "input_schema": {}}]);
    for (word, expected) in [
        ("any", ToolChoice::Required),
        ("auto", ToolChoice::Auto),
        ("none", ToolChoice::None),
    ] {
        let changes = json!({"tools": tools, "tool_choice": {"type": word}});
        assert_eq!(subject().with(changes).unwrap().tool_choice, expected);
    }
}

#[test]
fn values_that_ask_for_nothing_are_accepted() {
    subject().accepts([
        json!({"metadata": {"user_id": "u"}}),
        json!({"thinking": {"type": "disabled"}}),
        json!({"service_tier": "auto", "cache_control": null}),
        block(json!({"type": "text", "text": "x", "cache_control": null, "citations": []})),
        block(json!({"type": "tool_result", "tool_use_id": "t"})),
    ]);
}

#[test]
fn what_is_not_supported_is_named() {
    let cache = json!({"type": "ephemeral"});
    subject().refuses(
        [
            ("cache_control", cache.clone()),
            ("container", json!("c")),
            ("context_management", json!({})),
            ("mcp_servers", json!([])),
            ("output_config", json!({})),
            ("service_tier", json!("batch")),
            ("thinking", json!({"type": "enabled", "budget_tokens": 5})),
            ("seed", json!(1)),
            ("n", json!(1)),
            ("stop", json!("x")),
        ]
        .map(|(name, value)| (json!({ name: value }), UnsupportedField, name)),
    );
    subject().refuses([
        (json!({"metadata": {"x": 1}}), UnsupportedField, "metadata.x"),
        (json!({"system": [{"type": "text", "text": "x", "cache_control": cache}]}), UnsupportedField, "system[0].cache_control"),
        (json!({"system": [{"type": "image"}]}), UnsupportedField, "system[0].type"),
        (block(json!({"type": "image", "source": {}})), UnsupportedField, "messages[0].content[0].type"),
        (block(json!({"type": "document", "source": {}})), UnsupportedField, "messages[0].content[0].type"),
        (block(json!({"type": "tool_use", "id": "t", "name": "f", "input": {}})), UnsupportedField, "messages[0].content[0].type"),
        (block(json!({"type": "text", "text": "x", "cache_control": cache})), UnsupportedField, "messages[0].content[0].cache_control"),
        (block(json!({"type": "text", "text": "x", "citations": [1]})), UnsupportedField, "messages[0].content[0].citations"),
        (block(json!({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image"}]})), UnsupportedField, "messages[0].content[0].content[0].type"),
        (assistant_block(json!({"type": "thinking", "thinking": "x"})), UnsupportedField, "messages[0].content[0].type"),
        (assistant_block(json!({"type": "tool_result", "tool_use_id": "t"})), UnsupportedField, "messages[0].content[0].type"),
        (assistant_block(json!({"type": "tool_use", "id": "t", "name": "f", "input": {}, "caller": {}})), UnsupportedField, "messages[0].content[0].caller"),
        (json!({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "{"}]}), UnsupportedField, "messages[1].role"),
        (json!({"tools": [{"type": "bash_20250124", "name": "bash"}]}), UnsupportedField, "tools[0].type"),
        (json!({"tools": [{"name": "f", "input_schema": {}, "cache_control": cache}]}), UnsupportedField, "tools[0].cache_control"),
        (json!({"tool_choice": {"type": "auto", "x": 1}}), UnsupportedField, "tool_choice.x"),
    ]);
}

#[test]
fn requests_of_the_wrong_form_are_refused() {
    subject().requires(&["model", "messages", "max_tokens"]);
    subject().refuses([
        (json!({"max_tokens": 0}), InvalidValue, "max_tokens"),
        (json!({"temperature": 1.1}), InvalidValue, "temperature"),
        (json!({"top_p": 0}), InvalidValue, "top_p"),
        (json!({"top_k": -1}), InvalidValue, "top_k"),
        (
            json!({"stop_sequences": "x"}),
            InvalidValue,
            "stop_sequences",
        ),
        (
            json!({"stop_sequences": vec!["x"; 9]}),
            InvalidValue,
            "stop_sequences",
        ),
        (
            json!({"stop_sequences": [""]}),
            InvalidValue,
            "stop_sequences[0]",
        ),
        (json!({"stream": 1}), InvalidValue, "stream"),
        (json!({"metadata": "u"}), InvalidValue, "metadata"),
        (json!({"system": 1}), InvalidValue, "system"),
        (json!({"messages": []}), MissingField, "messages"),
        (
            json!({"messages": [{"role": "system", "content": "x"}]}),
            InvalidValue,
            "messages[0].role",
        ),
        (
            json!({"messages": [{"role": "user"}]}),
            MissingField,
            "messages[0].content",
        ),
        (
            json!({"messages": [{"role": "user", "content": []}]}),
            InvalidValue,
            "messages[0].content",
        ),
        (
            json!({"messages": [{"role": "user", "content": 1}]}),
            InvalidValue,
            "messages[0].content",
        ),
        (
            json!({"messages": [{"role": "user", "content": "x", "name": "n"}]}),
            UnsupportedField,
            "messages[0].name",
        ),
        (
            block(json!({"text": "x"})),
            MissingField,
            "messages[0].content[0].type",
        ),
        (
            block(json!({"type": "text"})),
            MissingField,
            "messages[0].content[0].text",
        ),
        (
            block(json!({"type": "tool_result", "content": "x"})),
            MissingField,
            "messages[0].content[0].tool_use_id",
        ),
        (
            block(json!({"type": "tool_result", "tool_use_id": "t", "is_error": "x"})),
            InvalidValue,
            "messages[0].content[0].is_error",
        ),
        (
            assistant_block(json!({"type": "tool_use", "id": "t", "name": "f", "input": "{}"})),
            InvalidValue,
            "messages[0].content[0].input",
        ),
        (
            assistant_block(json!({"type": "tool_use", "id": "t", "name": "f"})),
            MissingField,
            "messages[0].content[0].input",
        ),
        (
            json!({"tools": [{"name": "f"}]}),
            MissingField,
            "tools[0].input_schema",
        ),
        (
            json!({"tools": [{"name": "f", "input_schema": 1}]}),
            InvalidValue,
            "tools[0].input_schema",
        ),
        (json!({"tool_choice": {}}), MissingField, "tool_choice.type"),
        (
            json!({"tool_choice": {"type": "required"}}),
            InvalidValue,
            "tool_choice.type",
        ),
        (
            json!({"tool_choice": {"type": "tool"}}),
            MissingField,
            "tool_choice.name",
        ),
        (
            json!({"tool_choice": {"type": "tool", "name": "f"}}),
            InvalidValue,
            "tool_choice",
        ),
        (
            json!({"tool_choice": {"type": "any"}}),
            InvalidValue,
            "tool_choice",
        ),
    ]);
}
