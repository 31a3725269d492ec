//! The engine that the configuration names.

#[cfg(feature = "embedded")]
mod embedded;
#[cfg(feature = "upstream")]
mod upstream;

use subrosa_inference::SharedEngine;

use crate::config::Config;
#[cfg(any(feature = "development", feature = "embedded", feature = "upstream"))]
use crate::config::EngineSettings;
use crate::log::Log;
use crate::run::StartError;

/// An engine that answers.
pub struct Started {
    /// The engine.
    pub(crate) engine: SharedEngine,
    /// Whether it would answer now; a worker may be starting again.
    pub(crate) lives: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Started {
    /// An engine that does not stop.
    #[must_use]
    pub fn steady(engine: SharedEngine) -> Self {
        Self {
            engine,
            lives: Box::new(|| true),
        }
    }
}

impl std::fmt::Debug for Started {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Started")
            .field("lives", &(self.lives)())
            .finish_non_exhaustive()
    }
}

/// Starts the engine; it may take minutes.
#[cfg_attr(
    not(feature = "embedded"),
    expect(
        unused_variables,
        clippy::unused_async,
        reason = "nothing takes long or is worth a line"
    )
)]
pub(crate) async fn start(config: &Config, log: &Log) -> Result<Started, StartError> {
    match config.engine() {
        #[cfg(feature = "development")]
        EngineSettings::Echo(settings) => Ok(echo(settings)),
        #[cfg(feature = "embedded")]
        EngineSettings::Embedded(settings) => embedded::start(config, settings, log).await,
        #[cfg(feature = "upstream")]
        EngineSettings::Upstream(settings) => upstream::start(config, settings),
        // Such a configuration is refused when it is read.
        #[allow(unreachable_patterns, reason = "not with all features")]
        _ => Err(StartError::Engine(
            "this build has no such engine".to_owned(),
        )),
    }
}

#[cfg(feature = "development")]
fn echo(settings: &crate::config::EchoSettings) -> Started {
    use std::sync::Arc;
    use std::time::Duration;

    use subrosa_inference::echo::{EchoConfig, EchoEngine};

    let mut config = EchoConfig::default();
    config.model.clone_from(&settings.name);
    config.tokens = settings
        .tokens
        .and_then(|tokens| usize::try_from(tokens).ok());
    config.delay = Duration::from_millis(settings.delay_ms);
    Started::steady(Arc::new(EchoEngine::new(config)))
}
