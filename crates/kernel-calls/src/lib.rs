//! The kernel calls of the measured image's first program that no safe crate
//! offers: three of the device mapper, three about a network interface.
//!
//! Everything unsafe of the image is here, in two blocks. A caller hands over a
//! buffer of fixed size and never a pointer, a length or the number of a call.

#![cfg(target_os = "linux")]

use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::{Errno, Result};
use rustix::ioctl::{Opcode, Updater, ioctl};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

/// What a call reads and writes.
pub type Buffer = [u8; BUFFER_LEN];

/// Bytes of a [`Buffer`]: more than any of these calls uses.
pub const BUFFER_LEN: usize = 4096;

/// The device mapper (`/dev/mapper/control`).
#[derive(Debug)]
pub struct DeviceMapper(File);

/// A call of the device mapper (Linux, `include/uapi/linux/dm-ioctl.h`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DeviceCall {
    /// `DM_DEV_CREATE`
    Create,
    /// `DM_TABLE_LOAD`
    LoadTable,
    /// `DM_DEV_SUSPEND`, which also resumes.
    Resume,
}

impl DeviceMapper {
    /// Opens it.
    pub fn open() -> std::io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).open("/dev/mapper/control")?;
        Ok(Self(file))
    }

    /// Makes the call with a `struct dm_ioctl` and what follows it. Its
    /// `data_size` is set here.
    pub fn call(&self, call: DeviceCall, buffer: &mut Buffer) -> Result<()> {
        let length = u32::try_from(BUFFER_LEN).map_err(|_| Errno::INVAL)?;
        let field = buffer.get_mut(DATA_SIZE..).ok_or(Errno::INVAL)?;
        let field = field.first_chunk_mut().ok_or(Errno::INVAL)?;
        *field = length.to_ne_bytes();
        match call {
            DeviceCall::Create => update::<DM_DEV_CREATE>(&self.0, buffer),
            DeviceCall::LoadTable => update::<DM_TABLE_LOAD>(&self.0, buffer),
            DeviceCall::Resume => update::<DM_DEV_SUSPEND>(&self.0, buffer),
        }
    }
}

/// A socket through which network interfaces are set up.
#[derive(Debug)]
pub struct Interfaces(OwnedFd);

/// A call about an interface (netdevice(7)).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum InterfaceCall {
    /// `SIOCSIFADDR`
    Address,
    /// `SIOCSIFFLAGS`
    Flags,
    /// `SIOCSIFNETMASK`
    Mask,
}

impl Interfaces {
    /// Opens a socket that sends nothing.
    pub fn open() -> Result<Self> {
        let flags = SocketFlags::CLOEXEC;
        socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None).map(Self)
    }

    /// Makes the call with a `struct ifreq`.
    pub fn call(&self, call: InterfaceCall, buffer: &mut Buffer) -> Result<()> {
        match call {
            InterfaceCall::Address => update::<SIOCSIFADDR>(&self.0, buffer),
            InterfaceCall::Flags => update::<SIOCSIFFLAGS>(&self.0, buffer),
            InterfaceCall::Mask => update::<SIOCSIFNETMASK>(&self.0, buffer),
        }
    }
}

#[expect(
    unsafe_code,
    reason = "the only calls of this kind; see the SAFETY comments"
)]
fn update<const OPCODE: Opcode>(of: &impl AsFd, buffer: &mut Buffer) -> Result<()> {
    // SAFETY: `OPCODE` is one of the six constants below. Each takes the address of
    // a structure without pointers that is shorter than a `Buffer`: `struct ifreq`
    // has 40 bytes, `struct dm_ioctl` 312 and then as many as its `data_size` says,
    // which `DeviceMapper::call` sets to the length of the buffer. All contents are
    // valid for them: the kernel checks what it reads.
    let call = unsafe { Updater::<OPCODE, Buffer>::new(buffer) };
    // SAFETY: the descriptor was opened here and is of the kind that the call is
    // for, so that its number means what its name says; `buffer` is borrowed for as
    // long as the kernel uses it, which is until the call returns.
    unsafe { ioctl(of, call) }
}

/// `dm_ioctl.data_size`
const DATA_SIZE: usize = 12;
const DM_DEV_CREATE: Opcode = 0xC138_FD03;
const DM_DEV_SUSPEND: Opcode = 0xC138_FD06;
const DM_TABLE_LOAD: Opcode = 0xC138_FD09;
const SIOCSIFFLAGS: Opcode = 0x8914;
const SIOCSIFADDR: Opcode = 0x8916;
const SIOCSIFNETMASK: Opcode = 0x891C;
