//! A node on AWS Nitro Enclaves.

use super::super::{Appraisal, Code, Gap, Roots, Verdict, appraise};
use crate::binding;
use crate::bundle::Bundle;
use crate::fixtures::{KEY_CONFIGURATION, Setup, cbor};
use crate::nitro::fixtures::Setup as Document;
use crate::nitro::{Claims, Evidence};
use crate::policy::{Policy, PolicyError};

/// A document whose user data bind the node's key.
pub(super) fn document() -> Document {
    bound_to(KEY_CONFIGURATION)
}

fn bound_to(key_configuration: &[u8]) -> Document {
    let data = binding::report_data(key_configuration, None, None);
    Document::new().field("user_data", cbor::bytes(&data))
}

pub(super) fn bundle(document: &Document) -> Bundle {
    let document = document.document();
    Bundle::builder(KEY_CONFIGURATION)
        .nitro(Evidence {
            document: &document,
        })
        .build()
        .unwrap()
}

/// A policy that lists the registers of the good document.
pub(super) fn policy(edit: impl Fn(&mut String)) -> String {
    let good = Document::new().appraise();
    let claims: &Claims = good.claims().unwrap();
    let register = |number| hex::encode(claims.register(number).unwrap());
    let mut text = crate::fixtures::policy("").replace(
        "platforms = [\"sev-snp\"]",
        "platforms = [\"sev-snp\", \"aws-nitro\"]",
    );
    text.push_str("\n[[measurements]]\nname = \"image\"\nplatform = \"aws-nitro\"\n");
    for number in 0..3 {
        text.push_str(
            &[
                "pcr",
                &number.to_string(),
                " = \"",
                &register(number),
                "\"\n",
            ]
            .concat(),
        );
    }
    edit(&mut text);
    text
}

fn judge(document: &Document, policy: &str) -> Appraisal {
    let policy = Policy::parse(policy).unwrap();
    let roots = Setup::new().roots();
    appraise(&bundle(document), &policy, &roots, document.now)
}

fn refusal(document: &Document, policy: &str) -> Code {
    judge(document, policy).into_attested().unwrap_err().code()
}

#[test]
fn a_good_document_is_verified_with_the_gaps_of_its_platform() {
    let appraisal = judge(&document(), &policy(|_| {}));
    let Verdict::VerifiedWithGaps(gaps) = appraisal.verdict() else {
        panic!("{}", appraisal.human_text());
    };
    assert!(gaps.contains(&Gap::MachineNotIdentified));
    let json = appraisal.to_json();
    let facts = &json["submods"]["node"]["subrosa.facts"];
    assert_eq!(facts["platform"], "aws-nitro");
    assert!(facts["measurement"]["pcr2"].is_string());
    assert!(appraisal.into_attested().is_ok());
}

#[test]
fn a_platform_the_policy_does_not_list_is_refused() {
    let text = policy(|text| *text = text.replace(", \"aws-nitro\"]", "]"));
    assert_eq!(refusal(&document(), &text), Code::PlatformNotAllowed);
}

#[test]
fn each_register_must_be_the_listed_one() {
    for register in ["pcr0", "pcr1", "pcr2"] {
        let text = policy(|text| {
            let at = text.find(&format!("{register} = \"")).unwrap() + 8;
            let other = if &text[at..=at] == "a" { "b" } else { "a" };
            text.replace_range(at..=at, other);
        });
        let code = refusal(&document(), &text);
        assert_eq!(code, Code::MeasurementNotAllowed, "{register}");
    }
}

/// The same digests for another platform say nothing about this one.
#[test]
fn a_measurement_listed_for_another_platform_does_not_count() {
    let own = "platform = \"aws-nitro\"\n";
    let text = policy(|text| {
        let at = text.rfind("[[measurements]]").unwrap();
        text.truncate(at);
    });
    assert!(!text.contains(own));
    assert_eq!(refusal(&document(), &text), Code::MeasurementNotAllowed);
}

#[test]
fn a_document_for_another_key_or_for_none_is_refused() {
    let text = policy(|_| {});
    let other = bound_to(b"another key configuration");
    assert_eq!(refusal(&other, &text), Code::ReportDataMismatch);
    for data in [&[][..], &[0; 63], &[0; 65]] {
        let bytes = cbor::bytes(data);
        let other = Document::new().field("user_data", bytes);
        assert_eq!(refusal(&other, &text), Code::ReportDataMismatch);
    }
}

#[test]
fn the_vendors_root_refuses_a_throw_away_one() {
    let policy = Policy::parse(&policy(|_| {})).unwrap();
    let document = document();
    let appraisal = appraise(&bundle(&document), &policy, &Roots::vendor(), document.now);
    assert_eq!(appraisal.verdict(), Verdict::Refused(Code::RootNotPinned));
}

#[test]
fn evidence_of_two_platforms_is_no_bundle() {
    let own = Setup::new().bundle();
    let document = document().document();
    let builder = Bundle::builder(KEY_CONFIGURATION)
        .snp(own.snp().unwrap())
        .nitro(Evidence {
            document: &document,
        });
    let error = builder.build().unwrap_err();
    assert_eq!(error.code(), Code::BundleMalformed);
}

#[test]
fn a_measurement_needs_exactly_the_registers_of_its_platform() {
    for (from, to) in [
        ("pcr1 =", "pcr3 ="),
        ("pcr1 =", "value ="),
        ("platform = \"aws-nitro\"", "platform = \"sev-snp\""),
    ] {
        let text = policy(|text| {
            let at = text.rfind("[[measurements]]").unwrap();
            let changed = text[at..].replace(from, to);
            text.replace_range(at.., &changed);
        });
        let error = Policy::parse(&text).unwrap_err();
        assert!(matches!(error, PolicyError::Registers { .. }), "{error}");
    }
}

#[test]
fn a_document_may_not_be_older_than_the_policy_says() {
    let text = policy(|text| text.push_str("\n[aws-nitro]\nmaximum-age-seconds = 60\n"));
    let mut document = document();
    assert!(judge(&document, &text).into_attested().is_ok());
    document.now = document.now.saturating_add(61);
    assert!(judge(&document, &text).into_attested().is_err());
    let long = policy(|text| text.push_str("\n[aws-nitro]\nmaximum-age-seconds = 1201\n"));
    let error = Policy::parse(&long).unwrap_err();
    assert!(matches!(error, PolicyError::Range { .. }), "{error}");
}
