//! A verified service, asked one thing at a time.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use getrandom::SysRng;
use rand_core::UnwrapErr;
use subrosa_api::error::{ApiError, Code};
use subrosa_api::event::{Event, FinishReason};
use subrosa_api::request::ConversationKey;
use subrosa_attest::{Policy, Verdict};
use subrosa_client::{
    Client, Completed, Config, EventStream, Exchange, InnerRequest, LogHistory, ReceiptFile,
    SendOptions, ServiceUrl, StreamItem, SystemClock, Trust, VerifiedNode,
};

use crate::client_failure::{of_api, of_client};
use crate::failure::{Exit, Failure};
use crate::folders::{Folders, make_private_folder};
use crate::judgement::Judgement;
use crate::printer::Printer;
use crate::settings::Profile;

/// Which service, and what is accepted of it.
pub(crate) struct SessionOptions {
    pub(crate) url: String,
    pub(crate) policy: Policy,
    pub(crate) trust: Trust,
    pub(crate) profile: Profile,
}

/// A service that passed verification.
pub(crate) struct Session {
    client: Client,
    /// The one that answered last: keys change every ten minutes.
    node: Mutex<Arc<VerifiedNode>>,
}

/// An answer under way.
pub(crate) struct Answering {
    events: EventStream,
    completed: Option<Box<Completed>>,
}

/// What arrives.
pub(crate) enum Piece {
    /// The model stopped because it reached the most tokens it may write.
    LengthReached,
    Text(String),
}

/// The end of a whole answer.
pub(crate) struct Finished {
    receipt: ReceiptFile,
    pub(crate) verdict_line: String,
}

/// The client that `options` describe.
pub(crate) fn client(options: SessionOptions) -> Result<Client, Failure> {
    let config = config(options)?;
    Client::new(config, SystemClock, UnwrapErr(SysRng)).map_err(|error| of_client(&error))
}

pub(crate) fn config(options: SessionOptions) -> Result<Config, Failure> {
    let url: ServiceUrl = options.url.parse().map_err(|error| {
        Failure::new(
            Exit::Usage,
            format!("{} is not the address of a service", options.url),
        )
        .because(&error)
        .hint("give scheme, host and port, such as https://ai.example.org or http://127.0.0.1:8443")
    })?;
    let asks_the_log = options.policy.log().is_some();
    let mut config = Config::new(url, options.policy);
    if asks_the_log {
        config.history = Arc::new(history()?);
    }
    config.trust = options.trust;
    config.profile = options.profile.into();
    Ok(config)
}

/// What this device has seen of transparency logs.
pub(crate) fn history() -> Result<LogHistory, Failure> {
    let folder = Folders::find()?.state.path;
    make_private_folder(&folder)?;
    Ok(LogHistory::file(folder.join(HISTORY)))
}

/// What was seen of transparency logs, in the folder of states.
const HISTORY: &str = "logs.json";

impl Session {
    /// Verifies the service.
    pub(crate) async fn connect(options: SessionOptions) -> Result<Self, Failure> {
        let client = client(options)?;
        let node = client.node().await.map_err(|error| of_client(&error))?;
        Ok(Self {
            client,
            node: Mutex::new(node),
        })
    }

    /// The verdict in one line, with codes or gaps.
    pub(crate) fn verdict_line(&self) -> String {
        self.node().verdict_line()
    }

    /// The verdict without them, for a prompt.
    pub(crate) fn verdict_class(&self) -> &'static str {
        match self.node().appraisal().verdict() {
            Verdict::Verified => "VERIFIED",
            Verdict::VerifiedWithGaps(_) => "VERIFIED WITH GAPS",
            Verdict::NotProtectedDevelopment => "NOT PROTECTED (development)",
            Verdict::Refused(_) => "REFUSED",
        }
    }

    /// Whether the evidence excludes the operator of the host.
    pub(crate) fn is_protected(&self) -> bool {
        let verdict = self.node().appraisal().verdict();
        matches!(verdict, Verdict::Verified | Verdict::VerifiedWithGaps(_))
    }

    /// The model of that name, or the first that the service attests.
    pub(crate) fn model(&self, name: Option<&str>) -> Result<String, Failure> {
        let models: Vec<_> = self
            .node()
            .key_configuration()
            .models()
            .iter()
            .map(|model| model.name.clone())
            .collect();
        let found = match name {
            Some(name) => models.iter().find(|model| *model == name),
            None => models.first(),
        };
        found.cloned().ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                format!("the service has no model {}", name.unwrap_or_default()),
            )
            .hint(format!("it attests: {}", models.join(", ")))
        })
    }

    /// Prints what was checked about the service.
    pub(crate) fn print_appraisal(&self, printer: &Printer) -> Result<(), Failure> {
        Judgement::Passed(self.node()).print(printer, false)
    }

    /// Sends a chat request. With `keep_text` its receipt holds the text, to be opened with it.
    pub(crate) async fn ask(
        &self,
        body: Vec<u8>,
        conversation: &ConversationKey,
        keep_text: bool,
    ) -> Result<Answering, Failure> {
        let request = InnerRequest {
            method: "POST".to_owned(),
            path: "/v1/chat/completions".to_owned(),
            headers: vec![
                ("content-type".to_owned(), "application/json".to_owned()),
                (ConversationKey::HEADER.to_owned(), conversation.to_header()),
            ],
            body,
        };
        let mut options = SendOptions::default();
        options.keep_transcript = keep_text;
        // A question that is answered twice harms nobody.
        options.idempotent = true;
        let exchange = self
            .client
            .send(&request, &options)
            .await
            .map_err(|error| of_client(&error))?;
        *self.node.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(exchange.node());
        if !exchange.is_events() {
            return Err(refusal(exchange).await);
        }
        let events = exchange.into_events().map_err(|error| of_client(&error))?;
        Ok(Answering {
            events,
            completed: None,
        })
    }

    fn node(&self) -> Arc<VerifiedNode> {
        Arc::clone(&self.node.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets the padding behind answers arrive, so that the end of this program
    /// does not show where the last answer ended.
    pub(crate) async fn drain(&self) {
        self.client.drain(LONGEST_DRAIN).await;
    }
}

impl Answering {
    /// The next piece; `None` when the answer is whole.
    pub(crate) async fn next(&mut self) -> Result<Option<Piece>, Failure> {
        loop {
            match self
                .events
                .next()
                .await
                .map_err(|error| of_client(&error))?
            {
                StreamItem::Complete(completed) => {
                    self.completed = Some(completed);
                    return Ok(None);
                }
                StreamItem::Event(Event::TextDelta { text, .. }) => {
                    return Ok(Some(Piece::Text(text)));
                }
                StreamItem::Event(Event::Error(error)) => return Err(of_api(&error)),
                StreamItem::Event(Event::Finish { reason, .. }) => match reason {
                    FinishReason::Length => return Ok(Some(Piece::LengthReached)),
                    FinishReason::Cancelled => {
                        return Err(of_api(&ApiError::from_code(Code::Cancelled)));
                    }
                    _ => {}
                },
                StreamItem::Event(_) => {}
            }
        }
    }

    /// What is kept of the whole answer.
    pub(crate) fn finish(self) -> Result<Finished, Failure> {
        let completed = self
            .completed
            .ok_or_else(|| Failure::new(Exit::Engine, "the answer is not whole"))?;
        let node = self.events.node();
        Ok(Finished {
            verdict_line: node.verdict_line(),
            receipt: ReceiptFile::new(node, *completed),
        })
    }
}

impl Finished {
    pub(crate) fn receipt_id(&self) -> String {
        self.receipt.receipt().id()
    }

    /// Keeps the receipt; the answer is its path.
    pub(crate) fn save(&self, folder: &Path) -> Result<PathBuf, Failure> {
        make_private_folder(folder)?;
        self.receipt.save(folder).map_err(|error| {
            Failure::new(
                Exit::Failed,
                "the answer is whole, but its receipt was not kept",
            )
            .because(&error)
        })
    }
}

/// What a sealed answer that is no stream says.
async fn refusal(exchange: Exchange) -> Failure {
    let whole = match exchange.whole(MAX_REFUSAL).await {
        Ok(whole) => whole,
        Err(error) => return of_client(&error),
    };
    let document: serde_json::Value = serde_json::from_slice(&whole.body).unwrap_or_default();
    let code = whole
        .head
        .header(ApiError::CODE_HEADER)
        .and_then(Code::parse)
        .unwrap_or(Code::Internal);
    let message = document
        .pointer("/error/message")
        .and_then(|message| message.as_str());
    of_api(&ApiError::new(code, message.unwrap_or(code.summary())))
}

const MAX_REFUSAL: usize = 64 * 1024;
/// Padding at most doubles an answer; nobody waits longer than this for it.
const LONGEST_DRAIN: Duration = Duration::from_secs(30);
