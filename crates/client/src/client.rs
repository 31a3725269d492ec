//! The flow from a request to an answer.

use core::fmt;
use std::sync::Arc;
use std::time::Duration;

use rand_core::CryptoRng;
use serde::Deserialize;
use subrosa_api::error::{ApiError, Code, Retry};
use subrosa_channel::{InnerRequest, Profile, ResponseHead, SealOptions};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::clock::Clock;
use crate::config::Config;
use crate::error::Error;
use crate::exchange::{Exchange, Receiver};
use crate::judge::Judge;
use crate::node::VerifiedNode;
use crate::nodes::{Nodes, SharedRng};
use crate::transport::{Reply, Transport};

/// Speaks to one service. Cloning it is cheap, and clones share what was verified.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    nodes: Nodes,
    transport: Arc<Transport>,
    rng: Arc<SharedRng>,
    profile: Profile,
    /// Bounds the answers whose padding still arrives.
    tails: Arc<Semaphore>,
}

/// How a request is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SendOptions {
    /// Keep message and frames, so that the receipt can be opened later.
    pub keep_transcript: bool,
    /// How often the request may be sent again on its own, where nothing can have run.
    pub retries: u8,
    /// The longest time to wait before that. A service that asks for more is not waited for.
    pub longest_wait: Duration,
    /// The request may run twice: send it again also where the service says, outside of the seal,
    /// that it does not have the key any more. Such an answer proves nothing; whoever is in the
    /// network could have written it, and let the first copy run.
    pub idempotent: bool,
}

impl Default for SendOptions {
    fn default() -> Self {
        Self {
            keep_transcript: false,
            retries: 2,
            longest_wait: Duration::from_secs(5),
            idempotent: false,
        }
    }
}

impl Client {
    /// A client that has not connected yet; it does when it needs a verified node.
    ///
    /// # Errors
    ///
    /// [`Error::DevelopmentAddress`], or [`Error::LogAddress`] where the policy's log cannot be read.
    pub fn new(
        config: Config,
        clock: impl Clock + 'static,
        rng: impl CryptoRng + Send + 'static,
    ) -> Result<Self, Error> {
        if config.trust.is_for_loopback_only() && !config.service.is_loopback() {
            return Err(Error::DevelopmentAddress);
        }
        let transport = Arc::new(Transport::new(config.service, config.timeouts));
        let rng = Arc::new(SharedRng::new(rng));
        let judge = Judge::new(config.policy, config.trust, config.history, config.timeouts)?;
        let nodes = Nodes::new(
            Arc::clone(&transport),
            judge,
            Arc::new(clock),
            Arc::clone(&rng),
        );
        Ok(Self(Arc::new(Inner {
            nodes,
            transport,
            rng,
            profile: config.profile,
            tails: Arc::new(Semaphore::new(MAX_TAILS)),
        })))
    }

    /// A client of a service that was verified just now.
    ///
    /// # Errors
    ///
    /// [`Error`]; [`Error::Refused`] says why no node passed.
    pub async fn connect(
        config: Config,
        clock: impl Clock + 'static,
        rng: impl CryptoRng + Send + 'static,
    ) -> Result<Self, Error> {
        let client = Self::new(config, clock, rng)?;
        let _verified = client.node().await?;
        Ok(client)
    }

    /// The verified node that the next request is sealed to. It is verified again when its key
    /// has less than a minute left.
    ///
    /// # Errors
    ///
    /// [`Error`]; nothing of a user was sent then.
    pub async fn node(&self) -> Result<Arc<VerifiedNode>, Error> {
        self.0.nodes.verified().await
    }

    /// Seals `request`, sends it, and returns when the head of the answer has authenticated.
    ///
    /// It is sent again on its own only where nothing can have run: no connection could be made,
    /// or a sealed and whole answer says so; never after any other answer.
    ///
    /// # Errors
    ///
    /// [`Error`]. [`Error::KeyRotated`] invites to send again, if the request may run twice.
    pub async fn send(
        &self,
        request: &InnerRequest,
        options: &SendOptions,
    ) -> Result<Exchange, Error> {
        let mut retries = options.retries;
        // Every copy carries the same name, so that a node can tell that they are one request.
        let mut request_id = [0; 16];
        self.0.rng.with(|rng| rng.fill_bytes(&mut request_id));
        loop {
            let node = self.node().await?;
            let may_repeat = retries > 0;
            retries = retries.saturating_sub(1);
            let wait = match self.attempt(&node, request, request_id, options).await {
                Ok(mut exchange) => {
                    let wait = refused_unrun(exchange.head()).filter(|_| may_repeat);
                    let Some(wait) = wait.filter(|wait| *wait <= options.longest_wait) else {
                        return Ok(exchange);
                    };
                    // Only a whole answer counts. Kept, in case it is the last one.
                    exchange.receive_all(MAX_REFUSAL).await?;
                    wait
                }
                Err(error) => {
                    self.0.nodes.forget(&node).await;
                    let rotated = matches!(error, Error::KeyRotated { .. });
                    if !may_repeat || !(error.nothing_was_sent() || (rotated && options.idempotent))
                    {
                        return Err(error);
                    }
                    PAUSE
                }
            };
            self.0.nodes.forget(&node).await;
            sleep(wait).await;
        }
    }

    /// Waits, at most for `limit`, until the padding behind all complete answers has arrived. A
    /// program that ends earlier shows the network where its last answer ended.
    pub async fn drain(&self, limit: Duration) {
        let all = self
            .0
            .tails
            .acquire_many(u32::try_from(MAX_TAILS).unwrap_or(u32::MAX));
        // Both outcomes are fine: it is a wait, not a promise.
        drop(timeout(limit, all).await);
    }

    async fn attempt(
        &self,
        node: &Arc<VerifiedNode>,
        request: &InnerRequest,
        request_id: [u8; 16],
        options: &SendOptions,
    ) -> Result<Exchange, Error> {
        let inner = &self.0;
        let seal_options = SealOptions {
            profile: inner.profile,
            keep_transcript: options.keep_transcript,
            request_id: Some(request_id),
            ..SealOptions::default()
        };
        let connection = inner.transport.open().await?;
        let now = inner.nodes.now();
        let sealed = inner
            .rng
            .with(|mut rng| node.seal(request, &seal_options, now, &mut rng))?;
        match connection.exchange(sealed.bytes).await? {
            Reply::Sealed(body) => {
                let (node, tails) = (Arc::clone(node), Arc::clone(&inner.tails));
                Receiver::new(node, sealed.opener, body, inner.profile, tails)
                    .begin()
                    .await
            }
            Reply::Problem(status, body) => Err(problem(status.as_u16(), &body)),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("profile", &self.0.profile)
            .finish_non_exhaustive()
    }
}

/// How long to wait before sending again what a sealed answer says has not run; `None` for every
/// other answer.
pub(crate) fn refused_unrun(head: &ResponseHead) -> Option<Duration> {
    let code = head.header(ApiError::CODE_HEADER).and_then(Code::parse);
    let is_safe = match code {
        Some(code) => code.retry() == Retry::Safe,
        None => matches!(head.status, 429 | 503),
    };
    if head.header("subrosa-ran") != Some("no") || head.status < 400 || !is_safe {
        return None;
    }
    let seconds = head
        .header("retry-after")
        .and_then(|seconds| seconds.parse().ok());
    Some(Duration::from_secs(seconds.unwrap_or(1)))
}

/// What an answer in the clear comes to.
fn problem(status: u16, body: &[u8]) -> Error {
    #[derive(Deserialize)]
    struct Document {
        code: String,
    }
    let document = serde_json::from_slice::<Document>(body).ok();
    let reported = document.and_then(|document| Code::parse(&document.code));
    match reported {
        Some(code @ (Code::KeyExpired | Code::KeyNotYetValid | Code::UnknownKey)) => {
            Error::KeyRotated { code }
        }
        reported => Error::Problem { status, reported },
    }
}

/// Pause before a connection is tried again.
const PAUSE: Duration = Duration::from_millis(250);
/// Bytes of a refusal.
const MAX_REFUSAL: usize = 64 << 10;
/// Answers whose padding arrives at the same time.
const MAX_TAILS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn head(status: u16, headers: &[(&str, &str)]) -> ResponseHead {
        let mut head = ResponseHead::new(status, "application/json");
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        head.headers.extend(headers.iter().map(owned));
        head
    }

    #[test]
    fn a_sealed_refusal_that_nothing_ran_is_waited_for() {
        let ran = ("subrosa-ran", "no");
        for code in [
            "draining",
            "engine_restarting",
            "queue_full",
            "rate_limited",
            "register-full",
        ] {
            let head = head(503, &[ran, ("subrosa-error", code), ("retry-after", "3")]);
            assert_eq!(refused_unrun(&head), Some(Duration::from_secs(3)), "{code}");
        }
        assert_eq!(
            refused_unrun(&head(429, &[ran])),
            Some(Duration::from_secs(1))
        );
    }

    #[test]
    fn an_answer_that_does_not_prove_that_nothing_ran_is_never_repeated() {
        let (ran, unran) = (("subrosa-ran", "yes"), ("subrosa-ran", "no"));
        for head in [
            head(503, &[]),
            head(503, &[ran]),
            head(503, &[ran, ("subrosa-error", "draining")]),
            head(500, &[unran]),
            head(503, &[unran, ("subrosa-error", "engine_failed")]),
            head(400, &[unran, ("subrosa-error", "invalid_json")]),
            head(200, &[unran]),
            head(200, &[unran, ("subrosa-error", "queue_full")]),
        ] {
            assert_eq!(refused_unrun(&head), None, "{head:?}");
        }
    }
}
