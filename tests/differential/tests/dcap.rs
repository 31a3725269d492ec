//! Both verifiers of Intel's quotes find the same status on every recorded quote,
//! or one of the differences below explains it.

use std::collections::BTreeMap;

use subrosa_differential::cases::folders;
use subrosa_differential::intel::Case;

#[test]
fn both_verifiers_find_the_same_status() {
    let mut wrong = Vec::new();
    let mut outcomes = BTreeMap::<&str, usize>::new();
    for folder in folders(&["sgx", "tdx"]) {
        let Some(case) = Case::read(&folder) else {
            continue;
        };
        let outcome = match (case.ours(), case.theirs()) {
            (Ok(ours), Ok(theirs)) if ours == theirs => "same status",
            (Err(_), Err(_)) => "both refuse",
            // Their verifier reads no TCB info of version 2.
            (Ok(_), Err(_)) if case.tcb_info_version() == 2 => "theirs cannot read the collateral",
            // Ours names the status also of what rows of their own refuse: revoked firmware and weakening attributes.
            (Ok((status, _)), Err(error))
                if status == "Revoked" || case.has_weakening_attributes() =>
            {
                assert!(!case.ours_accepts(), "{}: {error}", folder.display());
                "both refuse"
            }
            (Err(code), Ok(_)) if STRICTER.contains(&code.as_str()) => "ours is stricter",
            (ours, theirs) => {
                wrong.push(format!("{}: {ours:?} and {theirs:?}", folder.display()));
                "different"
            }
        };
        *outcomes.entry(outcome).or_default() += 1;
    }
    eprintln!("{outcomes:#?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Codes of checks that the other verifier does not make: equal evaluation numbers, and the PCE id.
const STRICTER: [&str; 1] = ["collateral-mismatch"];
