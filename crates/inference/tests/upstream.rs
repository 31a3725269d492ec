//! The upstream engine against small servers that say what a test wants.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod support;

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use http_body_util::channel::Channel;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use subrosa_api::endpoint::embeddings::{EmbeddingsRequest, Encoding};
use subrosa_api::error::Code;
use subrosa_api::event::{Event, FinishReason, Usage};
use subrosa_api::json::Json;
use subrosa_api::request::{
    ConversationKey, GenerateRequest, Input, JsonSchema, Message, ResponseFormat, Role, Tool,
    ToolCall, ToolChoice,
};
use subrosa_inference::upstream::{UpstreamCache, UpstreamConfig, UpstreamEngine};
use subrosa_inference::{Engine as _, EngineError};
use support::{Whole, chat};
use tokio::sync::Notify;

// Good answers.

#[tokio::test]
async fn text_usage_and_end_come_through() {
    let server = Server::streaming(&[
        r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"Hel"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":null}]}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":3}}}"#,
        "[DONE]",
    ])
    .await;

    let whole = server.ask(chat("hi")).await;

    assert_eq!(whole.text(0), "Hello");
    assert_eq!(whole.finish(), Some(FinishReason::Stop));
    let usage = Usage {
        prompt: 7,
        completion: 2,
        cached: 3,
    };
    assert_eq!(whole.usage(), usage);
    assert!(whole.ended());
}

#[tokio::test]
async fn a_unix_socket_works_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("engine.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let reply = Reply::Events(good());
        serve(TokioIo::new(stream), Arc::new(Shared::new(reply))).await;
    });
    let address = format!("unix:{}", path.display()).parse().unwrap();
    let engine = UpstreamEngine::new(UpstreamConfig::new(address, "test", 100));

    let whole = Whole::of(engine.generate(chat("hi")).await.unwrap()).await;

    assert_eq!(whole.text(0), "ok");
}

#[tokio::test]
async fn tool_calls_are_streamed() {
    let server = Server::streaming(&[
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a1","function":{"name":"get","arguments":""}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":"}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
        "[DONE]",
    ])
    .await;

    let whole = server.ask(with_tool()).await;

    assert_eq!(
        (whole.called(), whole.arguments().as_str()),
        (Some("get"), r#"{"x":1}"#)
    );
    assert_eq!(whole.finish(), Some(FinishReason::ToolCalls));
}

#[tokio::test]
async fn log_probabilities_of_both_apis_are_read() {
    let chat_form = r#"{"choices":[{"index":0,"delta":{"content":"a"},"logprobs":{"content":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[{"token":"b","logprob":-1.5}]}]}}]}"#;
    let plain_form = r#"{"choices":[{"index":0,"text":"a","logprobs":{"tokens":["a"],"token_logprobs":[-0.5],"top_logprobs":[{"b":-1.5}]}}]}"#;
    for chunk in [chat_form, plain_form] {
        let server = Server::streaming(&[chunk, FINISH, "[DONE]"]).await;

        let whole = server.ask(chat("hi")).await;

        let Some(Event::Logprobs { tokens, .. }) = whole.events.first() else {
            unreachable!("{:?}", whole.events);
        };
        assert_eq!(tokens[0].token.bytes, b"a");
        assert_eq!(tokens[0].top[0].bytes, b"b");
    }
}

#[tokio::test]
async fn embeddings_come_in_order() {
    let body = json!({"data": [
        {"index": 0, "embedding": [1.0, 0.0]},
        {"index": 1, "embedding": [0.0, 1.0]},
    ], "usage": {"prompt_tokens": 4}});
    let server = Server::start(Reply::Whole(200, vec![], body.to_string())).await;

    let answer = server.engine.embed(embed(2)).await.unwrap();

    assert_eq!(answer.vectors, [[1.0, 0.0], [0.0, 1.0]]);
    assert_eq!(answer.prompt_tokens, 4);
    assert_eq!(server.path(), "/v1/embeddings");
}

// What is sent.

#[tokio::test]
async fn the_request_says_what_the_client_chose_and_nothing_else() {
    let server = Server::start(Reply::Events(good())).await;
    let mut request = chat("hi");
    request.sampling.temperature = None;
    request.sampling.max_tokens = None;

    server.ask(request).await;

    let expected = json!({
        "model": "test",
        "stream": true,
        "stream_options": {"include_usage": true},
        "messages": [{"role": "user", "content": "hi"}],
    });
    assert_eq!(server.body(), expected);
    assert_eq!(server.path(), "/v1/chat/completions");
}

#[tokio::test]
async fn every_setting_is_passed_on() {
    let server = Server::start(Reply::Events(good())).await;
    let mut request = with_tool();
    let sampling = &mut request.sampling;
    sampling.temperature = Some(0.5);
    sampling.top_p = Some(0.25);
    sampling.top_k = Some(4);
    sampling.min_p = Some(0.125);
    sampling.seed = Some(-3);
    sampling.stop = vec!["end".to_owned()];
    sampling.max_tokens = Some(9);
    sampling.presence_penalty = 1.0;
    sampling.frequency_penalty = -1.0;
    sampling.repeat_penalty = Some(1.5);
    sampling.logit_bias = vec![(7, -2.0)];
    sampling.logprobs = Some(2);
    request.tool_choice = ToolChoice::Named("get".to_owned());
    request.response_format = ResponseFormat::JsonSchema(JsonSchema {
        name: "s".to_owned(),
        schema: Json::parse(br#"{"type":"object"}"#).unwrap(),
        strict: true,
    });

    server.ask(request).await;

    let body = server.body();
    for (field, expected) in [
        ("temperature", json!(0.5)),
        ("top_p", json!(0.25)),
        ("top_k", json!(4)),
        ("min_p", json!(0.125)),
        ("seed", json!(-3)),
        ("stop", json!(["end"])),
        ("max_tokens", json!(9)),
        ("presence_penalty", json!(1.0)),
        ("frequency_penalty", json!(-1.0)),
        ("repetition_penalty", json!(1.5)),
        ("logit_bias", json!({"7": -2.0})),
        ("logprobs", json!(true)),
        ("top_logprobs", json!(2)),
        (
            "tool_choice",
            json!({"type": "function", "function": {"name": "get"}}),
        ),
        ("parallel_tool_calls", json!(true)),
        (
            "response_format",
            json!({"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}, "strict": true}}),
        ),
        (
            "tools",
            json!([{"type": "function", "function": {"name": "get", "parameters": {"type": "object"}}}]),
        ),
    ] {
        assert_eq!(body[field], expected, "{field}");
    }
}

#[tokio::test]
async fn a_conversation_with_calls_is_passed_on() {
    let server = Server::start(Reply::Events(good())).await;
    let mut call = Message::from_parts(Role::Assistant, vec![]);
    call.tool_calls = vec![ToolCall {
        id: "c1".to_owned(),
        name: "get".to_owned(),
        arguments: "{}".to_owned(),
    }];
    let mut request = with_tool();
    request.input = Input::Chat(vec![
        Message::text(Role::Developer, "be kind"),
        call,
        Message::tool_result("c1".to_owned(), vec!["7".to_owned()]),
    ]);

    server.ask(request).await;

    let messages = &server.body()["messages"];
    assert_eq!(messages[0]["role"], "system");
    assert_eq!(messages[1]["tool_calls"][0]["function"]["name"], "get");
    assert_eq!(
        messages[2],
        json!({"role": "tool", "content": "7", "tool_call_id": "c1"})
    );
}

#[tokio::test]
async fn a_plain_prompt_goes_to_completions() {
    let text = r#"{"choices":[{"index":0,"text":"ok","finish_reason":"stop"}]}"#;
    let server = Server::streaming(&[text, "[DONE]"]).await;
    let mut request = chat("");
    request.input = Input::Prompt("once".to_owned());

    let whole = server.ask(request).await;

    assert_eq!(whole.text(0), "ok");
    assert_eq!(server.path(), "/v1/completions");
    assert_eq!(server.body()["prompt"], "once");
}

#[tokio::test]
async fn the_salt_names_a_conversation_and_hides_its_secret() {
    let server = Server::with(Reply::Events(good()), |config| {
        config.cache = UpstreamCache::Salt;
    })
    .await;
    let salt_of = async |conversation: Option<u8>| {
        let mut request = chat("hi");
        request.conversation = conversation.map(|byte| ConversationKey::new([byte; 32]));
        server.ask(request).await;
        server.body()["cache_salt"].as_str().unwrap().to_owned()
    };

    let first = salt_of(Some(1)).await;

    assert_eq!(first, salt_of(Some(1)).await);
    assert_ne!(first, salt_of(Some(2)).await);
    assert_ne!(salt_of(None).await, salt_of(None).await);
    assert!(!first.contains("0101"));
}

// Refusals.

#[tokio::test]
async fn each_status_becomes_its_error() {
    for (status, headers, body, code, retry_after) in [
        (400, vec![], "{}", Code::InvalidValue, None),
        (
            400,
            vec![],
            r#"{"error":{"code":"context_length_exceeded"}}"#,
            Code::ContextLengthExceeded,
            None,
        ),
        (404, vec![], "", Code::ModelNotFound, None),
        (
            429,
            vec![("retry-after", "17")],
            "",
            Code::QueueFull,
            Some(17),
        ),
        (
            429,
            vec![("retry-after", "soon")],
            "",
            Code::QueueFull,
            Some(1),
        ),
        (503, vec![], "", Code::EngineRestarting, Some(1)),
        (500, vec![], "", Code::EngineFailed, None),
        (
            302,
            vec![("location", "http://example.org")],
            "",
            Code::EngineFailed,
            None,
        ),
    ] {
        let server = Server::start(Reply::Whole(status, headers, body.to_owned())).await;

        let refused = server
            .engine
            .generate(chat("hi"))
            .await
            .unwrap_err()
            .to_api();

        assert_eq!(
            (refused.code, refused.retry_after),
            (code, retry_after),
            "{status} {body}"
        );
    }
}

#[tokio::test]
async fn a_servers_words_are_not_passed_on() {
    let body = r#"{"error":{"message":"cannot read SECRET PROMPT"}}"#.to_owned();
    let server = Server::start(Reply::Whole(400, vec![], body)).await;

    let refused = server.engine.generate(chat("hi")).await.unwrap_err();

    assert!(!format!("{refused} {refused:?}").contains("SECRET"));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_restart() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let config = UpstreamConfig::new(address.parse().unwrap(), "test", 100);

    let refused = UpstreamEngine::new(config)
        .generate(chat("hi"))
        .await
        .unwrap_err();

    assert!(matches!(refused, EngineError::WorkerRestarting { .. }));
}

#[tokio::test]
async fn an_unknown_model_never_reaches_the_server() {
    let server = Server::start(Reply::Events(good())).await;
    let mut request = chat("hi");
    request.model = "other".to_owned();

    let refused = server.engine.generate(request).await.unwrap_err();

    assert_eq!(refused, EngineError::ModelUnknown);
    assert!(server.shared.last.lock().unwrap().is_none());
}

#[tokio::test]
async fn a_stream_too_many_is_refused() {
    let server = Server::with(Reply::Silent, |config| config.max_streams = 1).await;
    let mut first = server.engine.generate(chat("a")).boxed();
    assert!(futures_util::poll!(first.as_mut()).is_pending());

    let refused = server.engine.generate(chat("b")).await.unwrap_err();

    assert!(matches!(refused, EngineError::QueueFull { .. }));
}

// Broken answers.

#[tokio::test]
async fn an_answer_that_is_cut_anywhere_is_an_error() {
    let mut bytes = Vec::new();
    for event in good() {
        bytes.extend_from_slice(format!("data: {event}\n\n").as_bytes());
    }
    let finished = bytes.len() - "data: [DONE]\n\n".len();
    for cut in (0..finished).step_by(7).chain([finished - 1]) {
        let server = Server::start(Reply::Bytes(bytes[..cut].to_vec())).await;

        let whole = server.ask(chat("hi")).await;

        assert!(is_broken(&whole), "cut at {cut}: {:?}", whole.events);
    }
}

#[tokio::test]
async fn garbage_is_an_error_and_no_panic() {
    for garbage in [
        "not json",
        "[]",
        r#"{"choices":[{"index":1,"delta":{"content":"x"}}]}"#,
        r#"{"choices":[{"index":300,"delta":{"content":"x"}}]}"#,
        r#"{"choices":[{"index":-1}]}"#,
        r#"{"choices":7}"#,
        r#"{"choices":[{"delta":{"content":7}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"unknown"}}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":5,"function":{"name":"get"}}]}}]}"#,
        r#"{"choices":[{"finish_reason":"because"}]}"#,
        r#"{"choices":[{"finish_reason":"tool_calls"}]}"#,
        r#"{"choices":[{"logprobs":{"tokens":["a"],"token_logprobs":[]}}]}"#,
        r#"{"error":{"message":"out of memory"}}"#,
        "\u{0}\u{0}\u{0}",
    ] {
        let server = Server::streaming(&[garbage, FINISH, "[DONE]"]).await;

        let whole = server.ask(with_tool()).await;

        assert!(is_broken(&whole), "{garbage}: {:?}", whole.events);
    }
}

#[tokio::test]
async fn text_after_the_finish_is_an_error() {
    let late = r#"{"choices":[{"index":0,"delta":{"content":"more"}}]}"#;
    let server = Server::streaming(&[FINISH, late, "[DONE]"]).await;

    assert!(is_broken(&server.ask(chat("hi")).await));
}

#[tokio::test]
async fn an_endless_line_is_an_error() {
    let server = Server::start(Reply::Bytes(vec![b'x'; 300 << 10])).await;

    assert!(is_broken(&server.ask(chat("hi")).await));
}

#[tokio::test]
async fn embeddings_that_do_not_match_the_request_are_refused() {
    for body in [
        r#"{"data":[]}"#,
        r#"{"data":[{"index":1,"embedding":[1]},{"index":0,"embedding":[1]}]}"#,
        r#"{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1,2]}]}"#,
        r#"{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":["x"]}]}"#,
        "nonsense",
    ] {
        let server = Server::start(Reply::Whole(200, vec![], body.to_owned())).await;

        let refused = server.engine.embed(embed(2)).await.unwrap_err();

        assert_eq!(refused, EngineError::Upstream { status: None }, "{body}");
    }
}

// Time.

#[tokio::test]
async fn a_silent_server_is_an_error() {
    let server = Server::with(Reply::Silent, |config| {
        config.idle_timeout = Duration::from_millis(30);
    })
    .await;

    let refused = server.engine.generate(chat("hi")).await.unwrap_err();

    assert_eq!(refused, EngineError::Upstream { status: None });
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_cut_with_an_error() {
    let server = Server::with(Reply::Endless, |config| {
        config.answer_timeout = Duration::from_millis(50);
    })
    .await;

    let whole = server.ask(chat("hi")).await;

    let last = whole.events.iter().rev().nth(1);
    assert!(matches!(last, Some(Event::Error(error)) if error.code == Code::Timeout));
    assert!(whole.ended());
}

#[tokio::test]
async fn dropping_the_answer_closes_the_connection() {
    let server = Server::start(Reply::Endless).await;
    let mut stream = server.engine.generate(chat("hi")).await.unwrap();
    assert!(stream.next().await.is_some());

    drop(stream);

    server.shared.closed.notified().await;
    server.engine.drain().await;
    assert_eq!(server.engine.load().running, 0);
}

// Support.

/// What a server answers.
enum Reply {
    Bytes(Vec<u8>),
    Endless,
    Events(Vec<String>),
    Silent,
    Whole(u16, Vec<(&'static str, &'static str)>, String),
}

struct Shared {
    reply: Reply,
    last: Mutex<Option<(String, Value)>>,
    closed: Notify,
}

impl Shared {
    fn new(reply: Reply) -> Self {
        Self {
            reply,
            last: Mutex::new(None),
            closed: Notify::new(),
        }
    }
}

struct Server {
    engine: UpstreamEngine,
    shared: Arc<Shared>,
}

impl Server {
    async fn streaming(events: &[&str]) -> Self {
        Self::start(Reply::Events(
            events.iter().map(|e| (*e).to_owned()).collect(),
        ))
        .await
    }

    async fn start(reply: Reply) -> Self {
        Self::with(reply, |_| {}).await
    }

    async fn with(reply: Reply, change: impl FnOnce(&mut UpstreamConfig)) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::new(reply));
        let mut config = UpstreamConfig::new(address.parse().unwrap(), "test", 100);
        change(&mut config);
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let shared = Arc::clone(&serving);
                tokio::spawn(serve(TokioIo::new(stream), shared));
            }
        });
        Self {
            engine: UpstreamEngine::new(config),
            shared,
        }
    }

    async fn ask(&self, request: GenerateRequest) -> Whole {
        Whole::of(self.engine.generate(request).await.unwrap()).await
    }

    fn path(&self) -> String {
        self.shared.last.lock().unwrap().clone().unwrap().0
    }

    fn body(&self) -> Value {
        self.shared.last.lock().unwrap().clone().unwrap().1
    }
}

async fn serve<S>(stream: TokioIo<S>, shared: Arc<Shared>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + 'static,
{
    let answering = Arc::clone(&shared);
    let service = service_fn(move |request| answer(request, Arc::clone(&answering)));
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(stream, service)
        .await;
    shared.closed.notify_one();
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Channel<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap();
    *shared.last.lock().unwrap() = Some((path, body));
    let (mut sender, channel) = Channel::new(4);
    let mut response = Response::new(channel);
    match &shared.reply {
        Reply::Silent => std::future::pending::<()>().await,
        Reply::Whole(status, headers, _) => {
            *response.status_mut() = (*status).try_into().unwrap();
            for (name, value) in headers {
                response.headers_mut().insert(*name, value.parse().unwrap());
            }
        }
        _ => {}
    }
    tokio::spawn(async move {
        match &shared.reply {
            Reply::Bytes(bytes) => {
                let _ = sender.send_data(Bytes::from(bytes.clone())).await;
            }
            Reply::Endless => {
                let chunk = r#"{"choices":[{"index":0,"delta":{"content":"x"}}]}"#;
                let chunk = Bytes::from(format!("data: {chunk}\n\n"));
                while sender.send_data(chunk.clone()).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
            Reply::Events(events) => {
                for event in events {
                    let _ = sender
                        .send_data(Bytes::from(format!("data: {event}\n\n")))
                        .await;
                }
            }
            Reply::Silent => {}
            Reply::Whole(_, _, body) => {
                let _ = sender.send_data(Bytes::from(body.clone())).await;
            }
        }
    });
    Ok(response)
}

const FINISH: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;

fn good() -> Vec<String> {
    let text = r#"{"choices":[{"index":0,"delta":{"content":"ok"}}]}"#;
    [text, FINISH, "[DONE]"].map(str::to_owned).to_vec()
}

fn with_tool() -> GenerateRequest {
    let mut request = chat("hi");
    request.tools = vec![Tool {
        name: "get".to_owned(),
        description: None,
        parameters: Some(Json::parse(br#"{"type":"object"}"#).unwrap()),
        strict: false,
    }];
    request.tool_choice = ToolChoice::Auto;
    request
}

fn embed(inputs: usize) -> EmbeddingsRequest {
    EmbeddingsRequest {
        model: "test".to_owned(),
        inputs: vec!["x".to_owned(); inputs],
        encoding: Encoding::Float,
    }
}

fn is_broken(whole: &Whole) -> bool {
    let is_error =
        |event: &Event| matches!(event, Event::Error(error) if error.code == Code::EngineFailed);
    whole.events.iter().any(is_error) && whole.ended() && whole.finish().is_none()
}
