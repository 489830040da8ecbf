//! May this job run, and it ended thus: what each kind of idempotency writes, behind one face.
//!
//! Jobs are executed the same way under all three kinds; what differs is here. It must not touch
//! messages, nor repeat a call: the caller knows how long trying is worth it.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::TransactWriteItem;
use weir_protocol::JobRecord;

use crate::chance;
use crate::clock::{Clock, whole};
use crate::jobs::{Jobs, JobsError};
use crate::lease::{
    Claim, Claimed, Ending, Finish, Held, Idempotency, Over, PutOff, Reopen, Reopened,
    SKEW_SECONDS, Unclaimed,
};
use crate::postpone::Postponed;
use crate::queue::Message;
use crate::service::Settings;

/// What the worker itself puts on messages that it sends again begins with this.
const OWN_ATTRIBUTES: &str = "Weir";

/// The job records as the executing tasks see them.
pub(crate) struct Records {
    jobs: Arc<dyn Jobs>,
    idempotency: Idempotency,
    worker: String,
    lease: Duration,
    keep: Duration,
    clock: Clock,
}

/// A wish to run a job. Asking again with the same value is recognised.
pub(crate) struct Wish {
    job_id: String,
    token: String,
    queue: String,
    message_id: String,
    ticket: Option<String>,
    sent_at: Option<f64>,
    receive_count: Option<u32>,
    first_delivery: bool,
}

/// The answer to a [`Wish`].
pub(crate) enum Answer {
    /// It may run.
    Run(Attempt),
    /// The job has ended; nothing is left to run.
    Finished(Box<JobRecord>),
    /// Another attempt runs.
    Elsewhere {
        /// How long it may go on unless it renews its lease.
        left: Duration,
    },
    /// The job was put off, and another message is to begin it.
    PutOff(PutOff),
}

/// One attempt at a job.
pub(crate) struct Attempt {
    pub(crate) job_id: String,
    pub(crate) token: String,
    /// Attempts that ran, this one included; without records, deliveries.
    pub(crate) number: u32,
    /// Why the attempt before it failed, if that is known.
    pub(crate) last_reason: Option<String>,
    pub(crate) past: Past,
    fence: Fence,
}

/// What a record knows of a job's earlier attempts.
#[derive(Default)]
pub(crate) struct Past {
    /// When the first began, Unix seconds.
    pub(crate) started_at: Option<f64>,
    /// Why the first that failed did.
    pub(crate) first_reason: Option<String>,
    /// When that was, Unix seconds.
    pub(crate) first_failed_at: Option<f64>,
}

/// What keeps other attempts out.
enum Fence {
    /// A running record with our token; Unix seconds.
    Lease { until: f64 },
    /// That there is no record.
    Absence(Box<Unclaimed>),
    /// Nothing does.
    Open,
}

impl Records {
    /// Records of `worker`, kept in `jobs`.
    pub(crate) fn new(
        jobs: Arc<dyn Jobs>,
        worker: &str,
        settings: &Settings,
        clock: Clock,
    ) -> Self {
        Self {
            jobs,
            idempotency: settings.idempotency,
            worker: worker.to_owned(),
            lease: settings.visibility,
            keep: settings.keep_records,
            clock,
        }
    }

    /// The wish to run the job of a message that came from `queue`.
    pub(crate) fn wish(message: &Message, queue: &str) -> Wish {
        Wish {
            job_id: message.job_id().to_owned(),
            token: chance::token(),
            queue: queue.to_owned(),
            message_id: message.id.clone(),
            ticket: Postponed::of(message).map(|postponed| postponed.ticket),
            sent_at: message.sent_at(),
            receive_count: message.receive_count,
            first_delivery: is_first_delivery(message),
        }
    }

    /// Whether a job may run.
    pub(crate) async fn may_run(&self, wish: &Wish) -> Result<Answer, JobsError> {
        match self.idempotency {
            Idempotency::Once if wish.first_delivery => {
                let begun = Unclaimed {
                    worker: self.worker.clone(),
                    queue: wish.queue.clone(),
                    sent_at: wish.sent_at,
                    started_at: self.clock.unix_seconds(),
                };
                Ok(wish.run(1, Fence::Absence(Box::new(begun))))
            }
            Idempotency::Lease | Idempotency::Once => self.claim(wish).await,
            Idempotency::Off => Ok(wish.run(wish.receive_count.unwrap_or(1), Fence::Open)),
        }
    }

    async fn claim(&self, wish: &Wish) -> Result<Answer, JobsError> {
        let now = self.clock.unix_seconds();
        let claim = Claim {
            job_id: wish.job_id.clone(),
            token: wish.token.clone(),
            worker: self.worker.clone(),
            queue: wish.queue.clone(),
            message_id: wish.message_id.clone(),
            ticket: wish.ticket.clone(),
            sent_at: wish.sent_at,
            now,
            lease_seconds: self.lease.as_secs_f64(),
            expires_at: self.expires_at(now),
        };
        Ok(match self.jobs.claim(&claim).await? {
            Claimed::Mine(record) => Answer::Run(Attempt {
                job_id: record.job_id,
                token: claim.token,
                number: record.attempt,
                last_reason: record.reason,
                past: Past {
                    started_at: record.started_at,
                    first_reason: record.first_reason,
                    first_failed_at: record.first_failed_at,
                },
                fence: Fence::Lease {
                    until: record.lease_until.unwrap_or(now),
                },
            }),
            Claimed::Finished(record) => Answer::Finished(record),
            Claimed::PutOff(put_off) => Answer::PutOff(put_off),
            Claimed::Elsewhere { lease_until } => {
                let left = (lease_until + SKEW_SECONDS - now).clamp(1.0, 86_400.0);
                let left = Duration::from_secs_f64(left);
                Answer::Elsewhere { left }
            }
        })
    }

    /// Lets a failed job be begun anew, if it failed under this token.
    pub(crate) async fn begin_anew(
        &self,
        job_id: &str,
        failed_with: &str,
    ) -> Result<Reopened, JobsError> {
        let now = self.clock.unix_seconds();
        let reopen = Reopen {
            job_id: job_id.to_owned(),
            failed_with: Some(failed_with.to_owned()),
            now,
            expires_at: self.expires_at(now),
        };
        self.jobs.reopen(&reopen).await
    }

    /// The end of an attempt, to be given to [`Self::write`] until it is written.
    pub(crate) fn end(&self, attempt: &Attempt, ending: Ending) -> Finish {
        let now = self.clock.unix_seconds();
        Finish {
            job_id: attempt.job_id.clone(),
            token: attempt.token.clone(),
            over: match &attempt.fence {
                Fence::Absence(begun) => Over::Nothing(begun.clone()),
                Fence::Lease { .. } | Fence::Open => Over::Lease,
            },
            at: now,
            expires_at: self.expires_at(now),
            ending,
        }
    }

    /// Writes the end of an attempt, and the handler's own writes with it. [`Held::Lost`]: another
    /// attempt rules the job, and nothing was written.
    pub(crate) async fn write(
        &self,
        attempt: &Attempt,
        finish: &Finish,
        writes: &[TransactWriteItem],
    ) -> Result<Held, JobsError> {
        match (&attempt.fence, &finish.ending) {
            // There is no lease to give up, and the attempt is not to be counted.
            (Fence::Absence(_), Ending::HandedBack { .. }) => Ok(Held::Yes),
            (Fence::Lease { .. } | Fence::Absence(_), _) => self.jobs.finish(finish, writes).await,
            (Fence::Open, _) if writes.is_empty() => Ok(Held::Yes),
            (Fence::Open, _) => {
                self.jobs.write(&attempt.token, writes).await?;
                Ok(Held::Yes)
            }
        }
    }

    fn expires_at(&self, now: f64) -> i64 {
        whole(now + self.keep.as_secs_f64())
    }
}

impl Wish {
    fn run(&self, number: u32, fence: Fence) -> Answer {
        Answer::Run(Attempt {
            job_id: self.job_id.clone(),
            token: self.token.clone(),
            number,
            last_reason: None,
            past: Past::default(),
            fence,
        })
    }
}

impl Attempt {
    /// How long its lease holds from `now`, Unix seconds; `None`: it has none to renew.
    pub(crate) fn lease_left(&self, now: f64) -> Option<Duration> {
        match self.fence {
            Fence::Lease { until } => {
                Some(Duration::from_secs_f64((until - now).clamp(0.0, 86_400.0)))
            }
            Fence::Absence(_) | Fence::Open => None,
        }
    }
}

/// Whether nobody can have had the message before: what comes again, what the worker itself sent
/// again, and what nothing is known of may have left a record.
fn is_first_delivery(message: &Message) -> bool {
    let mut names = message.attributes.keys();
    message.receive_count == Some(1) && !names.any(|name| name.starts_with(OWN_ATTRIBUTES))
}
