//! The ports with their calls counted, and what the calls say about the worker's reach and pulse.
//!
//! It must not change a call or its answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::TransactWriteItem;
use weir_protocol::JobRecord;

use super::{Observer, QueueMetrics};
use crate::aws::CallError;
use crate::clock::Clock;
use crate::jobs::{Jobs, JobsError};
use crate::lease::{Claim, Claimed, Finish, Held, Reopen, Reopened};
use crate::queue::{Buried, Entries, EntryError, Message, Outgoing, Queue, Visibility};

/// A queue whose calls are counted.
pub(crate) struct ObservedQueue {
    inner: Arc<dyn Queue>,
    observer: Observer,
    metrics: Arc<QueueMetrics>,
    clock: Clock,
}

impl ObservedQueue {
    pub(crate) fn new(inner: Arc<dyn Queue>, observer: Observer, clock: Clock) -> Self {
        Self {
            metrics: observer.of_queue(inner.name()),
            inner,
            observer,
            clock,
        }
    }

    fn called<T>(&self, operation: &'static str, answer: &Result<T, CallError>) {
        let outcome = call_outcome(answer.as_ref().err());
        self.observer.shared.metrics.called(operation, outcome);
    }

    fn called_batch<T>(&self, operation: &'static str, answer: &Result<Entries<T>, CallError>) {
        self.called(operation, answer);
        for error in answer
            .iter()
            .flatten()
            .filter_map(|entry| entry.as_ref().err())
        {
            let outcome = match error {
                EntryError::Gone { .. } => "gone",
                EntryError::Refused { .. } => "refused",
                EntryError::Unavailable { .. } => "unavailable",
            };
            self.observer
                .shared
                .metrics
                .entry_failed(operation, outcome);
        }
    }
}

#[async_trait]
impl Queue for ObservedQueue {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn is_fifo(&self) -> bool {
        self.inner.is_fifo()
    }

    async fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Message>, CallError> {
        let pulse = &self.observer.shared.pulse;
        let poll = pulse.poll_begins(self.clock.instant());
        let answer = self.inner.receive(max, wait, visibility).await;
        pulse.poll_ends(poll, self.clock.instant());
        self.called("receive", &answer);
        self.metrics
            .reached
            .store(answer.is_ok(), Ordering::Relaxed);
        if let Ok(messages) = &answer {
            self.metrics.received.inc_by(messages.len() as u64);
        }
        answer
    }

    async fn delete(&self, receipts: &[String]) -> Result<Entries<()>, CallError> {
        let answer = self.inner.delete(receipts).await;
        self.called_batch("delete", &answer);
        answer
    }

    async fn change_visibility(&self, changes: &[Visibility]) -> Result<Entries<()>, CallError> {
        let answer = self.inner.change_visibility(changes).await;
        self.called_batch("change_visibility", &answer);
        answer
    }

    async fn send(&self, messages: &[Outgoing]) -> Result<Entries<String>, CallError> {
        let answer = self.inner.send(messages).await;
        self.called_batch("send", &answer);
        answer
    }

    async fn bury(&self, message: &Outgoing) -> Result<Buried, CallError> {
        let answer = self.inner.bury(message).await;
        self.called("bury", &answer);
        answer
    }
}

/// Job records whose calls are counted.
pub(crate) struct ObservedJobs {
    inner: Arc<dyn Jobs>,
    observer: Observer,
}

impl ObservedJobs {
    pub(crate) fn new(inner: Arc<dyn Jobs>, observer: Observer) -> Self {
        Self { inner, observer }
    }

    fn called<T>(&self, operation: &'static str, answer: &Result<T, JobsError>) {
        let outcome = match answer {
            Err(JobsError::Call(error)) => call_outcome(Some(error)),
            // The table answered; it is the handler that asked for too much.
            Err(_) => "declined",
            Ok(_) => call_outcome(None),
        };
        let metrics = &self.observer.shared.metrics;
        metrics.called(operation, outcome);
        metrics.table_reached(!matches!(answer, Err(JobsError::Call(_))));
    }
}

#[async_trait]
impl Jobs for ObservedJobs {
    async fn claim(&self, claim: &Claim) -> Result<Claimed, JobsError> {
        let answer = self.inner.claim(claim).await;
        self.called("claim", &answer);
        answer
    }

    async fn extend(&self, job_id: &str, token: &str, lease_until: f64) -> Result<Held, JobsError> {
        let answer = self.inner.extend(job_id, token, lease_until).await;
        self.called("extend", &answer);
        answer
    }

    async fn finish(
        &self,
        finish: &Finish,
        writes: &[TransactWriteItem],
    ) -> Result<Held, JobsError> {
        let answer = self.inner.finish(finish, writes).await;
        self.called("finish", &answer);
        answer
    }

    async fn write(&self, token: &str, writes: &[TransactWriteItem]) -> Result<(), JobsError> {
        let answer = self.inner.write(token, writes).await;
        self.called("write", &answer);
        answer
    }

    async fn reopen(&self, reopen: &Reopen) -> Result<Reopened, JobsError> {
        let answer = self.inner.reopen(reopen).await;
        self.called("reopen", &answer);
        answer
    }

    async fn get(&self, job_id: &str) -> Result<Option<JobRecord>, JobsError> {
        let answer = self.inner.get(job_id).await;
        self.called("get", &answer);
        answer
    }
}

fn call_outcome(error: Option<&CallError>) -> &'static str {
    match error {
        None => "ok",
        Some(CallError::Refused { .. }) => "refused",
        Some(CallError::Unavailable { .. }) => "unavailable",
    }
}
