//! What a relay or an operator can do to the bytes of an answer.

use std::time::Duration;

use subrosa_api::error::Code;
use subrosa_api::event::{CONTENT_TYPE, Event};
use subrosa_channel::{ResponseClass, ResponseHead};
use subrosa_client::{Client, Error, SendOptions, StreamItem};

use crate::support::{End, Reply, Server, World, chat, encode, events, seal, stream, whole};

/// Reads a streamed answer to its end: the text that came, and whether it was whole.
async fn read(client: &Client) -> (String, Result<(), Error>) {
    let mut text = String::new();
    let started = client
        .send(&chat("hello", true), &SendOptions::default())
        .await;
    let mut events = match started.and_then(subrosa_client::Exchange::into_events) {
        Ok(events) => events,
        Err(error) => return (text, Err(error)),
    };
    loop {
        match events.next().await {
            Ok(StreamItem::Event(Event::TextDelta { text: delta, .. })) => text += &delta,
            Ok(StreamItem::Event(_)) => {}
            Ok(StreamItem::Complete(_)) => return (text, Ok(())),
            Err(error) => return (text, Err(error)),
        }
    }
}

/// The code with which an answer fails whose pieces `edit` has changed.
async fn code_after(edit: fn(&mut Vec<Vec<u8>>)) -> (String, Code) {
    let world = World::new();
    let server = Server::start(&world, move |_, opened| {
        let mut pieces = stream(opened.unwrap(), &["Hel", "lo"]);
        edit(&mut pieces);
        Reply::sealed(pieces)
    })
    .await;
    let (text, result) = read(&world.client(&server)).await;
    assert_eq!(server.exchanges().len(), 1, "never sent again");
    (text, result.unwrap_err().code())
}

// --- Cuts -------------------------------------------------------------------

#[tokio::test]
async fn an_answer_cut_at_any_record_before_complete_is_truncated_however_the_stream_ends() {
    for end in [End::Clean, End::Abrupt] {
        let world = World::new();
        let mut records = 0;
        let server = Server::start(&world, move |_, opened| {
            let mut pieces = stream(opened.unwrap(), &["Hello".repeat(200).as_str()]);
            pieces.truncate(records);
            records += 1;
            Reply::sealed(pieces).ending(end)
        })
        .await;
        let client = world.client(&server);
        // Head, a thousand bytes of text and the receipt, in records of 254 bytes.
        for _ in 0..=6 {
            let error = read(&client).await.1.unwrap_err();
            assert_eq!(error.code(), Code::Truncated);
        }
        let (text, result) = read(&client).await;
        result.unwrap();
        assert_eq!(text.len(), 1000, "a cut behind complete is harmless");
    }
}

#[tokio::test]
async fn an_answer_cut_at_any_byte_of_the_last_records_before_complete_is_truncated() {
    let world = World::new();
    let mut cut = 3 + 32 + 1120;
    let server = Server::start(&world, move |_, opened| {
        let mut bytes = stream(opened.unwrap(), &["Hel", "lo"]).concat();
        bytes.truncate(cut);
        cut += 1;
        Reply::sealed(vec![bytes])
    })
    .await;
    let client = world.client(&server);
    let record = 2 + 256 + 16;
    for byte in 0..2 * record {
        let error = read(&client).await.1.unwrap_err();
        assert_eq!(error.code(), Code::Truncated, "byte {byte}");
    }
    read(&client).await.1.unwrap();
}

#[tokio::test]
async fn a_whole_answer_cut_anywhere_is_truncated() {
    let world = World::new();
    let mut cut = 0;
    let server = Server::start(&world, move |_, opened| {
        let mut bytes = whole(opened.unwrap(), "{}").concat();
        bytes.truncate(cut);
        cut += 97;
        Reply::sealed(vec![bytes])
    })
    .await;
    let client = world.client(&server);
    for _ in 0..20 {
        let error = client
            .send(&chat("hello", false), &SendOptions::default())
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::Truncated);
    }
}

#[tokio::test]
async fn events_that_stop_before_their_end_are_truncated_whatever_the_records_say() {
    let world = World::new();
    let server = Server::start(&world, |_, opened| {
        let mut unfinished = events(&["Hel"]);
        unfinished.truncate(2);
        let head = ResponseHead::new(200, CONTENT_TYPE);
        Reply::sealed(seal(
            opened.unwrap(),
            ResponseClass::Stream,
            &head,
            &encode(&unfinished),
        ))
    })
    .await;
    let (text, result) = read(&world.client(&server)).await;
    assert_eq!(text, "Hel");
    assert_eq!(result.unwrap_err().code(), Code::Truncated);
}

#[tokio::test]
async fn events_of_another_form_are_refused() {
    let world = World::new();
    let server = Server::start(&world, |_, opened| {
        let head = ResponseHead::new(200, CONTENT_TYPE);
        Reply::sealed(seal(
            opened.unwrap(),
            ResponseClass::Stream,
            &head,
            b"data: {}\n\n",
        ))
    })
    .await;
    let error = read(&world.client(&server)).await.1.unwrap_err();
    assert_eq!(error.code(), Code::MalformedStream);
}

// --- Forged, moved, reflected, injected ----------------------------------------

#[tokio::test]
async fn a_record_moved_doubled_dropped_or_changed_is_refused() {
    let edits: [fn(&mut Vec<Vec<u8>>); 5] = [
        |pieces| pieces.swap(1, 2),
        |pieces| pieces.insert(2, pieces[1].clone()),
        |pieces| drop(pieces.remove(1)),
        |pieces| pieces[2][40] ^= 1,
        |pieces| pieces[0][40] ^= 1,
    ];
    for edit in edits {
        assert_eq!(code_after(edit).await.1, Code::RecordForged);
    }
}

#[tokio::test]
async fn a_plaintext_line_injected_anywhere_is_refused_and_never_shown() {
    const LINE: &[u8] = b"data: {\"choices\":[{\"delta\":{\"content\":\"injected\"}}]}\n\n";
    let edits: [fn(&mut Vec<Vec<u8>>); 3] = [
        |pieces| pieces.insert(0, LINE.to_vec()),
        |pieces| pieces.insert(1, LINE.to_vec()),
        |pieces| pieces.insert(2, LINE.to_vec()),
    ];
    for (edit, expected) in
        edits
            .into_iter()
            .zip([Code::UnknownVersion, Code::RecordForged, Code::RecordForged])
    {
        let (text, code) = code_after(edit).await;
        assert_eq!(code, expected);
        assert!(!text.contains("injected"));
    }
}

#[tokio::test]
async fn an_answer_in_the_clear_is_no_answer() {
    let world = World::new();
    let server = Server::start(&world, |_, _| Reply::plain(200, r#"{"choices":[]}"#)).await;
    let client = world.client(&server);
    let error = client
        .send(&chat("hello", false), &SendOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::UnknownVersion);
}

#[tokio::test]
async fn the_devices_own_request_is_no_answer() {
    let world = World::new();
    let server = Server::start(&world, |seen, _| Reply::sealed(vec![seen.body.clone()])).await;
    let (text, result) = read(&world.client(&server)).await;
    assert!(text.is_empty());
    let code = result.unwrap_err().code();
    assert!(
        matches!(
            code,
            Code::UnknownVersion | Code::RecordForged | Code::Truncated
        ),
        "{code}"
    );
}

#[tokio::test]
async fn the_devices_own_ciphertext_does_not_open_as_a_record() {
    let world = World::new();
    let server = Server::start(&world, |seen, opened| {
        let mut pieces = stream(opened.unwrap(), &["Hel", "lo"]);
        let len = pieces[1].len();
        // The ciphertext of the request follows version, key id, encapsulation and length.
        let reflected = &seen.body[1 + 16 + 1120 + 1..][..len - 2];
        pieces[1] = [&pieces[1][..2], reflected].concat();
        Reply::sealed(pieces)
    })
    .await;
    let error = read(&world.client(&server)).await.1.unwrap_err();
    assert_eq!(error.code(), Code::RecordForged);
}

#[tokio::test]
async fn answers_swapped_between_two_requests_do_not_open() {
    let world = World::new();
    let mut first = None;
    let server = Server::start(&world, move |_, opened| {
        let pieces = stream(opened.unwrap(), &["Hel", "lo"]);
        Reply::sealed(first.get_or_insert(pieces).clone())
    })
    .await;
    let client = world.client(&server);
    read(&client).await.1.unwrap();
    let (text, result) = read(&client).await;
    assert!(text.is_empty());
    assert_eq!(result.unwrap_err().code(), Code::RecordForged);
}

#[tokio::test]
async fn the_head_of_one_answer_with_the_records_of_another_does_not_open() {
    let world = World::new();
    let mut first: Option<Vec<Vec<u8>>> = None;
    let server = Server::start(&world, move |_, opened| {
        let mut pieces = stream(opened.unwrap(), &["Hel", "lo"]);
        match &first {
            None => first = Some(pieces.clone()),
            Some(first) => pieces[1..].clone_from_slice(&first[1..]),
        }
        Reply::sealed(pieces)
    })
    .await;
    let client = world.client(&server);
    read(&client).await.1.unwrap();
    assert_eq!(
        read(&client).await.1.unwrap_err().code(),
        Code::RecordForged
    );
}

#[tokio::test]
async fn what_follows_a_complete_answer_changes_nothing() {
    let world = World::new();
    let server = Server::start(&world, |_, opened| {
        let mut pieces = stream(opened.unwrap(), &["Hel", "lo"]);
        pieces.truncate(3);
        pieces.push(b"data: injected\n\n".to_vec());
        Reply::sealed(vec![pieces.concat()])
    })
    .await;
    let (text, result) = read(&world.client(&server)).await;
    assert_eq!(text, "Hello");
    result.unwrap();
}

// --- Bounds -----------------------------------------------------------------

#[tokio::test]
async fn an_answer_larger_than_the_caller_takes_is_refused() {
    let world = World::new();
    let server = Server::start(&world, |_, opened| {
        Reply::sealed(whole(opened.unwrap(), &"x".repeat(100_000)))
    })
    .await;
    let exchange = world
        .client(&server)
        .send(&chat("hello", false), &SendOptions::default())
        .await
        .unwrap();
    let error = exchange.whole(99_999).await.unwrap_err();
    assert!(matches!(error, Error::AnswerTooLarge { limit: 99_999 }));
}

#[tokio::test]
async fn a_service_that_never_answers_is_not_waited_for_forever() {
    let world = World::new();
    let server = Server::start(&world, |_, _| Reply::sealed(Vec::new()).ending(End::Never)).await;
    let mut config = world.config(&server);
    config.timeouts.answer = Duration::from_millis(200);
    let error = world
        .client_of(config)
        .send(&chat("hello", false), &SendOptions::default())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    assert_eq!(server.exchanges().len(), 1, "it may have run");
}

#[tokio::test]
async fn records_that_stop_coming_end_the_answer_as_truncated() {
    let world = World::new();
    let server = Server::start(&world, |_, opened| {
        let mut pieces = stream(opened.unwrap(), &["Hel", "lo"]);
        pieces.truncate(2);
        Reply::sealed(pieces).ending(End::Never)
    })
    .await;
    let mut config = world.config(&server);
    config.timeouts.record = Duration::from_millis(200);
    let client = world.client_of(config);
    let (_, result) = tokio::time::timeout(Duration::from_secs(5), read(&client))
        .await
        .expect("it does not wait for more");
    let error = result.unwrap_err();
    assert_eq!(error.code(), Code::Truncated);
}

// --- What the network sees ----------------------------------------------------

#[tokio::test]
async fn nothing_of_a_request_is_readable_outside_of_the_seal() {
    let world = World::new();
    let server = Server::honest(&world).await;
    let mut request = chat("canary-prompt", true);
    request.headers.push((
        "subrosa-conversation".to_owned(),
        "canary-conversation".to_owned(),
    ));
    let client = world.client(&server);
    let exchange = client
        .send(&request, &SendOptions::default())
        .await
        .unwrap();
    exchange.whole(1 << 20).await.unwrap();
    let exchange = &server.exchanges()[0];
    let seen = [exchange.head.as_bytes(), &exchange.body].concat();
    for canary in [
        "canary",
        "subrosa-demo",
        "/v1/chat",
        "messages",
        "application/json",
    ] {
        let found = seen
            .windows(canary.len())
            .any(|window| window == canary.as_bytes());
        assert!(!found, "{canary}");
    }
}

#[tokio::test]
async fn a_request_carries_no_header_that_is_not_needed() {
    let world = World::new();
    let server = Server::honest(&world).await;
    let client = world.client(&server);
    client
        .send(&chat("hello", false), &SendOptions::default())
        .await
        .unwrap();
    let seen = server.exchanges();
    let mut names: Vec<_> = seen[0]
        .head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name)
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "content-type", "host"]);
    let documents = server.seen.lock().unwrap();
    assert_eq!(
        documents[0]
            .head
            .lines()
            .filter(|line| line.contains(':'))
            .count(),
        1,
        "only host"
    );
}

#[tokio::test]
async fn dropping_an_answer_closes_its_connection() {
    let world = World::new();
    let server = Server::start(&world, |_, opened| {
        let mut pieces = stream(opened.unwrap(), &["Hel", "lo"]);
        pieces.truncate(2);
        Reply::sealed(pieces).ending(End::Never)
    })
    .await;
    let exchange = world
        .client(&server)
        .send(&chat("hello", true), &SendOptions::default())
        .await
        .unwrap();
    drop(exchange);
    tokio::time::timeout(Duration::from_secs(5), async {
        while *server.gone.lock().unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn the_padding_behind_an_answer_still_arrives() {
    let world = World::new();
    let server = Server::start(&world, |_, opened| {
        let mut reply = Reply::sealed(stream(opened.unwrap(), &["Hel", "lo"]));
        reply.pause = Duration::from_millis(10);
        reply
    })
    .await;
    let client = world.client(&server);
    let exchange = client
        .send(&chat("hello", true), &SendOptions::default())
        .await
        .unwrap();
    exchange.whole(1 << 20).await.unwrap();
    client.drain(Duration::from_secs(5)).await;
    assert_eq!(*server.gone.lock().unwrap(), 0);
    assert_eq!(*server.finished.lock().unwrap(), 1);
}
