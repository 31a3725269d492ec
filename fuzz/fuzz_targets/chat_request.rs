//! Request bodies at every endpoint. The first byte chooses the endpoint.
#![no_main]

use libfuzzer_sys::fuzz_target;
use subrosa_api::endpoint::{chat, completions, embeddings, messages, responses};

fuzz_target!(|input: &[u8]| {
    let Some((endpoint, body)) = input.split_first() else {
        return;
    };
    let refusal = match endpoint % 5 {
        0 => chat::parse(body).err(),
        1 => completions::parse(body).err(),
        2 => messages::parse(body).err(),
        3 => responses::parse(body).err(),
        _ => embeddings::parse(body).err(),
    };
    if let Some(error) = refusal {
        assert!((400..500).contains(&error.status()));
    }
});
