//! Modules of the list, and what is switched off behind them.

use std::fs::{File, write};

use rustix::system::finit_module;

use crate::boot::{BootError, say};
use crate::layout::{MODULES, MODULES_FOLDER};

/// Loads the modules of the list, in its order.
pub(crate) fn load_modules() -> Result<(), BootError> {
    for module in MODULES {
        let path = format!("{MODULES_FOLDER}/{}.ko", module.name);
        let loaded = File::open(path).and_then(|file| Ok(finit_module(&file, c"", 0)?));
        match loaded {
            Ok(()) => {}
            Err(reason) if module.required => {
                let name = module.name;
                return Err(BootError::Module { name, reason });
            }
            Err(reason) => say(&format!("no {}: {reason}", module.name)),
        }
    }
    Ok(())
}

/// From here on nothing is loaded into the kernel, and no process looks into
/// another one.
pub(crate) fn lock() -> Result<(), BootError> {
    for (setting, value) in LOCKS {
        let path = format!("/proc/sys/kernel/{setting}");
        write(path, value).map_err(|reason| BootError::System {
            what: setting,
            reason,
        })?;
    }
    Ok(())
}

const LOCKS: &[(&str, &str)] = &[
    ("modules_disabled", "1"),
    ("kexec_load_disabled", "1"),
    ("yama/ptrace_scope", "3"),
    ("kptr_restrict", "2"),
    ("dmesg_restrict", "1"),
    ("core_pattern", ""),
];
