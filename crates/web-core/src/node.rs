//! Judging nodes.

use serde_json::{Value, json};
use subrosa_attest::appraisal::{LogFindings, Outcome, PresentedDirectory, Row};
use subrosa_attest::{Appraisal, Policy, Sha256Digest, UnixSeconds, Verdict};
use subrosa_channel::{SealOptions, SealedRequest};
use subrosa_client::{
    Directory, Entry, InnerRequest, Profile, Refusal, Trust, VerifiedNode, verdict_line,
};
use subrosa_translog::DeviceState;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::call::Call;
use crate::exchange::Sent;
use crate::failure::Failure;
use crate::inquiry::Inquiry;
use crate::random::random;

/// What nodes are judged by.
#[wasm_bindgen]
pub struct Verifier {
    policy: Policy,
    trust: Trust,
}

/// What a service says about its nodes: where to look, and nothing that is believed.
#[wasm_bindgen]
pub struct Listing {
    entries: Vec<Entry>,
    bundles: Vec<Sha256Digest>,
    proof: Option<Vec<u8>>,
}

/// A node that passed verification. There is no other way to one, and requests are sealed to nothing else.
#[wasm_bindgen]
pub struct Node {
    pub(crate) node: VerifiedNode,
}

#[wasm_bindgen]
impl Verifier {
    /// Judges by this policy (spec/policy.md) and the hardware vendors' keys.
    ///
    /// # Errors
    ///
    /// `policy-malformed`.
    #[wasm_bindgen(constructor)]
    pub fn new(policy: &str) -> Result<Verifier, Failure> {
        let policy =
            Policy::parse(policy).map_err(|error| Failure::new("policy-malformed", &error))?;
        Ok(Self {
            policy,
            trust: Trust::Vendor,
        })
    }

    /// Judges by a simulated root instead (its public file). Verdicts are NOT PROTECTED (development), and the page must have come from this machine.
    ///
    /// # Errors
    ///
    /// `development-root`; `development-address` for a page that came from elsewhere.
    #[cfg(feature = "development")]
    pub fn development(policy: &str, root: &str, host: &str) -> Result<Verifier, Failure> {
        if !matches!(host, "localhost" | "127.0.0.1" | "[::1]") {
            let message = "a simulated platform is used on this machine only";
            return Err(Failure::new("development-address", message));
        }
        let trust =
            Trust::development(root).map_err(|error| Failure::new("development-root", &error))?;
        Ok(Self {
            trust,
            ..Self::new(policy)?
        })
    }

    /// Whether nodes and their directory must be in a transparency log.
    #[wasm_bindgen(getter, js_name = asksLog)]
    #[must_use]
    pub fn asks_log(&self) -> bool {
        self.policy.log().is_some()
    }

    /// Reads the directory of a service, and the proof that it is logged, if there is one.
    ///
    /// # Errors
    ///
    /// `directory-malformed`.
    pub fn listing(&self, directory: &[u8], proof: Option<Vec<u8>>) -> Result<Listing, Failure> {
        let directory = Directory::parse(directory)
            .map_err(|error| Failure::new("directory-malformed", &error))?;
        Ok(Listing {
            bundles: directory.bundles(),
            entries: directory.into_nodes(),
            proof,
        })
    }

    /// Judges the evidence of a listed node as of `now`, in Unix seconds, and begins to ask the log, where the policy names
    /// one. `seen` is what this device has kept of logs, empty if nothing.
    ///
    /// # Errors
    ///
    /// The code of the reason, with the appraisal; `log-state` if what was kept cannot be used.
    pub fn inquire(
        &self,
        listing: &Listing,
        index: usize,
        bundle: &[u8],
        seen: &str,
        now: f64,
    ) -> Result<Inquiry, Failure> {
        let entry = listing
            .entries
            .get(index)
            .ok_or_else(|| Failure::new("not-found", "the service lists no such node"))?;
        let now = seconds(now)?;
        let bundle = entry.read_bundle(bundle).map_err(refused)?;
        if !self.asks_log() {
            let node =
                VerifiedNode::judge(bundle, &self.policy, &self.trust, now).map_err(refused)?;
            entry.check_node(&node, now).map_err(refused)?;
            return Ok(Inquiry::answered(node));
        }
        let seen = if seen.is_empty() {
            DeviceState::new()
        } else {
            DeviceState::parse(seen).map_err(|error| Failure::new("log-state", &error))?
        };
        let directory = PresentedDirectory {
            bundles: &listing.bundles,
            proof: listing.proof.as_deref(),
        };
        let (policy, trust) = (&self.policy, &self.trust);
        let inquiry = subrosa_client::Inquiry::new(bundle, directory, policy, trust, now, &seen);
        Ok(Inquiry::of_log(
            entry.clone(),
            inquiry.map_err(refused)?,
            seen,
        ))
    }
}

#[wasm_bindgen]
impl Listing {
    /// How many nodes there are.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn length(&self) -> usize {
        self.entries.len()
    }

    /// H of a node's bundle, by which it is fetched.
    #[must_use]
    pub fn bundle(&self, index: usize) -> Option<String> {
        self.entries
            .get(index)
            .map(|entry| entry.bundle().to_owned())
    }
}

#[wasm_bindgen]
impl Node {
    /// What was checked, and what came of it: JSON with `verdict`, `kind` (`verified`, `gaps`, `development`), `key_id`, `not_after`, `models`, `release`, `checks` and
    /// `appraisal` (spec/verdicts.md).
    #[must_use]
    pub fn report(&self) -> String {
        let (kc, appraisal) = (self.node.key_configuration(), self.node.appraisal());
        let models = kc.models().iter();
        let models: Vec<_> = models
            .map(|model| json!({ "name": model.name, "weights": hex::encode(model.weights) }))
            .collect();
        json!({
            "verdict": verdict_line(appraisal),
            "kind": kind(&appraisal.verdict()),
            "key_id": kc.key_id().to_string(),
            "not_after": kc.not_after(),
            "models": models,
            "release": hex::encode(kc.release_id()),
            "configuration": hex::encode(kc.configuration()),
            "checks": checks(appraisal),
            "appraisal": appraisal.to_json(),
            "text": appraisal.human_text(),
        })
        .to_string()
    }

    /// Until when its key may be used, in Unix seconds.
    #[wasm_bindgen(getter, js_name = notAfter)]
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::as_conversions,
        reason = "times are far below 2^53"
    )]
    pub fn not_after(&self) -> f64 {
        self.node.key_configuration().not_after() as f64
    }

    /// The evidence, which `subrosa verify` reads.
    #[must_use]
    pub fn bundle(&self) -> Vec<u8> {
        self.node.bundle().as_bytes().to_vec()
    }

    /// Seals a question to the node. `headers` are lines of `name: value`; `profile` is `off`, `balanced` or `strict`.
    ///
    /// # Errors
    ///
    /// `request-malformed`, `key-expired`.
    pub fn seal(
        &self,
        path: &str,
        headers: &str,
        body: Vec<u8>,
        profile: &str,
        now: f64,
    ) -> Result<Sent, Failure> {
        let request = inner("POST", path, headers, body)?;
        let sealed = self.sealed(&request, profile, now)?;
        Ok(Sent::new(sealed, self.node.clone()))
    }

    /// Seals a call of an application, whose answer is to have the form of the API that it calls.
    ///
    /// # Errors
    ///
    /// `request-malformed`, `key-expired`.
    pub fn call(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: Vec<u8>,
        profile: &str,
        now: f64,
    ) -> Result<Call, Failure> {
        let request = inner(method, path, headers, body)?;
        let sealed = self.sealed(&request, profile, now)?;
        Ok(Call::new(sealed, self.node.clone(), &request))
    }
}

impl Node {
    fn sealed(
        &self,
        request: &InnerRequest,
        profile: &str,
        now: f64,
    ) -> Result<SealedRequest, Failure> {
        let profile = match profile {
            "off" => Profile::Off,
            "balanced" => Profile::Balanced,
            "strict" => Profile::Strict,
            _ => return Err(malformed("a profile is off, balanced or strict")),
        };
        let options = SealOptions {
            profile,
            ..SealOptions::default()
        };
        self.node
            .seal(request, &options, seconds(now)?, &mut random())
            .map_err(|error| Failure::new("key-expired", &error))
    }
}

fn inner(method: &str, path: &str, headers: &str, body: Vec<u8>) -> Result<InnerRequest, Failure> {
    let lines = headers.lines().map(|line| line.split_once(": "));
    let fields: Option<_> = lines
        .map(|pair| pair.map(|(name, value)| (name.to_owned(), value.to_owned())))
        .collect();
    Ok(InnerRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        headers: fields.ok_or_else(|| malformed("a header is a line of `name: value`"))?,
        body,
    })
}

fn malformed(message: &str) -> Failure {
    Failure::new("request-malformed", message)
}

/// Every check: what it asks, why, and what came of it.
fn checks(appraisal: &Appraisal) -> Vec<Value> {
    let shown = |row: &Row| {
        let (outcome, code) = match row.outcome() {
            Outcome::Pass => ("pass", None),
            Outcome::Fail { code } => ("fail", Some(code.as_str())),
            _ => ("not-run", None),
        };
        json!({
            "name": row.name(),
            "question": row.question(),
            "why": row.explanation(),
            "outcome": outcome,
            "code": code,
            "found": row.actual(),
            "expected": row.expected(),
        })
    };
    appraisal.rows().iter().map(shown).collect()
}

fn kind(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Verified => "verified",
        Verdict::VerifiedWithGaps(_) => "gaps",
        Verdict::NotProtectedDevelopment => "development",
        Verdict::Refused(_) => "refused",
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is how errors are mapped")]
pub(crate) fn refused(refusal: Box<Refusal>) -> Failure {
    let mut failure = Failure::new(refusal.reason_code(), &refusal);
    let findings = refusal.appraisal().map(Appraisal::log);
    if let Some(conflict) = findings.and_then(LogFindings::conflict) {
        let both = json!({ "seen": conflict.seen, "refused": conflict.refused });
        failure = failure.with_conflict(format!("{both:#}\n"));
    }
    match refusal.appraisal() {
        None => failure,
        Some(appraisal) => {
            let report = json!({
                "verdict": refusal.verdict_line(),
                "kind": "refused",
                "checks": checks(appraisal),
                "appraisal": appraisal.to_json(),
                "text": appraisal.human_text(),
            });
            failure.with_report(report.to_string())
        }
    }
}

/// A browser's time.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::as_conversions,
    reason = "the range is checked"
)]
fn seconds(now: f64) -> Result<UnixSeconds, Failure> {
    if (0.0..1e12).contains(&now) {
        Ok(UnixSeconds::new(now as u64))
    } else {
        Err(Failure::new(
            "clock",
            "this device's clock tells no time that can be used",
        ))
    }
}
