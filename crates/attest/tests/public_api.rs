//! What a service and a device do with the crate, with its public names only.

#![cfg(feature = "development")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use rand_core::{TryCryptoRng, TryRng};
use subrosa_attest::appraisal::Outcome;
use subrosa_attest::development::{self, DevelopmentRoot, Root};
use subrosa_attest::{
    Bundle, Code, Measurement, Policy, Roots, Sha256Digest, UnixSeconds, Verdict, appraise,
    report_data,
};

const NOW: UnixSeconds = UnixSeconds::new(1_780_272_000);
const KEY_CONFIGURATION: &[u8] = b"what an enclave publishes";

#[test]
fn a_device_verifies_what_a_service_collects() {
    let root = Root::generate(&mut Counter(1), NOW).unwrap();
    let bundle = collect(&root);

    let bytes = bundle.as_bytes();
    let file = root.public().to_public_file();
    let received = Bundle::parse(bytes).unwrap();
    let trusted = DevelopmentRoot::from_public_file(&file).unwrap();
    let attested = development::appraise(&received, &policy(), &trusted, NOW).unwrap();

    assert_eq!(attested.key_configuration(), KEY_CONFIGURATION);
    assert_eq!(attested.verdict(), Verdict::NotProtectedDevelopment);
    let text = attested.appraisal().human_text();
    assert!(text.contains("NOT PROTECTED (development)"), "{text}");
}

#[test]
fn a_device_without_the_root_refuses_and_says_why() {
    let root = Root::generate(&mut Counter(2), NOW).unwrap();
    let appraisal = appraise(&collect(&root), &policy(), &Roots::vendor(), NOW);
    let failed: Vec<_> = appraisal
        .rows()
        .iter()
        .filter(|row| matches!(row.outcome(), Outcome::Fail { .. }))
        .collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].name(), "certificate-chain");
    assert!(failed[0].actual().unwrap().contains("is not pinned"));
    let refused = appraisal.into_attested().unwrap_err();
    assert_eq!(refused.code(), Code::RootNotPinned);
    assert_eq!(refused.to_string(), "evidence refused: root-not-pinned");
}

fn collect(root: &Root) -> Bundle {
    let data = report_data(KEY_CONFIGURATION, None, None);
    let report = root.platform().report(&data, &measurement());
    Bundle::builder(KEY_CONFIGURATION)
        .snp(root.platform().evidence(&report))
        .build()
        .unwrap()
}

fn measurement() -> Measurement {
    Measurement::new([1; 48])
}

fn policy() -> Policy {
    let (measurement, digest) = (measurement(), Sha256Digest::of(b"reference"));
    Policy::parse(&format!(
        "version = 1
name = \"mine\"
platforms = [\"sev-snp\"]
measurements = [{{ name = \"m\", platform = \"sev-snp\", value = \"{measurement}\" }}]
weights = [{{ name = \"w\", sha256 = \"{digest}\" }}]
configurations = [{{ name = \"c\", sha256 = \"{digest}\" }}]
releases = [{{ name = \"r\", sha256 = \"{digest}\" }}]
"
    ))
    .unwrap()
}

/// Numbers that look random enough to search primes from, the same on every run.
struct Counter(u64);

impl TryRng for Counter {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let [a, b, c, d, ..] = self.try_next_u64()?.to_le_bytes();
        Ok(u32::from_le_bytes([a, b, c, d]))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 = self.0.wrapping_add(1);
        let digest = Sha256Digest::of(&self.0.to_le_bytes());
        Ok(u64::from_le_bytes(
            *digest.as_bytes().first_chunk().unwrap(),
        ))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in dst.chunks_mut(8) {
            let bytes = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Counter {}
