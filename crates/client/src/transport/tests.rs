//! TLS that works: the root of a test, and a service's certificate for `localhost` that leads to it.
#![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use super::*;

#[tokio::test]
async fn a_document_comes_over_tls_from_a_service_whose_certificate_leads_to_a_root() {
    let (port, root) = service().await;
    let document = transport("localhost", port, trusting(root))
        .get("/document", 64)
        .await
        .unwrap();
    let Document::Bytes(bytes) = document else {
        panic!("too large");
    };
    assert_eq!(bytes, BODY);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let (port, root) = service().await;
    let transport = transport("127.0.0.1", port, trusting(root));
    assert_is_refused(&transport.get("/document", 64).await);
}

#[tokio::test]
async fn a_root_that_is_not_compiled_in_is_refused() {
    let (port, _) = service().await;
    let address = format!("https://localhost:{port}").parse().unwrap();
    let transport = Transport::new(address, Timeouts::default());
    assert_is_refused(&transport.get("/document", 64).await);
}

fn assert_is_refused(outcome: &Result<Document, Error>) {
    let Err(Error::Network { stage, .. }) = outcome else {
        panic!("not refused");
    };
    assert_eq!(*stage, Stage::Tls);
}

fn trusting(root: CertificateDer<'static>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(root).unwrap();
    roots
}

fn transport(host: &str, port: u16, roots: RootCertStore) -> Transport {
    let address = format!("https://{host}:{port}").parse().unwrap();
    Transport::with_roots(address, Timeouts::default(), roots)
}

/// Answers one request with [`BODY`]; its port, and the root of its certificate.
async fn service() -> (u16, CertificateDer<'static>) {
    let mut root = CertificateParams::default();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root_key = KeyPair::generate().unwrap();
    let root_certificate = root.self_signed(&root_key).unwrap().der().clone();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()])
        .unwrap()
        .signed_by(&key, &Issuer::new(root, root_key))
        .unwrap()
        .der()
        .clone();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.into())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        // A client that refuses the certificate ends here.
        let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await else {
            return;
        };
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        assert!(head.starts_with(b"GET /document HTTP/1.1\r\n"));
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", BODY.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.write_all(BODY).await.unwrap();
        stream.flush().await.unwrap();
    });
    (port, root_certificate)
}

const BODY: &[u8] = b"a document";
