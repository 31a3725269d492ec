//! ID blocks and what authenticates them.

use serde_json::json;
use subrosa_attest::Code;
use subrosa_measure::snp::{IdAuth, IdBlock, IdSignature};

use crate::{Case, Judgement};

/// Reads each part, writes it again, and verifies the signatures whose message is
/// there. The names of the files end with what they are.
pub(crate) fn judge(case: &Case) -> Judgement {
    let Some(page) = case.file_ending("auth_block.bin") else {
        return Judgement::refused(Code::EvidenceMissing);
    };
    let Ok(auth) = IdAuth::parse(page) else {
        return Judgement::refused(Code::IdBlockMalformed);
    };
    if auth.to_bytes() != page {
        return Judgement::refused(Code::IdBlockMalformed);
    }
    if auth.verify_author().is_err() {
        return Judgement::refused(Code::IdBlockSignature);
    }
    let author = auth.author();
    let parts = [
        ("id_sig.bin", Some(auth.block_signature())),
        ("auth_sig.bin", author.map(|(_, signature)| signature)),
    ];
    for (name, expected) in parts {
        let Some(bytes) = case.file_ending(name) else {
            continue;
        };
        match IdSignature::parse(bytes) {
            Err(_) => return Judgement::refused(Code::IdBlockMalformed),
            Ok(found) if Some(&found) != expected => {
                return Judgement::refused(Code::IdBlockSignature);
            }
            Ok(_) => {}
        }
    }
    if let Some(bytes) = case.file_ending("id_block.bin") {
        match IdBlock::parse(bytes) {
            Err(_) => return Judgement::refused(Code::IdBlockMalformed),
            Ok(block) if auth.verify_block(&block).is_err() => {
                return Judgement::refused(Code::IdBlockSignature);
            }
            Ok(_) => {}
        }
    }
    Judgement::accepted(json!({
        "id_key_digest": auth.id_key().digest().to_string(),
        "author_key_digest": author.map(|(key, _)| key.digest().to_string()),
    }))
}
