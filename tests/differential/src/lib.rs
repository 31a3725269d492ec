//! The recorded cases, as other verifiers read them.
//!
//! The evidence is not part of the project. `SUBROSA_EVIDENCE` names its folder.

pub mod amd;
pub mod cases;
pub mod intel;
