//! When a request is sent again on its own, and when not.

use std::time::Duration;

use subrosa_api::error::{ApiError, Code};
use subrosa_channel::{ResponseClass, ResponseHead};
use subrosa_client::{Client, Error, SendOptions};

use crate::support::{End, Reply, Server, World, chat, honest, refusal, seal};

async fn status(client: &Client) -> Result<u16, Error> {
    let exchange = client
        .send(&chat("hello", false), &SendOptions::default())
        .await?;
    let answer = exchange.whole(1 << 20).await?;
    Ok(answer.head.status)
}

fn error(code: Code) -> ApiError {
    ApiError::from_code(code).with_retry_after(0)
}

#[tokio::test]
async fn a_sealed_refusal_that_nothing_ran_is_followed_by_another_try() {
    for code in [Code::QueueFull, Code::Draining, Code::RegisterFull] {
        let world = World::new();
        let mut tries = 0;
        let server = Server::start(&world, move |_, opened| {
            tries += 1;
            let opened = opened.unwrap();
            Reply::sealed(if tries < 3 {
                refusal(opened, &error(code))
            } else {
                honest(opened)
            })
        })
        .await;
        assert_eq!(status(&world.client(&server)).await.unwrap(), 200);
        assert_eq!(server.exchanges().len(), 3);
    }
}

#[tokio::test]
async fn after_the_last_try_the_refusal_is_the_answer() {
    let world = World::new();
    let server = Server::start(&world, |_, opened| {
        Reply::sealed(refusal(opened.unwrap(), &error(Code::QueueFull)))
    })
    .await;
    assert_eq!(status(&world.client(&server)).await.unwrap(), 429);
    assert_eq!(server.exchanges().len(), 3);
}

#[tokio::test]
async fn a_service_that_asks_for_a_long_wait_is_not_waited_for() {
    let world = World::new();
    let server = Server::start(&world, |_, opened| {
        let busy = ApiError::from_code(Code::QueueFull).with_retry_after(6);
        Reply::sealed(refusal(opened.unwrap(), &busy))
    })
    .await;
    assert_eq!(status(&world.client(&server)).await.unwrap(), 429);
    assert_eq!(server.exchanges().len(), 1);
}

#[tokio::test]
async fn a_refusal_that_does_not_say_that_nothing_ran_is_the_answer() {
    let world = World::new();
    let server = Server::start(&world, |_, opened| {
        let mut head = ResponseHead::new(503, "application/json");
        head.headers
            .push(("subrosa-ran".to_owned(), "yes".to_owned()));
        head.headers
            .push(("subrosa-error".to_owned(), "draining".to_owned()));
        Reply::sealed(seal(opened.unwrap(), ResponseClass::Whole, &head, b"{}"))
    })
    .await;
    assert_eq!(status(&world.client(&server)).await.unwrap(), 503);
    assert_eq!(server.exchanges().len(), 1);
}

#[tokio::test]
async fn a_refusal_that_is_cut_off_is_not_followed_by_another_try() {
    let world = World::new();
    let server = Server::start(&world, |_, opened| {
        let mut head = ResponseHead::new(503, "application/json");
        head.headers
            .push(("subrosa-ran".to_owned(), "no".to_owned()));
        let mut pieces = seal(
            opened.unwrap(),
            ResponseClass::Whole,
            &head,
            &vec![b' '; 40_000],
        );
        pieces.truncate(2);
        Reply::sealed(pieces)
    })
    .await;
    let error = status(&world.client(&server)).await.unwrap_err();
    assert_eq!(error.code(), Code::Truncated);
    assert_eq!(server.exchanges().len(), 1);
}

#[tokio::test]
async fn no_refusal_in_the_clear_is_followed_by_another_try() {
    for code in Code::ALL {
        let world = World::new();
        let reply = Reply::problem(code.as_str());
        let server = Server::start(&world, move |_, _| reply.clone()).await;
        let error = status(&world.client(&server)).await.unwrap_err();
        assert_eq!(server.exchanges().len(), 1, "{code}");
        assert!(!error.code().nothing_ran(), "{code}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_once_the_request_is_out_is_not_followed_by_another_try() {
    let world = World::new();
    let server = Server::start(&world, |_, _| Reply::sealed(Vec::new()).ending(End::Abrupt)).await;
    status(&world.client(&server)).await.unwrap_err();
    assert_eq!(server.exchanges().len(), 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let world = World::new();
    let other = Server::honest(&world).await;
    let location = format!("{}/subrosa/v1/exchange", other.url());
    for status_code in [301, 302, 303, 307, 308] {
        let mut reply = Reply::plain(status_code, "");
        reply
            .headers
            .push(("location".to_owned(), location.clone()));
        let server = Server::start(&world, move |_, _| reply.clone()).await;
        let error = status(&world.client(&server)).await.unwrap_err();
        assert!(matches!(error, Error::Problem { .. }), "{error:?}");
    }
    assert!(other.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_vanished_service_is_a_network_error() {
    let world = World::new();
    let server = Server::honest(&world).await;
    let client = world.client(&server);
    status(&client).await.unwrap();
    drop(server);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let error = status(&client).await.unwrap_err();
    assert_eq!(error.code(), Code::Network);
}

#[tokio::test]
async fn a_service_that_comes_back_with_new_keys_at_once_is_verified_and_asked() {
    let world = World::new();
    let server = Server::honest(&world).await;
    let address = server.address;
    let client = world.client(&server);
    status(&client).await.unwrap();
    drop(server);
    tokio::time::sleep(Duration::from_millis(50)).await;
    world.forget_keys();
    world.rotate();
    let back = Server::at(address, &world).await;
    // The connection is new, the remembered key is not: the first try is refused in the clear.
    let error = status(&client).await.unwrap_err();
    assert!(matches!(error, Error::KeyRotated { .. }), "{error:?}");
    assert_eq!(status(&client).await.unwrap(), 200);
    assert_eq!(back.exchanges().len(), 2);
}
