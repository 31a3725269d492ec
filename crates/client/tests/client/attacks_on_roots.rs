//! Simulated evidence where it must not count. These tests run in every build, with and without
//! the feature `development`.

use subrosa_api::error::Code;

use crate::support::{Server, World, chat};

#[tokio::test]
async fn simulated_evidence_is_refused_without_trust_in_its_root() {
    let world = World::new();
    let server = Server::honest(&world).await;
    let client = world.client_of(world.vendor_config(&server));
    let error = client
        .send(&chat("hello", false), &Default::default())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::Refused);
    let refusal = error.refusal().unwrap();
    assert_eq!(refusal.reason_code(), "root-not-pinned");
    assert_eq!(refusal.verdict_line(), "REFUSED: root-not-pinned");
    assert!(refusal.appraisal().is_some());
    assert!(server.exchanges().is_empty(), "nothing was sent");
}
