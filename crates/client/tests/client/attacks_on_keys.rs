//! Keys that end, change, or are not the ones that were verified.

use subrosa_api::error::Code;
use subrosa_client::{Error, SendOptions};

use crate::support::{NOW, Reply, Server, World, chat, honest};

fn documents(server: &Server) -> usize {
    let all = server.seen.lock().unwrap().len();
    all - server.exchanges().len()
}

async fn send(client: &subrosa_client::Client, options: &SendOptions) -> Result<(), Error> {
    let exchange = client.send(&chat("hello", false), options).await?;
    exchange.whole(1 << 20).await.map(drop)
}

/// A node that answers `code` in the clear when a request does not open.
async fn server(world: &World, code: &'static str) -> Server {
    Server::start(world, move |_, opened| match opened {
        Ok(opened) => Reply::sealed(honest(opened)),
        Err(_) => Reply::problem(code),
    })
    .await
}

#[tokio::test]
async fn a_verified_node_is_remembered() {
    let world = World::new();
    let server = Server::honest(&world).await;
    let client = world.client(&server);
    for _ in 0..3 {
        send(&client, &SendOptions::default()).await.unwrap();
    }
    assert_eq!(documents(&server), 2, "one directory and one bundle");
}

#[tokio::test]
async fn a_key_with_less_than_a_minute_left_is_replaced_before_anything_is_sealed_to_it() {
    let world = World::new();
    let server = server(&world, "key-expired").await;
    let client = world.client(&server);
    send(&client, &SendOptions::default()).await.unwrap();
    world.clock.set(NOW + 1200 - 60);
    send(&client, &SendOptions::default()).await.unwrap();
    assert_eq!(documents(&server), 2, "a minute is left");
    world.clock.advance(1);
    let newer = world.rotate();
    send(&client, &SendOptions::default()).await.unwrap();
    assert_eq!(documents(&server), 4);
    assert_eq!(
        client.node().await.unwrap().key_configuration().key_id(),
        newer.kc.key_id()
    );
    assert_eq!(server.exchanges().len(), 3, "nothing was sent twice");
}

#[tokio::test]
async fn a_restarted_service_makes_an_error_that_invites_to_send_again_and_is_verified_again() {
    for code in ["unknown-key", "key-expired", "key-not-yet-valid"] {
        let world = World::new();
        let server = server(&world, code).await;
        let client = world.client(&server);
        send(&client, &SendOptions::default()).await.unwrap();
        world.forget_keys();
        world.rotate();
        let error = send(&client, &SendOptions::default()).await.unwrap_err();
        assert!(matches!(error, Error::KeyRotated { .. }), "{error:?}");
        assert_eq!(error.code().as_str(), code);
        assert!(error.to_string().contains("send the request again"));
        assert_eq!(server.exchanges().len(), 2, "not sent again on its own");
        send(&client, &SendOptions::default()).await.unwrap();
    }
}

#[tokio::test]
async fn a_request_that_may_run_twice_is_sent_again_to_the_new_key() {
    let world = World::new();
    let server = server(&world, "unknown-key").await;
    let client = world.client(&server);
    let mut options = SendOptions::default();
    options.idempotent = true;
    send(&client, &options).await.unwrap();
    world.forget_keys();
    world.rotate();
    send(&client, &options).await.unwrap();
    assert_eq!(server.exchanges().len(), 3);
}

#[tokio::test]
async fn a_service_that_never_knows_its_key_is_not_asked_forever() {
    let world = World::new();
    let server = Server::start(&world, |_, _| Reply::problem("unknown-key")).await;
    let mut options = SendOptions::default();
    options.idempotent = true;
    let error = send(&world.client(&server), &options).await.unwrap_err();
    assert_eq!(error.code(), Code::UnknownKey);
    assert_eq!(server.exchanges().len(), 3, "once, and two retries");
}

#[tokio::test]
async fn a_key_that_is_verified_again_and_refused_ends_the_conversation() {
    let world = World::new();
    let server = Server::honest(&world).await;
    let client = world.client(&server);
    send(&client, &SendOptions::default()).await.unwrap();
    world.clock.set(NOW + 1200);
    let strange = world.keys(|params| params.configuration = [4; 32]);
    world.publish(&[&strange]);
    let error = send(&client, &SendOptions::default()).await.unwrap_err();
    assert_eq!(error.code(), Code::WrongKeyConfiguration);
    assert_eq!(server.exchanges().len(), 1, "nothing more was sent");
}
