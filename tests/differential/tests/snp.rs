//! What our verifier of AMD's reports accepts, the crate `sev` accepts too, wherever
//! it can read the evidence; what only ours refuses is refused for a check that
//! theirs does not make.

use std::collections::BTreeMap;

use subrosa_differential::{amd, cases};

#[test]
fn what_ours_accepts_theirs_accepts() {
    let mut wrong = Vec::new();
    let mut outcomes = BTreeMap::<String, usize>::new();
    for folder in cases::folders(&["sev-snp"]) {
        let name = folder.display();
        // Evidence in a container of another service, or without certificates.
        let (Some(case), Some(theirs)) = (cases::read(&folder), amd::Case::read(&folder)) else {
            *outcomes.entry("not for theirs".to_owned()).or_default() += 1;
            continue;
        };
        let outcome = match (cases::ours(&case), theirs.theirs()) {
            (Ok(()), Ok(())) => "both accept".to_owned(),
            (Err(_), Err(_)) => "both refuse".to_owned(),
            (Err(code), Ok(())) => match reason(&code) {
                Some(reason) => format!("only ours refuses: {code}: {reason}"),
                None => {
                    wrong.push(format!("{name}: ours refuses with {code}, theirs accepts"));
                    "unexplained".to_owned()
                }
            },
            (Ok(()), Err(error)) => {
                wrong.push(format!("{name}: ours accepts, theirs: {error}"));
                "unexplained".to_owned()
            }
        };
        *outcomes.entry(outcome).or_default() += 1;
    }
    eprintln!("{outcomes:#?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What theirs does not look at, by the code with which ours refuses; `None` where theirs
/// should have refused too: both check the report's signature and those of the certificates.
fn reason(code: &str) -> Option<&'static str> {
    Some(match code {
        "certificate-expired" => "theirs looks at no dates",
        "certificate-malformed" => "theirs reads no extensions of the chip's certificate",
        "chip-id-masked" | "chip-id-mismatch" => {
            "theirs does not compare the chip of the certificate with the report's"
        }
        "guest-debug-allowed" | "guest-policy-malformed" => {
            "theirs leaves the policy to its caller"
        }
        "product-mismatch" => "theirs does not compare the certificate's product with the report's",
        "report-data-mismatch" => "theirs leaves the report data to its caller",
        "report-malformed" => "theirs reads 48 of the 72 bytes of r and of s",
        "revocation-list-stale" | "revoked" => "theirs takes no revocation list",
        "signing-key-mismatch" => "theirs does not compare the kind of key with the certificate's",
        "tcb-below-floor" => "theirs knows no least firmware",
        "tcb-mismatch" => "theirs does not compare the certificate's firmware with the report's",
        "vmpl-mismatch" => "theirs leaves the privilege level to its caller",
        _ => return None,
    })
}
