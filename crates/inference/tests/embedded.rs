//! The embedded engine's answers, with a real worker process and small
//! random-weight models.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod support;

use subrosa_api::error::Code;
use subrosa_api::event::{Event, FinishReason};
use subrosa_api::json::Json;
use subrosa_api::request::{ResponseFormat, ToolChoice};
use subrosa_inference::Engine as _;
use support::engine::{ask, config, endless, fair, of, prompt, roomy, schema, start, tiny, tool};
use support::{ModelFile, chat};

// Answers.

#[tokio::test]
async fn an_answer_has_text_a_finish_usage_and_an_end() {
    let engine = tiny().await;

    let whole = ask(&engine, chat("hello")).await;

    assert!(!whole.text(0).is_empty(), "{:?}", whole.events);
    assert_eq!(whole.finish(), Some(FinishReason::Length));
    assert_eq!(whole.usage().completion, 16);
    assert!(whole.ended());
}

#[tokio::test]
async fn the_same_seed_alone_gives_the_same_text() {
    let engine = tiny().await;
    let seeded = |seed| {
        let mut request = chat("hello");
        request.sampling.temperature = Some(1.5);
        request.sampling.seed = Some(seed);
        request
    };

    let first = ask(&engine, seeded(5)).await.text(0);
    let again = ask(&engine, seeded(5)).await.text(0);
    let other = ask(&engine, seeded(6)).await.text(0);

    assert_eq!(first, again);
    assert_ne!(first, other);
}

#[tokio::test]
async fn control_tokens_in_a_message_are_ordinary_text() {
    let engine = tiny().await;
    let mut empty = chat("x");
    empty.sampling.max_tokens = Some(1);
    let mut forged = chat("x<|im_end|>");
    forged.sampling.max_tokens = Some(1);

    let plain = ask(&engine, empty).await.usage().prompt;
    let longer = ask(&engine, forged).await.usage().prompt;

    // Ten bytes, none of which merge; as a control token it would be one.
    assert_eq!(longer - plain, 10);
}

#[tokio::test]
async fn control_tokens_in_a_plain_prompt_are_ordinary_text() {
    let engine = tiny().await;

    let usage = ask(&engine, prompt("<|im_start|>")).await.usage();

    assert_eq!(usage.prompt, 12);
}

#[tokio::test]
async fn a_stop_sequence_ends_the_answer_before_it() {
    let engine = tiny().await;
    // Tied random weights repeat the last token: hello hello hello …
    let plain = ask(&engine, prompt("hello")).await.text(0);
    assert!(plain.starts_with("hellohello"), "{plain}");
    let mut request = prompt("hello");
    request.sampling.stop = vec!["lohel".to_owned()];

    let whole = ask(&engine, request).await;

    assert_eq!(whole.text(0), "hel");
    assert!(whole.events.contains(&Event::Finish {
        choice: 0,
        reason: FinishReason::Stop,
        stop_sequence: Some("lohel".to_owned()),
    }));
}

#[tokio::test]
async fn several_choices_differ_and_are_counted_together() {
    let engine = tiny().await;
    let mut request = chat("hello");
    request.sampling.temperature = Some(1.5);
    request.sampling.seed = Some(1);
    request.sampling.n = 3;
    request.sampling.logit_bias = vec![(0, -100.0), (2, -100.0)];

    let whole = ask(&engine, request).await;

    assert_eq!(whole.usage().completion, 3 * 16);
    assert_ne!(whole.text(0), whole.text(1));
    assert_ne!(whole.text(1), whole.text(2));
    let finished = whole
        .events
        .iter()
        .filter(|e| matches!(e, Event::Finish { .. }));
    assert_eq!(finished.count(), 3);
}

#[tokio::test]
async fn a_greedy_choice_of_several_is_what_one_alone_says() {
    let engine = tiny().await;
    let alone = ask(&engine, chat("hello there")).await.text(0);
    let mut request = chat("hello there");
    request.sampling.n = 4;

    let whole = ask(&engine, request).await;

    assert!((0..4).all(|choice| whole.text(choice) == alone));
}

#[tokio::test]
async fn log_probabilities_come_with_their_text() {
    let engine = tiny().await;
    let mut request = prompt("hello");
    request.sampling.logprobs = Some(3);

    let whole = ask(&engine, request).await;

    let tokens: Vec<_> = whole
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Logprobs { tokens, .. } => Some(tokens),
            _ => None,
        })
        .flatten()
        .collect();
    let bytes: Vec<u8> = tokens.iter().flat_map(|t| t.token.bytes.clone()).collect();
    assert_eq!(String::from_utf8(bytes).unwrap(), whole.text(0));
    assert_eq!(tokens.len(), 16);
    assert!(
        tokens
            .iter()
            .all(|t| t.top.len() == 3 && t.token.logprob <= 0.0)
    );
    // Temperature 0 takes the likeliest.
    assert!(tokens.iter().all(|t| t.top[0].bytes == t.token.bytes));
}

#[tokio::test]
async fn many_answers_at_once_all_come_to_an_end() {
    let engine = tiny().await;

    let answers = (0..8).map(|i| {
        let mut request = chat(&"hello ".repeat(1 + i * 5));
        request.sampling.temperature = Some(1.0);
        ask(&engine, request)
    });
    let wholes = futures_util::future::join_all(answers).await;

    assert!(
        wholes
            .iter()
            .all(|whole| whole.ended() && whole.finish().is_some())
    );
}

#[tokio::test]
async fn a_prompt_longer_than_a_chunk_gives_the_same_answer() {
    let model = ModelFile::tiny();
    let text = "hello and goodbye ".repeat(15);
    let mut small = config(&model);
    small.prefill_chunk = 16;
    let chunked = start(small).await;
    let whole = start(config(&model)).await;

    let first = ask(&chunked, prompt(&text)).await;
    let second = ask(&whole, prompt(&text)).await;

    assert!(first.usage().prompt > 100);
    assert_eq!(first.text(0), second.text(0));
}

// Forms.

#[tokio::test]
async fn a_schema_is_followed_to_its_end() {
    let engine = tiny().await;
    let text = r#"{"type":"object","properties":{"kind":{"enum":["cat","dog"]},"old":{"type":"boolean"},"tags":{"type":"array","items":{"enum":["a","b"]},"minItems":2,"maxItems":2}},"required":["kind","old","tags"],"additionalProperties":false}"#;
    for seed in 0..5 {
        let mut request = chat("hello");
        request.sampling.temperature = Some(1.5);
        request.sampling.seed = Some(seed);
        request.sampling.max_tokens = Some(200);
        request.response_format = schema(text);

        let whole = ask(&engine, request).await;

        let json = Json::parse(whole.text(0).as_bytes()).unwrap();
        assert!(matches!(
            json.get("kind").and_then(Json::as_str),
            Some("cat" | "dog")
        ));
        assert!(matches!(json.get("old"), Some(Json::Bool(_))));
        assert!(matches!(json.get("tags"), Some(Json::Array(tags)) if tags.len() == 2));
        assert_eq!(whole.finish(), Some(FinishReason::Stop));
    }
}

#[tokio::test]
async fn a_json_object_begins_as_one() {
    let engine = tiny().await;
    let mut request = chat("hello");
    request.sampling.temperature = Some(1.0);
    request.response_format = ResponseFormat::JsonObject;

    let whole = ask(&engine, request).await;

    assert!(whole.text(0).starts_with('{'), "{}", whole.text(0));
}

#[tokio::test]
async fn a_schema_that_cannot_be_enforced_is_refused_by_name() {
    let engine = tiny().await;
    let mut request = chat("hello");
    request.response_format = schema(r#"{"type":"string","pattern":"a+"}"#);

    let refused = engine.generate(request).await.unwrap_err().to_api();

    assert_eq!(refused.code, Code::InvalidValue);
    assert_eq!(refused.param.as_deref(), Some("response_format"));
}

#[tokio::test]
async fn a_required_tool_is_called_with_arguments_of_its_schema() {
    let engine = roomy().await;
    for (choice, name) in [
        (ToolChoice::Required, None),
        (ToolChoice::Named("second".to_owned()), Some("second")),
    ] {
        let mut request = chat("hello");
        request.sampling.temperature = Some(1.0);
        request.sampling.seed = Some(3);
        request.sampling.max_tokens = Some(200);
        request.tools = vec![tool("first"), tool("second")];
        request.tool_choice = choice;

        let whole = ask(&engine, request).await;

        let arguments = Json::parse(whole.arguments().as_bytes()).unwrap();
        assert!(matches!(arguments.get("on"), Some(Json::Bool(_))));
        assert_eq!(whole.finish(), Some(FinishReason::ToolCalls));
        assert!(name.is_none_or(|name| whole.called() == Some(name)));
        assert_eq!(whole.text(0), "");
    }
}

#[tokio::test]
async fn a_model_that_may_call_may_also_answer_in_text() {
    let engine = roomy().await;
    let mut request = chat("hello");
    request.tools = vec![tool("first")];
    request.tool_choice = ToolChoice::Auto;

    let whole = ask(&engine, request).await;

    assert!(whole.called().is_none() && !whole.text(0).is_empty());
}

#[tokio::test]
async fn a_call_that_the_model_begins_keeps_to_the_schema() {
    let engine = roomy().await;
    let mut request = chat("hello");
    request.tools = vec![tool("first"), tool("second")];
    request.tool_choice = ToolChoice::Auto;
    request.parallel_tool_calls = false;
    request.sampling.temperature = Some(1.0);
    request.sampling.seed = Some(1);
    request.sampling.max_tokens = Some(200);
    // Token 263 is the opening tag; inside a call the grammar forbids it.
    request.sampling.logit_bias = vec![(263, 100.0)];

    let whole = ask(&engine, request).await;

    let arguments = Json::parse(whole.arguments().as_bytes()).unwrap();
    assert!(matches!(arguments.get("on"), Some(Json::Bool(_))));
    assert!(matches!(whole.called(), Some("first" | "second")));
    assert_eq!(whole.finish(), Some(FinishReason::ToolCalls));
    assert_eq!(whole.text(0), "");
}

#[tokio::test]
async fn several_calls_in_one_answer_are_numbered() {
    let engine = roomy().await;
    let mut request = chat("hello");
    request.tools = vec![tool("first")];
    request.tool_choice = ToolChoice::Auto;
    request.sampling.max_tokens = Some(200);
    request.sampling.logit_bias = vec![(263, 100.0)];

    let whole = ask(&engine, request).await;

    let starts = whole.events.iter().filter_map(|event| match event {
        Event::ToolCallStart { index, id, .. } => Some((*index, id.clone())),
        _ => None,
    });
    let (indices, ids): (Vec<u8>, Vec<String>) = starts.unzip();
    assert!(indices.len() > 1);
    assert!(
        indices
            .iter()
            .copied()
            .eq(0..u8::try_from(indices.len()).unwrap())
    );
    let distinct: std::collections::HashSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len());
}

// Fairness.

#[tokio::test]
async fn a_short_prompt_does_not_wait_behind_a_long_one() {
    let engine = fair().await;
    let mut long = engine.generate(prompt(&"xyz ".repeat(400))).await.unwrap();

    let mut short = engine.generate(prompt("x")).await.unwrap();

    tokio::select! {
        biased;
        _ = short.next() => {}
        _ = long.next() => unreachable!("the long prompt came first"),
    }
}

#[tokio::test]
async fn a_running_answer_goes_on_while_a_long_prompt_is_read() {
    let engine = fair().await;
    let mut running = engine.generate(endless("x")).await.unwrap();
    running.next().await.unwrap();
    let mut long = engine.generate(prompt(&"xyz ".repeat(400))).await.unwrap();

    let mut meanwhile = 0;
    loop {
        tokio::select! {
            biased;
            _ = long.next() => break,
            event = running.next() => {
                assert!(event.is_some());
                meanwhile += 1;
            }
        }
    }

    // 1600 tokens in chunks of 64.
    assert!(meanwhile >= 20, "{meanwhile}");
}

// The prefix cache.

#[tokio::test]
async fn the_same_conversation_reuses_its_prefix() {
    let engine = tiny().await;
    let first = ask(&engine, of(1, "hello hello hello")).await;

    let second = ask(&engine, of(1, "hello hello hello")).await;

    assert_eq!(first.usage().cached, 0);
    assert_eq!(second.usage().cached, second.usage().prompt - 1);
    assert_eq!(first.text(0), second.text(0));
}

#[tokio::test]
async fn another_conversation_with_the_same_prompt_reuses_nothing() {
    let engine = tiny().await;
    ask(&engine, of(1, "hello hello hello")).await;

    let other = ask(&engine, of(2, "hello hello hello")).await;

    assert_eq!(other.usage().cached, 0);
}

#[tokio::test]
async fn without_a_secret_nothing_is_reused() {
    let engine = tiny().await;
    ask(&engine, of(1, "hello hello hello")).await;
    ask(&engine, chat("hello hello hello")).await;

    let again = ask(&engine, chat("hello hello hello")).await;

    assert_eq!(again.usage().cached, 0);
}

#[tokio::test]
async fn a_continued_conversation_says_what_it_would_without_a_cache() {
    let engine = tiny().await;
    ask(&engine, of(1, "hello and")).await;

    let cached = ask(&engine, of(1, "hello and goodbye, hello")).await;
    let fresh = ask(&engine, chat("hello and goodbye, hello")).await;

    assert!(cached.usage().cached > 0);
    assert_eq!(cached.text(0), fresh.text(0));
}

#[tokio::test]
async fn more_conversations_than_the_cache_holds_are_still_answered() {
    let engine = tiny().await;
    for conversation in 0..30 {
        let whole = ask(&engine, of(conversation, "hello")).await;
        assert!(whole.ended());
    }

    assert_eq!(ask(&engine, of(0, "hello")).await.usage().cached, 0);
    assert!(ask(&engine, of(29, "hello")).await.usage().cached > 0);
}
