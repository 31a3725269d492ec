//! Streamed answers: events of the engine to sealed records on a clock.
//!
//! With a tick, exactly one record leaves on each, from the moment the engine
//! has taken the request: what leaves when says nothing about when tokens came.
//! A tick that was missed is not made up for ([`MissedTickBehavior::Delay`]):
//! a burst of records would show that this machine was busy.

use std::sync::Arc;
use std::time::Duration;

use subrosa_api::error::{ApiError, Code};
use subrosa_api::event::{CONTENT_TYPE, Event, Order, Start};
use subrosa_channel::{AnswerError, ResponseHead, ResponseSealer};
use subrosa_inference::EventStream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until, timeout};
use zeroize::Zeroizing;

use super::Service;
use super::answer::ran;
use super::http::{Content, Record};
use crate::metrics::Outcome;

/// Moves one answer from the engine to the network.
pub(super) struct Pump {
    sealer: ResponseSealer,
    /// `None` once the answer is complete; dropping it cancels the engine.
    events: Option<EventStream>,
    order: Order,
    weights: [u8; 32],
    deadline: Instant,
    outcome: Outcome,
}

/// The client takes nothing any more.
struct Gone;

impl Pump {
    pub(super) fn new(
        sealer: ResponseSealer,
        events: EventStream,
        weights: [u8; 32],
        deadline: Instant,
    ) -> Self {
        Self {
            sealer,
            events: Some(events),
            order: Order::new(),
            weights,
            deadline,
            outcome: Outcome::Answered,
        }
    }

    /// Seals the head and starts to pump. The permit is given back when the last
    /// record has been taken.
    pub(super) fn begin(
        mut self,
        service: &Arc<Service>,
        start: Start,
        permit: OwnedSemaphorePermit,
    ) -> Result<Content, AnswerError> {
        let mut head = ResponseHead::new(200, CONTENT_TYPE);
        head.headers.push(ran(true));
        self.sealer.head(&head)?;
        let (records, receiver) = mpsc::channel(RECORDS_AHEAD);
        let service = Arc::clone(service);
        tokio::spawn(async move {
            let _permit = permit;
            self.take(&service, Event::Start(start));
            let pumped = self.pump(&service, &records).await;
            let outcome = match pumped {
                Ok(()) => self.outcome,
                Err(Gone) => Outcome::Cancelled,
            };
            service.metrics.request(outcome);
        });
        Ok(Content::Records(receiver))
    }

    async fn pump(
        &mut self,
        service: &Service,
        records: &mpsc::Sender<Record>,
    ) -> Result<(), Gone> {
        let mut ticks = self.sealer.tick().map(ticks);
        while !self.sealer.has_ended() {
            let thinking = self.events.is_some();
            let room = self.sealer.pending_len() < MAX_PENDING;
            tokio::select! {
                biased;
                () = records.closed() => return Err(Gone),
                () = next_tick(&mut ticks) => self.send(records).await?,
                () = sleep_until(self.deadline), if thinking => self.fail(Code::Timeout),
                event = next_event(&mut self.events), if thinking && room => match event {
                    Some(event) => self.take(service, event),
                    None => self.fail(Code::EngineFailed),
                },
            }
            if ticks.is_none() {
                self.send(records).await?;
            }
        }
        records.send(Record::End).await.map_err(|_| Gone)
    }

    /// Seals what is due. A client that takes nothing for long is gone.
    async fn send(&mut self, records: &mpsc::Sender<Record>) -> Result<(), Gone> {
        let mut out = Vec::new();
        self.sealer.poll(&mut out);
        if out.is_empty() {
            return Ok(());
        }
        let sent = timeout(STALLED, records.send(Record::Bytes(out.into())));
        sent.await.map_err(|_| Gone)?.map_err(|_| Gone)
    }

    /// Adds an event to the answer. Events out of order are the engine's
    /// failure, and end the answer with an error that a device can read.
    fn take(&mut self, service: &Service, event: Event) {
        if self.order.next(&event).is_err() || self.add(&event).is_err() {
            return self.fail(Code::EngineFailed);
        }
        match event {
            Event::Usage(usage) => service.metrics.usage(usage),
            Event::Error(error) => self.outcome = Outcome::of_status(error.status()),
            Event::End => self.complete(),
            _ => {}
        }
    }

    /// Ends the answer with an error, and cancels the engine.
    fn fail(&mut self, code: Code) {
        if self.events.take().is_none() {
            return;
        }
        self.outcome = Outcome::of_status(code.status());
        for event in [Event::Error(ApiError::from_code(code)), Event::End] {
            // Both are short; after a broken order only they are written.
            if self.add(&event).is_err() {
                break;
            }
        }
        self.complete();
    }

    fn add(&mut self, event: &Event) -> Result<(), ApiError> {
        let failed = || ApiError::from_code(Code::EngineFailed);
        let mut bytes = Zeroizing::new(Vec::new());
        event.encode(&mut bytes).map_err(|_| failed())?;
        self.sealer.body(&bytes).map_err(|_| failed())
    }

    fn complete(&mut self) {
        self.events = None;
        // It cannot be out of order: it is called once, after the head.
        let _ = self.sealer.complete(&self.weights);
    }
}

fn ticks(tick: Duration) -> Interval {
    let mut ticks = interval(tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn next_tick(ticks: &mut Option<Interval>) {
    match ticks {
        Some(ticks) => drop(ticks.tick().await),
        None => std::future::pending().await,
    }
}

async fn next_event(events: &mut Option<EventStream>) -> Option<Event> {
    events.as_mut()?.next().await
}

/// Records that may wait for the network.
const RECORDS_AHEAD: usize = 4;
/// Bytes that may wait for records; the engine's next event is left with the
/// engine until there are fewer.
const MAX_PENDING: usize = 64 * 1024;
/// Time in which a client must take a record.
const STALLED: Duration = Duration::from_mins(1);
