//! What the network sees before the engine has started.

#![cfg(feature = "development")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod support;

use std::path::Path;

use subrosa_enclave::config::Config;
use subrosa_enclave::log::Log;
use subrosa_enclave::service::{Service, serve};
use support::Connection;

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_starting_says_so_and_takes_no_exchange() {
    let text = "listen.address = \"127.0.0.1:0\"\nengine.kind = \"echo\"\nplatform = { kind = \"simulated\", root_secret = \"s\" }\n";
    let config = Config::parse(text.as_bytes(), Path::new("/")).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(
        Service::new(&config, Log::to(std::io::sink())),
        listener,
    ));
    let seen = tokio::task::spawn_blocking(move || {
        let mut connection = Connection::open(address);
        let health = connection.get("/subrosa/v1/health");
        let health = (health.status, health.body());
        let directory = connection.get("/subrosa/v1/directory").status;
        let exchange = Connection::open(address).exchange(b"x").status;
        (health, directory, exchange)
    });
    let (health, directory, exchange) = seen.await.unwrap();
    assert_eq!(health, (503, br#"{"status":"starting"}"#.to_vec()));
    assert_eq!((directory, exchange), (503, 503));
}
