//! What works.

use subrosa_client::{Profile, ReceiptFile, ResponseEvent, SendOptions, StreamItem};

use crate::support::{Server, World, chat};

#[tokio::test]
async fn a_whole_answer_arrives_with_its_receipt() {
    let world = World::new();
    let server = Server::honest(&world).await;
    let client = world.client(&server);
    let exchange = client
        .send(&chat("hello", false), &SendOptions::default())
        .await
        .unwrap();
    let answer = exchange.whole(1 << 20).await.unwrap();
    assert_eq!(answer.head.status, 200);
    assert!(answer.body.starts_with(b"{"));
    assert_eq!(
        answer.node.verdict_line(),
        "NOT PROTECTED (development): simulated platform"
    );
    let file = ReceiptFile::new(&answer.node, *answer.completed);
    assert_eq!(file.receipt().id().len(), 16);
}

#[tokio::test]
async fn a_streamed_answer_arrives_as_events_and_ends_with_its_receipt() {
    let world = World::new();
    let server = Server::honest(&world).await;
    let client = world.client(&server);
    let exchange = client
        .send(&chat("hello", true), &SendOptions::default())
        .await
        .unwrap();
    let mut events = exchange.into_events().unwrap();
    let mut text = String::new();
    loop {
        match events.next().await.unwrap() {
            StreamItem::Event(subrosa_api::event::Event::TextDelta { text: delta, .. }) => {
                text.push_str(&delta)
            }
            StreamItem::Event(_) => {}
            StreamItem::Complete(_) => break,
        }
    }
    assert_eq!(text, "Hello");
}

#[tokio::test]
async fn pieces_come_in_order_and_complete_comes_last() {
    let world = World::new();
    let server = Server::honest(&world).await;
    let mut exchange = world
        .client(&server)
        .send(&chat("hello", true), &SendOptions::default())
        .await
        .unwrap();
    assert_eq!(exchange.head().status, 200);
    assert!(matches!(
        exchange.next().await.unwrap(),
        ResponseEvent::Body(_)
    ));
    assert!(matches!(
        exchange.next().await.unwrap(),
        ResponseEvent::Complete(_)
    ));
}

#[tokio::test]
async fn answers_arrive_in_every_profile() {
    for profile in Profile::ALL {
        for stream in [true, false] {
            let world = World::new();
            let server = Server::honest(&world).await;
            let mut config = world.config(&server);
            config.profile = profile;
            let client = world.client_of(config);
            let exchange = client
                .send(&chat("hello", stream), &SendOptions::default())
                .await
                .unwrap();
            assert_eq!(exchange.is_events(), stream);
            exchange.whole(1 << 20).await.unwrap();
        }
    }
}

#[tokio::test]
async fn many_requests_at_once_are_answered_after_one_verification() {
    let world = World::new();
    let server = Server::honest(&world).await;
    let client = world.client(&server);
    let requests: Vec<_> = (0..32)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                let exchange = client
                    .send(&chat("hello", true), &SendOptions::default())
                    .await
                    .unwrap();
                exchange.whole(1 << 20).await.unwrap();
            })
        })
        .collect();
    for request in requests {
        request.await.unwrap();
    }
    let documents = server
        .seen
        .lock()
        .unwrap()
        .iter()
        .filter(|seen| seen.head.starts_with("GET"))
        .count();
    assert_eq!(documents, 2);
}
