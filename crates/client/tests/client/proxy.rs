//! The proxy, used as it is meant to be.

use subrosa_api::error::{ApiError, Code};
use subrosa_client::ReceiptFile;
use subrosa_client::proxy::{Proxy, ProxyConfig, ProxyError};

use crate::support::{App, POST_CHAT, Reply, Server, World, chat_body, refusal};

const VERDICT: &str = "NOT PROTECTED (development): simulated platform";

#[tokio::test]
async fn a_whole_answer_has_verdict_and_receipt() {
    let world = World::new();
    let server = Server::honest(&world).await;
    let app = App::start(world.client(&server), |_| {}).await;
    let answer = app.chat("hello", false).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["hello"], true);
    assert_eq!(answer.header("subrosa-verdict"), Some(VERDICT));
    assert_eq!(answer.header("subrosa-receipt").map(str::len), Some(16));
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn a_stream_becomes_server_sent_events_that_end_with_the_receipt_and_done() {
    let world = World::new();
    let server = Server::honest(&world).await;
    let app = App::start(world.client(&server), |_| {}).await;
    let answer = app.chat("hello", true).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("subrosa-verdict"), Some(VERDICT));
    assert_eq!(
        answer.header("content-type"),
        Some("text/event-stream; charset=utf-8")
    );
    let text = answer.text();
    let lines: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
    let receipt = lines
        .iter()
        .position(|line| line.starts_with(": subrosa-receipt "))
        .unwrap();
    let finish = lines
        .iter()
        .position(|line| line.contains(r#""finish_reason":"stop""#))
        .unwrap();
    assert!(text.contains("Hel") && text.contains("lo"));
    assert!(finish < receipt);
    assert_eq!(lines.last(), Some(&"data: [DONE]"));
    assert!(receipt < lines.len() - 1);
}

#[tokio::test]
async fn each_api_gets_its_own_events() {
    let world = World::new();
    let server = Server::honest(&world).await;
    let app = App::start(world.client(&server), |_| {}).await;
    for (path, body, first, last) in [
        (
            "/v1/completions",
            r#"{"model":"m","prompt":"hi","stream":true}"#,
            "text_completion",
            "[DONE]",
        ),
        (
            "/v1/messages",
            r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"stream":true}"#,
            "message_start",
            "message_stop",
        ),
        (
            "/v1/responses",
            r#"{"model":"m","input":"hi","stream":true}"#,
            "response.created",
            "response.completed",
        ),
    ] {
        let head = format!("POST {path} HTTP/1.1\r\ncontent-type: application/json; charset=utf-8");
        let text = app.call(&head, body).await.text();
        let events: Vec<_> = text
            .lines()
            .filter(|line| line.starts_with("data: "))
            .collect();
        assert!(events[0].contains(first), "{text}");
        assert!(events[events.len() - 1].contains(last), "{text}");
    }
}

#[tokio::test]
async fn of_the_applications_headers_only_those_that_the_service_reads_go_along() {
    let world = World::new();
    let (sender, receiver) = std::sync::mpsc::channel();
    let server = Server::start(&world, move |_, opened| {
        let opened = opened.unwrap();
        sender.send(opened.request.clone()).unwrap();
        Reply::sealed(crate::support::honest(opened))
    })
    .await;
    let app = App::start(world.client(&server), |_| {}).await;
    let head = format!(
        "{POST_CHAT}\r\naccept: application/json\r\nsubrosa-conversation: {}\r\nanthropic-version: 2023-06-01\r\n\
         user-agent: canary\r\ncookie: canary\r\nauthorization: Bearer canary\r\nx-api-key: canary\r\n\
         x-stainless-os: canary\r\nx-forwarded-for: canary",
        "ab".repeat(32)
    );
    let body = chat_body("hello", false);
    assert_eq!(app.call(&head, &body).await.status, 200);
    let inner = receiver.recv().unwrap();
    let mut names: Vec<_> = inner
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "accept",
            "anthropic-version",
            "content-type",
            "subrosa-conversation"
        ]
    );
    assert_eq!(
        (inner.method.as_str(), inner.path.as_str()),
        ("POST", "/v1/chat/completions")
    );
    assert_eq!(inner.body, body.as_bytes(), "byte for byte");
}

#[tokio::test]
async fn models_are_asked_for_inside_the_seal() {
    let world = World::new();
    let (sender, receiver) = std::sync::mpsc::channel();
    let server = Server::start(&world, move |_, opened| {
        let opened = opened.unwrap();
        sender.send(opened.request.path.clone()).unwrap();
        Reply::sealed(crate::support::honest(opened))
    })
    .await;
    let app = App::start(world.client(&server), |_| {}).await;
    for path in ["/v1/models", "/v1/models/subrosa-demo"] {
        assert_eq!(
            app.call(&format!("GET {path} HTTP/1.1"), "").await.status,
            200
        );
        assert_eq!(receiver.recv().unwrap(), path);
    }
}

#[tokio::test]
async fn a_sealed_error_keeps_its_status_body_and_headers() {
    let world = World::new();
    let error = ApiError::from_code(Code::ModelNotFound).with_param("model");
    let expected: serde_json::Value = error.openai();
    let server = Server::start(&world, move |_, opened| {
        Reply::sealed(refusal(opened.unwrap(), &error))
    })
    .await;
    let app = App::start(world.client(&server), |_| {}).await;
    for stream in [false, true] {
        let answer = app.chat("hello", stream).await;
        assert_eq!(answer.status, 404);
        assert_eq!(answer.json(), expected);
        assert_eq!(answer.code(), "model_not_found");
        assert_eq!(answer.header("x-should-retry"), Some("false"));
        assert!(
            answer.header("subrosa-receipt").is_some(),
            "a refusal has a receipt too"
        );
    }
}

#[tokio::test]
async fn receipts_are_kept_where_the_owner_wants_them_and_pass_their_check() {
    let world = World::new();
    let server = Server::honest(&world).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let app = App::start(world.client(&server), |config| config.receipts = Some(path)).await;
    let whole = app.chat("hello", false).await;
    let streamed = app.chat("hello", true).await.text();
    let streamed = streamed
        .lines()
        .find_map(|line| line.strip_prefix(": subrosa-receipt "))
        .unwrap();
    let config = world.config(&server);
    for id in [whole.header("subrosa-receipt").unwrap(), streamed] {
        let file = ReceiptFile::load(&folder.path().join(format!("{id}.json"))).unwrap();
        let checked = file.check(&config.policy, &config.trust, None).unwrap();
        assert_eq!(checked.node.verdict_line(), VERDICT);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[tokio::test]
async fn a_receipt_that_cannot_be_kept_is_reported_and_costs_no_answer() {
    let world = World::new();
    let server = Server::honest(&world).await;
    let (sender, receiver) = std::sync::mpsc::channel();
    let app = App::start(world.client(&server), |config| {
        config.receipts = Some("/nonexistent/folder".into());
        let sender = std::sync::Mutex::new(sender);
        config.notice = std::sync::Arc::new(move |notice| {
            sender.lock().unwrap().send(format!("{notice:?}")).unwrap();
        });
    })
    .await;
    assert_eq!(app.chat("hello", false).await.status, 200);
    assert!(receiver.recv().unwrap().contains("ReceiptNotKept"));
}

#[tokio::test]
async fn status_and_page_say_what_this_is() {
    let world = World::new();
    let server = Server::honest(&world).await;
    let app = App::start(world.client(&server), |_| {}).await;
    let status = app.call("GET /subrosa/status HTTP/1.1", "").await;
    assert_eq!(status.json()["verdict"], VERDICT);
    let gaps = status.json()["gaps"].to_string();
    assert!(
        gaps.contains("checkpoint-absent") && gaps.contains("machine-not-proven"),
        "{gaps}"
    );
    let page = app.call("GET / HTTP/1.1", "").await;
    assert_eq!(
        page.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert!(page.text().contains("local proxy"));
}

#[tokio::test]
async fn an_address_in_use_or_of_another_machine_is_an_error() {
    let world = World::new();
    let server = Server::honest(&world).await;
    let in_use = ProxyConfig::new(server.address);
    let error = Proxy::bind(world.client(&server), in_use)
        .await
        .unwrap_err();
    assert!(matches!(error, ProxyError::Listen { .. }), "{error:?}");
    for address in ["0.0.0.0:0", "[::]:0", "10.0.0.1:0"] {
        let config = ProxyConfig::new(address.parse().unwrap());
        let error = Proxy::bind(world.client(&server), config)
            .await
            .unwrap_err();
        assert!(matches!(error, ProxyError::NotLoopback { .. }), "{error:?}");
    }
}
