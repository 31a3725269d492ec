//! The commands that a quote takes (TPM 2.0 Library, Part 3; structures: Part 2).

use std::thread::sleep;
use std::time::Duration;

use super::transport::Transport;
use super::wire::{MALFORMED, Reader, Writer};
use crate::error::CollectError;

/// Sends commands to a TPM.
pub(super) struct Session<'a>(&'a mut dyn Transport);

/// An attestation key in the TPM.
#[derive(Clone, Debug)]
pub(super) struct Key {
    handle: u32,
    /// `TPMT_PUBLIC`.
    pub(super) public: Vec<u8>,
}

/// What `TPM2_Quote` gives.
#[derive(Clone, Debug)]
pub(super) struct Quoted {
    /// `TPMS_ATTEST`.
    pub(super) message: Vec<u8>,
    /// `TPMT_SIGNATURE`.
    pub(super) signature: Vec<u8>,
}

#[cfg(test)]
impl Key {
    pub(super) fn handle(&self) -> u32 {
        self.handle
    }
}

impl<'a> Session<'a> {
    pub(super) fn new(transport: &'a mut dyn Transport) -> Self {
        Self(transport)
    }

    /// `TPM2_CreatePrimary`: a key of the endorsement hierarchy that signs only
    /// what the TPM made. It is the same one each time, for it comes from the
    /// hierarchy's seed. A provider who certifies a key has a template of its own,
    /// `TPMT_PUBLIC`.
    pub(super) fn create_key(&mut self, template: Option<&[u8]>) -> Result<Key, CollectError> {
        let command = Command::new("TPM2_CreatePrimary", 0x131)
            .handle(ENDORSEMENT)
            .with_password();
        let parameters = Writer::default()
            // No secret and no data: TPM2B_SENSITIVE_CREATE.
            .sized(&[0; 4])
            .sized(template.unwrap_or(&key_template()))
            .sized(&[])
            .u32(0);
        let response = self.run(command, parameters)?;
        let mut reader = Reader::new(&response);
        let handle = reader.u32()?;
        let mut reader = Reader::new(parameters_of(reader)?);
        Ok(Key {
            handle,
            public: reader.sized()?.to_vec(),
        })
    }

    /// `TPM2_ReadPublic`: a key that somebody put into the TPM.
    pub(super) fn stored_key(&mut self, handle: u32) -> Result<Key, CollectError> {
        let command = Command::new("TPM2_ReadPublic", 0x173).handle(handle);
        let response = self.run(command, Writer::default())?;
        let public = Reader::new(&response).sized()?.to_vec();
        Ok(Key { handle, public })
    }

    /// `TPM2_FlushContext`.
    pub(super) fn flush(&mut self, key: &Key) -> Result<(), CollectError> {
        let command = Command::new("TPM2_FlushContext", 0x165);
        self.run(command, Writer::default().u32(key.handle))?;
        Ok(())
    }

    /// `TPM2_Quote`, with the scheme that the key has.
    pub(super) fn quote(
        &mut self,
        key: &Key,
        registers: &[u8],
        nonce: &[u8; 32],
    ) -> Result<Quoted, CollectError> {
        let command = Command::new("TPM2_Quote", 0x158)
            .handle(key.handle)
            .with_password();
        let parameters = Writer::default()
            .sized(nonce)
            .u16(NULL)
            .bytes(&selection(registers));
        let response = self.run(command, parameters)?;
        let mut reader = Reader::new(parameters_of(Reader::new(&response))?);
        let message = reader.sized()?.to_vec();
        let signature = reader.rest().to_vec();
        Ok(Quoted { message, signature })
    }

    /// `TPM2_PCR_Read`, which gives a few registers at a time.
    pub(super) fn read_registers(
        &mut self,
        registers: &[u8],
    ) -> Result<Vec<(u8, [u8; 32])>, CollectError> {
        let mut values = Vec::new();
        for register in registers {
            let command = Command::new("TPM2_PCR_Read", 0x17E);
            let response = self.run(command, Writer::default().bytes(&selection(&[*register])))?;
            let mut reader = Reader::new(&response);
            // pcrUpdateCounter; the quote's digest says more.
            reader.u32()?;
            skip_selections(&mut reader)?;
            // A bank or register that is not there has no value.
            if reader.u32()? != 1 {
                return Err(CollectError::Refused {
                    what: "TPM2_PCR_Read",
                    code: format!("no SHA-256 value of register {register}"),
                    hint: "switch the TPM's SHA-256 bank on in the firmware, or correct `platform.registers`",
                });
            }
            let value = reader.sized()?.try_into().map_err(|_| MALFORMED)?;
            values.push((*register, value));
        }
        Ok(values)
    }

    /// `TPM2_NV_ReadPublic` and `TPM2_NV_Read`: all that is stored at an index
    /// which may be read without a secret.
    pub(super) fn read_storage(&mut self, index: u32) -> Result<Vec<u8>, CollectError> {
        let command = Command::new("TPM2_NV_ReadPublic", 0x169).handle(index);
        let response = self.run(command, Writer::default())?;
        let size = storage_size(&response)?;
        if size > MAX_STORAGE {
            return Err(MALFORMED);
        }
        let mut content = Vec::new();
        while let Some(left) = size.checked_sub(content.len()).filter(|&left| left > 0) {
            let command = Command::new("TPM2_NV_Read", 0x14E)
                .handle(index)
                .handle(index)
                .with_password();
            let piece = u16::try_from(left.min(MAX_PIECE)).map_err(|_| MALFORMED)?;
            let offset = u16::try_from(content.len()).map_err(|_| MALFORMED)?;
            let response = self.run(command, Writer::default().u16(piece).u16(offset))?;
            let mut reader = Reader::new(parameters_of(Reader::new(&response))?);
            let bytes = reader.sized()?;
            if bytes.is_empty() || bytes.len() > left {
                return Err(MALFORMED);
            }
            content.extend(bytes);
        }
        Ok(content)
    }

    /// The response behind its header, if the command succeeded.
    fn run(&mut self, command: Command, parameters: Writer) -> Result<Vec<u8>, CollectError> {
        let name = command.name;
        let command = command.encode(parameters);
        for _ in 0..ATTEMPTS {
            let response = self.0.exchange(&command)?;
            let mut reader = Reader::new(&response);
            reader.u16()?;
            let size = reader.u32()?;
            if usize::try_from(size) != Ok(response.len()) {
                return Err(MALFORMED);
            }
            match reader.u32()? {
                0 => return Ok(reader.rest().to_vec()),
                RETRY | YIELDED | TESTING => sleep(PAUSE),
                code => return Err(refused(name, code)),
            }
        }
        Err(refused(name, RETRY))
    }
}

/// A command without its parameters.
struct Command {
    name: &'static str,
    code: u32,
    handles: Vec<u32>,
    password: bool,
}

impl Command {
    fn new(name: &'static str, code: u32) -> Self {
        Self {
            name,
            code,
            handles: Vec::new(),
            password: false,
        }
    }

    fn handle(mut self, handle: u32) -> Self {
        self.handles.push(handle);
        self
    }

    /// Authorised by an empty password.
    fn with_password(mut self) -> Self {
        self.password = true;
        self
    }

    /// Part 1, "Command/Response Structure".
    fn encode(self, parameters: Writer) -> Vec<u8> {
        let mut body = Writer::default();
        for handle in &self.handles {
            body = body.u32(*handle);
        }
        if self.password {
            // TPMS_AUTH_COMMAND: no nonce, no attributes, no secret.
            let authorisation = Writer::default().u32(PASSWORD).u16(0).u8(0).u16(0);
            body = body.u32(9).bytes(&authorisation.finish());
        }
        let body = body.bytes(&parameters.finish()).finish();
        let size = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let tag = if self.password { SESSIONS } else { NO_SESSIONS };
        Writer::default()
            .u16(tag)
            .u32(size.saturating_add(10))
            .u32(self.code)
            .bytes(&body)
            .finish()
    }
}

/// A `TPMT_PUBLIC` for `TPM2_CreatePrimary`: ECDSA on P-256 with SHA-256.
pub(super) fn key_template() -> Vec<u8> {
    Writer::default()
        .u16(ECC)
        .u16(SHA256)
        .u32(KEY_ATTRIBUTES)
        .sized(&[])
        .u16(NULL)
        .u16(ECDSA)
        .u16(SHA256)
        .u16(NIST_P256)
        .u16(NULL)
        .sized(&[])
        .sized(&[])
        .finish()
}

/// `TPML_PCR_SELECTION` of the SHA-256 bank.
fn selection(registers: &[u8]) -> Vec<u8> {
    let mut bits = 0_u32;
    for register in registers {
        bits |= 1_u32.checked_shl((*register).into()).unwrap_or(0);
    }
    let [first, second, third, _] = bits.to_le_bytes();
    Writer::default()
        .u32(1)
        .u16(SHA256)
        .u8(3)
        .bytes(&[first, second, third])
        .finish()
}

fn skip_selections(reader: &mut Reader<'_>) -> Result<(), CollectError> {
    // However many are announced, there are no more than bytes.
    for _ in 0..reader.u32()? {
        reader.u16()?;
        let size = reader.u8()?;
        reader.take(size.into())?;
    }
    Ok(())
}

/// `TPMS_NV_PUBLIC.dataSize`.
fn storage_size(response: &[u8]) -> Result<usize, CollectError> {
    let mut public = Reader::new(Reader::new(response).sized()?);
    public.u32()?;
    public.u16()?;
    public.u32()?;
    public.sized()?;
    Ok(public.u16()?.into())
}

/// The parameters of a response to an authorised command, which stand between
/// their size and the sessions.
fn parameters_of(mut reader: Reader<'_>) -> Result<&[u8], CollectError> {
    let size = usize::try_from(reader.u32()?).map_err(|_| MALFORMED)?;
    reader.take(size)
}

fn refused(what: &'static str, code: u32) -> CollectError {
    CollectError::Refused {
        what,
        code: format!("response code {code:#05x}"),
        hint: match code {
            LOCKOUT => {
                "the TPM is locked after failed tries or unclean shutdowns: wait, or run tpm2_dictionarylockout --clear-lockout"
            }
            INITIALIZE => "the TPM was not started: its firmware must send TPM2_Startup",
            _ => {
                "the code is explained by `tpm2_rc_decode`; check `platform.key_handle` and `platform.certificate_index`"
            }
        },
    }
}

// Part 2, "TPM_ST".
const NO_SESSIONS: u16 = 0x8001;
const SESSIONS: u16 = 0x8002;
// Part 2, "TPM_RH".
const PASSWORD: u32 = 0x4000_0009;
const ENDORSEMENT: u32 = 0x4000_000B;
// TCG Algorithm Registry.
const SHA256: u16 = 0x000B;
const NULL: u16 = 0x0010;
const ECDSA: u16 = 0x0018;
const ECC: u16 = 0x0023;
const NIST_P256: u16 = 0x0003;
/// `fixedTPM`, `fixedParent`, `sensitiveDataOrigin`, `userWithAuth`, `noDA`,
/// `restricted`, `sign`. Without `noDA` unclean shutdowns lock the key.
const KEY_ATTRIBUTES: u32 = 0x0005_0472;
// Part 2, "TPM_RC".
const INITIALIZE: u32 = 0x100;
const YIELDED: u32 = 0x908;
const TESTING: u32 = 0x90A;
const LOCKOUT: u32 = 0x921;
const RETRY: u32 = 0x922;
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(100);
/// Certificates have 1 to 3 KiB; Azure's storage for one has 4 KiB.
const MAX_STORAGE: usize = 8 * 1024;
/// `TPM_PT_NV_BUFFER_MAX` is at least this in TPMs for PC clients.
const MAX_PIECE: usize = 512;
