//! A job given up: its record first, then the dead-letter queue, then its message.
//!
//! What a letter says is [`crate::letters`]'s. It must not give a job up by itself.

use std::time::Duration;

use weir_protocol::JobRecord;

use super::{Enough, Floor, Leaves, end, fenced, rest, tidy};
use crate::aws::CallError;
use crate::lease::{Ending, Held, Reopened};
use crate::letters::Letter;
use crate::observe::Fate;
use crate::queue::{Buried, Message, Outgoing};
use crate::records::Attempt;

/// Why a job is given up.
pub(super) enum GivenUp {
    /// The handler said so, for this reason.
    Poison(String),
    /// Its attempts are used up.
    Exhausted {
        /// How many ran.
        attempts: u32,
        /// What the last one said.
        last: String,
    },
}

/// Ends a job for good.
pub(super) async fn give_up(
    floor: &Floor,
    message: &Message,
    attempt: &Attempt,
    given_up: GivenUp,
) -> Leaves {
    let (reason, attempts, last) = match given_up {
        GivenUp::Poison(reason) => (reason.clone(), attempt.number, reason),
        GivenUp::Exhausted { attempts, last } => {
            let reason = format!("given up after {attempts} attempts, the last: {last}");
            (reason, attempts, last)
        }
    };
    let (reason, last) = (tidy(&reason), tidy(&last));
    floor.counts.failed();
    tracing::warn!(reason, "job failed");
    let ending = Ending::Failed {
        reason: reason.clone(),
    };
    match end(floor, attempt, ending, &[]).await {
        Ok(Held::Yes) => {
            floor.saw(Fate::Poison);
            let now = floor.clock.unix_seconds();
            let letter = Letter {
                attempts: Some(attempts),
                last_error: Some(last.clone()),
                first_error: attempt.past.first_reason.clone().or(Some(last)),
                first_failed_at: attempt.past.first_failed_at.or(Some(now)),
                started_at: attempt.past.started_at,
                failed_at: Some(now),
                token: Some(attempt.token.clone()),
                ..letter(floor, message, &reason)
            };
            bury(floor, message, letter).await
        }
        Ok(Held::Lost) => fenced(floor),
        Err(error) => {
            tracing::warn!(%error, "could not record the failure");
            Leaves::PutBack(Duration::ZERO)
        }
    }
}

/// A failed job's message that comes again. Either somebody moved its dead letter back, and it is
/// begun anew; or its worker died between record and dead-letter queue, and it is sent there once
/// more: a second copy there harms less than none.
pub(super) async fn bury_again(floor: &Floor, message: &Message, record: &JobRecord) -> Leaves {
    if let Some(leaves) = begin_anew(floor, message).await {
        return leaves;
    }
    tracing::info!("a message of a job that has failed");
    floor.saw(Fate::Duplicate);
    let own = letter(
        floor,
        message,
        record.reason.as_deref().unwrap_or("unknown"),
    );
    let letter = Letter {
        attempts: Some(record.attempt),
        worker: record.worker.clone().or(own.worker),
        last_error: record.reason.clone(),
        first_error: record.first_reason.clone(),
        sent_at: record.sent_at.or(own.sent_at),
        started_at: record.started_at,
        first_failed_at: record.first_failed_at,
        failed_at: record.finished_at,
        token: record.token.clone(),
        ..own
    };
    bury(floor, message, letter).await
}

/// Reopens a job whose letter tells of the very failure that is on record: only SQS's own redrive
/// moves a letter as it is. A letter of an earlier failure is a duplicate and changes nothing.
async fn begin_anew(floor: &Floor, message: &Message) -> Option<Leaves> {
    let token = Letter::of(message)?.token?;
    let mut failures = 0;
    loop {
        let error = match floor.records.begin_anew(message.job_id(), &token).await {
            Ok(Reopened::Yes | Reopened::NoRecord) => {
                tracing::info!("a dead letter was moved back: the job is begun anew");
                return Some(Leaves::PutBack(Duration::ZERO));
            }
            Ok(Reopened::Kept(_)) => return None,
            Err(error) => error,
        };
        if let Enough::Yes = rest(&floor.draining, &mut failures, &error).await {
            return Some(Leaves::PutBack(Duration::ZERO));
        }
    }
}

/// What a message and its worker say of a job given up.
fn letter(floor: &Floor, message: &Message, reason: &str) -> Letter {
    Letter {
        worker: Some(floor.worker.clone()),
        queue: Some(floor.queue.name().to_owned()),
        message_id: Some(message.id.clone()),
        receive_count: message.receive_count,
        sent_at: message.sent_at(),
        ..Letter::new(message.job_id(), reason)
    }
}

async fn bury(floor: &Floor, message: &Message, letter: Letter) -> Leaves {
    // A dead-letter queue of a FIFO queue is one too: of two copies sent within five minutes one is
    // kept.
    let deduplication_id = floor.queue.is_fifo().then(|| message.id.clone());
    let forms = letter.forms(message).into_iter().map(|form| Outgoing {
        deduplication_id: deduplication_id.clone(),
        ..form
    });
    let forms: Vec<Outgoing> = forms.collect();
    let mut failures = 0;
    loop {
        let error = match bury_in_some_form(floor, &forms).await {
            Ok(Buried::Sent | Buried::NoDeadLetterQueue) => return Leaves::Settled,
            Err(error) => error.into(),
        };
        if let Enough::Yes = rest(&floor.deadline_passed, &mut failures, &error).await {
            return Leaves::PutBack(Duration::ZERO);
        }
    }
}

/// A body at SQS's limit leaves no room for the worker's attributes, so a refusal is answered with
/// the next barer form.
async fn bury_in_some_form(floor: &Floor, forms: &[Outgoing]) -> Result<Buried, CallError> {
    let (last, fuller) = forms
        .split_last()
        .expect("invariant: there is a barest form");
    for form in fuller {
        match floor.queue.bury(form).await {
            Err(CallError::Refused { what }) => {
                tracing::warn!(
                    what,
                    "the dead-letter queue refused the letter; sending less"
                );
            }
            answer => return answer,
        }
    }
    floor.queue.bury(last).await
}
