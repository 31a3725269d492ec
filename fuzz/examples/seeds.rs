//! Writes the seeds that are made by our own code: `cargo run --example seeds` in this folder.

use std::fs;
use std::path::Path;

use subrosa_channel::InnerRequest;
use subrosa_fuzz::key_configuration;

fn main() -> std::io::Result<()> {
    let request = InnerRequest {
        method: "POST".to_owned(),
        path: "/v1/chat/completions".to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: br#"{"model":"subrosa-demo","messages":[{"role":"user","content":"hi"}]}"#.to_vec(),
    };
    let message = request.encode().expect("the request is valid");
    write("key_configuration", "one_model", key_configuration())?;
    write("inner_request", "chat", &message)?;
    write(
        "request_open",
        "sealed_balanced",
        &[&[1], plaintext(&message).as_slice()].concat(),
    )?;
    write("request_open", "sealed_empty", &[1])?;
    write("request_open", "forged", &forged())
}

/// A plaintext of spec/channel.md §2 in profile `balanced`, without an ephemeral key and a token.
fn plaintext(message: &[u8]) -> Vec<u8> {
    let mut plaintext = vec![7; 16];
    plaintext.extend([1, 0, 0, 0]);
    let start = plaintext.len();
    plaintext.extend((message.len() as u32).to_be_bytes());
    plaintext.extend(message);
    plaintext.resize(start + 1024, 0);
    plaintext
}

/// Two chunks of the right shape that nobody sealed.
fn forged() -> Vec<u8> {
    let mut input = vec![0; 1];
    input.extend([0x42; 1120]);
    input.push(17);
    input.extend([0x55; 17]);
    input.push(0);
    input.extend([0x66; 20]);
    input
}

fn write(target: &str, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("seeds")
        .join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), bytes)
}
