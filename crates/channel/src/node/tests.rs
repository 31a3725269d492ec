use std::sync::OnceLock;

use subrosa_attest::development::{self, Root};
use subrosa_attest::{Bundle, Measurement, Policy, Sha256Digest, UnixSeconds, report_data};

use super::*;
use crate::fixtures::{NOW, TestRng, WEIGHTS, epoch, gateway, params, request};
use crate::{Epoch, KeyConfigurationParams, SealOptions, absent_release, seal_request};

/// A root of this test process; its keys take a while to make.
fn root() -> &'static Root {
    static ROOT: OnceLock<Root> = OnceLock::new();
    ROOT.get_or_init(|| Root::generate(&mut TestRng(99), UnixSeconds::new(NOW)).unwrap())
}

/// The digests a policy allows: configuration, release, weights.
struct Allowed {
    configuration: [u8; 32],
    release: [u8; 32],
    weights: [u8; 32],
    more: &'static str,
}

impl Default for Allowed {
    fn default() -> Self {
        Self {
            configuration: params().configuration,
            release: absent_release(),
            weights: WEIGHTS,
            more: "",
        }
    }
}

impl Allowed {
    fn policy(&self) -> Policy {
        let hex = |bytes: [u8; 32]| hex::encode(bytes);
        let text = format!(
            "version = 1\nname = \"test\"\nplatforms = [\"sev-snp\"]\n{}\n\
             [[measurements]]\nname = \"a\"\nplatform = \"sev-snp\"\nvalue = \"{}\"\n\
             [[configurations]]\nname = \"a\"\nsha256 = \"{}\"\n\
             [[releases]]\nname = \"a\"\nsha256 = \"{}\"\n\
             [[weights]]\nname = \"a\"\nsha256 = \"{}\"\n",
            self.more,
            hex::encode([5; 48]),
            hex(self.configuration),
            hex(self.release),
            hex(self.weights),
        );
        Policy::parse(&text).unwrap()
    }
}

fn node_at(epoch: &Epoch, allowed: &Allowed, now: u64) -> Result<DevelopmentNode, NodeError> {
    let kc = epoch.key_configuration().as_bytes();
    let platform = root().platform();
    let report = platform.report(&report_data(kc, None, None), &Measurement::new([5; 48]));
    let bundle = Bundle::builder(kc)
        .snp(platform.evidence(&report))
        .build()
        .unwrap();
    let (policy, now) = (allowed.policy(), UnixSeconds::new(now));
    let attested = development::appraise(&bundle, &policy, root().public(), now).unwrap();
    DevelopmentNode::new(attested, now)
}

fn refused(edit: fn(&mut KeyConfigurationParams), allowed: &Allowed) -> NodeError {
    let mut params = params();
    edit(&mut params);
    let epoch = Epoch::generate(&params, 4, &mut TestRng(1)).unwrap();
    node_at(&epoch, allowed, NOW).unwrap_err()
}

#[test]
fn an_exchange_with_an_attested_node_works() {
    let epoch = epoch(1);
    let node = node_at(&epoch, &Allowed::default(), NOW).unwrap();
    let sealed = seal_request(
        &node,
        &request(),
        &SealOptions::default(),
        UnixSeconds::new(NOW),
        &mut TestRng(5),
    )
    .unwrap();
    assert_eq!(
        gateway(epoch).open(&sealed.bytes, NOW).unwrap().request,
        request()
    );
}

#[test]
fn a_key_whose_life_is_over_is_refused() {
    let not_after = params().not_after;
    let error = node_at(&epoch(1), &Allowed::default(), not_after).unwrap_err();
    assert_eq!(
        error,
        NodeError::Expired {
            not_after,
            now: not_after
        }
    );
    assert_eq!(error.code(), "key-expired");
    node_at(&epoch(1), &Allowed::default(), not_after - 1).unwrap();
}

#[test]
fn a_key_from_the_future_is_refused_beyond_the_tolerance() {
    let not_before = params().not_before;
    let now = not_before - CLOCK_TOLERANCE - 1;
    let error = node_at(&epoch(1), &Allowed::default(), now).unwrap_err();
    assert_eq!(error, NodeError::NotYetValid { not_before, now });
    assert_eq!(error.code(), "key-not-yet-valid");
    node_at(&epoch(1), &Allowed::default(), now + 1).unwrap();
}

#[test]
fn a_key_that_lives_longer_than_the_policy_allows_is_refused() {
    let allowed = Allowed {
        more: "max-key-lifetime-seconds = 600",
        ..Allowed::default()
    };
    let error = refused(|_| {}, &allowed);
    assert_eq!(
        error,
        NodeError::Lifetime {
            seconds: 1200,
            limit: 600
        }
    );
}

#[test]
fn a_configuration_that_the_policy_does_not_name_is_refused() {
    let error = refused(|params| params.configuration = [4; 32], &Allowed::default());
    assert_eq!(
        error,
        NodeError::Configuration {
            digest: Sha256Digest::new([4; 32])
        }
    );
    assert_eq!(error.code(), "wrong-key-configuration");
}

#[test]
fn a_release_that_the_policy_does_not_name_is_refused() {
    let error = refused(|params| params.release_id = [4; 32], &Allowed::default());
    assert_eq!(
        error,
        NodeError::Release {
            id: Sha256Digest::new([4; 32])
        }
    );
}

#[test]
fn weights_that_the_policy_does_not_name_are_refused() {
    let error = refused(
        |params| params.models[0].weights = [4; 32],
        &Allowed::default(),
    );
    assert!(matches!(error, NodeError::Weights { .. }), "{error:?}");
}

#[test]
fn one_unknown_model_among_known_ones_is_refused() {
    let add = |params: &mut KeyConfigurationParams| {
        let name = "unknown".to_owned();
        params.models.push(crate::ModelEntry {
            name,
            weights: [4; 32],
        });
    };
    assert!(matches!(
        refused(add, &Allowed::default()),
        NodeError::Weights { .. }
    ));
}

#[test]
fn attested_bytes_that_are_no_key_configuration_are_refused() {
    let platform = root().platform();
    let report = platform.report(&report_data(b"no", None, None), &Measurement::new([5; 48]));
    let bundle = Bundle::builder(*b"no")
        .snp(platform.evidence(&report))
        .build()
        .unwrap();
    let (policy, now) = (Allowed::default().policy(), UnixSeconds::new(NOW));
    let attested = development::appraise(&bundle, &policy, root().public(), now).unwrap();
    let error = DevelopmentNode::new(attested, now).unwrap_err();
    assert!(matches!(error, NodeError::Format(_)));
}
