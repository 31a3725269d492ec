//! Fetches parts of the collateral: from the cache, or from a service with patience.

use std::cell::RefCell;
use std::thread;
use std::time::{Duration, Instant};

use getrandom::SysRng;
use rand_core::TryRng as _;
use subrosa_attest::UnixSeconds;
use subrosa_attest::collateral::ocsp::{Answer, Question};
use ureq::Agent;

use crate::failure::{Exit, Failure};
use crate::printer::Printer;

use super::cache::{Cache, Kept};
use super::http::{self, Fault, Media, Reply, Request};
use super::retry;
use super::services::server;

/// Fetches, as long as there is time.
pub(crate) struct Fetcher<'a> {
    agent: Agent,
    cache: Option<Cache>,
    printer: &'a Printer,
    now: UnixSeconds,
    deadline: Instant,
    cached_urls: RefCell<Vec<String>>,
}

/// One thing to read from a service.
pub(super) struct Part<'a> {
    /// What it is, for messages.
    pub(super) name: &'a str,
    pub(super) url: String,
    pub(super) media: Media,
    pub(super) max_bytes: usize,
    /// Names of the header with the certificates above it, the first that is there.
    pub(super) issuers: &'a [&'a str],
    /// How long it may be kept at most.
    pub(super) max_age: u64,
    /// How long it is good; `None` if it is not what was asked for.
    pub(super) good_until: &'a dyn Fn(&[u8]) -> Option<UnixSeconds>,
}

/// A part as it came.
pub(super) struct Fetched {
    pub(super) url: String,
    pub(super) body: Vec<u8>,
    /// The certificates above it (PEM).
    pub(super) issuers: String,
}

impl<'a> Fetcher<'a> {
    pub(crate) fn new(
        cache: Option<Cache>,
        printer: &'a Printer,
        now: UnixSeconds,
        time: Duration,
    ) -> Self {
        let start = Instant::now();
        Self {
            agent: http::agent(),
            cache,
            printer,
            now,
            deadline: start.checked_add(time).unwrap_or(start),
            cached_urls: RefCell::default(),
        }
    }

    /// The addresses whose answers came from the cache.
    pub(crate) fn cached_urls(&self) -> Vec<String> {
        self.cached_urls.borrow().clone()
    }

    /// Says something that the caller ought to see.
    pub(super) fn notice(&self, text: &str) {
        self.printer.notice(crate::printer::Tone::Careful, text);
    }

    /// Reads a part from the cache or from its service.
    pub(super) fn get(&self, part: Part<'_>) -> Result<Fetched, Failure> {
        if let Some(fetched) = self.cached(&part) {
            return Ok(fetched);
        }
        self.printer
            .say(format!("fetching {} from {}", part.name, server(&part.url)));
        let request = Request {
            name: part.name,
            url: &part.url,
            question: None,
            media: part.media,
            max_bytes: part.max_bytes,
        };
        let kept = self.patiently(&request, |reply| Self::read(&part, reply))?;
        self.keep(&part, &kept);
        Ok(Fetched {
            body: kept.body,
            issuers: kept.issuers.unwrap_or_default(),
            url: part.url,
        })
    }

    /// Asks the responder at `url` about a certificate. Answers are not cached: each must carry the question's nonce.
    pub(super) fn ask(
        &self,
        name: &str,
        url: &str,
        question: &Question,
        max_bytes: usize,
    ) -> Result<Vec<u8>, Failure> {
        self.printer
            .say(format!("asking {} for {name}", server(url)));
        let der = question.to_der().unwrap_or_default();
        let request = Request {
            name,
            url,
            question: Some(&der),
            media: Media::Ocsp,
            max_bytes,
        };
        self.patiently(&request, |reply| {
            let answer = Answer::parse(&reply.body)
                .map_err(|error| wrong(name).because(&error))
                .map_err(|failure| Fault::Passing(failure, None))?;
            if !answer.answers(question) {
                return Err(Fault::Final(
                    wrong(name).cause("it answers another question, or an earlier one"),
                ));
            }
            Ok(reply.body)
        })
    }

    /// Tries until it works, attempts or time end, or it cannot work.
    fn patiently<T>(
        &self,
        request: &Request<'_>,
        read: impl Fn(Reply) -> Result<T, Fault>,
    ) -> Result<T, Failure> {
        let mut attempt: u32 = 1;
        loop {
            let time = self.remaining().min(ATTEMPT_TIMEOUT);
            let (failure, asked) = match http::send(&self.agent, request, time).and_then(&read) {
                Ok(value) => return Ok(value),
                Err(Fault::Final(failure)) => return Err(failure),
                Err(Fault::Passing(failure, asked)) => (failure, asked),
            };
            let Some(wait) = retry::pause(attempt, asked, self.remaining(), random()) else {
                return Err(match asked {
                    Some(asked) => failure.cause(format!(
                        "it asks to be left alone for {} s, and there is no time for that",
                        asked.as_secs()
                    )),
                    None => failure,
                });
            };
            let why = failure.causes().first().map_or("", String::as_str);
            self.printer.say(format!(
                "{}: {why}; trying again in {:.1} s",
                request.name,
                wait.as_secs_f64()
            ));
            thread::sleep(wait);
            attempt = attempt.saturating_add(1);
        }
    }

    fn read(part: &Part<'_>, reply: Reply) -> Result<Kept, Fault> {
        if (part.good_until)(&reply.body).is_none() {
            return Err(Fault::Passing(wrong(part.name), None));
        }
        let issuers = if part.issuers.is_empty() {
            None
        } else {
            Some(issuers(part, &reply).ok_or_else(|| {
                let missing = wrong(part.name).cause("the certificates above it are missing");
                Fault::Passing(missing, None)
            })?)
        };
        Ok(Kept {
            body: reply.body,
            issuers,
        })
    }

    fn cached(&self, part: &Part<'_>) -> Option<Fetched> {
        let kept = self.cache.as_ref()?.get(&part.url, self.now)?;
        let good_until = (part.good_until)(&kept.body)?;
        if self.now > good_until || part.issuers.is_empty() != kept.issuers.is_none() {
            return None;
        }
        self.printer
            .detail(format!("{} is in the cache", part.name));
        self.cached_urls.borrow_mut().push(part.url.clone());
        Some(Fetched {
            url: part.url.clone(),
            body: kept.body,
            issuers: kept.issuers.unwrap_or_default(),
        })
    }

    /// A cache that cannot be written costs time and nothing else.
    fn keep(&self, part: &Part<'_>, kept: &Kept) {
        let (Some(cache), Some(good_until)) = (&self.cache, (part.good_until)(&kept.body)) else {
            return;
        };
        let good_until = good_until.min(self.now.saturating_add(part.max_age));
        if good_until > self.now
            && let Err(failure) = cache.put(&part.url, kept, self.now, good_until)
        {
            self.printer
                .detail(format!("not kept: {}", failure.message()));
        }
    }

    fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

fn wrong(name: &str) -> Failure {
    Failure::new(Exit::Refused, format!("{name} is not what was asked for"))
        .hint("check the addresses of the services")
}

/// The certificates above an answer, which Intel's service sends percent-encoded in a header (PCS version 4).
fn issuers(part: &Part<'_>, reply: &Reply) -> Option<String> {
    let mut values = part
        .issuers
        .iter()
        .filter_map(|name| reply.headers.get(*name));
    let text = percent_decoded(values.next()?.to_str().ok()?)?;
    subrosa_attest::collateral::certificates_of_pem(text.as_bytes(), MAX_ISSUERS)?;
    Some(text)
}

/// RFC 3986 §2.1.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut value = [0];
                hex::decode_to_slice([bytes.next()?, bytes.next()?], &mut value).ok()?;
                let [value] = value;
                value
            }
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

/// Some number. Without a source of randomness waits are only less spread.
fn random() -> u64 {
    SysRng.try_next_u64().unwrap_or_default()
}

/// A service that sends a byte now and then does not hold us longer than this.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);
const MAX_ISSUERS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_signs_are_decoded_and_half_ones_refused() {
        assert_eq!(percent_decoded("a%20b%0Ac").unwrap(), "a b\nc");
        assert_eq!(percent_decoded("a+b").unwrap(), "a+b");
        for bad in ["%", "%2", "%zz", "a%ff"] {
            assert_eq!(percent_decoded(bad), None, "{bad}");
        }
    }
}
