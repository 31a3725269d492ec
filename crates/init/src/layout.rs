//! What is where in the image.

/// A kernel module of the image.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "the list below is all of them")]
pub struct Module {
    /// Its name, as the kernel's file is called.
    pub name: &'static str,
    /// Whether the boot stops when the kernel does not take it. The drivers of
    /// hardware that this machine may not have are not.
    pub required: bool,
}

/// The modules that are loaded, in this order and no others: each one behind those
/// that it depends on.
pub const MODULES: &[Module] = &[
    required("configfs"),
    required("dm-mod"),
    required("dm-bufio"),
    required("reed_solomon"),
    required("dm-verity"),
    required("squashfs"),
    required("virtio_blk"),
    required("failover"),
    required("net_failover"),
    required("virtio_net"),
    required("tsm"),
    if_there("sev-guest"),
    if_there("tdx-guest"),
];

/// Folder of the modules in the initial RAM disk.
pub const MODULES_FOLDER: &str = "/modules";
/// Where the verified root is mounted before it becomes the root.
pub const NEW_ROOT: &str = "/root";
/// The disk with the root and its hash tree.
pub const ROOT_DISK: &str = "/dev/vda";
/// Folders that the initial RAM disk needs.
pub const INITIAL_FOLDERS: &[&str] = &["dev", "modules", "proc", "root", "sys"];
/// Folders that the root needs, for what is moved there.
pub const ROOT_FOLDERS: &[&str] = &["dev", "proc", "sys"];
/// The program that is started in the root.
pub const ENCLAVE: &str = "/usr/bin/subrosa-enclave";
/// Its configuration.
pub const CONFIGURATION: &str = "/etc/subrosa/enclave.toml";
/// The port that the enclave is reached at.
pub const PORT: u16 = 8443;

const fn required(name: &'static str) -> Module {
    Module {
        name,
        required: true,
    }
}

const fn if_there(name: &'static str) -> Module {
    Module {
        name,
        required: false,
    }
}
