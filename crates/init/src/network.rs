//! One address, and loopback.

use core::net::Ipv4Addr;

use subrosa_kernel_calls::{InterfaceCall, Interfaces};

use crate::boot::BootError;
use crate::requests::{Buffer, interface_address, interface_flags};

/// Sets the addresses and switches both interfaces on. There is no route: what the
/// enclave answers goes to whoever is on the same network, which is the host.
pub(crate) fn set_up() -> Result<(), BootError> {
    let interfaces = Interfaces::open().map_err(|error| failed("socket", error))?;
    let call = |call, buffer: Option<Buffer>| {
        let mut buffer = buffer.ok_or(BootError::Buffer)?;
        let result = interfaces.call(call, &mut buffer);
        result.map_err(|error| failed("network interface", error))
    };
    call(InterfaceCall::Flags, interface_flags("lo", UP))?;
    call(InterfaceCall::Address, interface_address("eth0", ADDRESS))?;
    call(InterfaceCall::Mask, interface_address("eth0", MASK))?;
    call(InterfaceCall::Flags, interface_flags("eth0", UP))
}

fn failed(what: &'static str, error: rustix::io::Errno) -> BootError {
    BootError::System {
        what,
        reason: error.into(),
    }
}

/// The guest's address in the network that QEMU makes for a user (`-netdev user`).
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);
const MASK: Ipv4Addr = Ipv4Addr::new(255, 255, 255, 0);
/// `IFF_UP | IFF_RUNNING`
const UP: u16 = 0x41;
