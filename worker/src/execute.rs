//! One job from its message to its end: ask, run, write the record, settle the message.
//!
//! The order is what the guarantees rest on: the record is durable before the message is deleted,
//! and a job given up is in the dead-letter queue before its message goes. It must not fetch.

mod bury;
mod put_off;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::TransactWriteItem;
use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use weir_protocol::JobState;

use self::bury::{GivenUp, bury_again, give_up};
use crate::aws::CallError;
use crate::chance;
use crate::clock::{Clock, pause};
use crate::flow::PutBack;
use crate::handler::{CancelCause, Context, Handler, Job, Outcome, Stop, Terms, timeout};
use crate::heartbeat::{HoldId, Holds, LeaseHeld};
use crate::jobs::JobsError;
use crate::lease::{Ending, Finish, Held, SKEW_SECONDS};
use crate::letters;
use crate::observe::{Begun, Fate, Observer, RunningJob, span};
use crate::postpone;
use crate::queue::{Message, Queue};
use crate::records::{Answer, Attempt, Records};
use crate::report::Counts;
use crate::retry::Backoff;
use crate::service::Settings;
use crate::settle::Settled;

/// Longest reason kept, bytes: it travels as a message attribute and counts to the message's size.
const REASON_MAX_BYTES: usize = 1024;

/// How long past the drain's deadline a job's record is tried to be given back: half of what a spot
/// instance has left by then.
const HAND_BACK_TRIES: Duration = Duration::from_secs(5);

/// What every job of a worker shares.
pub(crate) struct Floor {
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) records: Records,
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) worker: String,
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) holds: Holds,
    pub(crate) settled: Settled,
    pub(crate) counts: Counts,
    pub(crate) observer: Observer,
    /// No more jobs are begun.
    pub(crate) draining: CancellationToken,
    /// Running jobs are cut short.
    pub(crate) deadline_passed: CancellationToken,
}

impl Floor {
    /// Counts what became of a job.
    pub(crate) fn saw(&self, fate: Fate) {
        self.observer.of_queue(self.queue.name()).ends(fate);
        span::ends(fate);
    }
}

/// How a message leaves the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaves {
    /// Its job has ended: to be deleted.
    Settled,
    /// To be delivered again after a while.
    PutBack(Duration),
    /// As it is: it is somebody else's.
    Abandoned,
}

/// Does what one message asks for, sees it off, and says whether it will come again.
pub(crate) async fn execute(floor: Arc<Floor>, message: Message, hold: HoldId) -> PutBack {
    let span = span::of_job(&message, floor.queue.name());
    let leaves = attempt(&floor, &message, hold)
        .instrument(span.clone())
        .await;
    let _entered = span.enter();
    tracing::debug!(?leaves, "message leaves");
    match leaves {
        Leaves::Settled => {
            floor.holds.end_lease(hold);
            if floor.settled.send(hold).is_err() {
                floor.holds.forget(hold);
            }
            return PutBack::No;
        }
        Leaves::PutBack(after) => floor.holds.let_go(hold, after),
        Leaves::Abandoned => floor.holds.forget(hold),
    }
    // Somebody else's may come again as well.
    PutBack::Yes
}

async fn attempt(floor: &Floor, message: &Message, hold: HoldId) -> Leaves {
    if let Some(leaves) = put_off::early(floor, message).await {
        return leaves;
    }
    let wish = Records::wish(message, floor.queue.name());
    let mut failures = 0;
    let answer = loop {
        let error = match floor.records.may_run(&wish).await {
            Ok(answer) => break answer,
            Err(error) => error,
        };
        if let Enough::Yes = rest(&floor.draining, &mut failures, &error).await {
            tracing::info!("handed back unstarted");
            floor.saw(Fate::HandedBack);
            return Leaves::PutBack(Duration::ZERO);
        }
    };
    match answer {
        Answer::Finished(record) if record.state == JobState::Succeeded => {
            tracing::info!("a duplicate of a finished job");
            floor.saw(Fate::Duplicate);
            Leaves::Settled
        }
        Answer::Finished(record) => bury_again(floor, message, &record).await,
        Answer::PutOff(put_off) => put_off::superseded(floor, message, put_off).await,
        Answer::Elsewhere { left } => {
            let hidden = hidden_while_elsewhere(left, message.receive_count, &floor.settings);
            let seconds = hidden.as_secs_f64();
            tracing::info!(seconds, "another attempt runs; left hidden");
            floor.saw(Fate::Elsewhere);
            Leaves::PutBack(hidden)
        }
        Answer::Run(attempt) if floor.draining.is_cancelled() => {
            let reason = "the worker left before the job began".into();
            let ended = end(floor, &attempt, Ending::HandedBack { reason }, &[]);
            let _ = ended.await;
            floor.saw(Fate::HandedBack);
            Leaves::PutBack(Duration::ZERO)
        }
        Answer::Run(attempt) => begin(floor, message, hold, &attempt).await,
    }
}

/// How long to hide a message whose job another attempt runs, which has so long `left` unless it
/// renews its lease. Each receive counts towards SQS's own redrive, which would bury a job that runs;
/// so it comes back at the lease's end at first, and then four times more rarely each time, at the
/// most when the other's time is up: ten receives last for twelve hours. But where a renewal is
/// overdue, the other may have died, and nobody is to wait longer than the lease.
fn hidden_while_elsewhere(
    left: Duration,
    receive_count: Option<u32>,
    settings: &Settings,
) -> Duration {
    let overdue = settings.visibility / 2 + Duration::from_secs_f64(SKEW_SECONDS);
    if left < overdue {
        return left;
    }
    let again = receive_count.unwrap_or(1).saturating_sub(2);
    let rarely = settings
        .visibility
        .saturating_mul(4_u32.saturating_pow(again));
    left.max(rarely.min(settings.job_timeout))
}

/// Runs a job that is ours, unless crashes have used up its attempts.
async fn begin(floor: &Floor, message: &Message, hold: HoldId, attempt: &Attempt) -> Leaves {
    if attempt.number > floor.settings.max_attempts {
        let silent = || "its worker ended without a word".into();
        let exhausted = GivenUp::Exhausted {
            attempts: attempt.number - 1,
            last: attempt.last_reason.clone().unwrap_or_else(silent),
        };
        return give_up(floor, message, attempt, exhausted).await;
    }
    floor.counts.began();
    let begun = begun(floor, message, attempt);
    let leaves = run(floor, message, hold, attempt).await;
    drop(begun);
    floor.counts.ended();
    leaves
}

/// Has the attempt seen as long as what is returned lives.
fn begun(floor: &Floor, message: &Message, attempt: &Attempt) -> Begun {
    span::attempt(attempt.number);
    let seen = floor.observer.of_queue(floor.queue.name());
    let now = floor.clock.unix_seconds();
    // A further attempt has waited for the ones before it, and for its backoff.
    if let (1, Some(sent_at)) = (attempt.number, message.sent_at()) {
        seen.waited((now - sent_at).max(0.0));
    }
    floor.observer.runs(RunningJob {
        job_id: attempt.job_id.clone(),
        queue: Arc::clone(&seen.name),
        attempt: attempt.number,
        clock: floor.clock,
        since: floor.clock.instant(),
        since_unix_seconds: now,
    })
}

async fn run(floor: &Floor, message: &Message, hold: HoldId, attempt: &Attempt) -> Leaves {
    let began = floor.clock.instant();
    let began_unix = floor.clock.unix_seconds();
    let stop = Stop::default();
    let lease = LeaseHeld {
        job_id: attempt.job_id.clone(),
        token: attempt.token.clone(),
        stop: stop.clone(),
    };
    let lease_left = attempt.lease_left(began_unix);
    floor
        .holds
        .lease(hold, lease, lease_left.map(|left| began + left / 2));
    let timeout = timeout::asked(&message.attributes, floor.settings.job_timeout);
    let terms = Terms {
        attempt: attempt.number,
        token: attempt.token.clone(),
        deadline: began + timeout,
        deadline_unix_seconds: began_unix + timeout.as_secs_f64(),
    };
    let ctx = Context::new(terms, stop.clone())
        .with_draining(floor.draining.clone())
        .with_trace(span::trace(message));
    let job = Job {
        id: attempt.job_id.clone(),
        body: message.body.clone(),
        attributes: letters::restored(&message.attributes),
    };
    tracing::debug!(attempt = attempt.number, "job begins");
    let outcome = supervise(floor, job, &ctx, &stop).await;
    let took = floor.clock.instant().saturating_duration_since(began);
    conclude(floor, message, attempt, Ended { outcome, ctx, took }).await
}

/// What a handler left behind.
struct Ended {
    /// `None`: it was dropped after it had been told to stop.
    outcome: Option<Outcome>,
    ctx: Context,
    took: Duration,
}

/// Runs the handler, tells it to stop when it must, and drops it if it does not.
async fn supervise(floor: &Floor, job: Job, ctx: &Context, stop: &Stop) -> Option<Outcome> {
    let work = AssertUnwindSafe(floor.handler.handle(job, ctx.clone())).catch_unwind();
    let work = work.map(|ended| ended.unwrap_or_else(|panic| panicked(&*panic)));
    tokio::pin!(work);
    tokio::select! {
        // A job that ends at once needs no timer.
        biased;
        outcome = &mut work => return Some(outcome),
        () = tokio::time::sleep_until(ctx.deadline()) => stop.because(CancelCause::Timeout),
        () = floor.deadline_passed.cancelled() => stop.because(CancelCause::DrainDeadline),
        _ = stop.wait() => {}
    }
    tokio::time::timeout(floor.settings.cancel_grace, work)
        .await
        .ok()
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Outcome {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no text".into());
    Outcome::Retry {
        after: None,
        reason: format!("the handler panicked: {text}"),
    }
}

async fn conclude(floor: &Floor, message: &Message, attempt: &Attempt, ended: Ended) -> Leaves {
    let cause = ended.ctx.cancel_cause();
    match (ended.outcome, cause) {
        (Some(Outcome::Done(result)), _) => {
            let writes = ended.ctx.take_writes();
            let ending = Ending::Succeeded { result };
            match end(floor, attempt, ending, &writes).await {
                Ok(Held::Yes) => {
                    floor.counts.completed(floor.clock.instant(), ended.took);
                    let seen = floor.observer.of_queue(floor.queue.name());
                    seen.served(ended.took);
                    floor.saw(Fate::Done);
                    tracing::debug!(seconds = ended.took.as_secs_f64(), "job done");
                    Leaves::Settled
                }
                Ok(Held::Lost) => fenced(floor),
                Err(error @ JobsError::ResultTooLong { .. }) => {
                    give_up(floor, message, attempt, GivenUp::Poison(error.to_string())).await
                }
                Err(error) => {
                    let reason = format!("the completion was refused: {error}");
                    try_again(
                        floor,
                        message,
                        attempt,
                        Again {
                            after: None,
                            reason,
                            taken: ended.took,
                        },
                    )
                    .await
                }
            }
        }
        (_, Some(CancelCause::LeaseLost)) => fenced(floor),
        (Some(Outcome::Poison { reason }), _) => {
            give_up(floor, message, attempt, GivenUp::Poison(reason)).await
        }
        (_, Some(CancelCause::DrainDeadline)) => {
            let reason = format!("cut short: {}", CancelCause::DrainDeadline);
            hand_back(floor, attempt, reason, Duration::ZERO).await
        }
        (Some(Outcome::HandBack { after, reason }), _) => {
            hand_back(floor, attempt, tidy(&reason), after).await
        }
        (Some(Outcome::Retry { after, reason }), _) => {
            let taken = ended.took;
            let again = Again {
                after,
                reason,
                taken,
            };
            try_again(floor, message, attempt, again).await
        }
        (None, cause) => {
            let why = cause.map(|cause| cause.to_string()).unwrap_or_default();
            let reason = format!("cut short: {why}");
            try_again(
                floor,
                message,
                attempt,
                Again {
                    after: None,
                    reason,
                    taken: ended.took,
                },
            )
            .await
        }
    }
}

/// Puts a job back as if this attempt had not been.
async fn hand_back(floor: &Floor, attempt: &Attempt, reason: String, after: Duration) -> Leaves {
    tracing::info!(reason, "handed back");
    let finish = floor.records.end(attempt, Ending::HandedBack { reason });
    let mut ended = write(floor, attempt, (&finish, &[]), &floor.deadline_passed).await;
    if ended.is_err() {
        // What is not written counts as an attempt that died, so it is worth the last seconds.
        let for_ever = CancellationToken::new();
        let tries = write(floor, attempt, (&finish, &[]), &for_ever);
        ended = tokio::time::timeout(HAND_BACK_TRIES, tries)
            .await
            .unwrap_or(ended);
    }
    if let Ok(Held::Lost) = ended {
        return fenced(floor);
    }
    floor.saw(Fate::HandedBack);
    Leaves::PutBack(after)
}

fn fenced(floor: &Floor) -> Leaves {
    floor.saw(Fate::Fenced);
    tracing::warn!("another attempt took the job over; this one's outcome is dropped");
    Leaves::Abandoned
}

struct Again {
    after: Option<Duration>,
    reason: String,
    /// How long the attempt has taken.
    taken: Duration,
}

/// Puts a job back for another attempt, or gives it up after the last.
async fn try_again(floor: &Floor, message: &Message, attempt: &Attempt, again: Again) -> Leaves {
    if attempt.number >= floor.settings.max_attempts {
        let exhausted = GivenUp::Exhausted {
            attempts: attempt.number,
            last: again.reason,
        };
        return give_up(floor, message, attempt, exhausted).await;
    }
    floor.counts.failed();
    let reason = tidy(&again.reason);
    let backoff = || floor.settings.retry.delay(attempt.number, chance::unit());
    let after = again.after.unwrap_or_else(backoff);
    tracing::info!(
        reason,
        seconds = after.as_secs_f64(),
        "job will be tried again"
    );
    if postpone::is_too_long(after, again.taken)
        && let Some(leaves) = put_off::put_off(floor, message, attempt, &again, after).await
    {
        return leaves;
    }
    match end(floor, attempt, Ending::Waiting { reason }, &[]).await {
        Ok(Held::Yes) => {
            floor.saw(Fate::Retried);
            Leaves::PutBack(after)
        }
        Ok(Held::Lost) => fenced(floor),
        // The record still says running; the lease ends by itself, and the job is claimed then.
        Err(error) => {
            tracing::warn!(%error, "could not release the job");
            floor.saw(Fate::Retried);
            Leaves::PutBack(after)
        }
    }
}

/// Writes the end of an attempt. The value is made once, so that repeating it is recognised.
async fn end(
    floor: &Floor,
    attempt: &Attempt,
    ending: Ending,
    writes: &[TransactWriteItem],
) -> Result<Held, JobsError> {
    let finish = floor.records.end(attempt, ending);
    write(floor, attempt, (&finish, writes), &floor.deadline_passed).await
}

/// Writes the end of an attempt, and tries again until it is `enough`.
async fn write(
    floor: &Floor,
    attempt: &Attempt,
    (finish, writes): (&Finish, &[TransactWriteItem]),
    enough: &CancellationToken,
) -> Result<Held, JobsError> {
    // Refused for good, a completion is the handler's failure; everything else is tried until it
    // works or the worker must be gone.
    let mut failures = 0;
    loop {
        let error = match floor.records.write(attempt, finish, writes).await {
            Err(error @ JobsError::Call(CallError::Unavailable { .. })) => error,
            answer => return answer,
        };
        if let Enough::Yes = rest(enough, &mut failures, &error).await {
            return Err(error);
        }
    }
}

/// Whether a call has been tried for long enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Enough {
    No,
    Yes,
}

/// Waits between two tries of a call that failed, unless the worker must go on. What was refused is
/// tried again too: permissions come back, and until then no job may be given up on their account.
async fn rest(enough: &CancellationToken, failures: &mut u32, error: &JobsError) -> Enough {
    *failures += 1;
    tracing::warn!(%error, failures = *failures, "trying again");
    tokio::select! {
        biased;
        () = enough.cancelled() => Enough::Yes,
        () = pause(Backoff::CALLS.delay(*failures, chance::unit())) => Enough::No,
    }
}

/// A reason fit for a message attribute: never empty, bounded, without the control characters that
/// SQS refuses.
fn tidy(reason: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let allowed = |c: &char| !matches!(c, '\u{FFFE}' | '\u{FFFF}');
    let mut text: String = reason.chars().map(plain).filter(allowed).collect();
    let mut end = text.len().min(REASON_MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    let text = text.trim();
    if text.is_empty() {
        "no reason given".into()
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::tidy;

    #[test]
    fn reasons_fit_a_message_attribute() {
        assert_eq!(tidy(" \n"), "no reason given");
        assert_eq!(tidy("a\nb\0c"), "a b c");
        let long = tidy(&"é".repeat(2000));
        assert!(long.len() <= 1024 && long.chars().all(|c| c == 'é'));
    }
}
