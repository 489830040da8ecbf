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
    /// Whether it has come before, so that with its ticket it may take the place of a message that
    /// has begun the job and is seen no more.
    pub may_take_over: bool,
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
    let other = |id: &String| *id != claim.message_id;
    let twin = record.carrier.as_ref().is_some_and(other);
    claim.ticket.as_ref() == Some(ticket) && (!twin || claim.may_take_over)
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
mod tests {
    use super::*;

    fn wish(token: &str, now: f64) -> Claim {
        Claim {
            job_id: "j".into(),
            token: token.into(),
            worker: "i-1".into(),
            queue: "q".into(),
            message_id: "m".into(),
            ticket: None,
            may_take_over: false,
            sent_at: Some(90.0),
            now,
            lease_seconds: 60.0,
            expires_at: 1,
        }
    }

    fn end(token: &str, ending: Ending) -> Finish {
        Finish {
            job_id: "j".into(),
            token: token.into(),
            over: Over::Lease,
            at: 130.0,
            expires_at: 2,
            ending,
        }
    }

    fn unclaimed(token: &str, ending: Ending) -> Finish {
        let begun = Unclaimed {
            worker: "i-1".into(),
            queue: "q".into(),
            sent_at: Some(90.0),
            started_at: 100.0,
        };
        Finish {
            over: Over::Nothing(Box::new(begun)),
            ..end(token, ending)
        }
    }

    fn waiting() -> Ending {
        Ending::Waiting {
            reason: "no luck".into(),
        }
    }

    #[test]
    fn first_claim_starts_the_record() {
        let record = claim(None, &wish("a", 100.0)).unwrap();
        assert_eq!(record.attempt, 1);
        assert_eq!(record.lease_until, Some(160.0));
        assert_eq!(
            (record.sent_at, record.started_at),
            (Some(90.0), Some(100.0))
        );
    }

    #[test]
    fn live_lease_is_left_alone_until_the_skew_has_passed() {
        let record = claim(None, &wish("a", 100.0)).unwrap();
        let elsewhere = Claimed::Elsewhere { lease_until: 160.0 };
        assert_eq!(
            claim(Some(&record), &wish("b", 159.0)),
            Err(elsewhere.clone())
        );
        assert_eq!(claim(Some(&record), &wish("b", 162.0)), Err(elsewhere));
        let taken = claim(Some(&record), &wish("b", 162.1)).unwrap();
        assert_eq!((taken.attempt, taken.token.as_deref()), (2, Some("b")));
        assert_eq!(taken.started_at, Some(100.0), "the first start is kept");
    }

    #[test]
    fn fenced_worker_can_neither_complete_nor_release() {
        let first = claim(None, &wish("a", 100.0)).unwrap();
        let second = claim(Some(&first), &wish("b", 200.0)).unwrap();
        let done = Ending::Succeeded { result: "r".into() };
        assert_eq!(finish(Some(&second), &end("a", done)), Err(Held::Lost));
        assert_eq!(finish(Some(&second), &end("a", waiting())), Err(Held::Lost));
        assert!(!rules(Some(&second), "a"));
    }

    #[test]
    fn own_writes_seen_again_are_success_not_contention() {
        let running = claim(None, &wish("a", 100.0)).unwrap();
        let again = claim(Some(&running), &wish("a", 100.0));
        assert_eq!(again, Err(Claimed::Mine(Box::new(running.clone()))));
        let done = end("a", Ending::Succeeded { result: "r".into() });
        let finished = finish(Some(&running), &done).unwrap();
        assert_eq!(finish(Some(&finished), &done), Err(Held::Yes));
    }

    #[test]
    fn handing_back_does_not_burn_the_attempt() {
        let running = claim(None, &wish("a", 100.0)).unwrap();
        let failed = finish(Some(&running), &end("a", waiting())).unwrap();
        assert_eq!(failed.attempt, 1);
        let reason = "drain".into();
        let back = finish(Some(&running), &end("a", Ending::HandedBack { reason })).unwrap();
        assert_eq!(back.attempt, 0);
        assert_eq!(claim(Some(&back), &wish("b", 101.0)).unwrap().attempt, 1);
    }

    fn anew(failed_with: Option<&str>) -> Reopen {
        Reopen {
            job_id: "j".into(),
            failed_with: failed_with.map(str::to_owned),
            now: 200.0,
            expires_at: 3,
        }
    }

    #[test]
    fn first_failure_is_remembered_until_the_job_is_done_or_begun_anew() {
        let running = claim(None, &wish("a", 100.0)).unwrap();
        let first = finish(Some(&running), &end("a", waiting())).unwrap();
        let running = claim(Some(&first), &wish("b", 140.0)).unwrap();
        let reason = "worse".into();
        let failed = finish(Some(&running), &end("b", Ending::Failed { reason })).unwrap();
        let reasons = (failed.first_reason.as_deref(), failed.reason.as_deref());
        assert_eq!(reasons, (Some("no luck"), Some("worse")));
        assert_eq!(failed.first_failed_at, Some(130.0));
        let done = Ending::Succeeded { result: "r".into() };
        let done = finish(Some(&running), &end("b", done)).unwrap();
        assert_eq!((done.first_reason, done.first_failed_at), (None, None));
        let again = reopen(Some(&failed), &anew(None)).unwrap();
        assert_eq!((again.first_reason, again.finished_at), (None, None));
    }

    #[test]
    fn reopened_job_has_all_its_attempts_again() {
        let running = claim(None, &wish("a", 100.0)).unwrap();
        let reason = "bad".into();
        let failed = finish(Some(&running), &end("a", Ending::Failed { reason })).unwrap();
        let stuck = finish(Some(&running), &end("a", waiting())).unwrap();
        for found in [&failed, &stuck, &running] {
            let again = reopen(Some(found), &anew(None)).unwrap();
            assert_eq!((again.state, again.attempt), (JobState::Waiting, 0));
            let claimed = claim(Some(&again), &wish("b", 201.0)).unwrap();
            assert_eq!((claimed.attempt, claimed.started_at), (1, Some(100.0)));
        }
    }

    #[test]
    fn done_and_running_jobs_are_not_reopened() {
        assert_eq!(reopen(None, &anew(None)), Err(Reopened::NoRecord));
        let running = claim(None, &wish("a", 195.0)).unwrap();
        let done = Ending::Succeeded { result: "r".into() };
        let done = finish(Some(&running), &end("a", done)).unwrap();
        for found in [running, done] {
            let kept = Err(Reopened::Kept(Box::new(found.clone())));
            assert_eq!(reopen(Some(&found), &anew(None)), kept);
        }
    }

    #[test]
    fn only_the_failure_that_was_meant_is_reopened() {
        let running = claim(None, &wish("a", 100.0)).unwrap();
        let reason = "bad".into();
        let failed = finish(Some(&running), &end("a", Ending::Failed { reason })).unwrap();
        let other = reopen(Some(&failed), &anew(Some("b")));
        assert_eq!(other, Err(Reopened::Kept(Box::new(failed.clone()))));
        let again = reopen(Some(&failed), &anew(Some("a"))).unwrap();
        // The same call once more, by a retry below us.
        assert_eq!(reopen(Some(&again), &anew(Some("a"))), Err(Reopened::Yes));
    }

    #[test]
    fn unclaimed_end_is_written_once_and_only_over_nothing() {
        let first = unclaimed("a", Ending::Succeeded { result: "r".into() });
        let record = finish(None, &first).unwrap();
        assert_eq!((record.state, record.attempt), (JobState::Succeeded, 1));
        assert_eq!(
            (record.sent_at, record.started_at, record.finished_at),
            (Some(90.0), Some(100.0), Some(130.0))
        );
        assert_eq!(finish(Some(&record), &first), Err(Held::Yes), "its own");
        let other = unclaimed("b", Ending::Succeeded { result: "s".into() });
        assert_eq!(finish(Some(&record), &other), Err(Held::Lost));
    }

    #[test]
    fn unclaimed_end_yields_to_a_later_claim_and_to_what_it_left() {
        let done = unclaimed("a", Ending::Succeeded { result: "r".into() });
        let running = claim(None, &wish("b", 100.0)).unwrap();
        assert_eq!(finish(Some(&running), &done), Err(Held::Lost));
        let failed = finish(Some(&running), &end("b", waiting())).unwrap();
        assert_eq!(finish(Some(&failed), &done), Err(Held::Lost));
    }

    #[test]
    fn unclaimed_failure_counts_as_the_first_attempt() {
        let failed = finish(None, &unclaimed("a", waiting())).unwrap();
        assert_eq!((failed.state, failed.attempt), (JobState::Waiting, 1));
        assert_eq!(claim(Some(&failed), &wish("b", 101.0)).unwrap().attempt, 2);
    }

    #[test]
    fn ended_jobs_stay_ended() {
        let running = claim(None, &wish("a", 100.0)).unwrap();
        let reason = "bad".into();
        let failed = finish(Some(&running), &end("a", Ending::Failed { reason })).unwrap();
        let answer = claim(Some(&failed), &wish("b", 9e9));
        assert_eq!(answer, Err(Claimed::Finished(Box::new(failed))));
    }
}
