//! Each state, from the parts it depends on.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use subrosa_evidence::{Challenge, CollectError, Collector, Evidence, Machine};
use subrosa_inference::echo::{EchoConfig, EchoEngine};

use super::*;
use crate::clock::Clock;
use crate::config::Config;
use crate::engine::Started;
use crate::epochs::Epochs;
use crate::log::Log;
use crate::service::model_entries;

/// A platform that never gives evidence.
struct Broken;

impl Collector for Broken {
    fn collect(&mut self, _: &Challenge) -> Result<Evidence, CollectError> {
        Err(CollectError::Conflict)
    }
}

#[tokio::test]
async fn every_state_has_its_word() {
    let text = "listen.address = \"127.0.0.1:0\"\nengine.kind = \"echo\"\nplatform = { kind = \"simulated\", root_secret = \"s\" }\n";
    let config = Config::parse(text.as_bytes(), Path::new("/")).unwrap();
    let log = Log::to(std::io::sink());
    let service = Service::new(&config, log.clone());
    assert_eq!(service.health().name(), "starting");

    let engine = Arc::new(EchoEngine::new(EchoConfig::default()));
    let lives = Arc::new(AtomicBool::new(true));
    let probe = Arc::clone(&lives);
    let started = Started {
        lives: Box::new(move || probe.load(Ordering::SeqCst)),
        ..Started::steady(engine)
    };
    let models = model_entries(&started.engine.models());
    let machine = Arc::new(Machine::new(Box::new(Broken)));
    let epochs = Epochs::new(&config, models, machine, Clock::system(), log);
    let epochs = Arc::new(epochs);
    service.start(started, Arc::clone(&epochs));
    assert!(epochs.renew().is_err());
    assert_eq!(service.health().name(), "evidence-failing");

    lives.store(false, Ordering::SeqCst);
    assert_eq!(service.health().name(), "engine-restarting");
    service.drain();
    assert_eq!(service.health().name(), "draining");
}
