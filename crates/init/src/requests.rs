//! The structures that kernel calls take, in the machine's byte order.
//!
//! Linux, `include/uapi/linux/dm-ioctl.h`; netdevice(7) for `struct ifreq`.

use core::net::Ipv4Addr;

/// As long as the buffers of the calls.
pub(crate) type Buffer = [u8; 4096];

/// `struct dm_ioctl` for the device `name`.
pub(crate) fn device(name: &str, flags: u32) -> Option<Buffer> {
    let mut buffer = [0; 4096];
    put(&mut buffer, 0, &4_u32.to_ne_bytes())?;
    put(&mut buffer, DATA_START, &HEADER.to_ne_bytes())?;
    put(&mut buffer, FLAGS, &flags.to_ne_bytes())?;
    text(&mut buffer, NAME, NAME_LEN, name)?;
    Some(buffer)
}

/// The same with a table of one target: `struct dm_target_spec` and its parameters.
pub(crate) fn table(name: &str, sectors: u64, kind: &str, parameters: &str) -> Option<Buffer> {
    let mut buffer = device(name, READ_ONLY)?;
    put(&mut buffer, TARGET_COUNT, &1_u32.to_ne_bytes())?;
    let target = usize::try_from(HEADER).ok()?;
    put(&mut buffer, target.checked_add(8)?, &sectors.to_ne_bytes())?;
    text(&mut buffer, target.checked_add(24)?, 16, kind)?;
    text(
        &mut buffer,
        target.checked_add(40)?,
        MAX_PARAMETERS,
        parameters,
    )?;
    Some(buffer)
}

/// `struct ifreq` with an IPv4 address.
pub(crate) fn interface_address(name: &str, address: Ipv4Addr) -> Option<Buffer> {
    let mut buffer = interface(name)?;
    put(&mut buffer, 16, &AF_INET.to_ne_bytes())?;
    put(&mut buffer, 20, &address.octets())?;
    Some(buffer)
}

/// `struct ifreq` with flags.
pub(crate) fn interface_flags(name: &str, flags: u16) -> Option<Buffer> {
    let mut buffer = interface(name)?;
    put(&mut buffer, 16, &flags.to_ne_bytes())?;
    Some(buffer)
}

fn interface(name: &str) -> Option<Buffer> {
    let mut buffer = [0; 4096];
    text(&mut buffer, 0, 16, name)?;
    Some(buffer)
}

/// Text with a final zero, in a field of `length` bytes.
fn text(buffer: &mut Buffer, at: usize, length: usize, text: &str) -> Option<()> {
    if text.len() >= length || text.contains('\0') {
        return None;
    }
    put(buffer, at, text.as_bytes())
}

fn put(buffer: &mut Buffer, at: usize, bytes: &[u8]) -> Option<()> {
    let end = at.checked_add(bytes.len())?;
    buffer.get_mut(at..end)?.copy_from_slice(bytes);
    Some(())
}

/// `DM_READONLY_FLAG`
pub(crate) const READ_ONLY: u32 = 1;
const DATA_START: usize = 16;
const TARGET_COUNT: usize = 20;
const FLAGS: usize = 28;
const NAME: usize = 48;
const NAME_LEN: usize = 128;
/// `sizeof(struct dm_ioctl)`
const HEADER: u32 = 312;
const MAX_PARAMETERS: usize = 2048;
const AF_INET: u16 = 2;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    #[test]
    fn a_table_is_read_only_and_has_one_target_behind_the_header() {
        let buffer = table("root", 56, "verity", "1 a b").unwrap();
        assert_eq!(buffer[0..4], 4_u32.to_ne_bytes());
        assert_eq!(buffer[16..20], 312_u32.to_ne_bytes());
        assert_eq!(buffer[20..24], 1_u32.to_ne_bytes());
        assert_eq!(buffer[28..32], READ_ONLY.to_ne_bytes());
        assert_eq!(&buffer[48..53], b"root\0");
        assert_eq!(buffer[312..320], [0; 8]);
        assert_eq!(buffer[320..328], 56_u64.to_ne_bytes());
        assert_eq!(&buffer[336..343], b"verity\0");
        assert_eq!(&buffer[352..358], b"1 a b\0");
    }

    #[test]
    fn an_address_is_a_socket_address_of_ipv4() {
        let buffer = interface_address("eth0", Ipv4Addr::new(10, 0, 2, 15)).unwrap();
        assert_eq!(&buffer[..5], b"eth0\0");
        assert_eq!(buffer[16..18], 2_u16.to_ne_bytes());
        assert_eq!(buffer[20..24], [10, 0, 2, 15]);
    }

    #[test]
    fn text_that_does_not_fit_is_refused() {
        assert!(device(&"n".repeat(127), 0).is_some());
        assert!(device(&"n".repeat(128), 0).is_none());
        assert!(device("a\0b", 0).is_none());
        assert!(table("root", 1, "verity", &"p".repeat(2048)).is_none());
        assert!(interface_flags("interface-name-x", 1).is_none());
    }
}
