//! The embedded engine's limits, crashes, start and sandbox, with a real worker
//! process and small random-weight models.
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

use subrosa_api::error::Code;
use subrosa_api::event::FinishReason;
use subrosa_inference::embedded::sandbox::SandboxMode;
use subrosa_inference::embedded::{EmbeddedConfig, EmbeddedEngine, StartError};
use subrosa_inference::{Engine as _, EngineError};
use support::engine::{
    ask, ask_when_up, config, embed, endless, has_error, kill, prompt, start, tiny,
};
use support::gguf::Preset;
use support::{ModelFile, Whole, chat};

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
