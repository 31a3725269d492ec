//! File systems: the kernel's own, and the verified root.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use rustix::mount::{MountFlags, mount, mount_move};
use subrosa_kernel_calls::{DeviceCall, DeviceMapper};

use crate::boot::BootError;
use crate::layout::{NEW_ROOT, ROOT_DISK, ROOT_FOLDERS};
use crate::requests::{Buffer, READ_ONLY, device, table};
use crate::verity::Verity;

/// What is needed before modules are loaded.
pub(crate) fn early() -> Result<(), BootError> {
    let devices = MountFlags::NOSUID | MountFlags::NOEXEC;
    mount_kernel("devtmpfs", "/dev", devices)?;
    mount_kernel("proc", "/proc", devices | MountFlags::NODEV)?;
    mount_kernel("sysfs", "/sys", devices | MountFlags::NODEV)
}

/// What modules bring: where reports are made, and where the TPM's log is.
pub(crate) fn late() -> Result<(), BootError> {
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC | MountFlags::NODEV;
    mount_kernel("securityfs", "/sys/kernel/security", flags)?;
    mount_kernel("configfs", "/sys/kernel/config", flags)
}

/// Opens the root under dm-verity and mounts it, read-only.
pub(crate) fn root(verity: &Verity) -> Result<(), BootError> {
    wait_for(ROOT_DISK)?;
    let mapper = DeviceMapper::open().map_err(|reason| BootError::System {
        what: "/dev/mapper/control",
        reason,
    })?;
    let call = |call, buffer: Option<Buffer>| {
        let mut buffer = buffer.ok_or(BootError::Buffer)?;
        mapper
            .call(call, &mut buffer)
            .map_err(|error| BootError::System {
                what: "dm-verity",
                reason: error.into(),
            })
    };
    let parameters = verity.table(ROOT_DISK);
    call(DeviceCall::Create, device(NAME, READ_ONLY))?;
    call(
        DeviceCall::LoadTable,
        table(NAME, verity.sectors(), "verity", &parameters),
    )?;
    call(DeviceCall::Resume, device(NAME, 0))?;
    wait_for(VERIFIED)?;
    let flags = MountFlags::RDONLY | MountFlags::NODEV | MountFlags::NOSUID;
    mount(VERIFIED, NEW_ROOT, "squashfs", flags, None).map_err(|error| BootError::System {
        what: "mount of the verified root",
        reason: error.into(),
    })
}

/// Makes the verified root the root. Nothing of the initial RAM disk can be reached
/// from there.
pub(crate) fn switch() -> Result<(), BootError> {
    let failed = |error: rustix::io::Errno| BootError::System {
        what: "change of the root",
        reason: error.into(),
    };
    for folder in ROOT_FOLDERS {
        mount_move(format!("/{folder}"), format!("{NEW_ROOT}/{folder}")).map_err(failed)?;
    }
    rustix::process::chdir(NEW_ROOT).map_err(failed)?;
    mount_move(".", "/").map_err(failed)?;
    rustix::process::chroot(".").map_err(failed)?;
    rustix::process::chdir("/").map_err(failed)
}

fn mount_kernel(kind: &'static str, at: &str, flags: MountFlags) -> Result<(), BootError> {
    mount(kind, at, kind, flags, None).map_err(|error| BootError::System {
        what: kind,
        reason: error.into(),
    })
}

/// Devices appear a moment after their driver.
fn wait_for(path: &'static str) -> Result<(), BootError> {
    for _ in 0..ATTEMPTS {
        if Path::new(path).exists() {
            return Ok(());
        }
        sleep(PAUSE);
    }
    Err(BootError::NoDevice { path })
}

const NAME: &str = "subrosa-root";
const VERIFIED: &str = "/dev/dm-0";
/// 30 seconds in all: software emulation is slow.
const ATTEMPTS: u32 = 600;
const PAUSE: Duration = Duration::from_millis(50);
