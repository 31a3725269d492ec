//! The embedded engine through its public interface, with a real worker process
//! and small random-weight models.
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

use std::process::Command;
use std::time::Duration;

use subrosa_api::endpoint::embeddings::{EmbeddingsRequest, Encoding};
use subrosa_api::error::Code;
use subrosa_api::event::{Event, FinishReason};
use subrosa_api::json::Json;
use subrosa_api::request::{
    ConversationKey, GenerateRequest, Input, JsonSchema, ResponseFormat, Tool, ToolChoice,
};
use subrosa_inference::embedded::sandbox::SandboxMode;
use subrosa_inference::embedded::{EmbeddedConfig, EmbeddedEngine, StartError};
use subrosa_inference::{Engine as _, EngineError};
use support::gguf::Preset;
use support::{ModelFile, Whole, chat};

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

// Limits.

#[tokio::test]
async fn a_prompt_longer_than_the_context_is_refused() {
    let engine = tiny().await;

    let refused = engine.generate(chat(&"x".repeat(600))).await.unwrap_err();

    assert!(matches!(
        refused,
        EngineError::ContextTooLong { limit: 512, .. }
    ));
    assert_eq!(refused.to_api().code, Code::ContextLengthExceeded);
}

#[tokio::test]
async fn an_answer_never_leaves_the_context() {
    let engine = tiny().await;
    let mut request = endless("x");
    request.sampling.max_tokens = Some(1_000_000);

    let whole = ask(&engine, request).await;

    assert_eq!(whole.usage().prompt + whole.usage().completion, 512);
    assert_eq!(whole.finish(), Some(FinishReason::Length));
}

#[tokio::test]
async fn an_unknown_model_is_refused() {
    let engine = tiny().await;
    let mut request = chat("x");
    request.model = "other".to_owned();

    assert_eq!(
        engine.generate(request).await.unwrap_err(),
        EngineError::ModelUnknown
    );
}

#[tokio::test]
async fn more_choices_than_streams_are_refused() {
    let engine = tiny().await;
    let mut request = chat("x");
    request.sampling.n = 5;

    let refused = engine.generate(request).await.unwrap_err();

    assert!(matches!(
        refused,
        EngineError::InvalidField { field: "n", .. }
    ));
}

#[tokio::test]
async fn a_bias_for_a_token_that_is_not_there_is_refused() {
    let engine = tiny().await;
    let mut request = chat("x");
    request.sampling.logit_bias = vec![(300, 1.0)];

    let refused = engine.generate(request).await.unwrap_err();

    assert!(matches!(
        refused,
        EngineError::InvalidField {
            field: "logit_bias",
            ..
        }
    ));
}

#[tokio::test]
async fn a_full_queue_is_refused_with_a_time_to_retry() {
    let model = ModelFile::of(&Preset::SLOW);
    let mut config = config(&model);
    config.max_streams = 1;
    config.max_queue = 1;
    let engine = start(config).await;
    let _running = engine.generate(endless("a")).await.unwrap();
    let mut waiting = Box::pin(engine.generate(endless("b")));
    assert!(futures_util::poll!(waiting.as_mut()).is_pending());

    let refused = engine.generate(endless("c")).await.unwrap_err().to_api();

    assert_eq!((refused.code, refused.status()), (Code::QueueFull, 429));
    assert!(refused.retry_after.is_some_and(|seconds| seconds >= 1));
}

#[tokio::test]
async fn a_dropped_stream_makes_room_for_the_next() {
    let model = ModelFile::of(&Preset::SLOW);
    let mut config = config(&model);
    config.max_streams = 1;
    let engine = start(config).await;
    let mut first = engine.generate(endless("a")).await.unwrap();
    assert!(first.next().await.is_some());
    let mut short = chat("b");
    short.sampling.max_tokens = Some(2);

    drop(first);
    let second = ask(&engine, short).await;

    assert!(second.ended());
    engine.drain().await;
    assert_eq!(engine.load().running, 0);
}

#[tokio::test]
async fn an_answer_that_takes_too_long_ends_with_an_error() {
    let model = ModelFile::of(&Preset::SLOW);
    let mut config = config(&model);
    config.context_tokens = 2048;
    config.answer_timeout = Duration::from_millis(50);
    let engine = start(config).await;

    let whole = ask(&engine, endless("a")).await;

    assert!(
        has_error(&whole, Code::Timeout),
        "{:?}",
        whole.events.last()
    );
    assert!(whole.ended());
}

#[tokio::test]
async fn a_draining_engine_takes_nothing_new() {
    let engine = tiny().await;

    engine.drain().await;

    assert_eq!(
        engine.generate(chat("x")).await.unwrap_err(),
        EngineError::Draining
    );
}

// Crashes.

#[tokio::test]
async fn a_killed_worker_ends_its_answers_with_an_error_and_nothing_else() {
    let model = ModelFile::of(&Preset::SLOW);
    let mut config = config(&model);
    config.context_tokens = 2048;
    config.max_streams = 1;
    let engine = start(config).await;
    let mut running = engine.generate(endless("a")).await.unwrap();
    assert!(running.next().await.is_some());
    let mut short = chat("b");
    short.sampling.max_tokens = Some(2);
    let mut waiting = Box::pin(engine.generate(short.clone()));
    assert!(futures_util::poll!(waiting.as_mut()).is_pending());

    kill(engine.worker_id().unwrap());

    let broken = Whole::of(running).await;
    assert!(
        has_error(&broken, Code::EngineFailed),
        "{:?}",
        broken.events.last()
    );
    assert!(broken.ended());
    // What only waited is answered by the next worker.
    assert!(Whole::of(waiting.await.unwrap()).await.ended());
    assert!(ask(&engine, short).await.ended());
    assert_eq!(engine.load().restarts, 1);
}

#[tokio::test]
async fn while_the_worker_restarts_new_requests_are_told_when_to_retry() {
    let model = ModelFile::of(&Preset::SLOW);
    let engine = start(config(&model)).await;
    let running = engine.generate(endless("a")).await.unwrap();
    kill(engine.worker_id().unwrap());
    Whole::of(running).await;

    let refused = engine.generate(chat("b")).await.unwrap_err().to_api();

    assert_eq!(
        (refused.code, refused.status()),
        (Code::EngineRestarting, 503)
    );
    assert!(refused.retry_after.is_some());
}

#[tokio::test]
async fn a_restarted_worker_uses_the_copy_and_not_the_file() {
    let model = ModelFile::tiny();
    let engine = start(config(&model)).await;
    let before = ask(&engine, prompt("hello")).await.text(0);
    let other = Preset {
        seed: 99,
        ..Preset::TINY
    };
    std::fs::copy(&ModelFile::of(&other).path, &model.path).unwrap();

    kill(engine.worker_id().unwrap());

    let after = ask_when_up(&engine, prompt("hello")).await.text(0);
    assert_eq!(before, after);
}

// Starting.

#[tokio::test]
async fn weights_with_another_digest_do_not_start() {
    let model = ModelFile::tiny();
    let mut config = config(&model);
    config.weights_sha256[31] ^= 1;

    let refused = EmbeddedEngine::start(config).await.unwrap_err();

    assert!(matches!(refused, StartError::Weights(_)), "{refused:?}");
}

#[tokio::test]
async fn a_file_that_is_no_model_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    std::fs::write(&path, b"GGUF but nothing else").unwrap();
    let model = ModelFile::tiny();
    let mut config = config(&model);
    config.weights_sha256 = support::sha256(&path);
    config.weights = path;

    let refused = EmbeddedEngine::start(config).await.unwrap_err();

    assert!(matches!(refused, StartError::Model), "{refused:?}");
}

#[tokio::test]
async fn a_template_that_does_not_parse_does_not_start() {
    let model = ModelFile::of(&Preset {
        template: "{% if %}",
        ..Preset::TINY
    });

    let refused = EmbeddedEngine::start(config(&model)).await.unwrap_err();

    assert!(matches!(refused, StartError::Template), "{refused:?}");
}

#[tokio::test]
async fn a_worker_that_says_nothing_or_nonsense_is_an_error() {
    let model = ModelFile::tiny();
    for (program, arguments) in [
        ("/bin/false", vec![]),
        ("/bin/sh", vec!["-c", "printf 'aaaaaaaaaaaaaaaa' >&0"]),
        ("/bin/sh", vec!["-c", r"printf '\002\000\000\000{}' >&0"]),
    ] {
        let mut config = config(&model);
        config.worker_program = program.into();
        config.worker_arguments = arguments.iter().map(|a| (*a).to_owned()).collect();

        let refused = EmbeddedEngine::start(config).await.unwrap_err();

        assert!(matches!(refused, StartError::Died), "{refused:?}");
    }
}

// Embeddings.

#[tokio::test]
async fn embeddings_have_length_one_and_depend_on_the_text() {
    let engine = tiny().await;

    let answer = engine
        .embed(embed(&["hello", "other", "hello"]))
        .await
        .unwrap();

    let [a, b, c] = answer.vectors.as_slice() else {
        panic!("three vectors expected");
    };
    let norm: f32 = a.iter().map(|v| v * v).sum();
    assert!((norm - 1.0).abs() < 1e-4, "{norm}");
    assert_eq!(Some(a.len()), engine.models()[0].embedding_length);
    assert_eq!(a, c);
    assert_ne!(a, b);
    assert!(answer.prompt_tokens >= 3);
}

#[tokio::test]
async fn a_text_too_long_to_embed_is_refused() {
    let engine = tiny().await;
    let long = "x".repeat(600);

    let refused = engine.embed(embed(&[&long])).await.unwrap_err();

    assert!(matches!(refused, EngineError::ContextTooLong { .. }));
}

#[tokio::test]
async fn embeddings_that_are_switched_off_are_unsupported() {
    let model = ModelFile::tiny();
    let mut config = config(&model);
    config.embeddings = false;
    let engine = start(config).await;

    let refused = engine.embed(embed(&["x"])).await.unwrap_err();

    assert_eq!(refused.to_api().code, Code::UnsupportedByModel);
    assert_eq!(engine.models()[0].embedding_length, None);
}

// The sandbox.

#[test]
fn inside_the_sandbox_nothing_can_be_opened_connected_or_started() {
    let output = Command::new(env!("CARGO_BIN_EXE_subrosa-worker"))
        .arg("probe")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    if text.contains("Unavailable") {
        assert!(std::env::var_os("CI").is_none(), "{text}");
        eprintln!("SKIPPED: this kernel lacks a layer of the sandbox: {text}");
        return;
    }

    let results: Vec<&str> = text
        .lines()
        .filter(|l| l.ends_with(|c: char| c.is_ascii_digit()))
        .collect();
    assert_eq!(results.len(), 24, "{text}");
    for line in results {
        let allowed = line.ends_with(" 0");
        assert_eq!(allowed, line.contains(" thread "), "{line}");
        // EPERM is the filter's answer, EACCES Landlock's.
        let number: i32 = line.rsplit(' ').next().unwrap().parse().unwrap();
        assert!(
            line.contains(" thread ") || [1, 13].contains(&number),
            "{line}"
        );
        if line.starts_with("running") && !allowed {
            assert_eq!(number, 1, "{line}");
        }
    }
}

#[tokio::test]
async fn the_worker_reports_its_sandbox() {
    let engine = tiny().await;

    let report = engine.sandbox();

    if !report.is_complete() {
        eprintln!("SKIPPED in part: this kernel lacks a layer of the sandbox: {report:?}");
        let model = ModelFile::tiny();
        let mut config = config(&model);
        config.sandbox = SandboxMode::Required;
        let refused = EmbeddedEngine::start(config).await.unwrap_err();
        assert!(matches!(refused, StartError::Sandbox(_)));
    }
}

#[tokio::test]
async fn the_worker_cannot_be_read_through_its_process_folder() {
    let engine = tiny().await;
    let status = format!("/proc/{}/status", engine.worker_id().unwrap());

    let text = std::fs::read_to_string(status).unwrap();

    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!(field("NoNewPrivs:"), "1");
    assert_eq!(field("Seccomp:"), "2");
}

#[tokio::test]
async fn the_worker_inherits_only_its_pipe_and_the_weights() {
    let _secret = std::fs::File::open("/etc/hostname");
    let engine = tiny().await;
    let folder = format!("/proc/{}/fd", engine.worker_id().unwrap());

    let open: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| std::fs::read_link(entry.unwrap().path()).unwrap())
        .map(|target| target.to_string_lossy().into_owned())
        .collect();

    let expected = |target: &String| {
        target.starts_with("socket:") || target.contains("memfd:weights") || target == "/dev/null"
    };
    assert!(open.iter().all(expected), "{open:?}");
    // Standard input, and the worker's copies of it for reading and writing.
    let sockets = open.iter().filter(|target| target.starts_with("socket:"));
    assert_eq!(sockets.count(), 3, "{open:?}");
}

#[tokio::test]
async fn a_worker_ends_with_its_engine() {
    let engine = tiny().await;
    let folder = format!("/proc/{}", engine.worker_id().unwrap());

    drop(engine);

    for _ in 0..200 {
        if !std::path::Path::new(&folder).exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    unreachable!("the worker is still there");
}

// The demo model, when it is there.

#[tokio::test]
async fn the_demo_model_introduces_itself() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../models/demo/subrosa-demo.gguf");
    if !path.exists() {
        eprintln!("SKIPPED: {} is absent", path.display());
        return;
    }
    let mut config = EmbeddedConfig::new("test", &path, support::sha256(&path));
    config.worker_program = env!("CARGO_BIN_EXE_subrosa-worker").into();
    config.worker_arguments = Vec::new();
    config.sandbox = SandboxMode::BestEffort;
    let engine = start(config).await;
    let mut request = chat("Hello! Who are you?");
    request.sampling.max_tokens = Some(60);

    let whole = ask(&engine, request).await;

    eprintln!("demo model: {}", whole.text(0));
    assert!(whole.text(0).chars().any(char::is_alphabetic));
    assert!(engine.embed(embed(&["hello"])).await.is_ok());
}

// Support.

async fn tiny() -> EmbeddedEngine {
    start(config(&ModelFile::tiny())).await
}

/// Small chunks and a model slow enough to see who comes first.
async fn fair() -> EmbeddedEngine {
    let model = ModelFile::of(&Preset::SLOW);
    let mut config = config(&model);
    config.context_tokens = 2048;
    config.prefill_chunk = 64;
    start(config).await
}

/// Room for the description of tools, which has a token for every byte.
async fn roomy() -> EmbeddedEngine {
    let model = ModelFile::tiny();
    let mut config = config(&model);
    config.context_tokens = 2048;
    start(config).await
}

async fn start(config: EmbeddedConfig) -> EmbeddedEngine {
    EmbeddedEngine::start(config).await.unwrap()
}

async fn ask(engine: &EmbeddedEngine, request: GenerateRequest) -> Whole {
    Whole::of(engine.generate(request).await.unwrap()).await
}

/// Asks again while the worker is being restarted.
async fn ask_when_up(engine: &EmbeddedEngine, request: GenerateRequest) -> Whole {
    for _ in 0..600 {
        match engine.generate(request.clone()).await {
            Ok(stream) => {
                let whole = Whole::of(stream).await;
                if whole.usage_if_any().is_some() {
                    return whole;
                }
            }
            Err(EngineError::WorkerRestarting { .. } | EngineError::WorkerCrashed) => {}
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("worker did not come back");
}

fn config(model: &ModelFile) -> EmbeddedConfig {
    let mut config = EmbeddedConfig::new("test", &model.path, model.sha256);
    config.worker_program = env!("CARGO_BIN_EXE_subrosa-worker").into();
    config.worker_arguments = Vec::new();
    // A kernel without Landlock still runs the other tests.
    config.sandbox = SandboxMode::BestEffort;
    config.context_tokens = 512;
    config.max_streams = 4;
    config.max_queue = 4;
    config.threads = 1;
    config
}

fn prompt(text: &str) -> GenerateRequest {
    GenerateRequest {
        input: Input::Prompt(text.to_owned()),
        ..chat("")
    }
}

/// An answer that only the context ends.
fn endless(text: &str) -> GenerateRequest {
    let mut request = chat(text);
    request.sampling.max_tokens = None;
    // The two control tokens that end an answer.
    request.sampling.logit_bias = vec![(0, -100.0), (2, -100.0)];
    request
}

fn of(conversation: u8, text: &str) -> GenerateRequest {
    GenerateRequest {
        conversation: Some(ConversationKey::new([conversation; 32])),
        ..chat(text)
    }
}

fn schema(text: &str) -> ResponseFormat {
    ResponseFormat::JsonSchema(JsonSchema {
        name: "test".to_owned(),
        schema: Json::parse(text.as_bytes()).unwrap(),
        strict: true,
    })
}

fn tool(name: &str) -> Tool {
    let parameters =
        r#"{"type":"object","properties":{"on":{"type":"boolean"}},"required":["on"]}"#;
    Tool {
        name: name.to_owned(),
        description: Some("Switches a light.".to_owned()),
        parameters: Some(Json::parse(parameters.as_bytes()).unwrap()),
        strict: true,
    }
}

fn embed(inputs: &[&str]) -> EmbeddingsRequest {
    EmbeddingsRequest {
        model: "test".to_owned(),
        inputs: inputs.iter().map(|i| (*i).to_owned()).collect(),
        encoding: Encoding::Float,
    }
}

fn has_error(whole: &Whole, code: Code) -> bool {
    let is = |event: &Event| matches!(event, Event::Error(error) if error.code == code);
    whole.events.iter().any(is)
}

fn kill(process: u32) {
    let status = Command::new("kill")
        .args(["-KILL", &process.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}
