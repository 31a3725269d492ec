//! Fetching over TLS from a server whose certificate for `localhost` leads to a root of the tests.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};
use ureq::tls::Certificate;

use super::*;

#[test]
fn a_fetch_over_tls_that_broke_continues_where_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("model.gguf");
    let (port, root) = server();
    let url = format!("https://localhost:{port}/model.gguf");
    let agent = trusting(&root);

    let broken = fetch(&url, &to, &agent).unwrap_err();
    assert_eq!(broken.exit(), Exit::Network);
    assert!(!to.exists());

    assert_eq!(fetch(&url, &to, &agent).unwrap(), 4096);
    assert_eq!(fs::read(&to).unwrap(), CONTENT);
}

#[test]
fn a_server_of_another_name_or_root_is_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("model.gguf");
    let (port, root) = server();
    let cases = [
        ("127.0.0.1", trusting(&root)),
        ("localhost", agent(RootCerts::WebPki)),
    ];
    for (host, agent) in cases {
        let url = format!("https://{host}:{port}/model.gguf");
        let refused = fetch(&url, &to, &agent).unwrap_err();
        assert_eq!(refused.exit(), Exit::Network, "{host}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{host}");
    }
}

fn fetch(url: &str, to: &Path, agent: &Agent) -> Result<u64, Failure> {
    let download = Download {
        url,
        sha256: Sha256::digest(CONTENT).into(),
        to,
        max_bytes: 1 << 20,
    };
    download.run_with(agent, &Printer::silent())
}

fn trusting(root: &[u8]) -> Agent {
    agent(RootCerts::from([Certificate::from_der(root).to_owned()]))
}

/// Breaks the first answer after [`CUT`] bytes, and goes on from there when it is asked to; its port,
/// and the root of its certificate (DER).
fn server() -> (u16, Vec<u8>) {
    let mut root = CertificateParams::default();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root_key = KeyPair::generate().unwrap();
    let root_certificate = root.self_signed(&root_key).unwrap().der().to_vec();
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
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            // A client that refuses the certificate ends this with an error.
            let _ = answer(StreamOwned::new(connection, stream.unwrap()));
        }
    });
    (port, root_certificate)
}

fn answer<S: io::Read + Write>(stream: S) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let continues = head
        .to_ascii_lowercase()
        .contains(&format!("range: bytes={CUT}-\r\n"));
    let length = CONTENT.len();
    let (status, part, sent) = if continues {
        let range = format!("content-range: bytes {CUT}-{}/{length}\r\n", length - 1);
        (
            format!("206 Partial Content\r\n{range}"),
            &CONTENT[CUT..],
            length - CUT,
        )
    } else {
        ("200 OK\r\n".to_owned(), CONTENT, CUT)
    };
    let stream = stream.get_mut();
    write!(
        stream,
        "HTTP/1.1 {status}content-length: {}\r\n\r\n",
        part.len()
    )?;
    stream.write_all(&part[..sent])?;
    stream.flush()
}

const CONTENT: &[u8] = &[7; 4096];
const CUT: usize = 1000;
