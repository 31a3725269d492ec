//! One row for each rule of `/v1/chat/completions`.

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

fn chat() -> Subject<GenerateRequest> {
    let base = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    Subject { parse, base }
}

fn message(fields: Value) -> Value {
    json!({"messages": [{"role": "user", "content": "hi"}, fields]})
}

fn weather() -> Value {
    json!({"type": "function", "function": {"name": "weather"}})
}

#[test]
fn a_full_request_reaches_the_engine_as_it_was_meant() {
    let request = chat()
        .with(json!({
            "messages": [
                {"role": "system", "content": "be brief"},
                {"role": "developer", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
                {"role": "user", "content": "weather?", "name": "ann"},
                {"role": "assistant", "content": null, "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}},
                ]},
                {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
            ],
            "temperature": 0.5, "top_p": 0.9, "top_k": 40, "min_p": 0.05, "seed": -7,
            "stop": ["a", "b"], "max_completion_tokens": 9,
            "presence_penalty": -1, "frequency_penalty": 1.5, "repeat_penalty": 1.1,
            "logit_bias": {"5": -100, "7": 0.5}, "logprobs": true, "top_logprobs": 3, "n": 2,
            "response_format": {"type": "json_schema", "json_schema": {
                "name": "s", "strict": true, "schema": {"type": "object", "properties": {"z": {}, "a": {}}},
            }},
            "tools": [{"type": "function", "function": {
                "name": "weather", "description": "d", "parameters": {"type": "object"}, "strict": true,
            }}],
            "tool_choice": {"type": "function", "function": {"name": "weather"}},
            "parallel_tool_calls": false,
            "stream": true, "stream_options": {"include_usage": true}, "user": "u",
        }))
        .unwrap();
    let Input::Chat(messages) = &request.input else {
        panic!("chat has messages");
    };
    let roles: Vec<Role> = messages.iter().map(|message| message.role).collect();
    assert_eq!(
        roles,
        [
            Role::System,
            Role::Developer,
            Role::User,
            Role::Assistant,
            Role::Tool
        ]
    );
    assert_eq!(messages[1].parts, ["a", "b"]);
    assert_eq!(messages[2].name.as_deref(), Some("ann"));
    assert_eq!(messages[3].tool_calls[0].name, "weather");
    assert_eq!(messages[4].tool_call_id.as_deref(), Some("call_1"));
    let expected = Sampling {
        temperature: Some(0.5),
        top_p: Some(0.9),
        top_k: Some(40),
        min_p: Some(0.05),
        seed: Some(-7),
        stop: vec!["a".to_owned(), "b".to_owned()],
        max_tokens: Some(9),
        presence_penalty: -1.0,
        frequency_penalty: 1.5,
        repeat_penalty: Some(1.1),
        logit_bias: vec![(5, -100.0), (7, 0.5)],
        logprobs: Some(3),
        n: 2,
    };
    assert!(request.sampling == expected);
    let ResponseFormat::JsonSchema(schema) = &request.response_format else {
        panic!("a schema was given");
    };
    assert!(schema.strict);
    assert_eq!(schema.name, "s");
    assert_eq!(request.tools[0].description.as_deref(), Some("d"));
    assert!(request.tools[0].strict);
    assert_eq!(request.tool_choice, ToolChoice::Named("weather".to_owned()));
    assert!(!request.parallel_tool_calls);
    assert!(request.stream && request.include_usage);
}

#[test]
fn properties_of_a_schema_keep_their_order() {
    let body = br#"{"model":"m","messages":[{"role":"user","content":"x"}],
        "tools":[{"type":"function","function":{"name":"f","parameters":{"z":1,"a":2,"m":3}}}]}"#;
    let request = parse(body).unwrap();
    let parameters = request.tools[0].parameters.as_ref().unwrap();
    assert_eq!(parameters.to_string(), r#"{"z":1,"a":2,"m":3}"#);
}

#[test]
fn absent_settings_are_left_to_the_model() {
    let request = chat().with(json!({})).unwrap();
    assert!(request.sampling == Sampling::default());
    assert_eq!(request.response_format, ResponseFormat::Text);
    assert_eq!(request.tool_choice, ToolChoice::None);
    assert!(request.parallel_tool_calls && !request.stream && !request.include_usage);
    assert_eq!(request.conversation, None);
}

#[test]
fn content_without_parts_is_empty_text() {
    let request = chat().with(message(json!({"role": "user", "content": []})));
    let expected = Input::Chat(vec![
        Message::text(Role::User, "hi"),
        Message::text(Role::User, ""),
    ]);
    assert!(request.unwrap().input == expected);
}

#[test]
fn tools_alone_leave_the_choice_to_the_model() {
    let request = chat().with(json!({"tools": [weather()]})).unwrap();
    assert_eq!(request.tool_choice, ToolChoice::Auto);
}

#[test]
fn values_that_ask_for_nothing_are_accepted() {
    chat().accepts([
        json!({"store": false}),
        json!({"service_tier": "auto"}),
        json!({"service_tier": "default"}),
        json!({"verbosity": "medium"}),
        json!({"metadata": {}}),
        json!({"modalities": ["text"]}),
        json!({"logprobs": false, "top_logprobs": 0}),
        json!({"n": 1, "presence_penalty": 0, "frequency_penalty": 0.0}),
        json!({"audio": null, "functions": null, "reasoning_effort": null, "anything": null}),
        json!({"response_format": {"type": "text"}}),
        json!({"tools": [], "tool_choice": "auto"}),
        json!({"tool_choice": "none"}),
        json!({"stop": null}),
        json!({"logit_bias": {}}),
        json!({"max_tokens": 5, "max_completion_tokens": 5}),
        json!({"stream": true, "stream_options": {"include_obfuscation": false}}),
        message(json!({"role": "assistant", "content": "x", "refusal": null, "annotations": []})),
    ]);
}

#[test]
fn required_fields_are_required() {
    chat().requires(&["model", "messages"]);
    chat().refuses([
        (json!({"messages": []}), MissingField, "messages"),
        (
            message(json!({"content": "x"})),
            MissingField,
            "messages[1].role",
        ),
        (
            message(json!({"role": "user"})),
            MissingField,
            "messages[1].content",
        ),
        (
            message(json!({"role": "assistant"})),
            MissingField,
            "messages[1].content",
        ),
        (
            message(json!({"role": "assistant", "tool_calls": []})),
            MissingField,
            "messages[1].content",
        ),
        (
            message(json!({"role": "tool", "content": "x"})),
            MissingField,
            "messages[1].tool_call_id",
        ),
        (
            message(json!({"role": "user", "content": [{"type": "text"}]})),
            MissingField,
            "messages[1].content[0].text",
        ),
        (
            message(json!({"role": "user", "content": [{"text": "x"}]})),
            MissingField,
            "messages[1].content[0].type",
        ),
    ]);
}

#[test]
fn what_is_not_supported_is_named() {
    chat().refuses(
        [
            ("audio", json!({})),
            ("function_call", json!("auto")),
            ("functions", json!([])),
            ("modalities", json!(["text", "audio"])),
            ("metadata", json!({"a": "b"})),
            ("moderation", json!({})),
            ("prediction", json!({})),
            ("prompt_cache_key", json!("k")),
            ("prompt_cache_retention", json!("24h")),
            ("reasoning_effort", json!("low")),
            ("safety_identifier", json!("s")),
            ("service_tier", json!("flex")),
            ("store", json!(true)),
            ("typo", json!(1)),
            ("verbosity", json!("low")),
            ("web_search_options", json!({})),
        ]
        .map(|(name, value)| (json!({ name: value }), UnsupportedField, name)),
    );
}

#[test]
fn parts_of_messages_that_are_not_supported_are_named() {
    let image = json!([{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {}}]);
    chat().refuses([
        (
            message(json!({"role": "user", "content": image})),
            UnsupportedField,
            "messages[1].content[1].type",
        ),
        (
            message(json!({"role": "user", "content": [{"type": "text", "text": "x", "y": 1}]})),
            UnsupportedField,
            "messages[1].content[0].y",
        ),
        (
            message(json!({"role": "user", "content": "x", "weight": 1})),
            UnsupportedField,
            "messages[1].weight",
        ),
        (
            message(json!({"role": "user", "content": "x", "tool_calls": [weather()]})),
            UnsupportedField,
            "messages[1].tool_calls",
        ),
        (
            message(json!({"role": "user", "content": "x", "tool_call_id": "c"})),
            UnsupportedField,
            "messages[1].tool_call_id",
        ),
        (
            message(json!({"role": "assistant", "content": "x", "refusal": "no"})),
            UnsupportedField,
            "messages[1].refusal",
        ),
        (
            message(json!({"role": "assistant", "content": "x", "audio": {}})),
            UnsupportedField,
            "messages[1].audio",
        ),
        (
            message(json!({"role": "assistant", "content": "x", "annotations": [1]})),
            UnsupportedField,
            "messages[1].annotations",
        ),
        (
            message(json!({"role": "assistant", "tool_calls": [{"type": "custom"}]})),
            UnsupportedField,
            "messages[1].tool_calls[0].type",
        ),
    ]);
}

#[test]
fn messages_of_the_wrong_form_are_refused() {
    let call = |id: Value, name: Value, arguments: Value| {
        let function = json!({"name": name, "arguments": arguments});
        let calls = json!([{"type": "function", "id": id, "function": function}]);
        message(json!({"role": "assistant", "tool_calls": calls}))
    };
    chat().refuses([
        (json!({"model": ""}), InvalidValue, "model"),
        (json!({"model": 1}), InvalidValue, "model"),
        (json!({"model": "m".repeat(129)}), InvalidValue, "model"),
        (json!({"messages": "hi"}), InvalidValue, "messages"),
        (json!({"messages": ["hi"]}), InvalidValue, "messages[0]"),
        (
            json!({"messages": vec![json!({}); 4097]}),
            InvalidValue,
            "messages",
        ),
        (
            message(json!({"role": "function", "content": "x"})),
            InvalidValue,
            "messages[1].role",
        ),
        (
            message(json!({"role": "user", "content": 5})),
            InvalidValue,
            "messages[1].content",
        ),
        (
            message(json!({"role": "user", "content": vec![json!({}); 257]})),
            InvalidValue,
            "messages[1].content",
        ),
        (
            message(json!({"role": "user", "content": [{"type": "text", "text": 5}]})),
            InvalidValue,
            "messages[1].content[0].text",
        ),
        (
            message(json!({"role": "user", "content": "x", "name": "n".repeat(65)})),
            InvalidValue,
            "messages[1].name",
        ),
        (
            call(json!("a b"), json!("f"), json!("{}")),
            InvalidValue,
            "messages[1].tool_calls[0].id",
        ),
        (
            call(json!("a"), json!("f g"), json!("{}")),
            InvalidValue,
            "messages[1].tool_calls[0].function.name",
        ),
        (
            call(json!("a"), json!("f"), json!({})),
            InvalidValue,
            "messages[1].tool_calls[0].function.arguments",
        ),
    ]);
}

#[test]
fn settings_out_of_range_are_refused() {
    let rows = [
        ("temperature", json!(2.01)),
        ("temperature", json!(-0.01)),
        ("temperature", json!("hot")),
        ("top_p", json!(0)),
        ("top_p", json!(1.01)),
        ("top_k", json!(-1)),
        ("min_p", json!(1.01)),
        ("seed", json!(1.5)),
        ("seed", json!(u64::MAX)),
        ("stop", json!(5)),
        ("stop", json!("")),
        ("stop", json!(vec!["a"; 9])),
        ("stop", json!("s".repeat(257))),
        ("max_tokens", json!(0)),
        ("max_completion_tokens", json!(0)),
        ("presence_penalty", json!(2.5)),
        ("frequency_penalty", json!(-2.5)),
        ("repeat_penalty", json!(0)),
        ("repeat_penalty", json!(2.5)),
        ("logit_bias", json!({"a": 1})),
        ("logit_bias", json!({"05": 1})),
        ("logit_bias", json!({"+5": 1})),
        ("logit_bias", json!({"-1": 1})),
        ("logit_bias", json!({"4294967296": 1})),
        ("logit_bias", json!({"5": 101})),
        ("logit_bias", json!([1])),
        ("logprobs", json!(5)),
        ("top_logprobs", json!(3)),
        ("n", json!(0)),
        ("n", json!(9)),
        ("stream", json!("yes")),
        ("stream_options", json!({"include_usage": true})),
        ("user", json!("u".repeat(513))),
        ("parallel_tool_calls", json!(1)),
    ];
    chat().refuses(rows.map(|(name, value)| (json!({ name: value }), InvalidValue, name)));
    let many: serde_json::Map<_, _> = (0..301).map(|id| (id.to_string(), json!(1))).collect();
    chat().refuses([
        (json!({"logit_bias": many}), InvalidValue, "logit_bias"),
        (
            json!({"logprobs": true, "top_logprobs": 21}),
            InvalidValue,
            "top_logprobs",
        ),
        (
            json!({"max_tokens": 1, "max_completion_tokens": 2}),
            InvalidValue,
            "max_tokens",
        ),
        (json!({"stop": ["a", ""]}), InvalidValue, "stop[1]"),
        (
            json!({"stream": true, "stream_options": {"include_obfuscation": true}}),
            UnsupportedField,
            "stream_options.include_obfuscation",
        ),
        (
            json!({"stream": true, "stream_options": {"x": true}}),
            UnsupportedField,
            "stream_options.x",
        ),
    ]);
}

#[test]
fn response_formats_of_the_wrong_form_are_refused() {
    let format = |value: Value| json!({"response_format": value});
    let schema = |value: Value| format(json!({"type": "json_schema", "json_schema": value}));
    chat().refuses([
        (format(json!("text")), InvalidValue, "response_format"),
        (format(json!({})), MissingField, "response_format.type"),
        (
            format(json!({"type": "grammar"})),
            UnsupportedField,
            "response_format.type",
        ),
        (
            format(json!({"type": "text", "x": 1})),
            UnsupportedField,
            "response_format.x",
        ),
        (
            format(json!({"type": "json_schema"})),
            MissingField,
            "response_format.json_schema",
        ),
        (
            schema(json!({"schema": {}})),
            MissingField,
            "response_format.json_schema.name",
        ),
        (
            schema(json!({"name": "a b", "schema": {}})),
            InvalidValue,
            "response_format.json_schema.name",
        ),
        (
            schema(json!({"name": "n"})),
            MissingField,
            "response_format.json_schema.schema",
        ),
        (
            schema(json!({"name": "n", "schema": []})),
            InvalidValue,
            "response_format.json_schema.schema",
        ),
        (
            schema(json!({"name": "n", "schema": {}, "strict": 1})),
            InvalidValue,
            "response_format.json_schema.strict",
        ),
        (
            schema(json!({"name": "n", "schema": {}, "description": "d"})),
            UnsupportedField,
            "response_format.json_schema.description",
        ),
        (
            schema(json!({"name": "n", "schema": {}, "x": 1})),
            UnsupportedField,
            "response_format.json_schema.x",
        ),
    ]);
}

#[test]
fn tools_of_the_wrong_form_are_refused() {
    let function = |value: Value| json!({"tools": [{"type": "function", "function": value}]});
    chat().refuses([
        (json!({"tools": {}}), InvalidValue, "tools"),
        (
            json!({"tools": vec![weather(); 129]}),
            InvalidValue,
            "tools",
        ),
        (
            json!({"tools": [weather(), weather()]}),
            InvalidValue,
            "tools[1].name",
        ),
        (
            json!({"tools": [{"type": "custom"}]}),
            UnsupportedField,
            "tools[0].type",
        ),
        (
            json!({"tools": [{"type": 1}]}),
            InvalidValue,
            "tools[0].type",
        ),
        (
            json!({"tools": [{"type": "function"}]}),
            MissingField,
            "tools[0].function",
        ),
        (
            json!({"tools": [{"type": "function", "function": {"name": "f"}, "x": 1}]}),
            UnsupportedField,
            "tools[0].x",
        ),
        (function(json!({})), MissingField, "tools[0].function.name"),
        (
            function(json!({"name": ""})),
            InvalidValue,
            "tools[0].function.name",
        ),
        (
            function(json!({"name": "a\nb"})),
            InvalidValue,
            "tools[0].function.name",
        ),
        (
            function(json!({"name": "n".repeat(65)})),
            InvalidValue,
            "tools[0].function.name",
        ),
        (
            function(json!({"name": "f", "parameters": []})),
            InvalidValue,
            "tools[0].function.parameters",
        ),
        (
            function(json!({"name": "f", "description": 1})),
            InvalidValue,
            "tools[0].function.description",
        ),
        (
            function(json!({"name": "f", "x": 1})),
            UnsupportedField,
            "tools[0].function.x",
        ),
    ]);
}

#[test]
fn a_choice_of_tools_that_cannot_be_met_is_refused() {
    let choice = |value: Value| json!({"tools": [weather()], "tool_choice": value});
    let named = |name: &str| json!({"type": "function", "function": {"name": name}});
    chat().refuses([
        (
            json!({"tool_choice": "required"}),
            InvalidValue,
            "tool_choice",
        ),
        (
            json!({"tool_choice": named("weather")}),
            InvalidValue,
            "tool_choice",
        ),
        (choice(named("other")), InvalidValue, "tool_choice"),
        (choice(json!("any")), UnsupportedField, "tool_choice"),
        (choice(json!(1)), InvalidValue, "tool_choice"),
        (
            choice(json!({"type": "allowed_tools"})),
            UnsupportedField,
            "tool_choice.type",
        ),
        (
            choice(json!({"type": "function"})),
            MissingField,
            "tool_choice.function",
        ),
        (
            choice(json!({"type": "function", "function": {"name": "weather", "x": 1}})),
            UnsupportedField,
            "tool_choice.function.x",
        ),
        (
            choice(json!({"type": "function", "function": {"name": "weather"}, "x": 1})),
            UnsupportedField,
            "tool_choice.x",
        ),
    ]);
}
