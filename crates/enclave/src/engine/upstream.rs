//! Starting the upstream engine.

use std::sync::Arc;
use std::time::Duration;

use subrosa_inference::upstream::{UpstreamCache, UpstreamConfig, UpstreamEngine};

use super::Started;
use crate::config::{Cache, Config, UpstreamAddress, UpstreamSettings};
use crate::run::StartError;

/// Prepares the engine; the server is asked first when a request comes.
pub(super) fn start(config: &Config, settings: &UpstreamSettings) -> Result<Started, StartError> {
    let address = match settings.server() {
        Some(UpstreamAddress::Socket(path)) => format!("unix:{}", path.display()),
        Some(UpstreamAddress::Loopback(address)) => format!("http://{address}"),
        None => String::new(),
    };
    let address = address
        .parse()
        .map_err(|error| StartError::Engine(format!("`engine.socket`: {error}")))?;
    let number = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
    let context = number(settings.context_tokens);
    let mut engine = UpstreamConfig::new(address, &settings.name, context);
    if let Some(model) = &settings.model {
        engine.upstream_model.clone_from(model);
    }
    engine.embedding_length = settings.embedding_length.map(number);
    engine.max_streams = number(settings.slots);
    engine.cache = match settings.cache {
        Cache::Off => UpstreamCache::Off,
        Cache::Salt => UpstreamCache::Salt,
    };
    // The service ends a request first, with an error that says so.
    engine.answer_timeout = config.limits().request_time().saturating_add(MARGIN);
    Ok(Started::steady(Arc::new(UpstreamEngine::new(engine))))
}

const MARGIN: Duration = Duration::from_secs(5);
