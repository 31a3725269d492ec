//! Requests at an enclave. The first byte says what the attacker controls: 0, everything behind the key id
//! (nothing of it may open); else, the plaintext of a correctly sealed request (it may, and never panics).
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use subrosa_channel::{Gateway, KeyConfiguration, OpenError};
use subrosa_fuzz::{CAPACITY, NOW, gateway, key_configuration, seal};

fuzz_target!(|input: &[u8]| {
    let Some((mode, bytes)) = input.split_first() else {
        return;
    };
    if *mode == 0 {
        let kc = KeyConfiguration::parse(key_configuration()).expect("it is valid");
        let request = [&[1], kc.key_id().0.as_slice(), bytes].concat();
        with_enclave(|enclave, _| assert!(enclave.open(&request, NOW).is_err()));
    } else if bytes.len() <= 16_384 {
        with_enclave(|enclave, number| {
            let opened = enclave.open(&seal(bytes, number), NOW);
            assert!(matches!(opened, Ok(_) | Err(OpenError::Malformed(_))));
        });
    }
});

/// Runs `exchange` with an enclave and a number that this enclave has not seen.
fn with_enclave(exchange: impl FnOnce(&Gateway, u64)) {
    thread_local! {
        static ENCLAVE: RefCell<(Gateway, u64)> = RefCell::new((gateway(), 0));
    }
    ENCLAVE.with_borrow_mut(|(enclave, number)| {
        if *number == CAPACITY as u64 {
            (*enclave, *number) = (gateway(), 0);
        }
        exchange(enclave, *number);
        *number += 1;
    });
}
