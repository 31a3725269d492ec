//! `subrosa release`, `audit` and `upgrade` with a real log, witnesses and a source of their own.
#![cfg(unix)]
#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::format_push_string,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests"
)]

mod support;

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use support::running::Running;
use support::{Home, Outcome};

const SERVICE: &str = "subrosa.example/chat";

/// A source with a commit, what was built of it, a log with two witnesses, and a policy.
struct Place {
    home: Home,
    log: Running,
    _witnesses: Vec<Running>,
}

fn ok(outcome: Outcome) -> Outcome {
    assert_eq!(outcome.exit, Some(0), "{outcome:#?}");
    outcome
}

fn refused(outcome: &Outcome, words: &str) {
    assert_eq!(outcome.exit, Some(3), "{outcome:#?}");
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(said.contains(words), "{words} in {outcome:#?}");
}

impl Place {
    fn new() -> Self {
        let home = Home::new();
        source(&home);
        let key = |outcome: Outcome| ok(outcome).json()["key"].as_str().unwrap().to_owned();
        let log_key = key(home.run(&["log", "init", "log", "--name", "example.com/log", "--json"]));
        let (mut witnesses, mut keys, mut list) =
            (Vec::new(), Vec::new(), "quorum = 2\n".to_owned());
        for n in 0..2 {
            let (folder, name) = (format!("w{n}"), format!("witness{n}.example"));
            let own = key(home.run(&["witness", "init", &folder, "--name", &name, "--json"]));
            let serve = [
                "witness",
                "serve",
                &folder,
                "--listen",
                "127.0.0.1:0",
                "--log",
                &log_key,
            ];
            let witness = Running::start(&home, &serve);
            list += &format!(
                "[[witnesses]]\nurl = \"{}\"\nkey = \"{own}\"\n",
                witness.line
            );
            witnesses.push(witness);
            keys.push(own);
        }
        home.write("witnesses.toml", list);
        let author = |name| key(home.run(&["log", "author", name, "--name", name, "--json"]));
        let (release, stranger) = (author("release"), author("stranger"));
        home.write("empty", "the first entry");
        ok(home.run(&[
            "log",
            "add",
            "log",
            "empty",
            "--witnesses",
            "witnesses.toml",
        ]));
        let serve = [
            "log",
            "serve",
            "log",
            "--listen",
            "127.0.0.1:0",
            "--author",
            &release,
        ];
        let serve = [
            &serve[..],
            &["--author", &stranger, "--witnesses", "witnesses.toml"],
        ]
        .concat();
        let log = Running::start(&home, &serve);
        let policy = format!(
            "version = 1\nname = \"t\"\nplatforms = [\"sev-snp\"]\n[log]\nservice = \"{SERVICE}\"\nkey = \"{log_key}\"\ntiles = \"{}\"\n\
             witnesses = {keys:?}\nquorum = 2\n\
             releases = {{ keys = [{release:?}], threshold = 1 }}\n\
             machines = {{ keys = [{release:?}], threshold = 1 }}\n\
             directories = {{ keys = [{release:?}], threshold = 1 }}\n",
            log.line
        );
        home.write("policy.toml", policy);
        Self {
            home,
            log,
            _witnesses: witnesses,
        }
    }

    fn manifest(&self, sequence: u64) -> Value {
        let sequence = sequence.to_string();
        let flags = [
            "release",
            "manifest",
            "--service",
            SERVICE,
            "--sequence",
            &sequence,
        ];
        let more = [
            "--builder",
            "https://ci.example",
            "--source",
            "source",
            "--output",
            "manifest.json",
        ];
        ok(self.home.run(&[&flags[..], &more].concat()));
        let text = std::fs::read(self.home.path().join("manifest.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// Signs and logs a manifest, and keeps the proof under this name.
    fn publish(&self, manifest: &Value, author: &str, name: &str) {
        self.home.write("manifest.json", manifest.to_string());
        let sign = [
            "log",
            "release",
            "manifest.json",
            "--key",
            author,
            "--output",
            "release.note",
        ];
        ok(self.home.run(&sign));
        let note = std::fs::read(self.home.path().join("release.note")).unwrap();
        let url = format!("{}/add", self.log.line);
        let answer = ureq::post(url)
            .content_type("text/plain; charset=utf-8")
            .send(&note[..]);
        let proof = answer.unwrap().into_body().read_to_vec().unwrap();
        self.home.write(name, proof);
    }

    fn release(&self, sequence: u64, name: &str) {
        self.publish(&self.manifest(sequence), "release", name);
    }

    fn audit(&self, more: &[&str]) -> Outcome {
        let flags = [
            "audit",
            "release",
            "proof",
            "--policy",
            "policy.toml",
            "--source",
            "source",
        ];
        self.home
            .run(&[&flags[..], &["--built", "source/dist"], more].concat())
    }

    fn upgrade(&self, proof: &str, more: &[&str]) -> Outcome {
        let flags = [
            "upgrade",
            "--check",
            "source/dist/subrosa",
            proof,
            "--policy",
            "policy.toml",
        ];
        self.home.run(&[&flags[..], more].concat())
    }
}

fn git(home: &Home, arguments: &[&str]) {
    let output = Command::new("git")
        .args([
            "-C",
            "source",
            "-c",
            "user.name=T",
            "-c",
            "user.email=t@example.com",
        ])
        .args(arguments)
        .current_dir(home.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// A source whose builder writes the same files each time.
fn source(home: &Home) {
    let plan = "schema = 1\nartefacts = [\"subrosa\", \"image/initrd\"]\nmeasurements = \"image/measurement.json\"\n\
                [[weights]]\nname = \"demo\"\nfile = \"demo.gguf\"\n";
    home.write("source/release.toml", plan);
    home.write("source/demo.gguf", "weights");
    home.write("source/.gitignore", "dist/\n");
    let measured = json!({
        "version": 1,
        "configuration": "c".repeat(64),
        "tpm": { "pcr4": "4".repeat(64), "pcr9": "9".repeat(64), "pcr11": "1".repeat(64) },
    });
    let build = format!(
        "test \"$1\" = --image\nmkdir -p dist/image\nprintf program >dist/subrosa\n\
         printf initrd >dist/image/initrd\nprintf '%s' '{measured}' >dist/image/measurement.json\n"
    );
    home.write("source/scripts/release", build);
    git(home, &["init", "-q"]);
    git(home, &["add", "."]);
    git(home, &["commit", "-qm", "first"]);
    let build = Command::new("bash")
        .args(["scripts/release", "--image"])
        .current_dir(home.path().join("source"))
        .status();
    assert!(build.unwrap().success());
}

#[test]
fn a_release_that_is_built_again_has_the_same_bytes() {
    let place = Place::new();
    place.release(1, "proof");
    let audited = ok(place.audit(&[]));
    assert!(audited.stderr.contains("REBUILT"), "{audited:#?}");
    for row in [
        "release-logged",
        "source",
        "artefact",
        "measurement",
        "weights",
        "configuration",
    ] {
        assert!(
            audited.stdout.contains(&format!("✓ {row}")),
            "{row} in {audited:#?}"
        );
    }
    // Without --built it builds.
    std::fs::remove_dir_all(place.home.path().join("source/dist")).unwrap();
    let flags = [
        "audit",
        "release",
        "proof",
        "--policy",
        "policy.toml",
        "--source",
        "source",
        "--json",
    ];
    let audited = ok(place.home.run(&flags)).json();
    assert_eq!(audited["same"], true);
    assert_eq!(audited["first_difference"], Value::Null);
    assert_eq!(audited["rows"].as_array().unwrap().len(), 7);
}

#[test]
fn each_thing_that_is_not_the_same_is_named() {
    let place = Place::new();
    place.release(1, "proof");
    let measured =
        std::fs::read_to_string(place.home.path().join("source/dist/image/measurement.json"));
    let measured = measured.unwrap();
    let changes = [
        ("subrosa", "Program".to_owned(), "artefact subrosa"),
        ("subrosa", "programs".to_owned(), "artefact subrosa"),
        ("image/initrd", "initre".to_owned(), "artefact image/initrd"),
        (
            "image/measurement.json",
            measured.replace(&"9".repeat(64), &"8".repeat(64)),
            "measurement TPM, QEMU",
        ),
        (
            "image/measurement.json",
            measured.replace(&"c".repeat(64), &"d".repeat(64)),
            "configuration image",
        ),
    ];
    for (file, text, first) in changes {
        let path = place.home.path().join("source/dist").join(file);
        let good = std::fs::read(&path).unwrap();
        std::fs::write(&path, text).unwrap();
        refused(&place.audit(&[]), &format!("NOT THE SAME: first {first}"));
        std::fs::remove_file(&path).unwrap();
        refused(&place.audit(&[]), "was not built here");
        std::fs::write(&path, good).unwrap();
    }
    ok(place.audit(&[]));
}

#[test]
fn where_a_published_file_begins_to_differ_is_shown() {
    let place = Place::new();
    place.release(1, "proof");
    place.home.write("downloads/subrosa", "program");
    place.home.write("source/dist/subrosa", "proGram");
    let audited = place.audit(&["--published", "downloads"]);
    refused(&audited, "differ from byte 3: 6772616d / 4772616d");
}

#[test]
fn only_a_clean_checkout_of_the_releases_commit_is_audited() {
    let place = Place::new();
    place.release(1, "proof");
    place.home.write("source/more", "x");
    refused(&place.audit(&[]), "has changes");
    git(&place.home, &["add", "."]);
    git(&place.home, &["commit", "-qm", "second"]);
    refused(&place.audit(&[]), "is not the source of this release");
    place.home.write("source/more", "y");
    let flags = [
        "release",
        "manifest",
        "--service",
        SERVICE,
        "--sequence",
        "2",
        "--builder",
        "x",
    ];
    let made = place
        .home
        .run(&[&flags[..], &["--source", "source", "--output", "m"]].concat());
    assert_eq!(made.exit, Some(2), "{made:#?}");
    assert!(made.stderr.contains("not committed"), "{made:#?}");
}

#[test]
fn a_manifest_is_not_made_of_half_a_release() {
    let place = Place::new();
    for file in ["subrosa", "image/measurement.json"] {
        let path = place.home.path().join("source/dist").join(file);
        let good = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let flags = [
            "release",
            "manifest",
            "--service",
            SERVICE,
            "--sequence",
            "1",
            "--builder",
            "x",
        ];
        let made = place
            .home
            .run(&[&flags[..], &["--source", "source", "--output", "m"]].concat());
        assert_eq!(made.exit, Some(2), "{made:#?}");
        assert!(
            made.stderr.contains(&format!("missing: {file}")),
            "{made:#?}"
        );
        std::fs::write(&path, good).unwrap();
    }
}

#[test]
fn a_file_of_a_logged_release_may_be_installed() {
    let place = Place::new();
    place.release(1, "proof");
    let checked = ok(place.upgrade("proof", &["--json"])).json();
    assert_eq!(checked["artefact"], "subrosa");
    assert_eq!(checked["sequence"], 1);
    // The log has grown since: the proof is renewed, and the growth is proven.
    place.release(2, "newer");
    ok(place.upgrade("proof", &[]));
    ok(place.upgrade("newer", &[]));
}

#[test]
fn a_version_older_than_the_program_is_refused_unless_it_is_asked_for() {
    let place = Place::new();
    for (version, standing) in [("9.0.0", "newer"), ("0.0.9", "older"), ("x", "unordered")] {
        let mut manifest = place.manifest(1);
        manifest["version"] = json!(version);
        place.publish(&manifest, "release", "proof");
        let flags: &[&str] = if standing == "older" {
            refused(&place.upgrade("proof", &[]), "older than this program");
            &["--older", "--json"]
        } else {
            &["--json"]
        };
        let checked = ok(place.upgrade("proof", flags)).json();
        assert_eq!(checked["standing"], standing);
    }
}

/// A published bundle, of another release than any here.
#[cfg(feature = "provenance")]
mod provenance {
    use super::*;

    const BUNDLE: &[u8] =
        include_bytes!("../../provenance/tests/data/sigstore-js-2.0.0.sigstore.json");
    const IDENTITY: &str =
        "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main";

    fn audit(place: &Place, identity: &str) -> Outcome {
        let flags = ["audit", "provenance", "proof", "--policy", "policy.toml"];
        let bundle = ["--bundle", "bundle", "--identity", identity];
        let issuer = ["--issuer", "https://token.actions.githubusercontent.com"];
        place
            .home
            .run(&[&flags[..], &bundle, &issuer, &["--json"]].concat())
    }

    fn manifest(place: &Place) -> Value {
        use sha2::Digest as _;
        let mut manifest = place.manifest(1);
        let digest = hex::encode(sha2::Sha256::digest(BUNDLE));
        let builder = "https://github.com/actions/runner/github-hosted";
        manifest["builder"] = json!({ "id": builder, "provenance": digest });
        let commit = "f0b49a04e5a62250e0f60fb128004a73110fe311";
        let repository = "https://github.com/sigstore/sigstore-js";
        manifest["source"] = json!({ "repository": repository, "commit": commit });
        manifest
    }

    #[test]
    fn a_builders_word_is_held_against_every_part_of_the_release() {
        let place = Place::new();
        place.home.write("bundle", BUNDLE);
        place.publish(&manifest(&place), "release", "proof");
        let audited = audit(&place, IDENTITY);
        assert_eq!(audited.exit, Some(3), "{audited:#?}");
        let audited = audited.json();
        assert_eq!(audited["same"], false);
        let rows = audited["rows"].as_array().unwrap();
        let rows = rows
            .iter()
            .map(|row| (row["check"].as_str().unwrap(), row["passed"] == true));
        let expected = [
            ("release-logged", true),
            ("bundle", true),
            ("signer", true),
            ("builder", true),
            ("source", true),
            ("certificate", true),
            // The statement is of another file.
            ("artefact", false),
            ("artefact", false),
        ];
        assert_eq!(rows.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_bundle_of_another_signer_or_that_the_release_does_not_name_is_refused() {
        let place = Place::new();
        place.home.write("bundle", BUNDLE);
        place.publish(&manifest(&place), "release", "proof");
        let other = IDENTITY.replace("main", "other");
        refused(&audit(&place, &other), "this provenance is not accepted");
        place.home.write("bundle", [BUNDLE, b"\n"].concat());
        refused(&audit(&place, IDENTITY), "the release names");
        let mut without = manifest(&place);
        without["builder"]
            .as_object_mut()
            .unwrap()
            .remove("provenance");
        place.publish(&without, "release", "proof");
        refused(&audit(&place, IDENTITY), "the release names none");
    }
}

#[test]
fn a_file_of_another_release_is_refused() {
    let place = Place::new();
    place.release(1, "proof");
    place.home.write("source/dist/subrosa", "Program");
    refused(&place.upgrade("proof", &[]), "is not of this release");
}

#[test]
fn a_release_older_than_one_that_was_seen_is_refused() {
    let place = Place::new();
    place.release(1, "old");
    place.release(2, "new");
    ok(place.upgrade("new", &[]));
    refused(&place.upgrade("old", &[]), "below its minimum, 2");
}

#[test]
fn a_release_that_is_not_logged_signed_or_for_now_is_refused() {
    let place = Place::new();
    let good = place.manifest(1);
    place.publish(&good, "stranger", "proof");
    for outcome in [place.upgrade("proof", &[]), place.audit(&[])] {
        refused(&outcome, "this release is not accepted");
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    for (member, value) in [("not-after", now - 1), ("not-before", now + 3600)] {
        let mut manifest = good.clone();
        manifest["not-before"] = json!(now - 7200);
        manifest[member] = json!(value);
        place.publish(&manifest, "release", "proof");
        for outcome in [place.upgrade("proof", &[]), place.audit(&[])] {
            refused(&outcome, "this release is not accepted");
        }
    }
    let mut manifest = good.clone();
    manifest["service"] = json!("subrosa.example/other");
    place.publish(&manifest, "release", "proof");
    refused(
        &place.upgrade("proof", &[]),
        "the policy names subrosa.example/chat",
    );

    // Of an entry that the log does not have at that place.
    place.publish(&good, "release", "proof");
    let proof = std::fs::read_to_string(place.home.path().join("proof")).unwrap();
    let index = proof
        .lines()
        .find(|line| line.starts_with("index "))
        .unwrap();
    let index = index.to_owned();
    place.home.write("other", proof.replace(&index, "index 0"));
    refused(
        &place.upgrade("other", &[]),
        "entry 0 of the log is another one",
    );
}

#[test]
fn without_two_witnesses_nothing_is_accepted() {
    let place = Place::new();
    place.release(1, "proof");
    let proof = std::fs::read_to_string(place.home.path().join("proof")).unwrap();
    ok(place.upgrade("proof", &["--offline"]));
    let lines: Vec<_> = proof.lines().collect();
    let (last, rest) = lines.split_last().unwrap();
    assert!(last.contains("witness"), "{last}");
    place.home.write("proof", rest.join("\n") + "\n");
    refused(
        &place.upgrade("proof", &["--offline"]),
        "this release is not accepted",
    );
    // The log has both signatures still.
    ok(place.upgrade("proof", &[]));
}

#[test]
fn a_log_that_goes_back_is_refused_and_both_checkpoints_are_kept() {
    let place = Place::new();
    place.release(1, "old");
    let old = std::fs::read(place.home.path().join("old")).unwrap();
    place.release(1, "new");
    ok(place.upgrade("new", &[]));
    place.home.write("old", old);
    let outcome = place.upgrade("old", &["--offline"]);
    refused(&outcome, "the log has 2 entries, and had 3 before");
    assert!(outcome.stderr.contains("misbehaviour"), "{outcome:#?}");
}

#[test]
fn a_policy_without_a_log_is_refused() {
    let place = Place::new();
    place.release(1, "proof");
    place.home.write(
        "policy.toml",
        "version = 1\nname = \"t\"\nplatforms = [\"sev-snp\"]\n",
    );
    for outcome in [place.upgrade("proof", &[]), place.audit(&[])] {
        assert_eq!(outcome.exit, Some(2), "{outcome:#?}");
        assert!(outcome.stderr.contains("names no log"), "{outcome:#?}");
    }
}

/// Serves files as an edge does.
fn serve(files: Vec<(&'static str, Vec<u8>)>, policy: &'static str) -> String {
    use std::io::{BufRead as _, BufReader, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut line = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            reader.read_line(&mut line).unwrap();
            let path = line.split(' ').nth(1).unwrap().trim_start_matches('/');
            let name = if path.is_empty() { "index.html" } else { path };
            let file = files.iter().find(|(other, _)| *other == name);
            let (status, body) =
                file.map_or(("404 Not Found", &[][..]), |(_, body)| ("200 OK", body));
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\ncontent-security-policy: {policy}\r\n\r\n",
                body.len()
            );
            // Whoever read enough has left.
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(body);
        }
    });
    url
}

const PAGE_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; base-uri 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'";
const FILES: [(&str, &str); 3] = [
    ("assets/app.js", "code"),
    ("index.html", "page"),
    ("policy.toml", "policy"),
];

#[test]
fn a_web_application_is_held_against_the_logged_release() {
    use sha2::{Digest as _, Sha256};
    let place = Place::new();
    let mut manifest = place.manifest(1);
    let files = || {
        FILES
            .map(|(name, text)| (name, text.as_bytes().to_vec()))
            .to_vec()
    };
    let listed = |files: &[(&str, &str)]| -> Vec<Value> {
        files
            .iter()
            .map(|(name, text)| json!({ "name": name, "sha256": hex::encode(Sha256::digest(text)), "bytes": text.len() }))
            .collect()
    };
    manifest["web-assets"] = json!(listed(&FILES));
    place.publish(&manifest, "release", "proof");
    let check = |url: &str, proof: &str| {
        let flags = ["verify-web", url, proof, "--policy", "policy.toml"];
        place.home.run(&flags)
    };
    let good = ok(check(&serve(files(), PAGE_POLICY), "proof"));
    assert!(good.stderr.contains("LOGGED"), "{good:#?}");
    assert_eq!(
        good.stdout.matches("the same bytes").count(),
        5,
        "{good:#?}"
    );
    for (index, (name, _)) in FILES.iter().enumerate() {
        let mut changed = files();
        changed[index].1[0] ^= 1;
        refused(
            &check(&serve(changed, PAGE_POLICY), "proof"),
            &format!("✗ {name}"),
        );
        let mut longer = files();
        longer[index].1.push(b' ');
        refused(
            &check(&serve(longer, PAGE_POLICY), "proof"),
            &format!("✗ {name}"),
        );
        let mut fewer = files();
        fewer.remove(index);
        refused(
            &check(&serve(fewer, PAGE_POLICY), "proof"),
            "the server answered 404",
        );
    }
    let loose = "default-src 'none'; script-src 'self' 'unsafe-inline'";
    refused(
        &check(&serve(files(), loose), "proof"),
        "`script-src` is not",
    );
    let away = check("http://127.0.0.1:1", "proof");
    assert_eq!(away.exit, Some(4), "{away:#?}");
    // A release whose page's policy is not logged, and one without a page.
    manifest["sequence"] = json!(2);
    manifest["web-assets"] = json!(listed(&FILES[..2]));
    place.publish(&manifest, "release", "unlisted");
    refused(
        &check(&serve(files(), PAGE_POLICY), "unlisted"),
        "✗ policy.toml",
    );
    manifest["sequence"] = json!(3);
    manifest["web-assets"] = json!([]);
    place.publish(&manifest, "release", "without");
    refused(
        &check(&serve(files(), PAGE_POLICY), "without"),
        "no web application",
    );
}
