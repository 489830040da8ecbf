//! The claim check on the worker's side: payloads fetched before the handler runs, and removed after
//! the message is deleted.
//!
//! Two wrappers, so that nothing between them knows: one around the handler fetches, one around the
//! queue removes. The message goes first and its payload after, so that no message
//! is ever left whose payload is gone; what a crash between the two leaves over is a lifecycle rule's
//! to expire. A message that lives on elsewhere, in the dead-letter queue or sent once more, keeps its
//! payload.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::{Fetched, LEGACY_SIZE_ATTRIBUTE, Payloads, Pointer, SIZE_ATTRIBUTE};
use crate::aws::CallError;
use crate::chance;
use crate::clock::{Clock, pause};
use crate::handler::{Context, Handler, Job, Outcome};
use crate::queue::{Buried, Entries, Message, Outgoing, Queue, Visibility};
use crate::retry::{Backoff, HIDDEN_MAX};
use crate::service::{Parts, Source};

/// How often a fetch is tried before the message is put back. With backoff this spans about a
/// minute: a short outage shall not cost deliveries, which SQS counts.
const TRIES: u32 = 10;

/// What a message waits that is put back because its payload could not be had.
const LATER: Duration = Duration::from_mins(1);

/// Payloads, and the bucket that they may lie in.
#[derive(Clone)]
pub struct ClaimCheck {
    payloads: Arc<dyn Payloads>,
    bucket: String,
}

impl ClaimCheck {
    /// Only payloads in `bucket` are fetched and removed: whoever can send a message could otherwise
    /// have the worker read, and delete, whatever its role may.
    pub fn new(payloads: Arc<dyn Payloads>, bucket: impl Into<String>) -> Self {
        Self {
            payloads,
            bucket: bucket.into(),
        }
    }

    /// A worker that fetches payloads and removes them.
    pub fn around(&self, parts: Parts) -> Parts {
        let clock = parts.clock;
        let removing = |source: Source| Source {
            queue: Arc::new(Removing {
                queue: source.queue,
                check: self.clone(),
                clock,
                held: Mutex::default(),
            }),
            ..source
        };
        Parts {
            handler: Arc::new(Fetching {
                handler: parts.handler,
                check: self.clone(),
            }),
            sources: parts.sources.into_iter().map(removing).collect(),
            ..parts
        }
    }

    /// The payload that a body points to; `Err` is what becomes of a job without.
    async fn fetch(&self, pointer: &Pointer) -> Result<String, Outcome> {
        let (bucket, key) = (&pointer.bucket, &pointer.key);
        let poison = |reason: String| Outcome::Poison { reason };
        if *bucket != self.bucket {
            return Err(poison(format!(
                "the payload lies in the bucket {bucket}, and this worker fetches from {} only \
                 (--payload-bucket)",
                self.bucket
            )));
        }
        let mut failures = 0;
        loop {
            let error = match self.payloads.get(pointer).await {
                Ok(Fetched::Text(text)) => return Ok(text),
                Ok(Fetched::Missing) => {
                    return Err(poison(format!("the payload s3://{bucket}/{key} is gone")));
                }
                Ok(Fetched::Unfit(why)) => {
                    return Err(poison(format!("the payload s3://{bucket}/{key}: {why}")));
                }
                Err(error) => error,
            };
            failures += 1;
            tracing::warn!(%error, failures, "could not fetch the payload");
            if failures >= TRIES {
                let reason = format!("the payload could not be fetched: {error}");
                let after = LATER;
                return Err(Outcome::HandBack { after, reason });
            }
            pause(Backoff::CALLS.delay(failures, chance::unit())).await;
        }
    }
}

struct Fetching {
    handler: Arc<dyn Handler>,
    check: ClaimCheck,
}

#[async_trait]
impl Handler for Fetching {
    async fn handle(&self, mut job: Job, ctx: Context) -> Outcome {
        match Pointer::of(&job.body, &job.attributes) {
            Ok(None) => {}
            Ok(Some(pointer)) => {
                let fetched = tokio::select! {
                    fetched = self.check.fetch(&pointer) => fetched,
                    cause = ctx.cancelled() => Err(Outcome::HandBack {
                        after: Duration::ZERO,
                        reason: format!("its payload was not fetched in time: {cause}"),
                    }),
                };
                match fetched {
                    Ok(body) => job.body = body,
                    Err(outcome) => return outcome,
                }
                job.attributes.remove(SIZE_ATTRIBUTE);
                job.attributes.remove(LEGACY_SIZE_ATTRIBUTE);
            }
            Err(error) => {
                let reason = error.to_string();
                return Outcome::Poison { reason };
            }
        }
        self.handler.handle(job, ctx).await
    }

    fn describe(&self) -> String {
        self.handler.describe()
    }

    async fn ready(&self) {
        self.handler.ready().await;
    }
}

struct Removing {
    queue: Arc<dyn Queue>,
    check: ClaimCheck,
    clock: Clock,
    held: Mutex<Held>,
}

/// What is known of messages that were received and not deleted yet.
#[derive(Default)]
struct Held {
    /// By handle: where the payload lies, and since when the message is held.
    payloads: BTreeMap<String, (Pointer, Instant)>,
    /// Payloads that another message points to as well.
    shared: BTreeSet<(String, String)>,
}

impl Removing {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, messages: &[Message]) {
        let now = self.clock.instant();
        let mut held = self.held();
        // A handle is good for twelve hours at most; what was put back never asks again.
        held.payloads
            .retain(|_, (_, since)| now.saturating_duration_since(*since) <= HIDDEN_MAX);
        for message in messages {
            if let Ok(Some(pointer)) = Pointer::of(&message.body, &message.attributes)
                && pointer.bucket == self.check.bucket
            {
                let receipt = message.receipt.clone();
                held.payloads.insert(receipt, (pointer, now));
            }
        }
    }

    /// From now on another message points there.
    fn share(&self, message: &Outgoing) {
        if let Ok(Some(pointer)) = Pointer::of(&message.body, &message.attributes) {
            self.held().shared.insert((pointer.bucket, pointer.key));
        }
    }

    /// The payloads of messages that are gone, which nothing points to any more.
    fn orphans(&self, receipts: &[String], deleted: &Entries<()>) -> Vec<Pointer> {
        let mut held = self.held();
        let gone = receipts.iter().zip(deleted);
        let gone = gone.filter(|(_, answer)| answer.is_ok());
        gone.filter_map(|(receipt, _)| {
            let (pointer, _) = held.payloads.remove(receipt)?;
            let place = (pointer.bucket.clone(), pointer.key.clone());
            (!held.shared.remove(&place)).then_some(pointer)
        })
        .collect()
    }
}

#[async_trait]
impl Queue for Removing {
    fn name(&self) -> &str {
        self.queue.name()
    }

    async fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Message>, CallError> {
        let messages = self.queue.receive(max, wait, visibility).await?;
        self.note(&messages);
        Ok(messages)
    }

    async fn delete(&self, receipts: &[String]) -> Result<Entries<()>, CallError> {
        let answers = self.queue.delete(receipts).await?;
        let orphans = self.orphans(receipts, &answers);
        let removals = orphans.iter().map(|pointer| async move {
            if let Err(error) = self.check.payloads.remove(pointer).await {
                tracing::warn!(%error, "a payload is left for the bucket's lifecycle rule");
            }
        });
        futures::future::join_all(removals).await;
        Ok(answers)
    }

    async fn change_visibility(&self, changes: &[Visibility]) -> Result<Entries<()>, CallError> {
        self.queue.change_visibility(changes).await
    }

    async fn send(&self, messages: &[Outgoing]) -> Result<Entries<String>, CallError> {
        for message in messages {
            self.share(message);
        }
        self.queue.send(messages).await
    }

    async fn bury(&self, message: &Outgoing) -> Result<Buried, CallError> {
        // Before the call, as its answer may be lost; without a dead-letter queue nothing points
        // there after all, but a payload too many does no harm.
        self.share(message);
        self.queue.bury(message).await
    }
}
