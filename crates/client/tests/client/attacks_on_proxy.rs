//! Web pages, other programs and a hostile network against the proxy.

use std::time::Duration;

use subrosa_channel::{ResponseClass, ResponseHead};
use subrosa_client::proxy::Token;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::support::{
    Answer, App, End, POST_CHAT, Reply, Server, World, chat_body, seal, stream, whole,
};

struct Setup {
    server: Server,
    app: App,
}

async fn setup() -> Setup {
    let world = World::new();
    let server = Server::honest(&world).await;
    let app = App::start(world.client(&server), |_| {}).await;
    Setup { server, app }
}

impl Setup {
    /// Nothing of the call has reached the service.
    fn assert_refused(&self, answer: &Answer, status: u16, code: &str) {
        assert_eq!(
            (answer.status, answer.code()),
            (status, code),
            "{}",
            answer.head
        );
        assert!(
            self.server.seen.lock().unwrap().is_empty(),
            "nothing went on"
        );
        let cors = answer.head.to_ascii_lowercase().contains("access-control-");
        assert!(!cors, "no page may read it");
    }
}

// --- Web pages ------------------------------------------------------------------

#[tokio::test]
async fn a_page_whose_name_points_to_this_machine_is_refused() {
    let Setup { server, app } = setup().await;
    let port = app.address.port();
    let setup = Setup { server, app };
    for host in [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        format!("localhost.evil.example:{port}"),
        format!("evil.localhost:{port}"),
        "127.0.0.1".to_owned(),
        "localhost".to_owned(),
        format!("127.0.0.1:{}", port.wrapping_add(1)),
        format!("127.0.0.1:0{port}"),
        format!("127.0.0.1:{port}@evil.example"),
        format!("0.0.0.0:{port}"),
        format!("127.0.0.2:{port}"),
        String::new(),
    ] {
        for head in [
            POST_CHAT,
            "GET /subrosa/status HTTP/1.1",
            "GET / HTTP/1.1",
            "GET /v1/models HTTP/1.1",
        ] {
            let answer = setup
                .app
                .raw(&format!("{head}\r\nhost: {host}"), "{}")
                .await;
            setup.assert_refused(&answer, 403, "forbidden");
        }
    }
}

#[tokio::test]
async fn no_host_two_hosts_or_a_host_in_the_request_line_are_refused() {
    let setup = setup().await;
    let own = setup.app.address;
    for head in [
        "GET /v1/models HTTP/1.1".to_owned(),
        "GET /v1/models HTTP/1.0".to_owned(),
        format!("GET /v1/models HTTP/1.1\r\nhost: {own}\r\nhost: evil.example"),
        format!("GET http://evil.example/v1/models HTTP/1.1\r\nhost: {own}"),
    ] {
        let answer = setup.app.raw(&head, "").await;
        setup.assert_refused(&answer, 403, "forbidden");
    }
}

#[tokio::test]
async fn the_three_names_of_this_machine_are_served() {
    let setup = setup().await;
    let port = setup.app.address.port();
    for host in ["127.0.0.1", "localhost", "[::1]"] {
        let answer = setup
            .app
            .raw(
                &format!("GET /v1/models HTTP/1.1\r\nhost: {host}:{port}"),
                "",
            )
            .await;
        assert_eq!(answer.status, 200, "{host}");
    }
}

#[tokio::test]
async fn a_page_of_any_origin_is_refused() {
    let setup = setup().await;
    let port = setup.app.address.port();
    for origin in [
        "https://evil.example".to_owned(),
        "null".to_owned(),
        "http://localhost".to_owned(),
        format!("http://127.0.0.1:{port}"),
        String::new(),
    ] {
        for head in [
            POST_CHAT,
            "GET /v1/models HTTP/1.1",
            "GET /subrosa/status HTTP/1.1",
            "GET / HTTP/1.1",
            "OPTIONS /v1/chat/completions HTTP/1.1\r\naccess-control-request-method: POST",
        ] {
            let answer = setup
                .app
                .call(&format!("{head}\r\norigin: {origin}"), "{}")
                .await;
            setup.assert_refused(&answer, 403, "forbidden");
        }
    }
}

#[tokio::test]
async fn an_image_or_script_of_another_page_is_refused() {
    let setup = setup().await;
    for site in ["cross-site", "same-site"] {
        let head = format!("GET /v1/models HTTP/1.1\r\nsec-fetch-site: {site}");
        let answer = setup.app.call(&head, "").await;
        setup.assert_refused(&answer, 403, "forbidden");
    }
}

#[tokio::test]
async fn only_exactly_the_origins_that_were_named_are_let_in() {
    let world = World::new();
    let server = Server::honest(&world).await;
    let app = App::start(world.client(&server), |config| {
        config.origins = vec!["tauri://localhost".to_owned()]
    })
    .await;
    let status = async |origin: &str| {
        let head = format!("{POST_CHAT}\r\nsec-fetch-site: cross-site\r\norigin: {origin}");
        app.call(&head, &chat_body("hello", false)).await.status
    };
    assert_eq!(status("tauri://localhost").await, 200);
    for origin in [
        "tauri://localhost.evil.example",
        "tauri://localhos",
        "TAURI://LOCALHOST",
        "null",
    ] {
        assert_eq!(status(origin).await, 403, "{origin}");
    }
    assert_eq!(
        status("tauri://localhost\r\norigin: https://evil.example").await,
        403
    );
}

#[tokio::test]
async fn what_a_form_can_send_is_refused() {
    let setup = setup().await;
    for media in [
        "content-type: text/plain",
        "content-type: application/x-www-form-urlencoded",
        "content-type: multipart/form-data; boundary=x",
        "content-type: text/plain; application/json",
        "content-type: application/jsonx",
        "content-type: application/json\r\ncontent-type: text/plain",
        "content-type: application/json\r\ncontent-encoding: gzip",
        "x: y",
    ] {
        for path in ["/v1/chat/completions", "/v1/messages", "/v1/embeddings"] {
            let answer = setup
                .app
                .call(&format!("POST {path} HTTP/1.1\r\n{media}"), "{}")
                .await;
            setup.assert_refused(&answer, 415, "unsupported_media_type");
        }
    }
}

#[tokio::test]
async fn a_preflight_of_a_page_is_never_granted() {
    let setup = setup().await;
    let answer = setup
        .app
        .call("OPTIONS /v1/chat/completions HTTP/1.1", "")
        .await;
    setup.assert_refused(&answer, 405, "method_not_allowed");
}

// --- Other programs -------------------------------------------------------------

#[tokio::test]
async fn without_the_right_token_nothing_is_passed_on() {
    let world = World::new();
    let server = Server::honest(&world).await;
    let app = App::start(world.client(&server), |config| {
        config.token = Token::new("secret")
    })
    .await;
    let setup = Setup { server, app };
    for header in [
        "x: y",
        "authorization: Bearer wrong",
        "authorization: Bearer secret2",
        "authorization: Bearer secre",
        "authorization: Bearer ",
        "authorization: Basic secret",
        "authorization: secret",
        "x-api-key: wrong",
        "x-api-key: ",
    ] {
        let answer = setup
            .app
            .call(
                &format!("{POST_CHAT}\r\n{header}"),
                &chat_body("hello", false),
            )
            .await;
        setup.assert_refused(&answer, 401, "unauthorized");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    for header in [
        "authorization: Bearer secret",
        "authorization: bearer secret",
        "x-api-key: secret",
    ] {
        let answer = setup
            .app
            .call(
                &format!("{POST_CHAT}\r\n{header}"),
                &chat_body("hello", false),
            )
            .await;
        assert_eq!(answer.status, 200, "{header}");
    }
}

#[tokio::test]
async fn other_paths_methods_and_queries_are_refused() {
    let setup = setup().await;
    for (line, status, code) in [
        ("GET /v1/chat/completions", 405, "method_not_allowed"),
        ("POST /v1/models", 405, "method_not_allowed"),
        ("DELETE /v1/models/x", 405, "method_not_allowed"),
        ("POST /", 404, "not_found"),
        ("GET /v1/files", 404, "not_found"),
        ("GET /v1/models/", 404, "not_found"),
        ("GET /subrosa/v1/directory", 404, "not_found"),
        ("POST /v1/chat/completions/", 404, "not_found"),
        ("POST /v1/messages?beta=true", 400, "invalid_value"),
    ] {
        let head = format!("{line} HTTP/1.1\r\ncontent-type: application/json");
        let answer = setup.app.call(&head, "{}").await;
        setup.assert_refused(&answer, status, code);
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_it_is_read() {
    let world = World::new();
    let server = Server::honest(&world).await;
    let app = App::start(world.client(&server), |config| {
        config.limits.request_bytes = 1000
    })
    .await;
    let setup = Setup { server, app };
    let answer = setup.app.call(POST_CHAT, &"x".repeat(1001)).await;
    setup.assert_refused(&answer, 413, "request_too_large");
    let mut announced = TcpStream::connect(setup.app.address).await.unwrap();
    let head = format!(
        "{POST_CHAT}\r\nhost: {}\r\ncontent-length: 99999999999\r\n\r\n",
        setup.app.address
    );
    announced.write_all(head.as_bytes()).await.unwrap();
    let mut start = [0; 12];
    timeout(Duration::from_secs(5), announced.read_exact(&mut start))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&start, b"HTTP/1.1 413");
    let mut chunked = TcpStream::connect(setup.app.address).await.unwrap();
    let head = format!(
        "{POST_CHAT}\r\nhost: {}\r\ntransfer-encoding: chunked\r\n\r\n3e9\r\n",
        setup.app.address
    );
    chunked.write_all(head.as_bytes()).await.unwrap();
    chunked.write_all(&[b'x'; 1001]).await.unwrap();
    timeout(Duration::from_secs(5), chunked.read_exact(&mut start))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&start, b"HTTP/1.1 413");
}

#[tokio::test]
async fn a_slow_program_does_not_keep_its_connection() {
    let world = World::new();
    let server = Server::honest(&world).await;
    let app = App::start(world.client(&server), |config| {
        config.limits.head_time = Duration::from_millis(200);
        config.limits.body_time = Duration::from_millis(200);
    })
    .await;
    for start in [
        "GET /v1/models HTTP/1.1\r\n".to_owned(),
        format!(
            "{POST_CHAT}\r\nhost: {}\r\ncontent-length: 10\r\nconnection: close\r\n\r\n{{",
            app.address
        ),
    ] {
        let mut slow = TcpStream::connect(app.address).await.unwrap();
        slow.write_all(start.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        timeout(Duration::from_secs(5), slow.read_to_end(&mut rest))
            .await
            .unwrap()
            .unwrap();
    }
}

#[tokio::test]
async fn connections_over_the_limit_wait_for_a_place() {
    let world = World::new();
    let server = Server::honest(&world).await;
    let app = App::start(world.client(&server), |config| {
        config.limits.connections = 1
    })
    .await;
    let first = TcpStream::connect(app.address).await.unwrap();
    sleep(Duration::from_millis(50)).await;
    let second = app.chat("hello", false);
    tokio::pin!(second);
    assert!(
        timeout(Duration::from_millis(300), second.as_mut())
            .await
            .is_err(),
        "it waits"
    );
    drop(first);
    assert_eq!(second.await.status, 200);
}

#[tokio::test]
async fn an_application_that_goes_away_stops_the_service() {
    for streamed in [true, false] {
        let world = World::new();
        let server = Server::start(&world, move |_, opened| {
            let opened = opened.unwrap();
            let mut pieces = if streamed {
                stream(opened, &["Hel", "lo"])
            } else {
                whole(opened, "{}")
            };
            pieces.truncate(if streamed { 2 } else { 1 });
            Reply::sealed(pieces).ending(End::Never)
        })
        .await;
        let app = App::start(world.client(&server), |_| {}).await;
        let mut connection = TcpStream::connect(app.address).await.unwrap();
        let body = chat_body("hello", streamed);
        let head = format!(
            "{POST_CHAT}\r\nhost: {}\r\ncontent-length: {}\r\n\r\n",
            app.address,
            body.len()
        );
        connection
            .write_all([head.as_bytes(), body.as_bytes()].concat().as_slice())
            .await
            .unwrap();
        timeout(Duration::from_secs(5), async {
            while server.exchanges().is_empty() {
                sleep(Duration::from_millis(5)).await;
            }
            sleep(Duration::from_millis(100)).await;
            drop(connection);
            while *server.gone.lock().unwrap() == 0 {
                sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .unwrap();
    }
}

// --- The network ----------------------------------------------------------------

#[tokio::test]
async fn a_stream_cut_at_any_record_ends_with_an_error_event_and_a_broken_connection() {
    for records in 1..=2 {
        let world = World::new();
        let server = Server::start(&world, move |_, opened| {
            let mut pieces = stream(opened.unwrap(), &["Hel", "lo"]);
            pieces.truncate(1 + records);
            Reply::sealed(pieces)
        })
        .await;
        let app = App::start(world.client(&server), |_| {}).await;
        let answer = app.chat("hello", true).await;
        let (content, is_whole) = answer.content();
        if records == 2 {
            assert!(
                is_whole && content.ends_with("data: [DONE]\n\n"),
                "{content}"
            );
            continue;
        }
        assert!(!is_whole, "the connection breaks");
        let last = content
            .lines()
            .rfind(|line| line.starts_with("data: "))
            .unwrap();
        let error: serde_json::Value = serde_json::from_str(&last["data: ".len()..]).unwrap();
        assert_eq!(error["error"]["code"], "truncated");
        for finished in ["[DONE]", "finish_reason\":\"", "subrosa-receipt"] {
            assert!(!content.contains(finished), "{finished}: {content}");
        }
    }
}

#[tokio::test]
async fn no_application_sees_a_finish_before_the_receipt_has_verified() {
    let world = World::new();
    let server = Server::start(&world, |_, opened| {
        // The finish is in a record of its own, the receipt in the next ones.
        let mut pieces = stream(opened.unwrap(), &["x".repeat(113).as_str()]);
        pieces.truncate(2);
        Reply::sealed(pieces)
    })
    .await;
    let app = App::start(world.client(&server), |_| {}).await;
    for (path, body) in [
        ("/v1/chat/completions", chat_body("hello", true)),
        ("/v1/completions", r#"{"model":"m","prompt":"hi","stream":true}"#.to_owned()),
        (
            "/v1/messages",
            r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"stream":true}"#.to_owned(),
        ),
        ("/v1/responses", r#"{"model":"m","input":"hi","stream":true}"#.to_owned()),
    ] {
        let head = format!("POST {path} HTTP/1.1\r\ncontent-type: application/json");
        let (content, is_whole) = app.call(&head, &body).await.content();
        assert!(!is_whole);
        assert!(content.contains("error"), "{content}");
        for finished in ["[DONE]", "message_stop", "stop_reason\":\"end_turn", "response.completed", "finish_reason\":\"stop"] {
            assert!(!content.contains(finished), "{path}: {content}");
        }
    }
}

#[tokio::test]
async fn each_api_gets_an_error_event_that_its_official_clients_raise() {
    let world = World::new();
    let server = Server::start(&world, |_, opened| {
        let mut pieces = stream(opened.unwrap(), &["Hel", "lo"]);
        pieces[2][50] ^= 1;
        Reply::sealed(pieces)
    })
    .await;
    let app = App::start(world.client(&server), |_| {}).await;
    for (path, body, expected) in [
        ("/v1/chat/completions", chat_body("hello", true), r#"data: {"error":"#),
        (
            "/v1/messages",
            r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"stream":true}"#.to_owned(),
            "event: error",
        ),
        (
            "/v1/responses",
            r#"{"model":"m","input":"hi","stream":true}"#.to_owned(),
            "event: error",
        ),
    ] {
        let head = format!("POST {path} HTTP/1.1\r\ncontent-type: application/json");
        let (content, is_whole) = app.call(&head, &body).await.content();
        assert!(!is_whole);
        assert!(content.contains(expected), "{path}: {content}");
    }
}

#[tokio::test]
async fn a_whole_answer_that_is_cut_off_or_forged_is_an_error_and_none_of_it_is_shown() {
    for (edit, code) in [
        (
            (|pieces| pieces.truncate(2)) as fn(&mut Vec<Vec<u8>>),
            "truncated",
        ),
        (|pieces| pieces[2][50] ^= 1, "record-forged"),
        (|pieces| pieces.swap(1, 2), "record-forged"),
        (
            |pieces| pieces.insert(0, b"{\"canary\":1}".to_vec()),
            "unknown-version",
        ),
    ] {
        let world = World::new();
        let server = Server::start(&world, move |_, opened| {
            let mut pieces = whole(
                opened.unwrap(),
                &format!("{{\"canary\":\"{}\"}}", "x".repeat(20_000)),
            );
            edit(&mut pieces);
            Reply::sealed(pieces)
        })
        .await;
        let app = App::start(world.client(&server), |_| {}).await;
        let answer = app.chat("hello", false).await;
        assert_eq!((answer.status, answer.code()), (502, code));
        assert_eq!(
            answer.header("x-should-retry"),
            Some("false"),
            "it may have run"
        );
        assert!(answer.header("subrosa-receipt").is_none());
        assert!(!answer.text().contains("canary"));
    }
}

#[tokio::test]
async fn a_node_that_does_not_pass_is_sent_nothing_and_the_application_is_told() {
    let world = World::empty();
    let strange = world.keys(|params| params.configuration = [4; 32]);
    world.publish(&[&strange]);
    let server = Server::honest(&world).await;
    let app = App::start(world.client(&server), |_| {}).await;
    for stream in [true, false] {
        let answer = app.chat("canary", stream).await;
        assert_eq!(
            (answer.status, answer.code()),
            (502, "wrong-key-configuration")
        );
        assert_eq!(
            answer.header("subrosa-verdict"),
            Some("REFUSED: wrong-key-configuration")
        );
        assert_eq!(answer.json()["error"]["code"], "wrong-key-configuration");
    }
    let status = app.call("GET /subrosa/status HTTP/1.1", "").await;
    assert_eq!(status.status, 502);
    assert_eq!(
        status.header("subrosa-verdict"),
        Some("REFUSED: wrong-key-configuration")
    );
    assert!(server.exchanges().is_empty());
    let seen = server.seen.lock().unwrap();
    assert!(
        seen.iter()
            .all(|seen| seen.body.is_empty() && !seen.head.contains("canary"))
    );
}

#[tokio::test]
async fn a_refusal_in_the_clear_makes_no_client_send_again() {
    for code in ["queue_full", "draining", "rate_limited", "unknown-key", "x"] {
        let world = World::new();
        let server = Server::start(&world, move |_, _| Reply::problem(code)).await;
        let app = App::start(world.client(&server), |_| {}).await;
        let answer = app.chat("hello", false).await;
        assert_eq!(answer.status, 502);
        assert_eq!(answer.header("x-should-retry"), Some("false"), "{code}");
        assert_eq!(answer.header("retry-after"), None);
        assert_eq!(server.exchanges().len(), 1);
    }
}

#[tokio::test]
async fn an_answer_in_the_clear_never_reaches_an_application() {
    let world = World::new();
    let server = Server::start(&world, |_, _| Reply::plain(200, r#"{"canary":1}"#)).await;
    let app = App::start(world.client(&server), |_| {}).await;
    let answer = app.chat("hello", false).await;
    assert_eq!(answer.status, 502);
    assert!(!answer.text().contains("canary"));
}

#[tokio::test]
async fn no_client_is_left_to_send_an_error_again_that_may_have_run() {
    for (status, ran, expected) in [
        (500, "yes", "false"),
        (500, "no", "false"),
        (503, "yes", "false"),
        (429, "no", "true"),
    ] {
        let world = World::new();
        let server = Server::start(&world, move |_, opened| {
            let mut head = ResponseHead::new(status, "application/json");
            head.headers
                .push(("subrosa-ran".to_owned(), ran.to_owned()));
            head.headers
                .push(("retry-after".to_owned(), "0".to_owned()));
            Reply::sealed(seal(opened.unwrap(), ResponseClass::Whole, &head, b"{}"))
        })
        .await;
        let app = App::start(world.client(&server), |_| {}).await;
        let answer = app.chat("hello", false).await;
        assert_eq!(answer.status, status);
        assert_eq!(
            answer.header("x-should-retry"),
            Some(expected),
            "{status} {ran}"
        );
    }
}
