//! TLS towards the service. What is secret does not depend on it; it must work, and not pretend.

use std::sync::Arc;
use std::time::Duration;

use subrosa_api::error::Code;
use subrosa_client::{Error, SendOptions, Stage};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use crate::support::{Server, World, chat};

fn self_signed() -> TlsAcceptor {
    let certificate = CertificateDer::from_slice(include_bytes!("support/self-signed.der"));
    let key = PrivatePkcs8KeyDer::from(include_bytes!("support/self-signed-key.der").as_slice());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.into())
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

#[tokio::test]
async fn a_self_signed_certificate_is_refused_and_nothing_is_asked() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepted = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut bytes = Vec::new();
        match self_signed().accept(stream).await {
            Ok(mut stream) => drop(stream.read_to_end(&mut bytes).await),
            Err(_) => return bytes,
        }
        bytes
    });
    let mut config = world.config(&Server::honest(&world).await);
    config.service = format!("https://{address}").parse().unwrap();
    let error = world.client_of(config).node().await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Network {
                stage: Stage::Tls,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(accepted.await.unwrap().is_empty());
}

#[tokio::test]
async fn a_service_that_speaks_no_tls_is_not_spoken_to_without_it() {
    let world = World::new();
    let server = Server::honest(&world).await;
    let mut config = world.config(&server);
    config.service = server.url().replace("http:", "https:").parse().unwrap();
    config.timeouts.connect = Duration::from_millis(500);
    let client = world.client_of(config);
    let error = client
        .send(&chat("hello", false), &SendOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::Network);
    let seen = server.seen.lock().unwrap();
    assert!(seen.is_empty(), "{seen:?}");
}
