//! The browser's random numbers.

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;

/// Random numbers of the system. A browser that cannot give any cannot be used: then this stops the program.
pub(crate) fn random() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}
