//! `subrosa collateral` against services on loopback that speak the vendors' protocols, well and badly.
#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::format_collect,
    clippy::format_push_string,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests"
)]

mod support;
#[path = "support/vendor.rs"]
mod vendor;

use std::time::{Duration, Instant};

use subrosa_attest::UnixSeconds;
use subrosa_attest::collateral::{Collateral, Label};
use subrosa_attest::snp::{Anchors, Demands, KeyKind, Rules, appraise};
use support::{Home, Outcome};
use vendor::{Answer, Fault, Routes, Sample, Vendor, manifest_answer};

const CRL: &str = "/vcek/v1/Genoa/crl";
const CHAIN: &str = "/vcek/v1/Genoa/cert_chain";
const DRIVER: &str = "NV_GPU_DRIVER_GH100_550.90.07";

/// The verifier reads no network: what was gathered is all it gets.
#[test]
fn what_the_key_service_gave_is_accepted_by_the_verifier() {
    let (sample, vendor) = kds(|routes| routes);
    let home = Home::new();
    let outcome = gather(&home, &sample, &vendor, &[]);
    assert_eq!(outcome.exit, Some(0), "{outcome:?}");
    let collateral = written(&home);
    assert!(collateral.is_for(&sample.evidence));
    let evidence = collateral.snp(&sample.evidence).unwrap();
    let anchors = Anchors::of_test_root(evidence.root, evidence.intermediate).unwrap();
    let now = collateral.gathered_at();
    let verdict = appraise(&evidence, &Rules::strict(), &Demands::none(), &anchors, now);
    assert!(verdict.verdict().is_ok(), "{:?}", verdict.verdict());
    let chip = hex::encode(&sample.evidence[0x1A0..0x1E0]);
    let requests = vendor.requests();
    assert!(
        requests[0].starts_with(&format!("/vcek/v1/Genoa/{chip}?blSPL=")),
        "{requests:?}"
    );
    assert_eq!(requests[1..], [CHAIN, CRL]);
}

#[test]
fn what_goes_with_a_quote_is_gathered() {
    for (kind, platform, authority) in [
        ("tdx-quote", "tdx", "platform"),
        ("sgx-quote", "sgx", "processor"),
    ] {
        let sample = Sample::of(kind);
        let vendor = Vendor::start(Routes::pcs(&sample, platform));
        let home = Home::new();
        let outcome = gather(&home, &sample, &vendor, &[]);
        assert_eq!(outcome.exit, Some(0), "{outcome:?}");
        assert_same_parts(&written(&home), &sample.collateral);
        assert_eq!(
            vendor.requests(),
            [
                format!("/{platform}/certification/v4/tcb?fmspc=00806F050000"),
                format!("/{platform}/certification/v4/qe/identity"),
                format!("/sgx/certification/v4/pckcrl?ca={authority}&encoding=der"),
                "/IntelSGXRootCA.der".to_owned(),
            ]
        );
    }
}

#[test]
fn what_goes_with_a_device_is_gathered_with_fresh_answers() {
    let (sample, vendor) = nvidia(|routes| routes);
    let home = Home::new();
    let outcome = gather(&home, &sample, &vendor, &[]);
    assert_eq!(outcome.exit, Some(0), "{outcome:?}");
    let collateral = written(&home);
    let parts = collateral.nvidia(&sample.evidence).unwrap();
    assert_eq!(parts.manifests.len(), 2);
    assert_eq!(parts.revocation_answers.len(), sample.ocsp_answers().len());
    assert_eq!(
        collateral.get(Label::NvidiaRimDriver).unwrap(),
        sample.part(Label::NvidiaRimDriver)
    );
    let stored = sample.ocsp_answers();
    let is_new = |answer: &&[u8]| stored.iter().all(|old| old != answer);
    assert!(parts.revocation_answers.iter().all(is_new));
    // The certificates of the sample's manifests are long past.
    assert!(
        outcome.stderr.contains("nvidia-rim-driver expired at"),
        "{outcome:?}"
    );
}

#[test]
fn a_revoked_certificate_is_said_aloud_and_its_answer_kept() {
    let revoked = |mut answer: Vec<u8>| {
        let at = answer
            .windows(2)
            .rposition(|pair| pair == [0x80, 0])
            .unwrap();
        answer[at] = 0x82;
        answer
    };
    let (sample, vendor) = nvidia(|routes| routes.ocsp(revoked));
    let outcome = gather(&Home::new(), &sample, &vendor, &["--quiet"]);
    assert_eq!(outcome.exit, Some(0), "{outcome:?}");
    assert!(
        outcome.stderr.contains("nvidia-ocsp-01 says that"),
        "{outcome:?}"
    );
}

#[test]
fn an_answer_to_an_earlier_question_is_refused() {
    let (sample, vendor) = nvidia(Routes::stale_nonces);
    refused(
        &sample,
        &vendor,
        3,
        "nvidia-ocsp-01 is not what was asked for",
    );
}

#[test]
fn a_responder_that_knows_nothing_is_a_refusal() {
    let (sample, vendor) = nvidia(|routes| routes.ocsp(|_| Vec::new()));
    refused(&sample, &vendor, 3, "status 6");
}

#[test]
fn a_manifest_under_another_identifier_is_refused() {
    let (sample, vendor) = nvidia(|routes| {
        let path = format!("/v1/rim/{DRIVER}");
        let manifest = Sample::of("nvidia-report").part(Label::NvidiaRimDriver);
        let answer = manifest_answer("NV_GPU_DRIVER_GH100_1", &manifest);
        routes.put(&path, Answer::good("application/json", answer))
    });
    refused(
        &sample,
        &vendor,
        3,
        "nvidia-rim-driver is not what was asked for",
    );
}

#[test]
fn a_device_without_its_certificates_is_a_usage_error() {
    let (mut sample, vendor) = nvidia(|routes| routes);
    sample.certificates = None;
    refused(&sample, &vendor, 2, "--certificates");
    assert!(vendor.requests().is_empty());
}

#[test]
fn a_second_run_asks_nobody() {
    let (sample, vendor) = kds(|routes| routes);
    let home = Home::new();
    let first = gather(&home, &sample, &vendor, &["--json"]).json();
    assert_eq!(first["entries"][0]["from_cache"], false);
    let second = gather(&home, &sample, &vendor, &["--json"]).json();
    assert_eq!(vendor.requests().len(), 3);
    for entry in second["entries"].as_array().unwrap() {
        assert_eq!(entry["from_cache"], true);
    }
    assert_eq!(
        gather(&home, &sample, &vendor, &["--no-cache"]).exit,
        Some(0)
    );
    assert_eq!(vendor.requests().len(), 6);
}

#[test]
fn the_certificates_above_an_answer_are_cached_with_it() {
    let sample = Sample::of("tdx-quote");
    let vendor = Vendor::start(Routes::pcs(&sample, "tdx"));
    let home = Home::new();
    for _ in 0..2 {
        assert_eq!(gather(&home, &sample, &vendor, &[]).exit, Some(0));
        assert_same_parts(&written(&home), &sample.collateral);
    }
    assert_eq!(vendor.requests().len(), 4);
}

#[test]
fn a_damaged_cache_is_ignored_and_fetched_again() {
    let (sample, vendor) = kds(|routes| routes);
    let home = Home::new();
    assert_eq!(gather(&home, &sample, &vendor, &[]).exit, Some(0));
    for entry in std::fs::read_dir(cache(&home)).unwrap() {
        std::fs::write(entry.unwrap().path(), b"{\"url\":\"x\"}\nrubbish").unwrap();
    }
    assert_eq!(gather(&home, &sample, &vendor, &[]).exit, Some(0));
    assert_eq!(vendor.requests().len(), 6);
    assert_eq!(gather(&home, &sample, &vendor, &[]).exit, Some(0));
    assert_eq!(vendor.requests().len(), 6);
}

#[test]
fn a_cache_that_cannot_be_written_is_no_failure() {
    let (sample, vendor) = kds(|routes| routes);
    let home = Home::new();
    home.write(".cache", "a file where the folder should be");
    assert_eq!(gather(&home, &sample, &vendor, &[]).exit, Some(0));
}

#[test]
fn the_cache_folder_follows_xdg() {
    let (sample, vendor) = kds(|routes| routes);
    let home = Home::new();
    let elsewhere = home.path().join("elsewhere");
    let mut command = prepare(&home, &sample, &vendor, &[]);
    command.env("XDG_CACHE_HOME", &elsewhere);
    assert!(command.output().unwrap().status.success());
    let kept = std::fs::read_dir(elsewhere.join("subrosa/collateral")).unwrap();
    assert_eq!(kept.count(), 3);
}

#[test]
fn a_busy_service_is_asked_again_after_the_time_it_names() {
    let busy = Answer::status(429).header("retry-after", "2");
    let (sample, vendor) = kds(|routes| routes.before(CRL, vec![busy]));
    let start = Instant::now();
    let outcome = gather(&Home::new(), &sample, &vendor, &[]);
    assert_eq!(outcome.exit, Some(0), "{outcome:?}");
    assert!(start.elapsed() >= Duration::from_secs(2));
    assert_eq!(vendor.requests().len(), 4);
    assert!(
        outcome.stderr.contains("trying again in 2.0 s"),
        "{outcome:?}"
    );
}

#[test]
fn a_service_that_asks_for_more_time_than_there_is_is_left_alone() {
    let busy = Answer::status(429).header("retry-after", "3600");
    let (sample, vendor) = kds(|routes| routes.put(CHAIN, busy));
    refused(&sample, &vendor, 4, "left alone for 3600 s");
    assert_eq!(vendor.requests().len(), 2);
}

#[test]
fn a_passing_outage_is_waited_out() {
    for trouble in [
        Answer::status(500),
        Answer::status(503).header("retry-after", "soon"),
        Answer::status(200).fault(Fault::Outage),
    ] {
        let (sample, vendor) = kds(|routes| routes.before(CRL, vec![trouble.clone()]));
        let outcome = gather(&Home::new(), &sample, &vendor, &[]);
        assert_eq!(outcome.exit, Some(0), "{trouble:?}: {outcome:?}");
        assert_eq!(vendor.requests().len(), 4);
    }
}

#[test]
fn a_lasting_outage_ends_after_four_attempts() {
    let (sample, vendor) = kds(|routes| routes.put(CRL, Answer::status(502)));
    refused(&sample, &vendor, 4, "the service answered 502");
    assert_eq!(vendor.requests().len(), 2 + 4);
}

#[test]
fn a_service_that_is_not_there_is_a_network_error() {
    let (sample, vendor) = kds(|routes| routes);
    let home = Home::new();
    let mut command = prepare(&home, &sample, &vendor, &[]);
    command.args(["--amd-kds", "http://127.0.0.1:1"]);
    let outcome = Outcome::of(command.output().unwrap(), home.path());
    // The last of two equal flags is refused by the command line itself.
    assert_eq!(outcome.exit, Some(2));
    let url = "http://127.0.0.1:1";
    home.write("evidence", &sample.evidence);
    let arguments = [
        "collateral",
        "--evidence",
        "evidence",
        "--out",
        "out",
        "--amd-kds",
        url,
    ];
    let outcome = home.run(&arguments);
    assert_eq!(outcome.exit, Some(4), "{outcome:?}");
    assert!(
        outcome
            .stderr
            .contains("cannot fetch snp-vcek from http://127.0.0.1:1")
    );
}

#[test]
fn what_the_service_does_not_know_is_asked_once() {
    let (mut sample, vendor) = kds(|routes| routes);
    sample.evidence[0x1A0] ^= 1;
    refused(&sample, &vendor, 4, "the service answered 404");
    assert_eq!(vendor.requests().len(), 1);
}

#[test]
fn a_truncated_answer_is_fetched_again() {
    let (sample, vendor) = kds(|routes| {
        let cut = routes.answer(CRL).fault(Fault::Cut(20));
        routes.before(CRL, vec![cut])
    });
    assert_eq!(gather(&Home::new(), &sample, &vendor, &[]).exit, Some(0));
    assert_eq!(vendor.requests().len(), 4);
}

/// Where the length is not said, the content shows that the end is missing.
#[test]
fn an_answer_that_ends_early_without_a_length_is_fetched_again() {
    let (sample, vendor) = kds(|routes| {
        let mut cut = routes.answer(CRL).fault(Fault::NoLength);
        cut.body.truncate(100);
        routes.before(CRL, vec![cut])
    });
    assert_eq!(gather(&Home::new(), &sample, &vendor, &[]).exit, Some(0));
    assert_eq!(vendor.requests().len(), 4);
}

#[test]
fn a_slow_body_does_not_outlast_the_time_limit() {
    let (sample, vendor) = kds(|routes| {
        let slow = routes.answer(CRL).fault(Fault::Slow(200));
        routes.put(CRL, slow)
    });
    let start = Instant::now();
    let outcome = gather(&Home::new(), &sample, &vendor, &["--timeout", "2"]);
    assert_eq!(outcome.exit, Some(4), "{outcome:?}");
    assert!(outcome.stderr.contains("it took too long"), "{outcome:?}");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn an_oversized_answer_is_not_read() {
    for fault in [Fault::None, Fault::NoLength] {
        let large = Answer::good("application/pkix-crl", vec![0; 33 * 1024]).fault(fault);
        let (sample, vendor) = kds(|routes| routes.put(CRL, large));
        refused(&sample, &vendor, 4, "more than 32768 bytes");
        assert_eq!(vendor.requests().len(), 3);
    }
}

#[test]
fn a_redirect_on_the_same_server_is_followed() {
    let (sample, vendor) = kds(|routes| {
        let good = routes.answer(CRL);
        let moved = Answer::status(302).header("location", "/moved/crl");
        routes.put(CRL, moved).put("/moved/crl", good)
    });
    let home = Home::new();
    assert_eq!(gather(&home, &sample, &vendor, &[]).exit, Some(0));
    let collateral = written(&home);
    let crl = collateral
        .entries()
        .iter()
        .find(|entry| entry.label() == Label::SnpCrl);
    assert_eq!(crl.unwrap().source(), format!("{}{CRL}", vendor.url()));
}

#[test]
fn a_redirect_to_plain_http_elsewhere_and_one_in_a_circle_are_not_followed() {
    let elsewhere = Answer::status(302).header("location", "http://vendor.example/crl");
    let (sample, vendor) = kds(|routes| routes.put(CRL, elsewhere));
    refused(
        &sample,
        &vendor,
        2,
        "http://vendor.example/crl is not fetched",
    );
    let circle = Answer::status(307).header("location", CRL);
    let (sample, vendor) = kds(|routes| routes.put(CRL, circle));
    refused(&sample, &vendor, 4, "redirected more than 3 times");
    let nowhere = Answer::status(301);
    let (sample, vendor) = kds(|routes| routes.put(CRL, nowhere));
    refused(&sample, &vendor, 4, "redirected to nowhere");
}

#[test]
fn a_web_page_is_no_answer() {
    let page = Answer::good("text/html; charset=utf-8", "<html>log in</html>");
    let (sample, vendor) = kds(|routes| routes.put(CRL, page.clone()));
    refused(&sample, &vendor, 4, "content type is \"text/html\"");
    assert_eq!(vendor.requests().len(), 3);
    let sample = Sample::of("tdx-quote");
    let path = "/tdx/certification/v4/tcb";
    let routes = Routes::pcs(&sample, "tdx");
    let mut text = routes.answer(path);
    text.headers[0].1 = "text/plain".to_owned();
    let vendor = Vendor::start(routes.put(path, text));
    refused(&sample, &vendor, 4, "content type is \"text/plain\"");
}

#[test]
fn the_key_of_another_chip_is_refused() {
    let (mut sample, _) = kds(|routes| routes);
    let mut routes = Routes::kds(&sample);
    let own = hex::encode(&sample.evidence[0x1A0..0x1E0]);
    sample.evidence[0x1A0] ^= 1;
    let other = hex::encode(&sample.evidence[0x1A0..0x1E0]);
    let vcek = routes.answer(&format!("/vcek/v1/Genoa/{own}"));
    routes = routes.put(&format!("/vcek/v1/Genoa/{other}"), vcek);
    let vendor = Vendor::start(routes);
    refused(
        &sample,
        &vendor,
        3,
        "snp-vcek is about another chip or firmware level",
    );
}

#[test]
fn levels_of_other_platforms_are_refused() {
    let sample = Sample::of("tdx-quote");
    let path = "/tdx/certification/v4/tcb";
    let routes = Routes::pcs(&sample, "tdx");
    let mut other = routes.answer(path);
    let text = String::from_utf8(other.body).unwrap();
    other.body = text.replace("00806F050000", "00906F050000").into_bytes();
    let vendor = Vendor::start(routes.put(path, other));
    refused(&sample, &vendor, 3, "dcap-tcb-info is about another family");
}

#[test]
fn levels_of_sgx_are_refused_for_a_quote_of_tdx() {
    let sample = Sample::of("tdx-quote");
    let path = "/tdx/certification/v4/tcb";
    let routes = Routes::pcs(&sample, "tdx");
    let mut other = routes.answer(path);
    let text = String::from_utf8(other.body).unwrap();
    other.body = text.replace("\"TDX\"", "\"SGX\"").into_bytes();
    let vendor = Vendor::start(routes.put(path, other));
    refused(&sample, &vendor, 3, "dcap-tcb-info");
}

#[test]
fn an_answer_without_the_certificates_above_it_is_refused() {
    for bad in [None, Some("%zz"), Some("none"), Some("")] {
        let sample = Sample::of("sgx-quote");
        let path = "/sgx/certification/v4/pckcrl";
        let routes = Routes::pcs(&sample, "sgx");
        let mut answer = routes.answer(path);
        answer.headers.truncate(1);
        if let Some(bad) = bad {
            answer = answer.header("SGX-PCK-CRL-Issuer-Chain", bad);
        }
        let vendor = Vendor::start(routes.put(path, answer));
        refused(&sample, &vendor, 3, "certificates above it are missing");
    }
}

#[test]
fn what_is_not_a_list_is_refused_and_not_cached() {
    let garbage = Answer::good("application/pkix-crl", "garbage");
    let (sample, vendor) = kds(|routes| routes.put(CRL, garbage));
    let home = Home::new();
    let outcome = gather(&home, &sample, &vendor, &[]);
    assert_eq!(outcome.exit, Some(3), "{outcome:?}");
    assert_eq!(std::fs::read_dir(cache(&home)).unwrap().count(), 2);
}

#[test]
fn what_was_gathered_before_stays_when_gathering_fails() {
    let (sample, vendor) = kds(|routes| routes.put(CRL, Answer::status(404)));
    let home = Home::new();
    home.write("out", "before");
    assert_eq!(gather(&home, &sample, &vendor, &[]).exit, Some(4));
    assert_eq!(std::fs::read(home.path().join("out")).unwrap(), b"before");
}

#[test]
fn only_a_file_is_written_over() {
    let (sample, vendor) = kds(|routes| routes);
    let home = Home::new();
    home.write("out/file", "in a folder");
    assert_eq!(gather(&home, &sample, &vendor, &[]).exit, Some(2));
    let mut command = home.command(&["collateral", "--evidence", "evidence"]);
    command.args(["--out", "/dev/null", "--amd-kds", &vendor.url()]);
    assert_eq!(command.output().unwrap().status.code(), Some(2));
    assert!(vendor.requests().is_empty());
}

#[test]
fn a_vlek_is_not_asked_for_but_taken_from_a_file() {
    let (mut sample, _) = kds(|routes| routes);
    let good = Routes::kds(&sample);
    let vendor = Vendor::start(
        Routes::default()
            .put("/vlek/v1/Genoa/cert_chain", good.answer(CHAIN))
            .put("/vlek/v1/Genoa/crl", good.answer(CRL)),
    );
    sample.evidence[0x48] = 1 << 2;
    refused(&sample, &vendor, 2, "--vlek");
    assert!(vendor.requests().is_empty());
    let home = Home::new();
    home.write("vlek", sample.part(Label::SnpVcek));
    let outcome = gather(&home, &sample, &vendor, &["--vlek", "vlek"]);
    assert_eq!(outcome.exit, Some(0), "{outcome:?}");
    let collateral = written(&home);
    assert_eq!(
        collateral.snp(&sample.evidence).unwrap().kind,
        KeyKind::Vlek
    );
    home.write("vlek", "no certificate");
    assert_eq!(
        gather(&home, &sample, &vendor, &["--vlek", "vlek"]).exit,
        Some(2)
    );
}

#[test]
fn an_old_report_needs_the_name_of_its_generation() {
    let (mut sample, vendor) = kds(|routes| routes);
    sample.evidence[0] = 2;
    sample.evidence[0x188..0x18B].fill(0);
    refused(&sample, &vendor, 2, "--product");
    let outcome = gather(&Home::new(), &sample, &vendor, &["--product", "genoa"]);
    assert_eq!(outcome.exit, Some(0), "{outcome:?}");
}

#[test]
fn a_report_that_nobody_signed_or_that_hides_its_chip_is_a_usage_error() {
    let (mut sample, vendor) = kds(|routes| routes);
    sample.evidence[0x48] = 7 << 2;
    refused(&sample, &vendor, 2, "no key signed it");
    sample.evidence[0x48] = 0;
    sample.evidence[0x1A0..0x1E0].fill(0);
    refused(&sample, &vendor, 2, "does not name its chip");
    assert!(vendor.requests().is_empty());
}

#[test]
fn evidence_of_no_or_another_kind_is_a_usage_error() {
    let (mut sample, vendor) = kds(|routes| routes);
    let outcome = gather(&Home::new(), &sample, &vendor, &["--kind", "tdx-quote"]);
    assert_eq!(outcome.exit, Some(2));
    assert!(
        outcome
            .stderr
            .contains("is a sev-snp-report, not a tdx-quote")
    );
    sample.evidence = b"evidence".to_vec();
    refused(&sample, &vendor, 2, "--kind");
    for kind in ["sev-snp-report", "tdx-quote", "sgx-quote", "nvidia-report"] {
        let outcome = gather(&Home::new(), &sample, &vendor, &["--kind", kind]);
        assert_eq!(outcome.exit, Some(2), "{kind}: {outcome:?}");
    }
    assert!(vendor.requests().is_empty());
}

#[test]
fn plain_http_is_for_this_machine_only() {
    let sample = Sample::of("sev-snp-report");
    let home = Home::new();
    home.write("evidence", &sample.evidence);
    for flag in [
        "--amd-kds",
        "--intel-pcs",
        "--intel-root-crl",
        "--nvidia-rim",
        "--nvidia-ocsp",
    ] {
        let url = "http://vendor.example";
        let arguments = [
            "collateral",
            "--evidence",
            "evidence",
            "--out",
            "out",
            flag,
            url,
        ];
        let outcome = home.run(&arguments);
        assert_eq!(outcome.exit, Some(2), "{flag}: {outcome:?}");
    }
}

#[test]
fn the_summary_says_what_was_gathered_and_how_long_it_is_good() {
    let (sample, vendor) = kds(|routes| routes);
    let home = Home::new();
    let json = gather(&home, &sample, &vendor, &["--json"]).json();
    let collateral = written(&home);
    assert_eq!(json["kind"], "sev-snp-report");
    assert_eq!(json["out"], "out");
    assert_eq!(json["expired"], false);
    assert_eq!(json["expires_at"], collateral.expires_at().get());
    assert_eq!(json["evidence"], collateral.evidence_digest().to_string());
    assert_eq!(json["entries"].as_array().unwrap().len(), 4);
    for (entry, part) in json["entries"]
        .as_array()
        .unwrap()
        .iter()
        .zip(collateral.entries())
    {
        assert_eq!(entry["label"], part.label().to_string());
        assert_eq!(entry["source"], part.source());
        assert_eq!(
            entry["expires_at"],
            part.expires_at().map(UnixSeconds::get).unwrap()
        );
    }
    let text = gather(&home, &sample, &vendor, &["--quiet"]);
    assert_eq!(text.stdout.lines().count(), 4);
    assert!(text.stderr.is_empty(), "{text:?}");
}

fn kds(edit: impl FnOnce(Routes) -> Routes) -> (Sample, Vendor) {
    let sample = Sample::of("sev-snp-report");
    let vendor = Vendor::start(edit(Routes::kds(&sample)));
    (sample, vendor)
}

fn nvidia(edit: impl FnOnce(Routes) -> Routes) -> (Sample, Vendor) {
    let sample = Sample::of("nvidia-report");
    let certificates = sample.certificates.as_ref().unwrap().as_bytes();
    let query =
        subrosa_attest::nvidia::CollateralQuery::of_device(&sample.evidence, certificates).unwrap();
    assert_eq!(query.driver_manifest(), Some(DRIVER));
    let routes = Routes::nvidia(&sample, DRIVER, query.firmware_manifest());
    let vendor = Vendor::start(edit(routes));
    (sample, vendor)
}

fn gather(home: &Home, sample: &Sample, vendor: &Vendor, more: &[&str]) -> Outcome {
    let output = prepare(home, sample, vendor, more).output().unwrap();
    Outcome::of(output, home.path())
}

fn prepare(home: &Home, sample: &Sample, vendor: &Vendor, more: &[&str]) -> std::process::Command {
    home.write("evidence", &sample.evidence);
    let url = vendor.url();
    let root_crl = format!("{url}/IntelSGXRootCA.der");
    let ocsp = format!("{url}/ocsp");
    let mut arguments = vec![
        "collateral",
        "--evidence",
        "evidence",
        "--out",
        "out",
        "--amd-kds",
        &url,
        "--intel-pcs",
        &url,
        "--intel-root-crl",
        &root_crl,
        "--nvidia-rim",
        &url,
        "--nvidia-ocsp",
        &ocsp,
    ];
    if let Some(certificates) = &sample.certificates {
        home.write("certificates", certificates);
        arguments.extend(["--certificates", "certificates"]);
    }
    arguments.extend(more);
    home.command(&arguments)
}

/// Gathering fails with this exit code and these words, and writes nothing.
fn refused(sample: &Sample, vendor: &Vendor, exit: i32, words: &str) {
    let home = Home::new();
    let outcome = gather(&home, sample, vendor, &[]);
    assert_eq!(outcome.exit, Some(exit), "{words}: {outcome:?}");
    assert!(outcome.stderr.contains(words), "{words}: {outcome:?}");
    assert!(!home.path().join("out").exists(), "{words}");
}

fn written(home: &Home) -> Collateral {
    Collateral::parse(&std::fs::read(home.path().join("out")).unwrap()).unwrap()
}

fn cache(home: &Home) -> std::path::PathBuf {
    home.path().join(".cache/subrosa/collateral")
}

fn assert_same_parts(got: &Collateral, expected: &Collateral) {
    let parts = |collateral: &Collateral| {
        let entries = collateral.entries().iter();
        entries
            .map(|entry| (entry.label(), entry.content().to_vec()))
            .collect::<Vec<_>>()
    };
    assert_eq!(parts(got), parts(expected));
}
