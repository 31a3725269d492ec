//! Enclaves that are good but for one thing.

#![allow(clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::dcap::fixtures::{Kind, Setup};

const ALL: [Kind; 2] = [Kind::Sgx3, Kind::Sgx5];

fn refused(code: Code, check: &str, edit: impl Fn(&mut Setup)) {
    for kind in ALL {
        let refusal = Setup::new(kind).with(&edit).refusal();
        assert_eq!(refusal, (code, check.to_owned()), "{kind:?}");
    }
}

fn accepted(edit: impl Fn(&mut Setup)) -> Vec<Gap> {
    let mut gaps = Vec::new();
    for kind in ALL {
        let judged = Setup::new(kind).with(&edit).judge();
        assert_eq!(judged.code, None, "{kind:?}");
        gaps = judged.gaps;
    }
    gaps
}

fn attributes(value: u64) -> impl Fn(&mut Setup) {
    move |setup: &mut Setup| setup.body[48..56].copy_from_slice(&value.to_le_bytes())
}

#[test]
fn a_quote_about_a_trust_domain_is_refused() {
    let domain = Setup::new(Kind::Td5);
    let setup = Setup::new(Kind::Sgx5).with(|setup| {
        setup.header[4] = 0x81;
        setup.body = domain.body;
        setup.body_kind = 2;
        setup.tcb_info = domain.tcb_info;
        setup.qe_identity = domain.qe_identity;
    });
    let expected = (Code::UnsupportedPlatform, "quoted-enclave".to_owned());
    assert_eq!(setup.refusal(), expected);
}

#[test]
fn a_debuggable_enclave_is_refused() {
    let debug = attributes(INIT | MODE64BIT | DEBUG);
    refused(Code::GuestDebugAllowed, "enclave-debug", debug);
}

#[test]
fn attributes_that_an_enclave_cannot_have_are_refused() {
    let check = "enclave-attributes";
    refused(Code::GuestPolicyMalformed, check, attributes(MODE64BIT));
    for bit in [3, 8, 9, 11, 63] {
        let reserved = attributes(INIT | MODE64BIT | 1 << bit);
        refused(Code::GuestPolicyMalformed, check, reserved);
    }
    let launch = attributes(INIT | MODE64BIT | EINITTOKEN_KEY);
    refused(Code::GuestAttributeNotAllowed, check, launch);
    // As hardware writes it: INIT and MODE64BIT are the first and the third bit.
    assert_eq!(accepted(attributes(0x05)), []);
    for bit in [CET, KSS, AEX_NOTIFY] {
        assert_eq!(accepted(attributes(INIT | MODE64BIT | bit)), []);
    }
}

#[test]
fn the_provisioning_key_is_refused_or_a_gap() {
    let provision = attributes(INIT | MODE64BIT | PROVISION_KEY);
    refused(
        Code::GuestAttributeNotAllowed,
        "enclave-provision-key",
        &provision,
    );
    let gaps = accepted(|setup| {
        provision(setup);
        setup.sgx_rules = Rules::strict().accept_provision_key();
    });
    assert_eq!(gaps, [Gap::EnclaveProvisionKey]);
}

#[test]
fn each_demanded_value_is_compared() {
    let digest = |byte| Sha256Digest::new([byte; 32]);
    let block = |byte| BlockId::new([byte; 16]);
    let data = |byte| ReportData::new([byte; 64]);
    for (check, code, good, bad) in [
        (
            "enclave-measurement",
            Code::MeasurementNotAllowed,
            Rules::strict().measurements(vec![digest(1), digest(0x3E)]),
            Rules::strict().measurements(vec![]),
        ),
        (
            "enclave-signer",
            Code::SignerNotAllowed,
            Rules::strict().signers(vec![digest(1), digest(0x51)]),
            Rules::strict().signers(vec![digest(0x3E)]),
        ),
        (
            "enclave-product",
            Code::ImageIdMismatch,
            Rules::strict().product(3),
            Rules::strict().product(2),
        ),
        (
            "enclave-product",
            Code::ImageIdMismatch,
            Rules::strict().extended_product_id(block(0)),
            Rules::strict().extended_product_id(block(1)),
        ),
        (
            "enclave-svn",
            Code::GuestSvnBelowMinimum,
            Rules::strict().minimum_svn(4),
            Rules::strict().minimum_svn(5),
        ),
        (
            "enclave-configuration",
            Code::FamilyIdMismatch,
            Rules::strict().family_id(block(0)),
            Rules::strict().family_id(block(1)),
        ),
        (
            "enclave-configuration",
            Code::ConfigurationIdMismatch,
            Rules::strict().configuration_id(data(0)),
            Rules::strict().configuration_id(data(1)),
        ),
        (
            "enclave-configuration",
            Code::GuestSvnBelowMinimum,
            Rules::strict().minimum_configuration_svn(0),
            Rules::strict().minimum_configuration_svn(1),
        ),
        (
            "report-data",
            Code::ReportDataMismatch,
            Rules::strict().report_data(data(0)),
            Rules::strict().report_data(data(1)),
        ),
    ] {
        accepted(|setup| setup.sgx_rules = good.clone());
        refused(code, check, |setup| setup.sgx_rules = bad.clone());
    }
}
