//! One row for each rule of `/v1/responses`.

#![allow(
    clippy::needless_pass_by_value,
    clippy::too_many_lines,
    reason = "tests"
)]

use serde_json::{Value, json};

use super::*;
use crate::endpoint::testing::Subject;
use crate::error::Code::{InvalidValue, MissingField, UnsupportedField};
use crate::request::ResponseFormat;

fn responses() -> Subject<GenerateRequest> {
    let base = json!({"model": "m", "input": "hi"});
    Subject { parse, base }
}

fn item(fields: Value) -> Value {
    json!({"input": [{"role": "user", "content": "hi"}, fields]})
}

fn messages(request: &GenerateRequest) -> &[Message] {
    match &request.input {
        Input::Chat(messages) => messages,
        Input::Prompt(_) => panic!("responses have messages"),
    }
}

#[test]
fn instructions_come_before_the_input() {
    let request = responses()
        .with(json!({"instructions": "be brief"}))
        .unwrap();
    let expected = [
        Message::text(Role::System, "be brief"),
        Message::text(Role::User, "hi"),
    ];
    assert!(messages(&request) == expected);
}

/// What `response.output` of an earlier answer looks like when a client sends it back.
#[test]
fn an_earlier_answer_can_be_sent_back_as_it_came() {
    let request = responses()
        .with(json!({"input": [
            {"role": "user", "content": [{"type": "input_text", "text": "weather?"}]},
            {"type": "message", "id": "msg_1_0", "status": "completed", "role": "assistant", "content": [
                {"type": "output_text", "text": "Let me see.", "annotations": [], "logprobs": []},
            ]},
            {"type": "function_call", "id": "fc_1_1", "status": "completed", "call_id": "call_1", "name": "weather", "arguments": "{}"},
            {"type": "function_call", "call_id": "call_2", "name": "time", "arguments": "{}", "caller": null},
            {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
            {"type": "function_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "noon"}]},
        ]}))
        .unwrap();
    let messages = messages(&request);
    let roles: Vec<Role> = messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::Tool, Role::Tool]);
    let calls: Vec<&str> = messages[1]
        .tool_calls
        .iter()
        .map(|call| call.id.as_str())
        .collect();
    assert_eq!(calls, ["call_1", "call_2"]);
    assert_eq!(messages[3].parts, ["noon"]);
}

#[test]
fn a_call_without_text_before_it_is_a_message_of_its_own() {
    let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": ""});
    let request = responses().with(item(call)).unwrap();
    assert_eq!(messages(&request)[1].role, Role::Assistant);
    assert!(messages(&request)[1].parts.is_empty());
}

#[test]
fn settings_reach_the_engine() {
    let request = responses()
        .with(json!({
            "max_output_tokens": 9, "temperature": 0, "top_p": 0.5, "top_k": 3, "seed": 4,
            "include": ["message.output_text.logprobs"], "top_logprobs": 2, "stream": true,
            "text": {"format": {"type": "json_schema", "name": "n", "schema": {}}, "verbosity": "medium"},
            "tools": [{"type": "function", "name": "f", "parameters": {}, "description": "d"}],
            "tool_choice": {"type": "function", "name": "f"}, "parallel_tool_calls": false,
        }))
        .unwrap();
    assert_eq!(request.sampling.max_tokens, Some(9));
    assert_eq!(request.sampling.temperature, Some(0.0));
    assert_eq!(request.sampling.logprobs, Some(2));
    assert_eq!(request.sampling.seed, Some(4));
    assert!(
        matches!(&request.response_format, ResponseFormat::JsonSchema(schema) if !schema.strict)
    );
    assert!(
        request.tools[0].strict,
        "the documented default of this API"
    );
    assert_eq!(request.tool_choice, ToolChoice::Named("f".to_owned()));
    assert!(request.stream && !request.parallel_tool_calls);
}

#[test]
fn values_that_ask_for_nothing_are_accepted() {
    responses().accepts([
        json!({"store": false, "background": false, "truncation": "disabled"}),
        json!({"reasoning": null, "previous_response_id": null, "metadata": {}}),
        json!({"service_tier": "auto", "include": [], "top_logprobs": 0, "tools": []}),
        json!({"stream": true, "stream_options": {"include_obfuscation": false}}),
        json!({"text": {}, "user": "u"}),
    ]);
}

#[test]
fn what_is_not_supported_is_named() {
    responses().refuses(
        [
            ("background", json!(true)),
            ("context_management", json!([])),
            ("conversation", json!("c")),
            ("max_tool_calls", json!(1)),
            ("metadata", json!({"a": "b"})),
            ("previous_response_id", json!("resp_1")),
            ("prompt", json!({"id": "p"})),
            ("prompt_cache_key", json!("k")),
            ("reasoning", json!({"effort": "low"})),
            ("reasoning", json!({})),
            ("safety_identifier", json!("s")),
            ("service_tier", json!("priority")),
            ("store", json!(true)),
            ("truncation", json!("auto")),
            ("n", json!(2)),
            ("stop", json!("x")),
            ("messages", json!([])),
            ("max_tokens", json!(1)),
        ]
        .map(|(name, value)| (json!({ name: value }), UnsupportedField, name)),
    );
    responses().refuses([
        (
            json!({"include": ["message.output_text.logprobs", "reasoning.encrypted_content"]}),
            UnsupportedField,
            "include[1]",
        ),
        (
            json!({"stream_options": {"include_obfuscation": true}}),
            UnsupportedField,
            "stream_options.include_obfuscation",
        ),
        (
            json!({"stream_options": {"include_usage": true}}),
            UnsupportedField,
            "stream_options.include_usage",
        ),
        (
            json!({"text": {"verbosity": "high"}}),
            UnsupportedField,
            "text.verbosity",
        ),
        (json!({"text": {"x": 1}}), UnsupportedField, "text.x"),
        (
            json!({"text": {"format": {"type": "grammar"}}}),
            UnsupportedField,
            "text.format.type",
        ),
        (
            json!({"text": {"format": {"type": "text", "name": "n"}}}),
            UnsupportedField,
            "text.format.name",
        ),
        (
            json!({"tools": [{"type": "web_search"}]}),
            UnsupportedField,
            "tools[0].type",
        ),
        (
            json!({"tools": [{"type": "function", "name": "f", "x": 1}]}),
            UnsupportedField,
            "tools[0].x",
        ),
        (
            json!({"tool_choice": {"type": "mcp"}}),
            UnsupportedField,
            "tool_choice.type",
        ),
        (
            json!({"tool_choice": "some"}),
            UnsupportedField,
            "tool_choice",
        ),
    ]);
}

#[test]
fn items_that_are_not_supported_are_named() {
    let content = |part: Value| item(json!({"role": "user", "content": [part]}));
    responses().refuses([
        (item(json!({"type": "reasoning", "summary": []})), UnsupportedField, "input[1].type"),
        (item(json!({"type": "item_reference", "id": "x"})), UnsupportedField, "input[1].type"),
        (item(json!({"role": "user", "content": "x", "phase": "commentary"})), UnsupportedField, "input[1].phase"),
        (content(json!({"type": "input_image"})), UnsupportedField, "input[1].content[0].type"),
        (content(json!({"type": "output_text", "text": "x"})), UnsupportedField, "input[1].content[0].type"),
        (content(json!({"type": "input_text", "text": "x", "y": 1})), UnsupportedField, "input[1].content[0].y"),
        (item(json!({"role": "assistant", "content": [{"type": "refusal"}]})), UnsupportedField, "input[1].content[0].type"),
        (item(json!({"role": "assistant", "content": [{"type": "output_text", "text": "x", "annotations": [1]}]})), UnsupportedField, "input[1].content[0].annotations"),
        (item(json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "", "namespace": "n"})), UnsupportedField, "input[1].namespace"),
        (item(json!({"type": "function_call_output", "call_id": "c", "output": [{"type": "input_file"}]})), UnsupportedField, "input[1].output[0].type"),
    ]);
}

#[test]
fn input_of_the_wrong_form_is_refused() {
    responses().requires(&["model", "input"]);
    responses().refuses([
        (json!({"input": []}), MissingField, "input[0]"),
        (json!({"input": {}}), InvalidValue, "input"),
        (json!({"input": [1]}), InvalidValue, "input[0]"),
        (
            json!({"input": vec![json!({}); 4097]}),
            InvalidValue,
            "input",
        ),
        (
            item(json!({"role": "tool", "content": "x"})),
            InvalidValue,
            "input[1].role",
        ),
        (
            item(json!({"role": "user"})),
            MissingField,
            "input[1].content",
        ),
        (item(json!({"content": "x"})), MissingField, "input[1].role"),
        (
            item(json!({"type": "function_call", "name": "f", "arguments": ""})),
            MissingField,
            "input[1].call_id",
        ),
        (
            item(json!({"type": "function_call", "call_id": "c", "arguments": ""})),
            MissingField,
            "input[1].name",
        ),
        (
            item(json!({"type": "function_call", "call_id": "c", "name": "f"})),
            MissingField,
            "input[1].arguments",
        ),
        (
            item(json!({"type": "function_call_output", "output": "x"})),
            MissingField,
            "input[1].call_id",
        ),
        (
            item(json!({"type": "function_call_output", "call_id": "c"})),
            MissingField,
            "input[1].output",
        ),
        (
            json!({"max_output_tokens": 0}),
            InvalidValue,
            "max_output_tokens",
        ),
        (json!({"temperature": 2.5}), InvalidValue, "temperature"),
        (json!({"top_logprobs": 21}), InvalidValue, "top_logprobs"),
        (json!({"instructions": []}), InvalidValue, "instructions"),
        (
            json!({"text": {"format": {"type": "json_schema", "name": "n"}}}),
            MissingField,
            "text.format.schema",
        ),
        (
            json!({"tool_choice": "required"}),
            InvalidValue,
            "tool_choice",
        ),
    ]);
}
