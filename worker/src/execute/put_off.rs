//! A job put off beyond what SQS can hide: the record first, then the message that will begin it,
//! then the deletion of this one.
//!
//! When and with what is [`crate::postpone`]'s.

use std::time::Duration;

use super::{Again, Enough, Floor, Leaves, end, fenced, rest, tidy};
use crate::aws::CallError;
use crate::chance;
use crate::jobs::JobsError;
use crate::lease::{Ending, Held, PutOff, STAND_IN_SECONDS};
use crate::observe::Fate;
use crate::postpone::{Early, Postponed};
use crate::queue::{Message, Outgoing};
use crate::records::Attempt;

/// Puts a job off for `after`; `None` where that cannot be: on a FIFO queue, whose groups a message
/// sent again would leave, and where SQS's ten attributes are full.
pub(super) async fn put_off(
    floor: &Floor,
    message: &Message,
    attempt: &Attempt,
    again: &Again,
    after: Duration,
) -> Option<Leaves> {
    let now = floor.clock.unix_seconds();
    let postponed = Postponed {
        ticket: chance::token(),
        not_before: now + after.as_secs_f64(),
    };
    let instead = postponed
        .instead_of(message, now)
        .filter(|_| !floor.queue.is_fifo());
    let Some(instead) = instead else {
        tracing::warn!(
            seconds = after.as_secs_f64(),
            "a delay beyond twelve hours is cut to them: it needs a standard queue and two free \
             message attributes"
        );
        return None;
    };
    let ending = Ending::PutOff {
        reason: tidy(&again.reason),
        ticket: postponed.ticket,
        until: postponed.not_before,
    };
    Some(match end(floor, attempt, ending, &[]).await {
        Ok(Held::Yes) => {
            floor.saw(Fate::Retried);
            replace(floor, &instead).await
        }
        Ok(Held::Lost) => fenced(floor),
        Err(error) => {
            tracing::warn!(%error, "could not put the job off");
            floor.saw(Fate::Retried);
            Leaves::PutBack(after)
        }
    })
}

/// A message whose job another message is to begin. As long as that one is not known to exist it is
/// sent, for a worker may have died just before it did.
pub(super) async fn superseded(floor: &Floor, message: &Message, put_off: PutOff) -> Leaves {
    floor.saw(Fate::Duplicate);
    let shown = Postponed::of(message).map(|postponed| postponed.ticket);
    if put_off.has_carrier && shown.as_ref() == Some(&put_off.ticket) {
        tracing::info!(
            "another message with the same ticket has begun the job; hidden for a while"
        );
        let left = put_off.until + STAND_IN_SECONDS - floor.clock.unix_seconds();
        return Leaves::PutBack(Duration::from_secs_f64(left.clamp(1.0, STAND_IN_SECONDS)));
    }
    if put_off.has_carrier {
        tracing::info!("the job was put off, and its new message has begun it; this one goes");
        return Leaves::Settled;
    }
    tracing::info!("the job was put off; its new message is sent once more");
    let postponed = Postponed {
        ticket: put_off.ticket,
        not_before: put_off.until,
    };
    match postponed.instead_of(message, floor.clock.unix_seconds()) {
        Some(instead) => replace(floor, &instead).await,
        // It had room when the job was put off; whoever took it since keeps the message alive.
        None => Leaves::PutBack(Duration::from_mins(15)),
    }
}

/// What to do with a message that came before its time, if it did.
pub(super) async fn early(floor: &Floor, message: &Message) -> Option<Leaves> {
    let postponed = Postponed::of(message)?;
    let now = floor.clock.unix_seconds();
    Some(match postponed.early(message.receive_count, now)? {
        Early::Hide(left) => {
            tracing::debug!(seconds = left.as_secs_f64(), "put off: hidden again");
            Leaves::PutBack(left)
        }
        Early::SendAgain => match postponed.instead_of(message, now) {
            Some(instead) => replace(floor, &instead).await,
            None => Leaves::PutBack(Duration::from_hours(11)),
        },
    })
}

/// Sends the message in this one's place, which may go when it has arrived.
async fn replace(floor: &Floor, instead: &Outgoing) -> Leaves {
    let mut failures = 0;
    loop {
        let answer = floor.queue.send(std::slice::from_ref(instead)).await;
        let error: JobsError = match answer.map(|mut entries| entries.pop()) {
            Ok(Some(Ok(_))) => return Leaves::Settled,
            Ok(entry) => {
                let why = entry.and_then(Result::err).map(|error| error.to_string());
                let what = why.unwrap_or_else(|| "SendMessageBatch: no answer".into());
                CallError::Unavailable { what }.into()
            }
            Err(error) => error.into(),
        };
        if let Enough::Yes = rest(&floor.deadline_passed, &mut failures, &error).await {
            return Leaves::PutBack(Duration::ZERO);
        }
    }
}
