//! Intel's collateral: the file around it, and the objects as they are read once their signature is verified.
#![no_main]

use libfuzzer_sys::fuzz_target;
use subrosa_attest::dcap::{CollateralFile, reads_collateral};

fuzz_target!(|bytes: &[u8]| {
    let _ = reads_collateral(bytes);
    if let Ok(file) = CollateralFile::parse(bytes) {
        let collateral = file.collateral();
        let _ = reads_collateral(collateral.tcb_info);
        let _ = reads_collateral(collateral.qe_identity);
    }
});
