//! `subrosa proxy`.
#![cfg(unix)]
#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests"
)]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use support::running::Running;
use support::{Home, enclave_is_built};

#[test]
fn a_port_in_use_names_the_next_step() {
    let home = Home::new();
    home.write("policy.toml", support::node::policy());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let service = ["proxy", "--start-development-service", "--listen", &address];
    assert_eq!(home.run(&service).exit, Some(4));
    let arguments = [
        "proxy",
        "--url",
        "https://ai.example.org",
        "--policy",
        "policy.toml",
        "--listen",
        &address,
    ];
    home.run(&arguments)
        .matches("port-in-use", &[(&address, "127.0.0.1:[PORT]")]);
}

#[test]
fn the_proxy_listens_on_loopback_only() {
    let home = Home::new();
    home.write("policy.toml", support::node::policy());
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8787"] {
        let arguments = [
            "proxy",
            "--url",
            "https://ai.example.org",
            "--policy",
            "policy.toml",
            "--listen",
            address,
        ];
        assert_eq!(home.run(&arguments).exit, Some(2), "{address}");
    }
}

#[test]
fn the_proxy_serves_a_development_service() {
    if !enclave_is_built() {
        return;
    }
    let home = Home::new();
    let arguments = [
        "proxy",
        "--start-development-service",
        "--engine",
        "echo",
        "--listen",
        "127.0.0.1:0",
    ];
    let proxy = Running::start(&home, &arguments);
    let address: SocketAddr = proxy
        .line
        .strip_prefix("http://")
        .unwrap()
        .strip_suffix("/v1")
        .unwrap()
        .parse()
        .unwrap();
    let models = get(address, &address.to_string());
    assert!(models.starts_with("HTTP/1.1 200"), "{models}");
    assert!(models.contains("\"echo\""), "{models}");
    let rebound = get(address, "evil.example");
    assert!(rebound.starts_with("HTTP/1.1 403"), "{rebound}");
}

#[test]
fn a_bearer_that_can_be_guessed_is_refused() {
    if !enclave_is_built() {
        return;
    }
    let home = Home::new();
    home.write("bearer", "short\n");
    let arguments = [
        "proxy",
        "--start-development-service",
        "--engine",
        "echo",
        "--listen",
        "127.0.0.1:0",
        "--bearer-file",
        "bearer",
    ];
    assert_eq!(home.run(&arguments).exit, Some(2));
}

fn get(address: SocketAddr, host: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET /v1/models HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
