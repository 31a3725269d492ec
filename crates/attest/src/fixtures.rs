//! A vendor, a chip and a policy for tests: all good until a test spoils one
//! thing. The RSA keys are throw-away and sign nothing else.

#![allow(clippy::arithmetic_side_effects, reason = "tests")]

use p384::ecdsa::SigningKey;
use rand_core::{TryCryptoRng, TryRng};
use rsa::RsaPrivateKey;
use rsa::pkcs8::DecodePrivateKey;
use sha2::{Digest, Sha256};

use crate::appraisal::{Appraisal, Code, Roots, Verdict, appraise};
use crate::binding;
use crate::bundle::{Builder, Bundle, SnpEvidence};
use crate::development::Draft;
use crate::development::root::{Drafts, Signed};
use crate::identifiers::{Measurement, Sha256Digest};
use crate::policy::Policy;
use crate::snp::anchors::{Anchor, Anchors};
use crate::snp::{KeyKind, Product, Tcb, layout};
use crate::time::UnixSeconds;
use crate::x509::Certificate;

pub(crate) mod cbor;
pub(crate) mod log;
pub(crate) mod pki;

/// 2026-06-01T00:00:00Z.
pub(crate) const NOW: UnixSeconds = UnixSeconds::new(1_780_272_000);
pub(crate) const KEY_CONFIGURATION: &[u8] = b"a key configuration";
pub(crate) const MEASUREMENT: Measurement = Measurement::new([0x5A; 48]);
pub(crate) const CHIP_ID: [u8; 64] = [0xC1; 64];
pub(crate) const TCB: Tcb = Tcb {
    fmc: None,
    bootloader: 10,
    tee: 0,
    snp: 23,
    microcode: 0x54,
};

/// Everything an appraisal needs.
pub(crate) struct Setup {
    pub(crate) keys: Keys,
    pub(crate) drafts: Drafts,
    pub(crate) kind: KeyKind,
    pub(crate) report: Draft,
    /// Who signs the report.
    pub(crate) report_key: SigningKey,
    pub(crate) with_revocation_list: bool,
    pub(crate) checkpoint: Option<Vec<u8>>,
    pub(crate) gpu_evidence: Option<Vec<u8>>,
    pub(crate) gpu_collateral: Option<Vec<u8>>,
    pub(crate) tpm_evidence: Option<Vec<u8>>,
    pub(crate) policy: String,
    pub(crate) now: UnixSeconds,
    pub(crate) product: Product,
    bind: bool,
}

/// The keys of the simulated vendor.
pub(crate) struct Keys {
    pub(crate) ark: RsaPrivateKey,
    pub(crate) ask: RsaPrivateKey,
    pub(crate) other: RsaPrivateKey,
    pub(crate) vcek: SigningKey,
}

impl Keys {
    /// The key of another chip.
    pub(crate) fn other_vcek() -> SigningKey {
        SigningKey::from_slice(&[8; 48]).unwrap()
    }

    pub(crate) fn new() -> Self {
        let rsa = |der: &[u8]| RsaPrivateKey::from_pkcs8_der(der).unwrap();
        Self {
            ark: rsa(include_bytes!("fixtures/ark-test-key.pk8")),
            ask: rsa(include_bytes!("fixtures/ask-test-key.pk8")),
            other: rsa(include_bytes!("fixtures/other-test-key.pk8")),
            vcek: SigningKey::from_slice(&[7; 48]).unwrap(),
        }
    }
}

impl Setup {
    pub(crate) fn new() -> Self {
        let keys = Keys::new();
        let drafts = Drafts::new(&keys.ark, &keys.ask, &keys.vcek, TCB, &CHIP_ID, NOW).unwrap();
        Self {
            report_key: keys.vcek.clone(),
            report: Draft::genoa(&CHIP_ID, TCB).with(layout::MEASUREMENT, MEASUREMENT.as_bytes()),
            keys,
            drafts,
            kind: KeyKind::Vcek,
            with_revocation_list: true,
            checkpoint: None,
            gpu_evidence: None,
            gpu_collateral: None,
            tpm_evidence: None,
            policy: policy(""),
            now: NOW,
            product: Product::Genoa,
            bind: true,
        }
    }

    /// Changes a field of the report before it is signed.
    pub(crate) fn report_field(mut self, at: usize, field: &[u8]) -> Self {
        self.bind &= at != layout::REPORT_DATA;
        self.report = self.report.with(at, field);
        self
    }

    /// Adds lines to the SEV-SNP section of the policy, and statements for them.
    pub(crate) fn snp_policy(mut self, lines: &str) -> Self {
        self.policy = policy(lines);
        self
    }

    pub(crate) fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    pub(crate) fn signed(&self) -> Signed {
        let keys = &self.keys;
        self.drafts
            .sign(&keys.ark, &keys.ask, &mut TestRng::new(1))
            .unwrap()
    }

    pub(crate) fn report_bytes(&self) -> Vec<u8> {
        let (checkpoint, gpus) = (self.checkpoint.as_deref(), self.gpu_evidence.as_deref());
        let data = match &self.tpm_evidence {
            Some(tpm) => binding::report_data_with_tpm(KEY_CONFIGURATION, checkpoint, gpus, tpm),
            None => binding::report_data(KEY_CONFIGURATION, checkpoint, gpus),
        };
        let mut report = self.report.clone();
        if self.bind {
            report = report.with(layout::REPORT_DATA, &data);
        }
        report.sign(&self.report_key)
    }

    pub(crate) fn bundle(&self) -> Bundle {
        self.bundle_of(&self.signed(), &self.report_bytes())
    }

    pub(crate) fn bundle_of(&self, signed: &Signed, report: &[u8]) -> Bundle {
        self.builder_of(signed, report).build().unwrap()
    }

    pub(crate) fn builder(&self) -> Builder {
        self.builder_of(&self.signed(), &self.report_bytes())
    }

    fn builder_of(&self, signed: &Signed, report: &[u8]) -> Builder {
        let mut builder = Bundle::builder(KEY_CONFIGURATION).snp(SnpEvidence {
            report,
            kind: self.kind,
            leaf: &signed.vcek,
            intermediate: &signed.ask,
            root: &signed.ark,
            revocation_list: self.with_revocation_list.then_some(&signed.revocation_list),
        });
        if let Some(checkpoint) = &self.checkpoint {
            builder = builder.checkpoint(checkpoint.clone());
        }
        if let Some(evidence) = &self.gpu_evidence {
            builder = builder.gpu_evidence(evidence.clone());
        }
        if let Some(evidence) = &self.tpm_evidence {
            builder = builder.tpm_evidence(evidence.clone());
        }
        if let Some(collateral) = &self.gpu_collateral {
            builder = builder.gpu_collateral(collateral.clone());
        }
        builder
    }

    /// Anchors that pin this setup's keys.
    pub(crate) fn anchors(&self) -> Anchors {
        let good = Setup::new().signed();
        Anchors::not_amd(Anchor {
            product: self.product,
            root: key_digest(&good.ark),
            vcek_authority: key_digest(&good.ask),
            vlek_authority: Some(key_digest(&good.ask)),
        })
    }

    /// The pinned keys of the throw-away vendors.
    pub(crate) fn roots(&self) -> Roots {
        Roots {
            snp: self.anchors(),
            nitro: crate::nitro::fixtures::Setup::new().anchors(),
            nvidia: crate::nvidia::fixtures::anchors(),
            ..Roots::vendor()
        }
    }

    pub(crate) fn policy(&self) -> Policy {
        Policy::parse(&self.policy).unwrap()
    }

    /// Appraises as if the simulated vendor were a real one.
    pub(crate) fn appraise(&self) -> Appraisal {
        self.appraise_bundle(&self.bundle())
    }

    pub(crate) fn appraise_bundle(&self, bundle: &Bundle) -> Appraisal {
        let roots = self.roots();
        appraise(bundle, &self.policy(), &roots, self.now)
    }

    /// The code of the refusal, or the verdict's text if there is none.
    pub(crate) fn refusal(&self) -> Result<Code, String> {
        match self.appraise().verdict() {
            Verdict::Refused(code) => Ok(code),
            other => Err(other.to_string()),
        }
    }
}

pub(crate) fn key_digest(certificate: &[u8]) -> Sha256Digest {
    let certificate = Certificate::parse(certificate).unwrap();
    certificate.public_key_digest().unwrap()
}

/// A policy that accepts the setup, with these lines in its SEV-SNP section.
pub(crate) fn policy(snp_lines: &str) -> String {
    let digest = Sha256Digest::of(b"reference");
    format!(
        "version = 1
name = \"test\"
platforms = [\"sev-snp\"]
[[measurements]]
name = \"the program\"
platform = \"sev-snp\"
value = \"{MEASUREMENT}\"
[[weights]]
name = \"the model\"
sha256 = \"{digest}\"
[[configurations]]
name = \"the configuration\"
sha256 = \"{digest}\"
[[releases]]
name = \"the release\"
sha256 = \"{digest}\"
[sev-snp]
{snp_lines}
"
    )
}

/// A `[[weakened]]` entry for each rule, to be put at the end of a policy.
pub(crate) fn weakened(rules: &[&str]) -> String {
    let entry = |rule| format!("[[weakened]]\nrule = \"{rule}\"\nreason = \"a test\"\n");
    rules.iter().map(entry).collect()
}

/// Random enough for tests, the same on every run.
pub(crate) struct TestRng {
    seed: u64,
    counter: u64,
}

impl TestRng {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, counter: 0 }
    }

    fn block(&mut self) -> [u8; 32] {
        self.counter += 1;
        Sha256::new()
            .chain_update(self.seed.to_be_bytes())
            .chain_update(self.counter.to_be_bytes())
            .finalize()
            .into()
    }
}

impl TryRng for TestRng {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let block = self.block();
        Ok(u32::from_le_bytes(*block.first_chunk().unwrap()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let block = self.block();
        Ok(u64::from_le_bytes(*block.first_chunk().unwrap()))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in dst.chunks_mut(32) {
            let block = self.block();
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for TestRng {}
