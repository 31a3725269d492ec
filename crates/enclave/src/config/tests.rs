//! Every bound has a case outside of it; the document and the fields agree.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::path::Path;

use super::*;

const SPECIFICATION: &str = include_str!("../../../../spec/configuration.md");

/// A configuration that every build accepts, but for its kinds.
const SNP: &str = "[listen]\naddress = \"127.0.0.1:0\"\n[platform]\nkind = \"snp\"\n";

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text.as_bytes(), Path::new("/folder"))
}

/// A good configuration with these lines added.
fn with(lines: &str) -> Result<Config, ConfigError> {
    let engine = "[engine]\nkind = \"upstream\"\nname = \"m\"\naddress = \"127.0.0.1:1\"\n";
    // Whether the build has the engine is looked at after these bounds.
    parse(&format!("{SNP}{engine}{lines}"))
}

fn refused(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

/// The names that a table accepts, from the words of the refusal.
fn fields(table: &str) -> Vec<String> {
    let error = refused(table);
    let (_, names) = error
        .split_once("expected")
        .unwrap_or_else(|| panic!("{table}: {error}"));
    let names: Vec<String> = names
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    assert!(!names.is_empty(), "{error}");
    names
}

#[test]
fn every_field_is_documented() {
    let listen = "[listen]\naddress = \"127.0.0.1:0\"\n";
    let echo = "[engine]\nkind = \"echo\"\n";
    for table in [
        "unknown = 1".to_owned(),
        "[listen]\nunknown = 1".to_owned(),
        format!("{listen}[limits]\nunknown = 1"),
        format!("{listen}[keys]\nunknown = 1"),
        format!("{listen}[shapes]\nunknown = 1"),
        format!("{listen}[shapes.balanced]\nunknown = 1"),
        format!("{listen}[engine]\nkind = \"unknown\""),
        format!("{listen}{echo}unknown = 1"),
        format!("{listen}[engine]\nkind = \"embedded\"\nunknown = 1"),
        format!("{listen}[engine]\nkind = \"embedded\"\nmodel = {{ unknown = 1 }}"),
        format!("{listen}[engine]\nkind = \"embedded\"\nmodel = \"demo\"\nsandbox = \"unknown\""),
        format!("{listen}[engine]\nkind = \"upstream\"\nunknown = 1"),
        format!("{listen}[engine]\nkind = \"upstream\"\nname = \"m\"\ncache = \"unknown\""),
        format!("{listen}{echo}[sampling]\nunknown = 1"),
        format!("{listen}{echo}[platform]\nkind = \"unknown\""),
        format!("{listen}{echo}[platform]\nkind = \"snp\"\nunknown = 1"),
        format!("{listen}{echo}[platform]\nkind = \"snp\"\ncertificates = {{ unknown = 1 }}"),
        format!("{listen}{echo}[platform]\nkind = \"simulated\"\nunknown = 1"),
        format!("{listen}{echo}[platform]\nkind = \"tdx\"\nunknown = 1"),
        format!("{listen}{echo}[platform]\nkind = \"nitro\"\nunknown = 1"),
        format!("{listen}{echo}[platform]\nkind = \"cca\"\nunknown = 1"),
        format!("{listen}{echo}[platform]\nkind = \"sgx\"\nunknown = 1"),
        format!("{listen}{echo}[platform]\nkind = \"tpm\"\nunknown = 1"),
        format!("{listen}{echo}[gpus]\nunknown = 1"),
        format!("{listen}{echo}[log]\nunknown = 1"),
    ] {
        for field in fields(&table) {
            let named = [
                "`{}`", "`\"{}\"`", "`[{}]`", "`[{}.", ".{}`", ".{}]`", "\"{}\"",
            ];
            let documented = named
                .iter()
                .any(|form| SPECIFICATION.contains(&form.replace("{}", &field)));
            assert!(documented, "`{field}` is not in spec/configuration.md");
        }
    }
}

#[test]
fn every_example_of_the_document_is_accepted() {
    let examples: Vec<&str> = SPECIFICATION.split("```toml\n").skip(1).collect();
    assert_eq!(examples.len(), 5);
    for example in examples {
        let (example, _) = example.split_once("```").unwrap();
        match parse(example) {
            Ok(_) | Err(ConfigError::FeatureMissing { .. }) => {}
            Err(error) => panic!("{error}\n{example}"),
        }
    }
}

#[test]
#[cfg(feature = "embedded")]
fn the_configuration_that_is_packaged_is_accepted() {
    let packaged = include_str!("../../../../deploy/enclave.toml");
    parse(packaged).unwrap();
}

#[test]
fn a_record_of_a_machine_goes_with_a_roster() {
    let files = "log = { release = \"r\", checkpoint = \"c\", directory = \"d\"";
    let config = |more: &str| {
        let (listen, platform) = (
            "listen.address = \"127.0.0.1:0\"",
            "platform = { kind = \"simulated\", root_secret = \"s\" }",
        );
        let text = format!("{listen}\nengine.kind = \"echo\"\n{platform}\n{files}{more} }}\n");
        Config::parse(text.as_bytes(), Path::new("/etc"))
    };
    if cfg!(feature = "development") {
        let good = config(", machines = \"m\", machine = \"/run/n\"").unwrap();
        let log = good.log().unwrap();
        assert_eq!(log.release, Path::new("/etc/r"));
        assert_eq!(log.checkpoint, Path::new("/etc/c"));
        assert_eq!(log.directory, Path::new("/etc/d"));
        assert_eq!(log.machines.as_deref(), Some(Path::new("/etc/m")));
        assert_eq!(log.machine.as_deref(), Some(Path::new("/run/n")));
        assert!(config("").is_ok());
    }
    for half in [", machines = \"m\"", ", machine = \"m\""] {
        let field = "log.machine";
        let error = config(half).unwrap_err();
        let is_half = matches!(error, ConfigError::Conflict { field: got, .. } if got == field);
        assert!(is_half || !cfg!(feature = "development"), "{error}");
    }
}

#[test]
fn the_documented_defaults_are_those_of_the_program() {
    let (limits, keys, shapes) = (Limits::default(), Keys::default(), Shapes::default());
    for (field, default) in [
        ("message_bytes", limits.message_bytes),
        ("buffered_bytes", limits.buffered_bytes),
        ("connections", limits.connections),
        ("exchanges", limits.exchanges),
        ("queue", limits.queue),
        ("answer_tokens", limits.answer_tokens),
        ("request_seconds", limits.request_seconds),
        ("read_seconds", limits.read_seconds),
        ("drain_seconds", limits.drain_seconds),
        ("epoch_seconds", keys.epoch_seconds),
        ("life_seconds", keys.life_seconds),
        ("replay_capacity", keys.replay_capacity),
    ] {
        let row = SPECIFICATION
            .lines()
            .find(|line| line.starts_with(&format!("| `{field}` |")))
            .unwrap_or_else(|| panic!("{field}"));
        assert!(row.ends_with(&format!("| {default} |")), "{row}");
    }
    assert_eq!(
        (shapes.balanced.tick_ms, shapes.balanced.record_bytes),
        (40, 256)
    );
    assert_eq!(
        (shapes.strict.tick_ms, shapes.strict.record_bytes),
        (50, 512)
    );
}

#[test]
fn an_unknown_key_is_refused_in_every_table() {
    for lines in [
        "[limits]\nconections = 1\n",
        "[keys]\nepoch = 1\n",
        "[shapes]\nloose = 1\n",
        "[shapes.strict]\ntick_ms = 1\nrecord_bytes = 64\nburst = 1\n",
        "[sampling]\nseed = 1\n",
        "[extra]\n",
    ] {
        let error = with(lines).unwrap_err();
        assert!(matches!(error, ConfigError::Syntax(_)), "{lines}: {error}");
    }
}

#[test]
fn a_number_outside_of_its_bounds_is_refused_by_name() {
    for (table, field, bad) in [
        ("limits", "message_bytes", "1023"),
        ("limits", "message_bytes", "16777217"),
        ("limits", "buffered_bytes", "4000000"),
        ("limits", "buffered_bytes", "4294967296"),
        ("limits", "connections", "0"),
        ("limits", "exchanges", "0"),
        ("limits", "queue", "0"),
        ("limits", "answer_tokens", "0"),
        ("limits", "request_seconds", "0"),
        ("limits", "request_seconds", "3601"),
        ("limits", "read_seconds", "0"),
        ("limits", "drain_seconds", "3601"),
        ("keys", "epoch_seconds", "0"),
        ("keys", "life_seconds", "599"),
        ("keys", "life_seconds", "1201"),
        ("keys", "replay_capacity", "0"),
        ("sampling", "max_tokens", "0"),
        ("sampling", "max_tokens", "4097"),
        ("sampling", "system_prompt", "\"\""),
    ] {
        let error = with(&format!("[{table}]\n{field} = {bad}\n")).unwrap_err();
        let named = matches!(&error, ConfigError::OutOfRange { field: at, .. } if *at == format!("{table}.{field}"));
        assert!(named, "{field} = {bad}: {error}");
    }
}

#[test]
fn a_shape_that_the_format_does_not_allow_is_refused() {
    for shape in [
        "tick_ms = 0\nrecord_bytes = 256",
        "tick_ms = 51\nrecord_bytes = 256",
        "tick_ms = 40\nrecord_bytes = 63",
        "tick_ms = 40\nrecord_bytes = 4097",
    ] {
        for profile in ["balanced", "strict"] {
            let error = with(&format!("[shapes.{profile}]\n{shape}\n")).unwrap_err();
            assert!(
                matches!(error, ConfigError::OutOfRange { .. }),
                "{shape}: {error}"
            );
        }
    }
}

#[test]
fn sampling_outside_of_its_bounds_is_refused() {
    for line in [
        "temperature = 2.1",
        "temperature = nan",
        "top_p = 0.0",
        "top_p = 1.1",
        "min_p = -0.1",
        "repeat_penalty = 0.0",
    ] {
        let error = with(&format!("[sampling]\n{line}\n")).unwrap_err();
        assert!(
            matches!(error, ConfigError::Invalid { .. }),
            "{line}: {error}"
        );
    }
}

#[test]
fn what_protects_nobody_serves_loopback_addresses_only() {
    let simulated = "[platform]\nkind = \"simulated\"\nroot_secret = \"s\"\n";
    for address in ["0.0.0.0:1", "192.0.2.1:1", "[::]:1"] {
        let text =
            format!("[listen]\naddress = \"{address}\"\n[engine]\nkind = \"echo\"\n{simulated}");
        assert!(refused(&text).starts_with("`listen.address`"), "{address}");
    }
}

#[test]
fn the_test_engine_needs_the_simulated_platform() {
    let text = format!("{SNP}[engine]\nkind = \"echo\"\n");
    assert!(refused(&text).starts_with("`engine.kind`"));
}

#[test]
fn metrics_are_for_loopback_only() {
    let text = "[listen]\naddress = \"127.0.0.1:0\"\nmetrics = \"0.0.0.0:9\"\n[engine]\nkind = \"echo\"\n[platform]\nkind = \"simulated\"\nroot_secret = \"s\"\n";
    assert!(refused(text).starts_with("`listen.metrics`"));
}

#[cfg(feature = "upstream")]
#[test]
fn an_upstream_server_outside_of_the_machine_is_refused() {
    let engine = |lines| format!("{SNP}[engine]\nkind = \"upstream\"\nname = \"m\"\n{lines}\n");
    assert!(refused(&engine("address = \"192.0.2.1:80\"")).starts_with("`engine.address`"));
    assert!(refused(&engine("")).starts_with("`engine.socket`"));
    assert!(
        refused(&engine("address = \"127.0.0.1:80\"\nsocket = \"s\""))
            .starts_with("`engine.socket`")
    );
}

#[cfg(feature = "embedded")]
#[test]
fn a_model_file_needs_its_digest() {
    let model = |table| format!("{SNP}[engine]\nkind = \"embedded\"\nmodel = {table}\n");
    assert!(refused(&model("{ name = \"m\", path = \"p\" }")).contains("sha256"));
    assert!(refused(&model("\"other\"")).contains("demo"));
    let short = model("{ name = \"m\", path = \"p\", sha256 = \"00\" }");
    assert!(parse(&short).is_err());
}

#[cfg(feature = "embedded")]
#[test]
fn relative_paths_start_at_the_folder_of_the_file() {
    let digest = "00".repeat(32);
    let text = format!(
        "{SNP}[engine]\nkind = \"embedded\"\nmodel = {{ name = \"m\", path = \"p\", sha256 = \"{digest}\" }}\n"
    );
    let config = parse(&text).unwrap();
    let EngineSettings::Embedded(settings) = config.engine() else {
        panic!("another engine")
    };
    assert!(
        matches!(&settings.model, ModelSource::File(file) if file.path == Path::new("/folder/p"))
    );
}

#[test]
fn two_certificates_of_the_same_key_are_refused() {
    let files =
        "[platform.certificates]\nvcek = \"a\"\nvlek = \"b\"\nintermediate = \"c\"\nroot = \"d\"\n";
    let text = format!(
        "[listen]\naddress = \"127.0.0.1:0\"\n[engine]\nkind = \"upstream\"\nname = \"m\"\naddress = \"127.0.0.1:1\"\n[platform]\nkind = \"snp\"\n{files}"
    );
    assert!(parse(&text).is_err());
}

/// A configuration with this table `[platform]`.
fn on(platform: &str) -> Result<Config, ConfigError> {
    parse(&format!(
        "[listen]\naddress = \"127.0.0.1:0\"\n[engine]\nkind = \"upstream\"\nname = \"m\"\naddress = \"127.0.0.1:1\"\n[platform]\n{platform}\n"
    ))
}

#[test]
fn each_rule_of_a_platform_is_refused_by_name() {
    for (platform, name) in [
        (
            "kind = \"snp\"\nprivilege_level = 4",
            "platform.privilege_level",
        ),
        ("kind = \"tpm\"\nregisters = []", "platform.registers"),
        ("kind = \"tpm\"\nregisters = [24]", "platform.registers"),
        (
            "kind = \"tpm\"\ncertificate_index = 1",
            "platform.certificate_index",
        ),
        ("kind = \"azure\"\nregisters = [24]", "platform.registers"),
        (
            "kind = \"azure\"\n[platform.certificates]\nintermediate = \"i\"\nroot = \"r\"",
            "platform.certificates",
        ),
        (
            "kind = \"tdx\"\ncollateral = \"c\"\n[tpm]\nregisters = []",
            "tpm.registers",
        ),
        (
            "kind = \"tdx\"\ncollateral = \"c\"\n[tpm]\ncertificate_index = 1",
            "tpm.certificate_index",
        ),
        ("kind = \"cca\"\n[tpm]", "tpm"),
        ("kind = \"azure\"\n[tpm]", "tpm"),
        ("kind = \"tdx\"", "collateral"),
        ("kind = \"tdx\"\ncollateral = \"c\"\nlog = \"l\"", "log"),
        ("kind = \"nitro\"\nnonce = \"n\"", "nonce"),
        ("kind = \"trustzone\"", "trustzone"),
    ] {
        let error = on(platform).unwrap_err().to_string();
        let named = error.starts_with(&format!("`{name}`")) || error.contains(&format!("`{name}`"));
        assert!(named && !error.contains("feature"), "{platform}: {error}");
    }
}

#[test]
fn paths_of_a_platform_start_at_the_folder_of_the_file() {
    let text = "kind = \"tdx\"\ncollateral = \"c\"\nevent_log = \"l\"\ntsm_folder = \"t\"";
    let mut platform: PlatformSettings = toml::from_str(text).unwrap();
    platform.resolve_paths(Path::new("/folder"));
    let PlatformSettings::Tdx(tdx) = platform else {
        panic!("another platform")
    };
    for (path, expected) in [
        (&tdx.collateral, "/folder/c"),
        (&tdx.event_log, "/folder/l"),
        (&tdx.tsm_folder, "/folder/t"),
    ] {
        assert_eq!(path, Path::new(expected));
    }
    let mut gpus: GpuSettings = toml::from_str("collateral = [\"c\"]").unwrap();
    gpus.resolve_paths(Path::new("/folder"));
    assert_eq!(gpus.collateral, [Path::new("/folder/c")]);
    // The system looks for it.
    assert_eq!(gpus.library, Path::new("libnvidia-ml.so.1"));
}

#[cfg(not(feature = "development"))]
#[test]
fn a_build_without_development_refuses_what_protects_nobody() {
    let text = "listen.address = \"127.0.0.1:0\"\nengine.kind = \"echo\"\nplatform = { kind = \"simulated\", root_secret = \"s\" }\n";
    assert!(refused(text).contains("feature `development`"));
}

#[cfg(feature = "development")]
#[test]
fn the_digest_is_that_of_the_exact_bytes() {
    let text = "listen.address = \"127.0.0.1:0\"\nengine.kind = \"echo\"\nplatform = { kind = \"simulated\", root_secret = \"s\" }\n";
    let other = format!("{text}# a comment\n");
    let digest = |text: &str| *parse(text).unwrap().digest();
    assert_ne!(digest(text), digest(&other));
    assert_eq!(digest(text), <[u8; 32]>::from(Sha256::digest(text)));
}

#[test]
fn the_largest_bucket_of_a_request_fits_its_sealed_size() {
    let limits = Limits::default();
    let message = usize::try_from(limits.message_bytes).unwrap();
    // Header, encapsulation, request id, ephemeral key, token, and each chunk's
    // length and tag.
    let before = 1 + 16 + 1120 + 16 + 2 + 1216 + 2 + 1024;
    let chunks = (message + before) / 16_384 + 1;
    assert!(limits.sealed_bytes() >= message + before + chunks * 20);
}
