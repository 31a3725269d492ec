//! The message inside a seal, and its answer's head: what is read is written back as an equal message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use subrosa_channel::InnerRequest;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = InnerRequest::decode(bytes) {
        let again = request.encode().expect("what was read can be written");
        assert_eq!(InnerRequest::decode(&again).as_ref(), Ok(&request));
    }
});
