use super::*;

#[test]
fn an_object_lists_its_properties_in_order() {
    let grammar = schema(
        r#"{"type":"object","properties":{"b":{"type":"string"},"a":{"type":"integer"}},"required":["b","a"]}"#,
    )
    .unwrap();

    assert!(grammar.as_str().contains(r#""\"b\":" ws string"#));
    assert!(grammar.as_str().contains(r#""\"a\":" ws integer"#));
}

#[test]
fn quotes_in_names_and_values_cannot_leave_their_literal() {
    let grammar = schema(r#"{"enum":["a\" | value | \"","\\","\n"]}"#).unwrap();

    assert!(grammar.as_str().contains(r#""\"a\\\" | value | \\\"\"""#));
    assert!(grammar.as_str().contains(r#""\"\\n\"""#) || grammar.as_str().contains(r"\\n"));
}

#[test]
fn a_strict_schema_with_a_keyword_that_cannot_be_enforced_is_refused() {
    for keyword in [
        r#""pattern":"a+""#,
        r#""minimum":3"#,
        r#""not":{}"#,
        r#""if":{}"#,
    ] {
        let text = format!(r#"{{"type":"string",{keyword}}}"#);

        assert_eq!(
            schema(&text).unwrap_err(),
            GrammarError::Unsupported,
            "{keyword}"
        );
        assert!(
            Grammar::from_schema(&json(&text), false).is_ok(),
            "{keyword}"
        );
    }
}

#[test]
fn malformed_keywords_are_refused() {
    for text in [
        "3",
        r#"{"type":7}"#,
        r#"{"type":"thing"}"#,
        r#"{"enum":[]}"#,
        r#"{"enum":7}"#,
        r#"{"anyOf":[]}"#,
        r#"{"type":"object","properties":[]}"#,
        r#"{"type":"object","properties":{"a":{}},"required":["b"]}"#,
        r#"{"type":"string","minLength":-1}"#,
        r#"{"type":"string","minLength":3,"maxLength":2}"#,
        r##"{"$ref":"#/nowhere"}"##,
    ] {
        assert_eq!(schema(text).unwrap_err(), GrammarError::Malformed, "{text}");
    }
}

#[test]
fn a_schema_that_refers_to_itself_without_end_is_refused() {
    let text = r##"{"$ref":"#"}"##;

    assert_eq!(schema(text).unwrap_err(), GrammarError::Depth);
}

#[test]
fn a_schema_that_doubles_at_every_level_is_refused() {
    let text = r##"{"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/a"}]}},"$ref":"#/$defs/a"}"##;

    assert!(schema(text).is_err());
}

#[test]
fn a_large_schema_is_refused() {
    let name = "x".repeat(1000);
    let values: Vec<String> = (0..200).map(|i| format!("\"{name}{i}\"")).collect();

    let refused = schema(&format!(r#"{{"enum":[{}]}}"#, values.join(","))).unwrap_err();

    assert_eq!(refused, GrammarError::Size);
}

#[test]
fn too_many_alternatives_are_refused() {
    let values: Vec<String> = (0..257).map(|i| i.to_string()).collect();
    let properties: Vec<String> = (0..257).map(|i| format!("\"p{i}\":{{}}")).collect();
    for text in [
        format!(r#"{{"enum":[{}]}}"#, values.join(",")),
        format!(r#"{{"properties":{{{}}}}}"#, properties.join(",")),
    ] {
        assert_eq!(schema(&text).unwrap_err(), GrammarError::Size);
    }
}

#[test]
fn a_repetition_that_would_cost_memory_is_refused() {
    let text = r#"{"type":"array","items":{"type":"string"},"minItems":100000}"#;

    assert_eq!(schema(text).unwrap_err(), GrammarError::Unsupported);
}

#[test]
fn a_remote_reference_is_refused() {
    let text = r#"{"$ref":"https://example.org/schema"}"#;

    assert_eq!(schema(text).unwrap_err(), GrammarError::Unsupported);
}

#[test]
fn a_call_names_one_of_the_tools() {
    let shapes = ["get", "set"].map(|name| ToolShape {
        name,
        parameters: None,
        strict: false,
    });

    let grammar = Grammar::tool_call(shapes, Some("</tool_call>")).unwrap();

    assert!(grammar.as_str().contains(r#""\"get\"""#));
    assert!(
        grammar
            .as_str()
            .contains("gap (call-0 | call-1) gap \"</tool_call>\"")
    );
}

#[test]
fn a_call_of_no_tool_is_refused() {
    assert_eq!(
        Grammar::tool_call([], None).unwrap_err(),
        GrammarError::NoTools
    );
}

#[test]
fn arguments_that_are_no_object_are_refused() {
    let parameters = json(r#"{"type":"string"}"#);
    let shape = ToolShape {
        name: "get",
        parameters: Some(&parameters),
        strict: false,
    };

    assert_eq!(
        Grammar::tool_call([shape], None).unwrap_err(),
        GrammarError::Malformed
    );
}

fn schema(text: &str) -> Result<Grammar, GrammarError> {
    Grammar::from_schema(&json(text), true)
}

fn json(text: &str) -> Json {
    Json::parse(text.as_bytes()).unwrap()
}

impl std::fmt::Debug for Grammar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
