//! Raw evidence and what goes with it, judged without a service.

mod files;
mod provider;

pub(crate) use files::Collateral;
pub(crate) use provider::Provider;

use serde::Serialize;
use serde_json::{Value, json};
use subrosa_attest::appraisal::{Row, TrustVector};
use subrosa_attest::identifiers::ReportData;
use subrosa_attest::snp::{self, KeyKind, SnpEvidence};
use subrosa_attest::{
    Code, EvidenceAppraisal, Gap, Measurement, Policy, Sha256Digest, UnixSeconds, azure, cca,
    collateral, nitro, nvidia, psa, sgx, tdx,
};

use crate::failure::{Exit, Failure};
use crate::judgement::print_row;
use crate::printer::Printer;

/// What a piece of raw evidence is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// AMD SEV-SNP attestation report
    SevSnp,
    /// Intel TDX quote
    IntelTdx,
    /// Intel SGX quote
    IntelSgx,
    /// Report of an NVIDIA GPU
    NvidiaGpu,
    /// Report of an NVIDIA switch
    NvidiaSwitch,
    /// AWS Nitro attestation document
    AwsNitro,
    /// Arm CCA token
    ArmCca,
    /// Arm PSA token
    ArmPsa,
    /// Report of Azure's paravisor (HCL)
    Azure,
}

/// What is demanded of the evidence.
#[derive(Clone, Debug, Default)]
pub(crate) struct Demands {
    /// 64 bytes that the evidence must be bound to.
    pub(crate) report_data: Option<Vec<u8>>,
    /// What was asked to be signed.
    pub(crate) nonce: Option<Vec<u8>>,
    /// Programs that are accepted.
    pub(crate) measurements: Vec<Vec<u8>>,
}

/// What came of judging it.
pub(crate) struct Judged {
    kind: Kind,
    code: Option<Code>,
    rows: Vec<Row>,
    gaps: Vec<Gap>,
    claims: Value,
    json: Value,
    vector: TrustVector,
    at: UnixSeconds,
}

impl Kind {
    /// What these bytes are, where they cannot be two things.
    pub(crate) fn detect(evidence: &[u8]) -> Option<Self> {
        if let Some(kind) = collateral::Kind::detect(evidence) {
            return match kind {
                collateral::Kind::NvidiaReport => Some(Self::NvidiaGpu),
                collateral::Kind::SevSnpReport => Some(Self::SevSnp),
                collateral::Kind::SgxQuote => Some(Self::IntelSgx),
                collateral::Kind::TdxQuote => Some(Self::IntelTdx),
                _ => None,
            };
        }
        let is_document = nitro::Document::parse(evidence).is_ok();
        let is_cca = cca::Token::parse(evidence).is_ok();
        let is_psa = psa::Token::parse(evidence).is_ok();
        let is_azure = azure::HclReport::parse(evidence).is_ok();
        match (is_document, is_cca, is_psa, is_azure) {
            (true, false, false, false) => Some(Self::AwsNitro),
            (false, true, false, false) => Some(Self::ArmCca),
            (false, false, true, false) => Some(Self::ArmPsa),
            (false, false, false, true) => Some(Self::Azure),
            _ => None,
        }
    }

    /// The name, as policies and command lines have it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::SevSnp => "sev-snp",
            Self::IntelTdx => "intel-tdx",
            Self::IntelSgx => "intel-sgx",
            Self::NvidiaGpu => "nvidia-gpu",
            Self::NvidiaSwitch => "nvidia-switch",
            Self::AwsNitro => "aws-nitro",
            Self::ArmCca => "arm-cca",
            Self::ArmPsa => "arm-psa",
            Self::Azure => "azure",
        }
    }
}

/// Judges evidence by the rules of the policy, whose reference values are not asked for.
pub(crate) fn judge(
    kind: Kind,
    evidence: &[u8],
    collateral: &Collateral,
    demands: &Demands,
    policy: &Policy,
    now: UnixSeconds,
) -> Result<Judged, Failure> {
    match kind {
        Kind::SevSnp => judge_snp(evidence, collateral, demands, policy, now),
        Kind::IntelTdx => {
            let parts = collateral.dcap(evidence)?;
            let mut rules = policy.tdx_rules().clone();
            if let Some(expected) = demands.report_data()? {
                rules = rules.report_data(expected);
            }
            if !demands.measurements.is_empty() {
                rules = rules.measurements(demands.measurements()?);
            }
            let evidence = tdx::Evidence {
                quote: cut(evidence),
                pck_chain: None,
                collateral: parts.as_ref(),
                event_log: collateral.event_log(),
            };
            let anchors = tdx::Anchors::vendor();
            Ok(Judged::of(
                kind,
                &tdx::appraise(&evidence, &rules, &anchors, now),
            ))
        }
        Kind::IntelSgx => {
            let parts = collateral.dcap(evidence)?;
            let mut rules = sgx::Rules::strict();
            if let Some(expected) = demands.report_data()? {
                rules = rules.report_data(expected);
            }
            if !demands.measurements.is_empty() {
                rules = rules.measurements(demands.digests()?);
            }
            let evidence = sgx::Evidence {
                quote: evidence,
                pck_chain: None,
                collateral: parts.as_ref(),
            };
            let anchors = sgx::Anchors::vendor();
            Ok(Judged::of(
                kind,
                &sgx::appraise(&evidence, &rules, &anchors, now),
            ))
        }
        Kind::NvidiaGpu | Kind::NvidiaSwitch => {
            judge_nvidia(kind, evidence, collateral, demands, policy, now)
        }
        Kind::AwsNitro => {
            let mut rules = policy.nitro_rules().clone().maximum_age(None);
            if let Some(nonce) = &demands.nonce {
                rules = rules.nonce(nonce);
            }
            if let Some(expected) = &demands.report_data {
                rules = rules.user_data(expected);
            }
            if !demands.measurements.is_empty() {
                let allowed: Vec<_> = demands.measurements.iter().map(Vec::as_slice).collect();
                rules = rules.register(nitro::Register::Image, &allowed);
            }
            let evidence = nitro::Evidence { document: evidence };
            let anchors = nitro::Anchors::vendor();
            Ok(Judged::of(
                kind,
                &nitro::appraise(&evidence, &rules, &anchors, now),
            ))
        }
        Kind::ArmCca => {
            let mut rules = cca::Rules::strict();
            if let Some(challenge) = demands.challenge()? {
                rules = rules.challenge(challenge);
            }
            if !demands.measurements.is_empty() {
                rules = rules.initial_measurements(demands.measurements.clone());
            }
            let evidence = cca::Evidence { token: evidence };
            let anchors = collateral.arm_key()?;
            Ok(Judged::of(
                kind,
                &cca::appraise(&evidence, &rules, &anchors, now),
            ))
        }
        Kind::ArmPsa => {
            let mut rules = psa::Rules::strict();
            if let Some(nonce) = &demands.nonce {
                rules = rules.nonce(nonce);
            }
            let evidence = psa::Evidence { token: evidence };
            let anchors = collateral.arm_key()?;
            Ok(Judged::of(
                kind,
                &psa::appraise(&evidence, &rules, &anchors, now),
            ))
        }
        Kind::Azure => judge_azure(evidence, collateral, demands, policy, now),
    }
}

fn judge_snp(
    report: &[u8],
    collateral: &Collateral,
    demands: &Demands,
    policy: &Policy,
    now: UnixSeconds,
) -> Result<Judged, Failure> {
    let mut wanted = snp::Demands::none();
    if let Some(expected) = demands.report_data()? {
        wanted = wanted.report_data(expected);
    }
    if !demands.measurements.is_empty() {
        wanted = wanted.measurements(demands.measurements()?);
    }
    let anchors = snp::Anchors::amd();
    let appraise = |evidence: &SnpEvidence<'_>| {
        snp::appraise(evidence, policy.snp_rules(), &wanted, &anchors, now)
    };
    if let Some(evidence) = collateral.of_snp(report)? {
        return Ok(Judged::of(Kind::SevSnp, &appraise(&evidence)));
    }
    let kind = snp::Report::parse(report)
        .ok()
        .and_then(|report| report.collateral_query().kind())
        .unwrap_or(KeyKind::Vcek);
    let chains = collateral.chains()?.into_iter();
    let judged = chains.map(|(leaf, intermediate, root)| {
        let appraisal = appraise(&SnpEvidence {
            report,
            kind,
            leaf,
            intermediate,
            root,
            revocation_list: collateral.revocation_list(),
        });
        let is_in_order = chain_is_in_order(appraisal.rows());
        (is_in_order, Judged::of(Kind::SevSnp, &appraisal))
    });
    in_right_order(judged).ok_or_else(|| {
        missing(
            "the certificates of the processor: three, from the one of its key up to AMD's root",
        )
    })
}

fn judge_nvidia(
    kind: Kind,
    report: &[u8],
    collateral: &Collateral,
    demands: &Demands,
    policy: &Policy,
    now: UnixSeconds,
) -> Result<Judged, Failure> {
    let rules = policy.nvidia_rules().clone();
    let rules = match &demands.nonce {
        Some(nonce) => {
            let nonce = nonce.as_slice().try_into();
            rules.nonce(nonce.map_err(|_| wrong_length("a nonce of NVIDIA devices", 32))?)
        }
        None => rules.any_nonce(),
    };
    let certificates = collateral
        .pem()
        .ok_or_else(|| missing("the device's certificates, as PEM"))?;
    let (manifests, revocation_answers) = collateral.nvidia(report)?;
    // Where nothing was brought to compare with, that is a gap and not a refusal.
    let rules = if manifests.is_empty() {
        rules.reference_values(nvidia::ReferenceRule::WhereComplete)
    } else {
        rules
    };
    let evidence = nvidia::Evidence {
        devices: vec![nvidia::Device {
            kind: if kind == Kind::NvidiaSwitch {
                nvidia::DeviceKind::Switch
            } else {
                nvidia::DeviceKind::Gpu
            },
            report,
            certificates,
        }],
        manifests,
        revocation_answers,
    };
    let rules = rules.fabric(nvidia::FabricRule::PartTolerated);
    let anchors = nvidia::Anchors::vendor();
    Ok(Judged::of(
        kind,
        &nvidia::appraise(&evidence, &rules, &anchors, now),
    ))
}

fn judge_azure(
    report: &[u8],
    collateral: &Collateral,
    demands: &Demands,
    policy: &Policy,
    now: UnixSeconds,
) -> Result<Judged, Failure> {
    let mut rules = azure::Rules::strict()
        .snp(policy.snp_rules().clone())
        .tdx(policy.tdx_rules().clone())
        // One file is judged, so that the quote of the virtual TPM is a gap.
        .quote(subrosa_attest::tpm::Requirement::IfPresent);
    rules = match demands.measurements()?.as_slice() {
        [] => rules.any_paravisor(),
        paravisors => rules.paravisors(paravisors),
    };
    if let Some(expected) = &demands.report_data {
        let expected = expected.as_slice().try_into();
        rules = rules.user_data(expected.map_err(|_| wrong_length("user data", 64))?);
    }
    let anchors = azure::Anchors::vendor();
    let judge = |hardware| {
        let evidence = azure::Evidence {
            report,
            hardware: Some(hardware),
            quote: None,
        };
        let appraisal = azure::appraise(&evidence, &rules, &anchors, now);
        let judged = Judged::of(Kind::Azure, &appraisal);
        (chain_is_in_order(appraisal.rows()), judged)
    };
    if let Some(quote) = collateral.tdx_quote() {
        let dcap = collateral.dcap(cut(quote))?;
        let collateral = Some(dcap.as_ref());
        let (_, judged) = judge(azure::Hardware::Tdx(azure::TdxEndorsement {
            quote,
            collateral,
        }));
        return Ok(judged);
    }
    let chains = collateral.chains()?.into_iter();
    let endorsements = chains.map(|(leaf, intermediate, root)| {
        judge(azure::Hardware::Snp(azure::SnpEndorsement {
            kind: KeyKind::Vcek,
            leaf,
            intermediate,
            root,
            revocation_list: collateral.revocation_list(),
        }))
    });
    in_right_order(endorsements).ok_or_else(|| {
        missing(
            "what endorses the hardware: the three certificates of the processor, or a TDX quote with Intel's collateral",
        )
    })
}

/// Files come in any order; if none is right, the first is as good to explain it as any.
fn in_right_order(judged: impl Iterator<Item = (bool, Judged)>) -> Option<Judged> {
    let mut first = None;
    for (is_in_order, one) in judged {
        if is_in_order {
            return Some(one);
        }
        first.get_or_insert(one);
    }
    first
}

fn chain_is_in_order(rows: &[Row]) -> bool {
    rows.iter().any(|row| {
        row.name() == "certificate-chain"
            && !matches!(
                row.outcome(),
                subrosa_attest::appraisal::Outcome::Fail { .. }
            )
    })
}

/// Takes away the zeros that transports put behind a quote.
fn cut(quote: &[u8]) -> &[u8] {
    match tdx::quote_length(quote).and_then(|length| quote.split_at_checked(length)) {
        Some((quote, rest)) if rest.iter().all(|&byte| byte == 0) => quote,
        _ => quote,
    }
}

impl Demands {
    fn report_data(&self) -> Result<Option<ReportData>, Failure> {
        let data = self.report_data.as_deref();
        data.map(|bytes| {
            let bytes = <[u8; 64]>::try_from(bytes);
            bytes
                .map(ReportData::new)
                .map_err(|_| wrong_length("report data", 64))
        })
        .transpose()
    }

    fn challenge(&self) -> Result<Option<ReportData>, Failure> {
        let nonce = self.nonce.as_ref().or(self.report_data.as_ref());
        nonce
            .map(|bytes| {
                let bytes = <[u8; 64]>::try_from(bytes.as_slice());
                bytes
                    .map(ReportData::new)
                    .map_err(|_| wrong_length("a challenge", 64))
            })
            .transpose()
    }

    fn measurements(&self) -> Result<Vec<Measurement>, Failure> {
        let of = |bytes: &Vec<u8>| {
            let bytes = <[u8; 48]>::try_from(bytes.as_slice());
            bytes
                .map(Measurement::new)
                .map_err(|_| wrong_length("a measurement", 48))
        };
        self.measurements.iter().map(of).collect()
    }

    fn digests(&self) -> Result<Vec<Sha256Digest>, Failure> {
        let of = |bytes: &Vec<u8>| {
            let bytes = <[u8; 32]>::try_from(bytes.as_slice());
            bytes
                .map(Sha256Digest::new)
                .map_err(|_| wrong_length("a measurement", 32))
        };
        self.measurements.iter().map(of).collect()
    }
}

impl Judged {
    fn of<C: Serialize>(kind: Kind, appraisal: &EvidenceAppraisal<C>) -> Self {
        Self {
            kind,
            code: appraisal.verdict().err(),
            rows: appraisal.rows().to_vec(),
            gaps: appraisal.gaps(),
            claims: json!(appraisal.claims()),
            json: appraisal.to_json(),
            vector: TrustVector::of(appraisal.rows()),
            at: appraisal.at(),
        }
    }

    pub(crate) const fn exit(&self) -> Exit {
        if self.code.is_none() {
            Exit::Done
        } else {
            Exit::Refused
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut json = self.json.clone();
        if let Some(object) = json.as_object_mut() {
            object.insert("kind".to_owned(), json!(self.kind.as_str()));
            object.insert("bound_to_a_service".to_owned(), json!(false));
        }
        json
    }

    /// An EAT attestation result (draft-ietf-rats-ear), not signed.
    pub(crate) fn to_ear(&self) -> Value {
        let status = match (self.code, self.gaps.is_empty()) {
            (Some(_), _) => "contraindicated",
            (None, true) => "affirming",
            (None, false) => "warning",
        };
        subrosa_attest::appraisal::ear(
            self.at,
            self.kind.as_str(),
            json!({
                "ear.status": status,
                "ear.trustworthiness-vector": self.vector.to_json(),
                "subrosa.code": self.code.map(Code::as_str),
                "subrosa.gaps": self.gaps.iter().map(Gap::as_str).collect::<Vec<_>>(),
                "subrosa.claims": self.claims,
            }),
        )
    }

    pub(crate) fn print(&self, printer: &Printer, explain: bool) -> Result<(), Failure> {
        printer.line(format!(
            "Evidence of {}, checked as of {}:",
            self.kind.as_str(),
            self.at
        ))?;
        for row in &self.rows {
            print_row(printer, row, explain)?;
        }
        printer.line("")?;
        match self.code {
            Some(code) => printer.line(format!(
                "REFUSED ({code}): this evidence proves nothing about the machine."
            ))?,
            None if self.gaps.is_empty() => {
                printer
                    .line("ACCEPTED: the vendor's hardware says this, and every check passed.")?;
            }
            None => printer.line(format!(
                "ACCEPTED WITH GAPS: the vendor's hardware says this; {} not checked.",
                match self.gaps.len() {
                    1 => "one thing was".to_owned(),
                    many => format!("{many} things were"),
                }
            ))?,
        }
        printer.line("\nWhat this does not prove:")?;
        for gap in &self.gaps {
            printer.line(format!("- {}.", gap.meaning()))?;
        }
        printer.line(
            "- That you talk to this machine: raw evidence is bound to no key of a service that was checked here.",
        )
    }
}

fn missing(what: &str) -> Failure {
    Failure::new(
        Exit::Usage,
        format!("what is needed to verify this is missing: {what}"),
    )
    .hint("name the files with --collateral, or gather them: subrosa collateral --help")
}

fn wrong_length(what: &str, bytes: usize) -> Failure {
    Failure::new(
        Exit::Usage,
        format!(
            "{what} has {bytes} bytes here: {} hexadecimal digits",
            bytes.saturating_mul(2)
        ),
    )
}
