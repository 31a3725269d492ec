//! A node on Intel TDX.

use serde_json::json;

use super::super::{Appraisal, Code, Roots, Verdict, appraise};
use crate::binding;
use crate::bundle::{Bundle, TdxEvidence};
use crate::dcap::fixtures::{Kind, Material, NUMBER, Setup as Quote};
use crate::fixtures::{KEY_CONFIGURATION, NOW, Setup};
use crate::policy::{Policy, PolicyError, WeakenedRule};
use crate::time::UnixSeconds;

const REGISTERS: [&str; 5] = ["mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3"];
/// Where a report of TD 1.0 has its data (TDX DCAP, `sgx_report2_body_t`).
pub(super) const REPORT_DATA: usize = 520;

/// A quote whose report data bind the node's key.
fn quote() -> Quote {
    bound_to(KEY_CONFIGURATION)
}

fn bound_to(key_configuration: &[u8]) -> Quote {
    let data = binding::report_data(key_configuration, None, None);
    Quote::new(Kind::Td4).body_field(REPORT_DATA, &data)
}

pub(super) fn collateral(material: &Material) -> Vec<u8> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let document = json!({
        "pck_crl": hex::encode(&material.pck_crl),
        "root_ca_crl": hex::encode(&material.root_ca_crl),
        "tcb_info_issuer_chain": text(&material.tcb_info_issuer_chain),
        "tcb_info": text(&material.tcb_info),
        "tcb_info_signature": hex::encode(&material.tcb_info_signature),
        "qe_identity_issuer_chain": text(&material.qe_identity_issuer_chain),
        "qe_identity": text(&material.qe_identity),
        "qe_identity_signature": hex::encode(&material.qe_identity_signature),
    });
    document.to_string().into_bytes()
}

fn bundle(quote: &Quote) -> Bundle {
    let material = quote.material();
    Bundle::builder(KEY_CONFIGURATION)
        .tdx(TdxEvidence {
            quote: &material.quote,
            collateral: &collateral(&material),
            event_log: None,
        })
        .build()
        .unwrap()
}

/// A policy that lists the registers of the good quote.
pub(super) fn policy(edit: impl Fn(&mut String)) -> String {
    let judged = Quote::new(Kind::Td4).judge();
    let claim = |name: &str| judged.json["claims"][name].as_str().unwrap().to_owned();
    let mut text = crate::fixtures::policy("").replace(
        "platforms = [\"sev-snp\"]",
        "platforms = [\"sev-snp\", \"intel-tdx\"]",
    );
    text.push_str("\n[[measurements]]\nname = \"image\"\nplatform = \"intel-tdx\"\n");
    for (register, name) in REGISTERS.iter().zip(CLAIMS) {
        text.push_str(&[register, " = \"", &claim(name), "\"\n"].concat());
    }
    edit(&mut text);
    text
}

const CLAIMS: [&str; 5] = ["mr_td", "rt_mr0", "rt_mr1", "rt_mr2", "rt_mr3"];

fn roots() -> Roots {
    Roots {
        tdx: Quote::new(Kind::Td4).anchors(),
        ..Setup::new().roots()
    }
}

fn judge(quote: &Quote, policy: &str) -> Appraisal {
    let policy = Policy::parse(policy).unwrap();
    appraise(&bundle(quote), &policy, &roots(), quote.now)
}

fn refusal(quote: &Quote, policy: &str) -> Code {
    judge(quote, policy).into_attested().unwrap_err().code()
}

#[test]
fn a_good_quote_is_verified_with_gaps() {
    let appraisal = judge(&quote(), &policy(|_| {}));
    assert!(
        matches!(appraisal.verdict(), Verdict::VerifiedWithGaps(_)),
        "{}",
        appraisal.human_text()
    );
    let json = appraisal.to_json();
    let facts = &json["submods"]["node"]["subrosa.facts"];
    assert_eq!(facts["platform"], "intel-tdx");
    assert!(facts["measurement"]["rtmr3"].is_string());
    assert!(appraisal.into_attested().is_ok());
}

#[test]
fn each_piece_of_collateral_may_be_no_older_than_the_policy_asks() {
    let earlier = UnixSeconds::new(NOW.get().saturating_sub(100));
    let pieces: [fn(&mut Quote, UnixSeconds); 4] = [
        |quote, at| quote.root_crl.this_update = at,
        |quote, at| quote.pck_crl.this_update = at,
        |quote, at| quote.tcb_info["issueDate"] = at.to_string().into(),
        |quote, at| quote.qe_identity["issueDate"] = at.to_string().into(),
    ];
    let limit = |seconds: u64| {
        policy(|text| text.insert_str(0, &format!("max-collateral-age-seconds = {seconds}\n")))
    };
    for piece in pieces {
        let mut quote = quote();
        assert!(judge(&quote, &limit(99)).into_attested().is_ok());
        piece(&mut quote, earlier);
        assert!(judge(&quote, &limit(100)).into_attested().is_ok());
        assert_eq!(refusal(&quote, &limit(99)), Code::CollateralStale);
    }
}

#[test]
fn a_platform_the_policy_does_not_list_is_refused() {
    let text = policy(|text| *text = text.replace(", \"intel-tdx\"]", "]"));
    assert_eq!(refusal(&quote(), &text), Code::PlatformNotAllowed);
}

#[test]
fn each_register_must_be_the_listed_one() {
    for register in REGISTERS {
        let text = policy(|text| {
            let start = format!("{register} = \"");
            let at = text.find(&start).unwrap() + start.len();
            let other = if &text[at..=at] == "a" { "b" } else { "a" };
            text.replace_range(at..=at, other);
        });
        let code = refusal(&quote(), &text);
        assert_eq!(code, Code::MeasurementNotAllowed, "{register}");
    }
}

#[test]
fn a_quote_for_another_key_is_refused() {
    let other = bound_to(b"another key configuration");
    assert_eq!(refusal(&other, &policy(|_| {})), Code::ReportDataMismatch);
}

#[test]
fn the_vendors_root_refuses_a_throw_away_one() {
    let policy = Policy::parse(&policy(|_| {})).unwrap();
    let quote = quote();
    let appraisal = appraise(&bundle(&quote), &policy, &Roots::vendor(), quote.now);
    assert_eq!(appraisal.verdict(), Verdict::Refused(Code::RootNotPinned));
}

#[test]
fn collateral_that_cannot_be_read_is_refused() {
    let quote = quote();
    let material = quote.material();
    let bundle = Bundle::builder(KEY_CONFIGURATION).tdx(TdxEvidence {
        quote: &material.quote,
        collateral: b"{}",
        event_log: None,
    });
    let policy = Policy::parse(&policy(|_| {})).unwrap();
    let bundle = bundle.build().unwrap();
    let verdict = appraise(&bundle, &policy, &roots(), quote.now).verdict();
    assert_eq!(verdict, Verdict::Refused(Code::CollateralMalformed));
}

#[test]
fn a_quote_without_collateral_is_no_bundle() {
    let whole = bundle(&quote());
    for label in ["tdx-quote", "tdx-collateral"] {
        let mut bytes = whole.as_bytes().to_vec();
        let at = bytes
            .windows(label.len())
            .position(|window| window == label.as_bytes())
            .unwrap();
        // An entry of another name is in its place.
        bytes[at] = b'x';
        assert!(Bundle::parse(&bytes).is_err(), "{label}");
    }
}

#[test]
fn what_a_policy_demands_of_the_platform_is_demanded() {
    let demand =
        |line: &str| policy(|text| text.push_str(&["\n[intel-tdx]\n", line, "\n"].concat()));
    let later = demand(&format!("minimum-evaluation-number = {}", NUMBER + 1));
    assert!(judge(&quote(), &later).into_attested().is_err());
    let other = ["modules = [\"", &"ab".repeat(48), "\"]"].concat();
    assert!(judge(&quote(), &demand(&other)).into_attested().is_err());
    let log = demand("require-event-log = true");
    assert!(judge(&quote(), &log).into_attested().is_err());
    let error = Policy::parse(&demand("modules = []")).unwrap_err();
    assert!(matches!(error, PolicyError::Empty { .. }), "{error}");
}

#[test]
fn older_collateral_and_advisories_must_be_stated() {
    for (line, rule) in [
        (
            "minimum-evaluation-number = 18",
            WeakenedRule::TcbEvaluation,
        ),
        (
            "accepted-advisories = [{ id = \"INTEL-SA-00001\", reason = \"not reachable\" }]",
            WeakenedRule::Advisories,
        ),
    ] {
        let text = policy(|text| text.push_str(&["\n[intel-tdx]\n", line, "\n"].concat()));
        let error = Policy::parse(&text).unwrap_err();
        assert_eq!(error, PolicyError::NotStated { rule });
        let stated = text + &crate::fixtures::weakened(&[rule.as_str()]);
        let appraisal = judge(&quote(), &stated);
        assert!(appraisal.human_text().contains(rule.as_str()));
        assert!(appraisal.into_attested().is_ok());
    }
}

#[test]
fn an_advisory_without_a_reason_or_listed_twice_is_refused() {
    let with = |entries: &str| {
        let lines = ["\n[intel-tdx]\naccepted-advisories = [", entries, "]\n"].concat();
        let text =
            policy(|text| text.push_str(&lines)) + &crate::fixtures::weakened(&["advisories"]);
        Policy::parse(&text).map(|_| ())
    };
    let good = r#"{ id = "INTEL-SA-00001", reason = "not reachable" }"#;
    assert_eq!(with(good), Ok(()));
    for (entry, what) in [
        (r#"{ id = "INTEL-SA-00001", reason = " " }"#, "reason"),
        (r#"{ id = "", reason = "not reachable" }"#, "advisory"),
    ] {
        assert_eq!(with(entry), Err(PolicyError::Text { what }));
    }
    for entry in [
        r#""INTEL-SA-00001""#,
        r#"{ id = "INTEL-SA-00001" }"#,
        r#"{ reason = "not reachable" }"#,
        r#"{ id = "INTEL-SA-00001", reason = "not reachable", until = "ever" }"#,
    ] {
        let error = with(entry).unwrap_err();
        assert!(matches!(error, PolicyError::Syntax { .. }), "{error}");
    }
    let other = r#"{ id = "INTEL-SA-00001", reason = "another" }"#;
    let error = with(&[good, other].join(", ")).unwrap_err();
    assert!(matches!(error, PolicyError::Duplicate { .. }), "{error}");
}
