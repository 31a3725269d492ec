//! What a request must never show, and the header of a conversation.

use super::*;

#[test]
fn debug_output_holds_no_text_of_a_user() {
    let body = br#"{"model":"canary","messages":[
        {"role":"user","content":"canary","name":"canary"},
        {"role":"assistant","content":"canary","tool_calls":[{"id":"canary","type":"function","function":{"name":"canary","arguments":"canary"}}]},
        {"role":"tool","tool_call_id":"canary","content":"canary"}],
        "stop":"canary","tools":[{"type":"function","function":{"name":"canary","description":"canary","parameters":{"canary":1}}}],
        "tool_choice":{"type":"function","function":{"name":"canary"}},
        "response_format":{"type":"json_schema","json_schema":{"name":"canary","schema":{"canary":1}}}}"#;
    let request = crate::endpoint::chat::parse(body).unwrap();
    let Input::Chat(messages) = &request.input else {
        panic!("chat has messages");
    };
    let shown = format!(
        "{request:?} {:?} {messages:?} {:?} {:?} {:?} {:?} {:?}",
        request.input,
        messages[1].tool_calls,
        request.sampling,
        request.response_format,
        request.tools,
        request.tool_choice,
    );
    assert!(!shown.contains("canary"), "{shown}");
    let prompt = Input::Prompt("canary".to_owned());
    assert!(!format!("{prompt:?}").contains("canary"));
}

#[test]
fn each_path_leads_to_its_api() {
    for api in Api::ALL {
        assert_eq!(Api::from_path(api.path()), Some(api));
    }
    assert_eq!(Api::from_path("/v1/chat"), None);
}

#[test]
fn a_conversation_key_survives_its_header() {
    let key = ConversationKey::new([0xfb; 32]);
    assert_eq!(key.to_header().len(), 43);
    assert_eq!(
        ConversationKey::from_header(&key.to_header()),
        Ok(key.clone())
    );
    assert_eq!(format!("{key:?}"), "ConversationKey(…)");
}

#[test]
fn a_conversation_header_of_another_form_is_refused() {
    let good = ConversationKey::new([0xfb; 32]).to_header();
    let cases = [
        String::new(),
        good.get(1..).unwrap().to_owned(),
        format!("{good}="),
        format!("{good}A"),
        format!("{good}AAAAAAAAAAAA"),
        good.replace('-', "+"),
        good.replacen('-', " ", 1),
        "é".repeat(22),
    ];
    for value in cases {
        let error = ConversationKey::from_header(&value).unwrap_err();
        assert_eq!(error.code, Code::InvalidValue, "{value}");
        assert_eq!(error.param.as_deref(), Some("subrosa-conversation"));
    }
}
