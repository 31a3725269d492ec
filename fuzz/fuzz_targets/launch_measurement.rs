#![no_main]
use libfuzzer_sys::fuzz_target;
use subrosa_measure::Bank;
use subrosa_measure::snp::{Firmware, IdAuth, IdBlock};
use subrosa_measure::tdx::{HobTemplate, Tdvf};
use subrosa_measure::uefi::{Stub, UnifiedKernel};

// The first byte chooses the format. Digests over the sections of an image are left out: their number is
// bounded, and hashing them would only slow the search down.
fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, bytes)) = bytes.split_first() else {
        return;
    };
    match choice {
        0 => {
            let _ = Firmware::parse(bytes).map(|firmware| firmware.pages_digest());
        }
        1 => {
            let _ = Tdvf::parse(bytes).map(|firmware| firmware.configuration_digest());
        }
        2 => {
            if let Ok(auth) = IdAuth::parse(bytes) {
                assert_eq!(auth.to_bytes(), bytes);
                let _ = auth.verify_author();
            }
        }
        3 => {
            if let Ok(block) = IdBlock::parse(bytes) {
                assert_eq!(block.to_bytes()[..], *bytes);
            }
        }
        4 => {
            let _ = HobTemplate::new(bytes, bytes.len().saturating_sub(8), 0);
        }
        _ => {
            if let Ok(image) = UnifiedKernel::parse(bytes) {
                let _ = image.pcr9(Stub::V252);
                let _ = image.pcr11(Stub::V257);
                assert_eq!(image.pcr11(Stub::V252).bank(), Bank::Sha256);
            }
        }
    }
});
