//! How commands reach a TPM.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::error::CollectError;

/// A way to a TPM.
pub(super) trait Transport: Send {
    /// Sends a command and receives its response, which has at most
    /// [`MAX_RESPONSE`] bytes.
    fn exchange(&mut self, command: &[u8]) -> Result<Vec<u8>, CollectError>;
}

/// A device file, or the socket of a TPM in software.
pub(super) struct Stream<S> {
    pub(super) stream: S,
    pub(super) path: PathBuf,
}

impl<S: Read + Write + Send> Transport for Stream<S> {
    fn exchange(&mut self, command: &[u8]) -> Result<Vec<u8>, CollectError> {
        let failed = |error| CollectError::file("talk to", &self.path, &error);
        // The kernel takes a command in one piece.
        let written = self.stream.write(command).map_err(failed)?;
        if written != command.len() {
            return Err(failed(ErrorKind::WriteZero.into()));
        }
        read_response(&mut self.stream).map_err(failed)
    }
}

/// The kernel gives a response in one piece, a socket perhaps not. The size is in
/// the header (TPM 2.0 Library, Part 1, "Response Header").
pub(super) fn read_response(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut response = Vec::new();
    let mut buffer = [0; MAX_RESPONSE];
    loop {
        let read = stream.read(&mut buffer)?;
        response.extend(buffer.get(..read).unwrap_or_default());
        let size = response.get(2..6).and_then(<[u8]>::first_chunk);
        let size = size.map(|&size| usize::try_from(u32::from_be_bytes(size)));
        match size {
            Some(Ok(size)) if size > MAX_RESPONSE => return Err(ErrorKind::InvalidData.into()),
            Some(Ok(size)) if response.len() >= size => return Ok(response),
            _ if read == 0 => return Err(ErrorKind::UnexpectedEof.into()),
            _ => {}
        }
    }
}

pub(super) fn open(path: &Path) -> Result<Box<dyn Transport>, CollectError> {
    let failed = |error: io::Error| match error.kind() {
        ErrorKind::NotFound => CollectError::Missing {
            what: "TPM 2.0",
            path: path.to_owned(),
            hint: "give the machine a TPM, physical or virtual; the kernel needs a driver for it (tpm_crb or tpm_tis)",
        },
        _ => CollectError::file("open", path, &error),
    };
    let kind = std::fs::metadata(path).map_err(failed)?.file_type();
    let path = path.to_owned();
    if kind.is_socket() {
        let stream = UnixStream::connect(&path).map_err(failed)?;
        return Ok(Box::new(Stream { stream, path }));
    }
    let opened = OpenOptions::new().read(true).write(true).open(&path);
    let stream: File = opened.map_err(failed)?;
    Ok(Box::new(Stream { stream, path }))
}

/// The kernel's `TPM_BUFSIZE`.
pub(super) const MAX_RESPONSE: usize = 4096;
