//! The bounds that a configuration keeps.

use std::path::Path;

use super::{ConfigError, EngineSettings, File, PlatformSettings, Shape, platform, resolve};

impl File {
    pub(super) fn resolve_paths(&mut self, folder: &Path) {
        self.engine.resolve_paths(folder);
        self.platform.resolve_paths(folder);
        if let Some(gpus) = &mut self.gpus {
            gpus.resolve_paths(folder);
        }
        if let Some(tpm) = &mut self.tpm {
            tpm.resolve_paths(folder);
        }
        if let Some(log) = &mut self.log {
            let paths = [&mut log.release, &mut log.checkpoint, &mut log.directory];
            for path in paths
                .into_iter()
                .chain(&mut log.machines)
                .chain(&mut log.machine)
            {
                resolve(path, folder);
            }
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.check_addresses()?;
        self.check_limits()?;
        self.check_keys()?;
        check_shape(
            self.shapes.balanced,
            ["shapes.balanced.tick_ms", "shapes.balanced.record_bytes"],
        )?;
        check_shape(
            self.shapes.strict,
            ["shapes.strict.tick_ms", "shapes.strict.record_bytes"],
        )?;
        self.check_sampling()?;
        self.engine.check()?;
        platform::check(&self.platform)?;
        platform::check_gpus(self.gpus.as_ref())?;
        platform::check_tpm_beside(&self.platform, self.tpm.as_ref())?;
        self.check_log()
    }

    fn check_log(&self) -> Result<(), ConfigError> {
        match &self.log {
            Some(log) if log.machines.is_some() != log.machine.is_some() => {
                Err(ConfigError::Conflict {
                    field: "log.machine",
                    reason: "give both `machines` and `machine`, or neither where the platform names no machine",
                })
            }
            _ => Ok(()),
        }
    }

    fn check_addresses(&self) -> Result<(), ConfigError> {
        let simulated = matches!(self.platform, PlatformSettings::Simulated(_));
        let echo = matches!(self.engine, EngineSettings::Echo(_));
        if (simulated || echo) && !self.listen.address.ip().is_loopback() {
            return Err(ConfigError::Conflict {
                field: "listen.address",
                reason: "the simulated platform and the test engine protect nobody, so they serve \
                         loopback addresses only; use 127.0.0.1, or a real platform",
            });
        }
        if self
            .listen
            .metrics
            .is_some_and(|address| !address.ip().is_loopback())
        {
            return Err(ConfigError::Conflict {
                field: "listen.metrics",
                reason: "metrics are for this machine only; use 127.0.0.1 with a port of its own",
            });
        }
        if echo && !simulated {
            return Err(ConfigError::Conflict {
                field: "engine.kind",
                reason: "the test engine runs on the simulated platform only",
            });
        }
        Ok(())
    }

    fn check_limits(&self) -> Result<(), ConfigError> {
        let limits = &self.limits;
        // 16 MiB is the format's limit (spec/channel.md §2).
        within("limits.message_bytes", limits.message_bytes, 1024, 16 << 20)?;
        let sealed = u64::try_from(limits.sealed_bytes()).unwrap_or(u64::MAX);
        within(
            "limits.buffered_bytes",
            limits.buffered_bytes,
            sealed,
            MAX_BUFFERED,
        )?;
        within("limits.connections", limits.connections, 1, 1 << 20)?;
        within("limits.exchanges", limits.exchanges, 1, 1 << 20)?;
        within("limits.queue", limits.queue, 1, 1 << 20)?;
        within("limits.answer_tokens", limits.answer_tokens, 1, 1 << 24)?;
        within("limits.request_seconds", limits.request_seconds, 1, 3600)?;
        within("limits.read_seconds", limits.read_seconds, 1, 600)?;
        within("limits.drain_seconds", limits.drain_seconds, 0, 3600)
    }

    fn check_keys(&self) -> Result<(), ConfigError> {
        let keys = &self.keys;
        within("keys.epoch_seconds", keys.epoch_seconds, 1, 1200)?;
        within(
            "keys.life_seconds",
            keys.life_seconds,
            keys.epoch_seconds,
            1200,
        )?;
        within("keys.replay_capacity", keys.replay_capacity, 1, 100_000_000)
    }

    fn check_sampling(&self) -> Result<(), ConfigError> {
        let sampling = &self.sampling;
        number(
            "sampling.temperature",
            sampling.temperature,
            "0 to 2",
            |t| (0.0..=2.0).contains(&t),
        )?;
        number("sampling.top_p", sampling.top_p, "above 0, to 1", |p| {
            p > 0.0 && p <= 1.0
        })?;
        number("sampling.min_p", sampling.min_p, "0 to 1", |p| {
            (0.0..=1.0).contains(&p)
        })?;
        number(
            "sampling.repeat_penalty",
            sampling.repeat_penalty,
            "above 0, to 2",
            |p| p > 0.0 && p <= 2.0,
        )?;
        if let Some(tokens) = sampling.max_tokens {
            within(
                "sampling.max_tokens",
                tokens.into(),
                1,
                self.limits.answer_tokens,
            )?;
        }
        let prompt = sampling.system_prompt.as_ref().map_or(1, String::len);
        within(
            "sampling.system_prompt",
            u64::try_from(prompt).unwrap_or(u64::MAX),
            1,
            65_536,
        )
    }
}

fn check_shape(shape: Shape, [tick, record]: [&'static str; 2]) -> Result<(), ConfigError> {
    within(tick, shape.tick_ms.into(), 1, 50)?;
    within(record, shape.record_bytes.into(), 64, 4096)
}

pub(super) fn within(field: &'static str, got: u64, min: u64, max: u64) -> Result<(), ConfigError> {
    if (min..=max).contains(&got) {
        Ok(())
    } else {
        Err(ConfigError::OutOfRange {
            field,
            got,
            min,
            max,
        })
    }
}

fn number(
    field: &'static str,
    value: Option<f32>,
    expected: &'static str,
    good: impl Fn(f32) -> bool,
) -> Result<(), ConfigError> {
    if value.is_none_or(good) {
        Ok(())
    } else {
        Err(ConfigError::Invalid { field, expected })
    }
}

/// What one semaphore can be asked for at once.
const MAX_BUFFERED: u64 = 0xFFFF_FFFF;
