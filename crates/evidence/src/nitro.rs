//! AWS Nitro Enclaves: documents of the Nitro secure module, `/dev/nsm`.
//!
//! The calls and the CBOR in them are those of Amazon's crate. The module's
//! limits are in "Nitro Enclaves Attestation Process" (AWS,
//! aws-nitro-enclaves-nsm-api, `docs/attestation_process.md`).

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::fd::AsRawFd as _;
use std::path::Path;

use aws_nitro_enclaves_nsm_api::api::{ErrorCode, Request, Response};
use aws_nitro_enclaves_nsm_api::driver::nsm_process_request;
use serde_bytes::ByteBuf;
use subrosa_attest::nitro::Document;

use crate::challenge::Challenge;
use crate::error::CollectError;
use crate::machine::{Collector, Evidence};
use crate::settings::NitroSettings;

/// The secure module of this enclave.
pub struct Nitro(Box<dyn Module>);

/// What answers requests: the device, or a test.
trait Module: Send {
    fn process(&mut self, request: Request) -> Response;
}

struct Device(File);

impl Module for Device {
    fn process(&mut self, request: Request) -> Response {
        nsm_process_request(self.0.as_raw_fd(), request)
    }
}

impl Nitro {
    /// Opens the device.
    ///
    /// # Errors
    ///
    /// [`CollectError`] when there is none, or it may not be used.
    pub fn open(settings: &NitroSettings) -> Result<Self, CollectError> {
        Ok(Self(Box::new(Device(open_device(&settings.device)?))))
    }
}

impl Collector for Nitro {
    /// The 64 bytes go into `user_data` (`spec/evidence-bundle.md`, section
    /// "Binding"). There is no nonce, for nobody asks, and no public key, for
    /// the bytes stand for one.
    fn collect(&mut self, challenge: &Challenge) -> Result<Evidence, CollectError> {
        let request = Request::Attestation {
            user_data: Some(ByteBuf::from(challenge.report_data().to_vec())),
            nonce: None,
            public_key: None,
        };
        let document = match self.0.process(request) {
            Response::Attestation { document } => document,
            Response::Error(code) => return Err(refused(&code)),
            _ => return Err(CollectError::Malformed { what: "answer" }),
        };
        if Document::parse(&document).is_err() {
            return Err(CollectError::Malformed { what: "document" });
        }
        Ok(Evidence::Nitro { document })
    }
}

fn open_device(path: &Path) -> Result<File, CollectError> {
    let opened = OpenOptions::new().read(true).write(true).open(path);
    opened.map_err(|error| match error.kind() {
        ErrorKind::NotFound => CollectError::Missing {
            what: "Nitro secure module",
            path: path.to_owned(),
            hint: "run inside a Nitro enclave, with the kernel module `nsm` loaded",
        },
        _ => CollectError::file("open", path, &error),
    })
}

fn refused(code: &ErrorCode) -> CollectError {
    CollectError::Refused {
        what: "the Nitro secure module",
        code: format!("{code:?}"),
        hint: "start the enclave again; if it lasts, report it to AWS",
    }
}

#[cfg(test)]
pub(crate) use tests::answering;

#[cfg(test)]
mod tests;
