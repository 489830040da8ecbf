//! Who does the work: what a handler is given, what it answers, and how it learns that it must stop.
//!
//! A Rust type or closure is a handler ([`rust`]), and so is any program ([`exec`]) or service
//! ([`http`]). A handler must not touch the message or the job record: it answers with an
//! [`Outcome`], and the worker does the rest.

pub mod exec;
mod failure;
pub mod http;
pub mod rust;
pub(crate) mod timeout;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::TransactWriteItem;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::observe::Trace;
use crate::queue::Attribute;

pub use failure::Failure;
pub use rust::json;
pub use timeout::TIMEOUT_ATTRIBUTE;

/// Does jobs.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Does one job. A panic counts as a retry with the panic's text.
    async fn handle(&self, job: Job, ctx: Context) -> Outcome;

    /// Waits until jobs can be done at all; nothing is fetched before. Asked before each poll, so
    /// the answer must be cheap once it is yes. Dropped when the worker leaves.
    async fn ready(&self) {}

    /// What this is, in a few words for logs.
    fn describe(&self) -> String {
        std::any::type_name::<Self>().into()
    }
}

/// What is to be done. The body is the message's text, or what [`Job::parse_json`] made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job<Body = String> {
    /// The job's id: the message attribute `JobId`, else the message id.
    pub id: String,
    /// The message's body.
    pub body: Body,
    /// The message's attributes.
    pub attributes: BTreeMap<String, Attribute>,
}

impl Job {
    /// The job with its body read as JSON; what cannot be read is poison, with line and column in
    /// the reason.
    pub fn parse_json<Body: DeserializeOwned>(self) -> Result<Job<Body>, Failure> {
        let body = serde_json::from_str(&self.body)
            .map_err(|error| Failure::poison(error).context("the body is not what is expected"))?;
        Ok(Job {
            id: self.id,
            body,
            attributes: self.attributes,
        })
    }
}

/// How an attempt went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done; the text is kept in the job record. A record holds at most 400 KB in all.
    Done(String),
    /// Not this time.
    Retry {
        /// When to try again; `None`: after the worker's backoff.
        after: Option<Duration>,
        /// Why.
        reason: String,
    },
    /// Never: the message goes to the dead-letter queue.
    Poison {
        /// Why.
        reason: String,
    },
    /// Not begun, so not counted as an attempt: what it needs was not there, or the worker leaves.
    HandBack {
        /// When to deliver it again.
        after: Duration,
        /// Why.
        reason: String,
    },
}

impl Outcome {
    /// Done, with a result in JSON. A value that JSON cannot express is poison: it would be the
    /// same at each attempt.
    pub fn json(result: &impl Serialize) -> Self {
        serde_json::to_string(result).map_or_else(
            |error| Self::Poison {
                reason: format!("the result cannot be written as JSON: {error}"),
            },
            Self::Done,
        )
    }
}

/// Why a job must stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelCause {
    /// It took longer than the job timeout.
    Timeout,
    /// Another attempt took the job over: whatever this one returns is refused.
    LeaseLost,
    /// The message was deleted or delivered to somebody else, and no lease keeps them from the job.
    /// A job whose lease holds goes on: whoever has the message finds it running, then finished.
    MessageGone,
    /// The worker leaves and cannot wait any longer.
    DrainDeadline,
}

impl std::fmt::Display for CancelCause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Timeout => "it ran into the job timeout",
            Self::LeaseLost => "its lease was lost to another attempt",
            Self::MessageGone => "its message was deleted or delivered elsewhere",
            Self::DrainDeadline => "the worker had to leave",
        })
    }
}

/// What a handler may know and do about its attempt. Cloned freely.
#[derive(Clone, Debug)]
pub struct Context {
    attempt: u32,
    token: Arc<str>,
    deadline: Instant,
    deadline_unix_seconds: f64,
    stop: Stop,
    draining: Option<CancellationToken>,
    trace: Option<Arc<Trace>>,
    writes: Arc<Mutex<Vec<TransactWriteItem>>>,
}

/// What the worker fixes about an attempt before it starts.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Attempts that ran, this one included.
    pub attempt: u32,
    /// The lease's token.
    pub token: String,
    /// When the attempt times out.
    pub deadline: Instant,
    /// The same in Unix seconds.
    pub deadline_unix_seconds: f64,
}

impl Context {
    /// A context under these terms; `stop` is the worker's end of it.
    pub fn new(terms: Terms, stop: Stop) -> Self {
        Self {
            attempt: terms.attempt,
            token: terms.token.into(),
            deadline: terms.deadline,
            deadline_unix_seconds: terms.deadline_unix_seconds,
            stop,
            draining: None,
            trace: None,
            writes: Arc::default(),
        }
    }

    /// The same, told by `draining` when the worker begins to leave.
    #[must_use]
    pub fn with_draining(mut self, draining: CancellationToken) -> Self {
        self.draining = Some(draining);
        self
    }

    /// The same, as part of a trace.
    #[must_use]
    pub fn with_trace(mut self, trace: Option<Trace>) -> Self {
        self.trace = trace.map(Arc::new);
        self
    }

    /// The trace this attempt is part of, to be handed on with calls it makes; `None` if the sender
    /// named none and the worker exports none.
    pub fn trace(&self) -> Option<&Trace> {
        self.trace.as_deref()
    }

    /// Attempts that ran, this one included; 1 for the first.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The lease's token: no other attempt of any job has it. Put it where a later attempt must be
    /// able to fence this one out.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// When the attempt times out.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The same, Unix seconds.
    pub fn deadline_unix_seconds(&self) -> f64 {
        self.deadline_unix_seconds
    }

    /// Waits until the job must stop, and says why. What is returned soon after still counts, as
    /// far as the lease allows; then the future is dropped.
    pub async fn cancelled(&self) -> CancelCause {
        self.stop.wait().await
    }

    /// Why the job must stop, if it must.
    pub fn cancel_cause(&self) -> Option<CancelCause> {
        self.stop.cause()
    }

    /// Whether the job must stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancel_cause().is_some()
    }

    /// Waits until the worker begins to leave. A job may go on until [`Context::cancelled`]; a long
    /// one may use the time to save where it stands, and hand itself back.
    pub async fn draining(&self) {
        match &self.draining {
            Some(draining) => draining.cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// Whether the worker is leaving.
    pub fn is_draining(&self) -> bool {
        let draining = self.draining.as_ref();
        draining.is_some_and(CancellationToken::is_cancelled)
    }

    /// Adds a DynamoDB write to the job's completion: it goes through in the same transaction, and
    /// only if the outcome is [`Outcome::Done`] and no other attempt has taken the job over. Where no
    /// records are kept ([`crate::Idempotency::Off`]) the writes are a transaction of their own. At
    /// most 99 a job.
    pub fn write_on_completion(&self, write: TransactWriteItem) {
        let mut writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        writes.push(write);
    }

    pub(crate) fn take_writes(&self) -> Vec<TransactWriteItem> {
        let mut writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut writes)
    }
}

/// Tells one attempt to stop; the first cause stands. Cloned freely.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    told: Arc<Told>,
}

#[derive(Debug, Default)]
struct Told {
    cause: OnceLock<CancelCause>,
    now: Notify,
}

impl Stop {
    /// Tells the attempt to stop.
    pub fn because(&self, cause: CancelCause) {
        if self.told.cause.set(cause).is_ok() {
            self.told.now.notify_waiters();
        }
    }

    /// Why, if it was told.
    pub fn cause(&self) -> Option<CancelCause> {
        self.told.cause.get().copied()
    }

    /// Waits until it is told.
    pub async fn wait(&self) -> CancelCause {
        // Made before the look, so that it hears what comes after.
        let told = self.told.now.notified();
        if let Some(cause) = self.cause() {
            return cause;
        }
        told.await;
        self.cause()
            .expect("invariant: the cause is set before anybody is notified")
    }
}
