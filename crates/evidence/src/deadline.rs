//! A deadline for a call that cannot be interrupted.
//!
//! The kernel waits for the host, and a library for hardware; neither can be
//! told to stop. So a collector lives in a thread of its own. When it is late its
//! caller goes on, and until it comes back nothing more is asked of it.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread::Builder;
use std::time::Duration;

use crate::challenge::Challenge;
use crate::error::CollectError;
use crate::machine::{Collector, Evidence};

/// A collector with a deadline.
pub(crate) struct Deadline {
    requests: SyncSender<Challenge>,
    answers: Receiver<Result<Evidence, CollectError>>,
    after: Duration,
    /// Whether the answer to an earlier request is still to come.
    late: bool,
}

impl Deadline {
    pub(crate) fn new(mut collector: Box<dyn Collector>, after: Duration) -> Self {
        let (requests, asked) = sync_channel::<Challenge>(1);
        let (answer, answers) = sync_channel(1);
        // If no thread can be made, the channels are closed at once, and every
        // request is told so.
        let _thread = Builder::new().name("evidence".to_owned()).spawn(move || {
            while let Ok(challenge) = asked.recv() {
                if answer.send(collector.collect(&challenge)).is_err() {
                    break;
                }
            }
        });
        Self {
            requests,
            answers,
            after,
            late: false,
        }
    }

    pub(crate) fn collect(&mut self, challenge: &Challenge) -> Result<Evidence, CollectError> {
        self.forget_late_answer()?;
        self.requests
            .send(*challenge)
            .map_err(|_| CollectError::Stopped)?;
        match self.answers.recv_timeout(self.after) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => {
                self.late = true;
                Err(CollectError::TimedOut { after: self.after })
            }
            Err(RecvTimeoutError::Disconnected) => Err(CollectError::Stopped),
        }
    }

    /// An answer to another challenge is of no use.
    fn forget_late_answer(&mut self) -> Result<(), CollectError> {
        if !self.late {
            return Ok(());
        }
        match self.answers.try_recv() {
            Ok(_) => {
                self.late = false;
                Ok(())
            }
            Err(TryRecvError::Empty) => Err(CollectError::Busy),
            Err(TryRecvError::Disconnected) => Err(CollectError::Stopped),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers with the challenge, after whatever the test decides.
    struct Fake<F>(F);

    impl<F: FnMut() + Send> Collector for Fake<F> {
        fn collect(&mut self, challenge: &Challenge) -> Result<Evidence, CollectError> {
            (self.0)();
            Ok(Evidence::Cca {
                token: challenge.report_data().to_vec(),
            })
        }
    }

    fn challenge(byte: u8) -> Challenge {
        Challenge::of_bytes([byte; 64])
    }

    #[test]
    fn an_answer_in_time_is_passed_on() {
        let mut collector = Deadline::new(Box::new(Fake(|| ())), Duration::from_mins(1));
        let Evidence::Cca { token } = collector.collect(&challenge(7)).unwrap() else {
            panic!("another kind");
        };
        assert_eq!(token, [7; 64]);
    }

    #[test]
    fn a_late_answer_is_never_taken_for_that_to_another_challenge() {
        let (go, wait) = sync_channel::<()>(4);
        let fake = Fake(move || wait.recv().unwrap_or_default());
        let mut collector = Deadline::new(Box::new(fake), Duration::from_millis(20));
        let error = collector.collect(&challenge(1)).unwrap_err();
        assert!(matches!(error, CollectError::TimedOut { .. }));
        let error = collector.collect(&challenge(2)).unwrap_err();
        assert!(matches!(error, CollectError::Busy));
        go.send(()).unwrap();
        go.send(()).unwrap();
        collector.after = Duration::from_mins(1);
        let answer = loop {
            match collector.collect(&challenge(3)) {
                Err(CollectError::Busy) => std::thread::yield_now(),
                answer => break answer,
            }
        };
        let Ok(Evidence::Cca { token }) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(token, [3; 64]);
    }

    #[test]
    fn a_collector_that_panics_is_an_error() {
        let fake = Fake(|| panic!("a library's fault"));
        let mut collector = Deadline::new(Box::new(fake), Duration::from_mins(1));
        for _ in 0..2 {
            let error = collector.collect(&challenge(1)).unwrap_err();
            assert!(matches!(error, CollectError::Stopped));
        }
    }
}
