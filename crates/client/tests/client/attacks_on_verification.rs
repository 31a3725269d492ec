//! Directories and evidence that are not what they should be. Nothing is ever sent then.

use std::time::Duration;

use subrosa_api::error::Code;
use subrosa_attest::Bundle;
use subrosa_client::{Client, Config, Error, Refusal, RefusalReason, Trust};

use crate::support::{
    End, Keys, NOW, Reply, Server, TestRng, World, chat, entry, evidence, policy_text, root,
};

const DIRECTORY: &str = "/subrosa/v1/directory";

/// Tries to send to `server`; it must not be sent anything.
async fn refusal(world: &World, server: &Server) -> Error {
    let client = world.client(server);
    let error = client
        .send(&chat("hello", false), &Default::default())
        .await
        .unwrap_err();
    assert!(server.exchanges().is_empty(), "nothing was sent");
    error
}

async fn refusal_of(keys: &[&Keys], world: &World) -> Error {
    world.publish(keys);
    let server = Server::honest(world).await;
    refusal(world, &server).await
}

async fn refusal_of_directory(reply: Reply) -> Error {
    let world = World::new();
    let server = Server::with(
        &world,
        move |path| (path == DIRECTORY).then(|| reply.clone()),
        |_, _| unreachable!("nothing is sent"),
    )
    .await;
    refusal(&world, &server).await
}

// --- Evidence ---------------------------------------------------------------

#[tokio::test]
async fn evidence_for_another_key_configuration_is_refused() {
    let world = World::empty();
    let (mut shown, bound) = (world.keys(|_| {}), world.keys(|_| {}));
    shown.bundle = evidence(bound.kc.as_bytes(), shown.kc.as_bytes());
    shown.entry = entry(&shown.kc, &shown.bundle);
    let error = refusal_of(&[&shown], &world).await;
    assert_eq!(error.code(), Code::Refused);
    assert_eq!(
        error.refusal().map(Refusal::reason_code),
        Some("report-data-mismatch")
    );
}

#[tokio::test]
async fn each_value_of_a_key_configuration_must_be_one_that_the_policy_lists() {
    for edit in [
        (|params| params.configuration = [4; 32])
            as fn(&mut subrosa_channel::KeyConfigurationParams),
        |params| params.release_id = [4; 32],
        |params| params.models[0].weights = [4; 32],
    ] {
        let world = World::empty();
        let error = refusal_of(&[&world.keys(edit)], &world).await;
        assert_eq!(error.code(), Code::WrongKeyConfiguration);
    }
}

#[tokio::test]
async fn an_expired_key_is_refused_whether_the_directory_says_so_or_not() {
    for lie in [None, Some(NOW + 1200)] {
        let world = World::empty();
        let mut old = world.keys(|params| {
            params.not_before = NOW - 1200;
            params.not_after = NOW;
        });
        if let Some(lie) = lie {
            old.entry = old.entry.replace(
                &format!("\"not_after\":{NOW}"),
                &format!("\"not_after\":{lie}"),
            );
        }
        let error = refusal_of(&[&old], &world).await;
        assert_eq!(error.code(), Code::EvidenceExpired);
    }
}

#[tokio::test]
async fn a_key_that_ends_within_a_minute_is_refused() {
    let world = World::empty();
    let old = world.keys(|params| {
        params.not_before = NOW - 1000;
        params.not_after = NOW + 59;
    });
    let error = refusal_of(&[&old], &world).await;
    assert_eq!(error.code(), Code::EvidenceExpired);
    let reason = error.refusal().unwrap().reason();
    assert!(
        matches!(reason, RefusalReason::Expiring { .. }),
        "{reason:?}"
    );
}

#[tokio::test]
async fn a_key_from_the_future_is_refused() {
    let world = World::empty();
    let future = world.keys(|params| {
        params.not_before = NOW + 61;
        params.not_after = NOW + 1200;
    });
    let error = refusal_of(&[&future], &world).await;
    assert_eq!(
        error.refusal().map(Refusal::reason_code),
        Some("key-not-yet-valid")
    );
}

#[tokio::test]
async fn evidence_whose_certificates_have_expired_is_refused() {
    let world = World::empty();
    world.clock.advance(11 * 365 * 24 * 60 * 60);
    let error = refusal_of(&[&world.keys(|_| {})], &world).await;
    assert_eq!(
        error.refusal().map(Refusal::reason_code),
        Some("certificate-expired")
    );
}

#[tokio::test]
async fn evidence_of_another_simulated_root_is_refused() {
    let world = World::new();
    let server = Server::honest(&world).await;
    let public = root().public().to_public_file();
    let at = public.find("ark_sha256").unwrap() + "ark_sha256\": \"".len();
    let digit = if &public[at..=at] == "0" { "1" } else { "0" };
    let other = [&public[..at], digit, &public[at + 1..]].concat();
    let mut config = world.config(&server);
    config.trust = Trust::development(&other).unwrap();
    let error = world.client_of(config).node().await.unwrap_err();
    assert_eq!(
        error.refusal().map(Refusal::reason_code),
        Some("root-not-pinned")
    );
}

#[tokio::test]
async fn a_policy_without_the_measurement_refuses() {
    let world = World::new();
    let server = Server::honest(&world).await;
    let mut config = world.config(&server);
    let other = policy_text().replace("5a5a5a5a", "5a5a5a5b");
    config.policy = subrosa_attest::Policy::parse(&other).unwrap();
    let error = world.client_of(config).node().await.unwrap_err();
    assert_eq!(
        error.refusal().map(Refusal::reason_code),
        Some("measurement-not-allowed")
    );
    assert!(error.refusal().unwrap().appraisal().is_some());
}

// --- Directory and bundles ------------------------------------------------------

#[tokio::test]
async fn each_field_of_a_directory_must_be_what_the_verified_key_configuration_says() {
    for (from, to, field) in [
        (r#""key_id":""#, r#""key_id":"X"#, "key_id"),
        (r#""not_before":1"#, r#""not_before":2"#, "not_before"),
        (r#""not_after":1"#, r#""not_after":2"#, "not_after"),
        (r#"["subrosa-demo"]"#, r#"["other"]"#, "models"),
        (
            r#"["subrosa-demo"]"#,
            r#"["subrosa-demo","other"]"#,
            "models",
        ),
        (r#"["subrosa-demo"]"#, "[]", "models"),
    ] {
        let world = World::empty();
        let mut keys = world.keys(|_| {});
        keys.entry = if field == "key_id" {
            let id = keys.kc.key_id().to_string();
            keys.entry
                .replace(&id, &id.chars().rev().collect::<String>())
        } else {
            keys.entry.replace(from, to)
        };
        let error = refusal_of(&[&keys], &world).await;
        assert_eq!(error.code(), Code::WrongKeyConfiguration);
        let refused = matches!(error.refusal().unwrap().reason(), RefusalReason::DirectoryMismatch { field: f } if *f == field);
        assert!(refused, "{field}: {error:?}");
    }
}

async fn refusal_of_bundle(bytes: Vec<u8>, edit: impl Fn(&mut Keys)) -> Error {
    let world = World::empty();
    let mut keys = world.keys(|_| {});
    edit(&mut keys);
    world.publish(&[&keys]);
    let server = Server::with(
        &world,
        move |path| {
            path.starts_with("/subrosa/v1/bundles/")
                .then(|| Reply::plain(200, bytes.clone()))
        },
        |_, _| unreachable!("nothing is sent"),
    )
    .await;
    refusal(&world, &server).await
}

#[tokio::test]
async fn a_bundle_of_another_hash_is_refused_even_if_it_is_good() {
    let world = World::new();
    let other = world.rotate();
    let error = refusal_of_bundle(other.bundle, |_| {}).await;
    let reason = error.refusal().unwrap().reason();
    assert!(
        matches!(reason, RefusalReason::BundleHash { .. }),
        "{reason:?}"
    );
}

#[tokio::test]
async fn garbage_is_refused_as_a_bundle() {
    let error = refusal_of_bundle(b"garbage".to_vec(), |keys| {
        keys.entry = entry(&keys.kc, b"garbage")
    })
    .await;
    assert_eq!(
        error.refusal().map(Refusal::reason_code),
        Some("bundle-malformed")
    );
    assert_eq!(
        error.refusal().unwrap().verdict_line(),
        "REFUSED: bundle-malformed"
    );
}

#[tokio::test]
async fn a_bundle_over_the_limit_is_refused() {
    let error = refusal_of_bundle(vec![0; Bundle::MAX_LEN + 1], |_| {}).await;
    let reason = error.refusal().unwrap().reason();
    assert!(
        matches!(reason, RefusalReason::BundleTooLarge { .. }),
        "{reason:?}"
    );
}

#[tokio::test]
async fn a_bundle_that_is_not_there_is_an_error() {
    let world = World::new();
    let server = Server::with(
        &world,
        |path| {
            path.starts_with("/subrosa/v1/bundles/")
                .then(|| Reply::plain(404, "{}"))
        },
        |_, _| unreachable!("nothing is sent"),
    )
    .await;
    let error = refusal(&world, &server).await;
    assert!(
        matches!(error, Error::Problem { status: 404, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_huge_directory_is_refused() {
    let error = refusal_of_directory(Reply::plain(200, vec![b' '; (64 << 10) + 1])).await;
    assert!(matches!(error, Error::Directory(_)), "{error:?}");
}

#[tokio::test]
async fn an_endless_directory_is_refused_after_its_limit() {
    let mut reply = Reply::plain(200, vec![b' '; 1 << 20]).ending(End::Never);
    reply.pieces = vec![vec![b' '; 32 << 10]; 64];
    let error = refusal_of_directory(reply).await;
    assert!(matches!(error, Error::Directory(_)), "{error:?}");
}

#[tokio::test]
async fn a_slow_directory_is_not_waited_for_forever() {
    let world = World::new();
    let mut reply = Reply::plain(200, Vec::new());
    reply.pieces = vec![vec![b' ']; 1000];
    reply.pause = Duration::from_millis(20);
    let server = Server::with(
        &world,
        move |_| Some(reply.clone()),
        |_, _| unreachable!("nothing is sent"),
    )
    .await;
    let mut config = world.config(&server);
    config.timeouts.document = Duration::from_millis(200);
    let error = world.client_of(config).node().await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
}

#[tokio::test]
async fn a_verification_as_a_whole_is_not_waited_for_forever() {
    let world = World::empty();
    let keys = world.keys(|_| {});
    let slow: Vec<_> = std::iter::repeat_n(&keys, 50).collect();
    world.publish(&slow);
    let mut reply = Reply::plain(200, "slow");
    reply.pause = Duration::from_millis(100);
    let server = Server::with(
        &world,
        move |path| (path != DIRECTORY).then(|| reply.clone()),
        |_, _| unreachable!("nothing is sent"),
    )
    .await;
    let mut config = world.config(&server);
    config.timeouts.verification = Duration::from_millis(500);
    let error = world.client_of(config).node().await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
}

#[tokio::test]
async fn garbage_and_redirects_are_no_directory() {
    let error = refusal_of_directory(Reply::plain(200, "<html>")).await;
    assert_eq!(error.code(), Code::Refused);
    let mut redirect = Reply::plain(302, "");
    redirect
        .headers
        .push(("location".to_owned(), "http://127.0.0.1:9/".to_owned()));
    let error = refusal_of_directory(redirect).await;
    assert!(
        matches!(error, Error::Problem { status: 302, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_directory_without_nodes_is_an_error() {
    let error = refusal_of(&[], &World::empty()).await;
    assert!(matches!(error, Error::NoNode), "{error:?}");
}

#[tokio::test]
async fn of_several_nodes_one_that_passes_is_used_and_no_other_is_sent_anything() {
    for _ in 0..4 {
        let world = World::empty();
        let bad: Vec<_> = (0..3)
            .map(|_| world.keys(|params| params.configuration = [4; 32]))
            .collect();
        let good = world.keys(|_| {});
        world.publish(&[&bad[0], &bad[1], &good, &bad[2]]);
        let server = Server::honest(&world).await;
        let client = world.client(&server);
        client
            .send(&chat("hello", false), &Default::default())
            .await
            .unwrap();
        let sent = &server.exchanges()[0].body;
        assert_eq!(&sent[1..17], good.kc.key_id().0.as_slice());
    }
}

#[tokio::test]
async fn the_reason_of_a_refusal_is_shown_rather_than_that_of_a_node_that_is_away() {
    let world = World::empty();
    let bad = world.keys(|params| params.configuration = [4; 32]);
    let mut away = world.keys(|_| {});
    away.entry = entry(&away.kc, b"nowhere");
    let error = refusal_of(&[&away, &bad], &world).await;
    assert_eq!(error.code(), Code::WrongKeyConfiguration);
}

// --- Simulated roots ------------------------------------------------------------

#[tokio::test]
async fn a_simulated_root_is_not_trusted_anywhere_but_at_a_loopback_address() {
    let world = World::new();
    let server = Server::honest(&world).await;
    let port = server.address.port();
    let good = world.config(&server);
    for host in [
        "http://localhost",
        "https://localhost",
        "http://127.0.0.1.nip.io",
        "http://127.1",
        "http://0.0.0.0",
        "http://[::ffff:127.0.0.1]",
        "http://10.0.0.1",
        "https://example.org",
    ] {
        let mut config: Config = good.clone();
        config.service = format!("{host}:{port}").parse().unwrap();
        let error = Client::new(config, world.clock.clone(), TestRng(1)).unwrap_err();
        assert!(matches!(error, Error::DevelopmentAddress), "{host}");
        assert_eq!(error.code(), Code::Refused);
    }
    assert!(
        server.seen.lock().unwrap().is_empty(),
        "nobody was even asked"
    );
    Client::connect(good, world.clock.clone(), TestRng(1))
        .await
        .unwrap();
}
