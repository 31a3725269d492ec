//! Length-prefixed frames between the supervisor and the worker.
//!
//! A frame is a little-endian `u32` length and that many bytes of JSON. The
//! length is checked against the direction's bound before memory is reserved,
//! and memory grows with what really arrives.

use std::io::{Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Largest frame to the worker: a request body and what JSON escaping adds.
pub(crate) const MAX_TO_WORKER: usize = 64 << 20;
/// Largest frame from the worker.
pub(crate) const MAX_FROM_WORKER: usize = 8 << 20;

/// Why a frame could not be written or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IpcError {
    /// The content is not a message of this protocol.
    #[error("frame does not hold a known message")]
    Content,
    /// The pipe broke, or ended inside a frame.
    #[error("pipe failed")]
    Pipe(#[source] std::io::Error),
    /// The frame is longer than its direction allows.
    #[error("frame of {got} bytes, at most {limit} allowed")]
    TooLarge {
        /// Announced length.
        got: usize,
        /// The bound.
        limit: usize,
    },
}

/// Turns a message into a frame.
pub(crate) fn encode<T: Serialize>(message: &T, limit: usize) -> Result<Vec<u8>, IpcError> {
    let mut frame = vec![0; PREFIX];
    serde_json::to_writer(&mut frame, message).map_err(|_| IpcError::Content)?;
    let length = frame.len().saturating_sub(PREFIX);
    if length > limit {
        return Err(IpcError::TooLarge { got: length, limit });
    }
    let prefix = u32::try_from(length).map_err(|_| IpcError::Content)?;
    if let Some(head) = frame.first_chunk_mut::<PREFIX>() {
        *head = prefix.to_le_bytes();
    }
    Ok(frame)
}

/// Writes bytes that [`encode`] made.
pub(crate) fn write(out: &mut impl Write, frames: &[u8]) -> Result<(), IpcError> {
    out.write_all(frames).map_err(IpcError::Pipe)
}

/// Reads one message; `None` at a clean end.
pub(crate) fn read<T: DeserializeOwned>(
    input: &mut impl Read,
    limit: usize,
) -> Result<Option<T>, IpcError> {
    let mut prefix = [0; PREFIX];
    if !read_prefix(input, &mut prefix)? {
        return Ok(None);
    }
    let length = checked(prefix, limit)?;
    let mut body = Vec::new();
    let wanted = u64::try_from(length).unwrap_or(u64::MAX);
    let got = input
        .take(wanted)
        .read_to_end(&mut body)
        .map_err(IpcError::Pipe)?;
    if got < length {
        return Err(IpcError::Pipe(std::io::ErrorKind::UnexpectedEof.into()));
    }
    decode(&body).map(Some)
}

/// Writes bytes that [`encode`] made, without blocking the thread.
pub(crate) async fn write_async(
    out: &mut (impl AsyncWrite + Unpin),
    frames: &[u8],
) -> Result<(), IpcError> {
    out.write_all(frames).await.map_err(IpcError::Pipe)
}

/// Reads one message without blocking the thread; `None` at a clean end.
pub(crate) async fn read_async<T: DeserializeOwned>(
    input: &mut (impl AsyncRead + Unpin),
    limit: usize,
) -> Result<Option<T>, IpcError> {
    let mut prefix = [0; PREFIX];
    match input.read_exact(&mut prefix).await {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(IpcError::Pipe(error)),
    }
    let length = checked(prefix, limit)?;
    let mut body = Vec::new();
    let wanted = u64::try_from(length).unwrap_or(u64::MAX);
    let got = input
        .take(wanted)
        .read_to_end(&mut body)
        .await
        .map_err(IpcError::Pipe)?;
    if got < length {
        return Err(IpcError::Pipe(std::io::ErrorKind::UnexpectedEof.into()));
    }
    decode(&body).map(Some)
}

/// Fills `prefix`; false if the input ended before its first byte.
fn read_prefix(input: &mut impl Read, prefix: &mut [u8; PREFIX]) -> Result<bool, IpcError> {
    let mut first = [0; 1];
    loop {
        match input.read(&mut first) {
            Ok(0) => return Ok(false),
            Ok(_) => break,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(IpcError::Pipe(error)),
        }
    }
    let mut rest = [0; PREFIX - 1];
    input.read_exact(&mut rest).map_err(IpcError::Pipe)?;
    let [a] = first;
    let [b, c, d] = rest;
    *prefix = [a, b, c, d];
    Ok(true)
}

fn checked(prefix: [u8; PREFIX], limit: usize) -> Result<usize, IpcError> {
    let got = usize::try_from(u32::from_le_bytes(prefix)).unwrap_or(usize::MAX);
    if got > limit {
        return Err(IpcError::TooLarge { got, limit });
    }
    Ok(got)
}

fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, IpcError> {
    serde_json::from_slice(body).map_err(|_| IpcError::Content)
}

const PREFIX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_survives_the_round_trip() {
        let frame = encode(&vec!["a", "b"], 100).unwrap();

        let read: Option<Vec<String>> = read(&mut frame.as_slice(), 100).unwrap();

        assert_eq!(read.unwrap(), ["a", "b"]);
    }

    #[test]
    fn an_empty_pipe_is_a_clean_end() {
        assert!(read::<u8>(&mut [].as_slice(), 100).unwrap().is_none());
    }

    #[test]
    fn a_frame_that_announces_too_much_is_refused_before_it_is_read() {
        let mut input: &[u8] = &[0xFF, 0xFF, 0xFF, 0xFF];

        let refused = read::<u8>(&mut input, 100).unwrap_err();

        assert!(matches!(
            refused,
            IpcError::TooLarge {
                got: 0xFFFF_FFFF,
                limit: 100
            }
        ));
    }

    #[test]
    fn a_message_over_the_limit_is_not_sent() {
        let refused = encode(&"x".repeat(200), 100).unwrap_err();

        assert!(matches!(refused, IpcError::TooLarge { got: 202, .. }));
    }

    #[test]
    fn every_cut_inside_a_frame_is_an_error() {
        let frame = encode(&"text", 100).unwrap();

        for cut in 1..frame.len() {
            let mut input = frame.get(..cut).unwrap();
            assert!(read::<String>(&mut input, 100).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn bytes_that_are_no_message_are_refused() {
        let mut frame = encode(&"text", 100).unwrap();
        frame[4] = b'{';

        assert!(matches!(
            read::<String>(&mut frame.as_slice(), 100),
            Err(IpcError::Content)
        ));
    }

    #[tokio::test]
    async fn both_ends_agree_on_the_format() {
        let frame = encode(&7_u8, 100).unwrap();

        let read: Option<u8> = read_async(&mut frame.as_slice(), 100).await.unwrap();

        assert_eq!(read, Some(7));
    }

    #[tokio::test]
    async fn the_supervisor_refuses_a_long_frame_too() {
        let mut input: &[u8] = &[1, 1, 0, 0];

        let refused = read_async::<u8>(&mut input, 100).await.unwrap_err();

        assert!(matches!(refused, IpcError::TooLarge { got: 257, .. }));
    }
}
