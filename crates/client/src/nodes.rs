//! Finding a node to speak to, and remembering it.
//!
//! ```text
//! directory ──shuffle──▶ entry ──▶ bundle (hash checked) ──judge──▶ VerifiedNode ──compare with entry──▶ remembered
//!                          ▲                                 │
//!                          └── next one, when refused ───────┘
//! ```

use std::sync::{Arc, Mutex, PoisonError};

use rand_core::CryptoRng;
use subrosa_attest::appraisal::PresentedDirectory;
use subrosa_attest::{Bundle, Code, Sha256Digest, UnixSeconds};
use subrosa_translog::LogProof;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::directory::{Directory, DirectoryError, Entry, MARGIN};
use crate::error::{Error, Stage};
use crate::judge::Judge;
use crate::node::{Refusal, RefusalReason, VerifiedNode};
use crate::transport::{Document, Transport};

/// The nodes of one service.
pub(crate) struct Nodes {
    transport: Arc<Transport>,
    judge: Judge,
    clock: Arc<dyn Clock>,
    rng: Arc<SharedRng>,
    /// Held while verifying, so that requests that come meanwhile wait for the one result.
    current: tokio::sync::Mutex<Option<Arc<VerifiedNode>>>,
}

/// Random numbers for everybody.
pub(crate) struct SharedRng(Mutex<Box<dyn CryptoRng + Send>>);

impl SharedRng {
    pub(crate) fn new(rng: impl CryptoRng + Send + 'static) -> Self {
        Self(Mutex::new(Box::new(rng)))
    }

    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut (dyn CryptoRng + Send)) -> T) -> T {
        let mut rng = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        work(rng.as_mut())
    }

    /// Puts `items` in random order. With at most 64 of them, the bias of the remainder is below
    /// 2^-57.
    fn shuffle<T>(&self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let choices = u64::try_from(last).unwrap_or(u64::MAX).saturating_add(1);
            let drawn = self.with(|rng| rng.next_u64()).checked_rem(choices);
            let index = drawn.and_then(|drawn| usize::try_from(drawn).ok());
            items.swap(index.unwrap_or(last), last);
        }
    }
}

impl Nodes {
    pub(crate) fn new(
        transport: Arc<Transport>,
        judge: Judge,
        clock: Arc<dyn Clock>,
        rng: Arc<SharedRng>,
    ) -> Self {
        let current = tokio::sync::Mutex::new(None);
        Self {
            transport,
            judge,
            clock,
            rng,
            current,
        }
    }

    /// The time by the clock that nodes are judged with.
    pub(crate) fn now(&self) -> UnixSeconds {
        self.clock.now()
    }

    /// A verified node whose key lives for at least [`MARGIN`] more.
    pub(crate) async fn verified(&self) -> Result<Arc<VerifiedNode>, Error> {
        let mut current = self.current.lock().await;
        if let Some(node) = current.as_ref()
            && node.seconds_left(self.clock.now()) >= MARGIN
        {
            return Ok(Arc::clone(node));
        }
        *current = None;
        let after = self.transport.timeouts().verification;
        let stage = Stage::Connect;
        let found = timeout(after, self.find()).await;
        let node = Arc::new(found.map_err(|_| Error::Timeout { stage, after })??);
        *current = Some(Arc::clone(&node));
        Ok(node)
    }

    /// Does not use `node` again.
    pub(crate) async fn forget(&self, node: &Arc<VerifiedNode>) {
        let mut current = self.current.lock().await;
        if current
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, node))
        {
            *current = None;
        }
    }

    /// The first node of a random order that passes: a uniform choice among all that would.
    async fn find(&self) -> Result<VerifiedNode, Error> {
        match self.find_once().await {
            // The directory and its proof are two documents: in between it may have changed.
            Err(error) if is_directory_not_logged(&error) => self.find_once().await,
            found => found,
        }
    }

    async fn find_once(&self) -> Result<VerifiedNode, Error> {
        let directory = self.directory().await?;
        let proof = if self.judge.asks_the_log() {
            self.directory_proof().await?
        } else {
            None
        };
        let listed = directory.bundles();
        let mut entries = directory.into_nodes();
        self.rng.shuffle(&mut entries);
        let mut failure = Error::NoNode;
        for entry in &entries {
            match self.verify(entry, &listed, proof.as_deref()).await {
                Ok(node) => return Ok(node),
                Err(error) if weight(&error) > weight(&failure) => failure = error,
                Err(_) => {}
            }
        }
        Err(failure)
    }

    async fn directory(&self) -> Result<Directory, Error> {
        let limit = Directory::MAX_LEN;
        match self.transport.get(DIRECTORY_PATH, limit).await? {
            Document::Bytes(bytes) => Ok(Directory::parse(&bytes)?),
            Document::TooLarge => Err(DirectoryError::TooLarge { limit }.into()),
        }
    }

    /// The proof that the directory is logged. A service without one is refused by whoever asks for it.
    async fn directory_proof(&self) -> Result<Option<Vec<u8>>, Error> {
        match self.transport.get(PROOF_PATH, LogProof::MAX).await {
            Ok(Document::Bytes(bytes)) => Ok(Some(bytes)),
            Ok(Document::TooLarge) | Err(Error::Problem { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn verify(
        &self,
        entry: &Entry,
        listed: &[Sha256Digest],
        proof: Option<&[u8]>,
    ) -> Result<VerifiedNode, Error> {
        let bundle = self.bundle(entry).await?;
        let directory = PresentedDirectory {
            bundles: listed,
            proof,
        };
        let now = self.clock.now();
        let node = self.judge.judge(bundle, directory, now).await?;
        entry.check_node(&node, now)?;
        Ok(node)
    }

    async fn bundle(&self, entry: &Entry) -> Result<Bundle, Error> {
        let limit = Bundle::MAX_LEN;
        let path = format!("{BUNDLES_PATH}{}", entry.bundle());
        let bytes = match self.transport.get(&path, limit).await? {
            Document::Bytes(bytes) => bytes,
            Document::TooLarge => {
                return Err(Refusal::new(RefusalReason::BundleTooLarge { limit }).into());
            }
        };
        Ok(entry.read_bundle(&bytes)?)
    }
}

fn is_directory_not_logged(error: &Error) -> bool {
    let code = error.refusal().map(Refusal::reason_code);
    code == Some(Code::DirectoryNotLogged.as_str())
}

/// Which of several failures is shown: the one that a person should know of first.
fn weight(error: &Error) -> u8 {
    match error {
        Error::NoNode => 0,
        Error::Refused(refusal) => match refusal.reason() {
            RefusalReason::Expiring { .. } => 2,
            _ => 3,
        },
        _ => 1,
    }
}

const DIRECTORY_PATH: &str = "/subrosa/v1/directory";
const PROOF_PATH: &str = "/subrosa/v1/directory/proof";
const BUNDLES_PATH: &str = "/subrosa/v1/bundles/";

#[cfg(test)]
mod tests {
    use core::convert::Infallible;

    use rand_core::{TryCryptoRng, TryRng};

    use super::*;

    /// Counts, which is uniform enough to count permutations with.
    struct Counter(u64);

    impl TryRng for Counter {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            Ok(u32::MAX)
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            Ok(self.0 >> 11)
        }

        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
            out.fill(1);
            Ok(())
        }
    }

    impl TryCryptoRng for Counter {}

    #[test]
    fn every_node_of_a_directory_is_chosen_equally_often() {
        let rng = SharedRng::new(Counter(1));
        let mut chosen = [0_u32; 5];
        for _ in 0..10_000 {
            let mut order = [0, 1, 2, 3, 4];
            rng.shuffle(&mut order);
            chosen[order[0]] += 1;
        }
        assert!(
            chosen.iter().all(|times| (1800..2200).contains(times)),
            "{chosen:?}"
        );
    }
}
