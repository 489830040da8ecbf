//! Who may finish a job: the job record's state machine, as plain functions over records.
//!
//! `absent → running(token, attempt, lease_until) → succeeded | failed | waiting`, and the same ends
//! straight from `absent` for an attempt that ran without a claim. [`crate::memory`] applies these
//! functions; [`crate::jobs::DynamoJobs`] says the same in condition expressions, and one
//! conformance suite holds both to it. Pure: `now` is in the arguments.

use weir_protocol::{JobRecord, JobState};

/// How jobs are kept from being done twice: what a worker writes about each of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Idempotency {
    /// A lease before, a fenced completion after: two writes a job
    #[default]
    Lease,
    /// One write a job, at its end; a lease only once a message is delivered again
    Once,
    /// No records: a job may be done as often as its message is delivered
    Off,
}

/// The longest result that a record holds, bytes of UTF-8. DynamoDB takes 400 KB an item, names of
/// attributes included (DynamoDB Developer Guide, "Constraints in Amazon DynamoDB"); 4 KB are kept
/// for everything else a record says.
pub const RESULT_MAX_BYTES: usize = (400 - 4) * 1024;

/// How far two workers' clocks may disagree: a lease is taken over only this long after it ended.
/// EC2's time service keeps clocks within milliseconds; two seconds forgive a poor one.
pub const SKEW_SECONDS: f64 = 2.0;

/// Of two messages with a ticket, the one that did not begin the job may stand in for the other this
/// long after the job was due: the other may be gone.
pub const STAND_IN_SECONDS: f64 = 11.0 * 3600.0;

/// A wish to run a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The job.
    pub job_id: String,
    /// The new lease's token, never used before.
    pub token: String,
    /// Who asks: an instance id.
    pub worker: String,
    /// The queue's name.
    pub queue: String,
    /// The id of the message that asks for the job.
    pub message_id: String,
    /// The ticket it shows, if it was sent again for a job that was put off.
    pub ticket: Option<String>,
    /// When the message was sent, Unix seconds by SQS's clock.
    pub sent_at: Option<f64>,
    /// Unix seconds.
    pub now: f64,
    /// How long the lease shall hold, seconds from `now`.
    pub lease_seconds: f64,
    /// When the table may drop the record, Unix seconds.
    pub expires_at: i64,
}

/// The answer to a [`Claim`].
#[derive(Clone, Debug, PartialEq)]
pub enum Claimed {
    /// The lease is the asker's; this is the record now.
    Mine(Box<JobRecord>),
    /// The job has ended; nothing is left to run.
    Finished(Box<JobRecord>),
    /// Another attempt runs.
    Elsewhere {
        /// When its lease ends unless extended, Unix seconds.
        lease_until: f64,
    },
    /// The job was put off, and another message is to begin it.
    PutOff(PutOff),
}

/// A job that was put off for longer than a message can be hidden.
#[derive(Clone, Debug, PartialEq)]
pub struct PutOff {
    /// What the message that is to begin it must show.
    pub ticket: String,
    /// Before when it is not to be begun, Unix seconds.
    pub until: f64,
    /// The message with the ticket is known to have been sent: it has begun the job once.
    pub has_carrier: bool,
}

/// A wish to have a job begun anew, with all its attempts: what sending its dead letter back means.
/// Repeating it is harmless.
#[derive(Clone, Debug, PartialEq)]
pub struct Reopen {
    /// The job.
    pub job_id: String,
    /// Only if it was the attempt with this token that failed for good; otherwise whatever stands
    /// in the way of another attempt is taken away.
    pub failed_with: Option<String>,
    /// Unix seconds.
    pub now: f64,
    /// When the table may drop the record, Unix seconds.
    pub expires_at: i64,
}

/// The answer to a [`Reopen`].
#[derive(Clone, Debug, PartialEq)]
pub enum Reopened {
    /// The next claim is the first attempt.
    Yes,
    /// There is no record, so nothing is in the way of a claim.
    NoRecord,
    /// The job has succeeded, runs just now, or failed in another way than was meant.
    Kept(Box<JobRecord>),
}

/// How an attempt ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// The job is done.
    Succeeded {
        /// What the handler returned.
        result: String,
    },
    /// The job is given up.
    Failed {
        /// Why.
        reason: String,
    },
    /// The job will be tried again, and this attempt counts.
    Waiting {
        /// Why the attempt failed.
        reason: String,
    },
    /// The job will be tried again after longer than its message can be hidden, by a message with
    /// this ticket; this attempt counts.
    PutOff {
        /// Why the attempt failed.
        reason: String,
        /// What the message that may begin the job again must show.
        ticket: String,
        /// Before when it is not to be begun, Unix seconds.
        until: f64,
    },
    /// The job was cut short by a leaving worker; the attempt is not counted against it.
    HandedBack {
        /// Why the worker left.
        reason: String,
    },
}

/// What the end of an attempt is written over.
#[derive(Clone, Debug, PartialEq)]
pub enum Over {
    /// The running record that the attempt's claim wrote: its token must still rule.
    Lease,
    /// Nothing: the attempt ran without a claim, and nobody may have written a record since.
    Nothing(Box<Unclaimed>),
}

/// What a claim would have written about an attempt that ran without one.
#[derive(Clone, Debug, PartialEq)]
pub struct Unclaimed {
    /// Who ran it: an instance id.
    pub worker: String,
    /// The queue's name.
    pub queue: String,
    /// When the message was sent, Unix seconds by SQS's clock.
    pub sent_at: Option<f64>,
    /// When it began, Unix seconds.
    pub started_at: f64,
}

/// The end of the attempt that holds `token`. Repeating the same value is harmless.
#[derive(Clone, Debug, PartialEq)]
pub struct Finish {
    /// The job.
    pub job_id: String,
    /// The attempt's token.
    pub token: String,
    /// What must stand in the table for the end to count.
    pub over: Over,
    /// Unix seconds.
    pub at: f64,
    /// When the table may drop the record, Unix seconds.
    pub expires_at: i64,
    /// How.
    pub ending: Ending,
}

impl Ending {
    /// The state it leads to.
    pub fn state(&self) -> JobState {
        match self {
            Self::Succeeded { .. } => JobState::Succeeded,
            Self::Failed { .. } => JobState::Failed,
            Self::Waiting { .. } | Self::PutOff { .. } | Self::HandedBack { .. } => {
                JobState::Waiting
            }
        }
    }
}

/// Whether a token still rules its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It does (or did, when the same write had already gone through).
    Yes,
    /// Another attempt took over, or the record is gone.
    Lost,
}

/// The record after `claim` on what was `found`, or why there is no change.
pub fn claim(found: Option<&JobRecord>, claim: &Claim) -> Result<JobRecord, Claimed> {
    if let Some(record) = found {
        let lapsed = record
            .lease_until
            .is_some_and(|until| until < claim.now - SKEW_SECONDS);
        let free = match record.state {
            JobState::Waiting => true,
            JobState::Running => lapsed,
            JobState::Succeeded | JobState::Failed => false,
        };
        if !free || !carries(record, claim) {
            return Err(refused(record, claim));
        }
    }
    Ok(JobRecord {
        job_id: claim.job_id.clone(),
        state: JobState::Running,
        token: Some(claim.token.clone()),
        attempt: found.map_or(0, |record| record.attempt) + 1,
        lease_until: Some(claim.now + claim.lease_seconds),
        worker: Some(claim.worker.clone()),
        queue: Some(claim.queue.clone()),
        sent_at: found.and_then(|record| record.sent_at).or(claim.sent_at),
        started_at: found
            .and_then(|record| record.started_at)
            .or(Some(claim.now)),
        finished_at: None,
        result: None,
        reason: found.and_then(|record| record.reason.clone()),
        first_reason: found.and_then(|record| record.first_reason.clone()),
        first_failed_at: found.and_then(|record| record.first_failed_at),
        not_before: found.and_then(|record| record.not_before),
        ticket: found.and_then(|record| record.ticket.clone()),
        carrier: Some(claim.message_id.clone()),
        expires_at: Some(claim.expires_at),
    })
}

/// Whether the claim's message is the one that may begin the job: any, unless the job was put off.
fn carries(record: &JobRecord, claim: &Claim) -> bool {
    let Some(ticket) = &record.ticket else {
        return true;
    };
    let stands_in = record
        .not_before
        .is_some_and(|due| due < claim.now - STAND_IN_SECONDS);
    let other = |id: &String| *id != claim.message_id;
    let twin = record.carrier.as_ref().is_some_and(other);
    claim.ticket.as_ref() == Some(ticket) && (!twin || stands_in)
}

/// What a claim that met `record` and could not change it means. A running record under the
/// claim's own token is the claim itself, sent again by a retry below us: it is the asker's.
pub fn refused(record: &JobRecord, claim: &Claim) -> Claimed {
    if record.state.is_final() {
        Claimed::Finished(Box::new(record.clone()))
    } else if record.token.as_deref() == Some(&claim.token) {
        Claimed::Mine(Box::new(record.clone()))
    } else if let (Some(ticket), false) = (&record.ticket, carries(record, claim)) {
        Claimed::PutOff(PutOff {
            ticket: ticket.clone(),
            until: record.not_before.unwrap_or(claim.now),
            has_carrier: record.carrier.is_some(),
        })
    } else {
        Claimed::Elsewhere {
            lease_until: record.lease_until.unwrap_or(claim.now),
        }
    }
}

/// Whether `token` rules what was `found`, so that it may extend the lease.
pub fn rules(found: Option<&JobRecord>, token: &str) -> bool {
    found.is_some_and(|record| {
        record.state == JobState::Running && record.token.as_deref() == Some(token)
    })
}

/// The record after `finish` on what was `found`; or, when nothing is to be changed, whether the
/// token held: the finish's own earlier write counts as held.
pub fn finish(found: Option<&JobRecord>, finish: &Finish) -> Result<JobRecord, Held> {
    let mut record = match (&finish.over, found) {
        (Over::Lease, Some(record)) if rules(found, &finish.token) => record.clone(),
        (Over::Nothing(begun), None) => begun.record(finish),
        _ => return Err(already(found, finish)),
    };
    record.state = finish.ending.state();
    record.lease_until = None;
    record.expires_at = Some(finish.expires_at);
    if record.state.is_final() {
        record.finished_at = Some(finish.at);
    }
    match &finish.ending {
        Ending::Succeeded { result } => {
            record.result = Some(result.clone());
            record.reason = None;
            record.first_reason = None;
            record.first_failed_at = None;
        }
        Ending::Failed { reason } | Ending::Waiting { reason } | Ending::PutOff { reason, .. } => {
            record.reason = Some(reason.clone());
            record.first_reason.get_or_insert_with(|| reason.clone());
            record.first_failed_at.get_or_insert(finish.at);
        }
        Ending::HandedBack { reason } => {
            record.reason = Some(reason.clone());
            record.attempt = record.attempt.saturating_sub(1);
        }
    }
    if let Ending::PutOff { ticket, until, .. } = &finish.ending {
        record.ticket = Some(ticket.clone());
        record.not_before = Some(*until);
        record.carrier = None;
    }
    Ok(record)
}

/// The record after `reopen` on what was `found`, or why there is no change.
pub fn reopen(found: Option<&JobRecord>, reopen: &Reopen) -> Result<JobRecord, Reopened> {
    let Some(record) = found else {
        return Err(Reopened::NoRecord);
    };
    let lapsed = record
        .lease_until
        .is_some_and(|until| until < reopen.now - SKEW_SECONDS);
    let open = match (&reopen.failed_with, record.state) {
        (Some(token), JobState::Failed) => record.token.as_ref() == Some(token),
        (None, JobState::Failed | JobState::Waiting) => true,
        (None, JobState::Running) => lapsed,
        (_, JobState::Succeeded) | (Some(_), _) => false,
    };
    if !open {
        return Err(kept(record, reopen));
    }
    Ok(JobRecord {
        state: JobState::Waiting,
        attempt: 0,
        lease_until: None,
        finished_at: None,
        first_reason: None,
        first_failed_at: None,
        not_before: None,
        ticket: None,
        carrier: None,
        expires_at: Some(reopen.expires_at),
        ..record.clone()
    })
}

/// What a reopening that met `record` and did not change it means: its own earlier write, sent again
/// by a retry below us, counts.
pub fn kept(record: &JobRecord, reopen: &Reopen) -> Reopened {
    let own = record.state == JobState::Waiting
        && record.attempt == 0
        && reopen.failed_with.is_some()
        && record.token == reopen.failed_with;
    if own {
        Reopened::Yes
    } else {
        Reopened::Kept(Box::new(record.clone()))
    }
}

impl Unclaimed {
    /// The running record of a first attempt, which was never written.
    fn record(&self, finish: &Finish) -> JobRecord {
        JobRecord {
            job_id: finish.job_id.clone(),
            state: JobState::Running,
            token: Some(finish.token.clone()),
            attempt: 1,
            lease_until: None,
            worker: Some(self.worker.clone()),
            queue: Some(self.queue.clone()),
            sent_at: self.sent_at,
            started_at: Some(self.started_at),
            finished_at: None,
            result: None,
            reason: None,
            first_reason: None,
            first_failed_at: None,
            not_before: None,
            ticket: None,
            carrier: None,
            expires_at: Some(finish.expires_at),
        }
    }
}

/// Whether what was `found` is what `finish` itself once wrote.
pub fn already(found: Option<&JobRecord>, finish: &Finish) -> Held {
    let own = found.is_some_and(|record| {
        record.token.as_deref() == Some(&finish.token) && record.state == finish.ending.state()
    });
    if own { Held::Yes } else { Held::Lost }
}

#[cfg(test)]
mod tests;
