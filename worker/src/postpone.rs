//! Jobs that are put off for longer than SQS can hide a message: twelve hours from its receive.
//!
//! The message is sent again, with a ticket and the time, and deleted; a message that comes before
//! its time is hidden again, or sent again once it has been hidden before, so that neither twelve
//! hours nor the queue's retention end it. The job record names the ticket, so that of all messages
//! that may be about (the old one, if its deletion failed; two new ones, if an answer was lost)
//! exactly one begins the job. Pure; [`crate::execute`] makes the calls.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::queue::{
    ATTRIBUTES_MAX, Attribute, DELAY_MAX, JOB_ID_ATTRIBUTE, LETTER_JOB_ID_ATTRIBUTE, Message,
    Outgoing,
};
use crate::retry::HIDDEN_MAX;

/// The attribute that holds [`Postponed`] as JSON.
pub const POSTPONED_ATTRIBUTE: &str = "WeirPostponed";

/// What is kept back of the twelve hours for what happened since the receive.
const MARGIN: Duration = Duration::from_mins(5);

/// What a message says that was sent again for a job that was put off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Postponed {
    /// Names the one message that may begin the job.
    pub ticket: String,
    /// Before when it is not to be begun, Unix seconds.
    pub not_before: f64,
}

/// What to do with a message that came before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Early {
    /// Hide it for so long.
    Hide(Duration),
    /// Send it again, and delete this one.
    SendAgain,
}

/// Whether a delay is too long to hide the message of an attempt that has taken so long.
pub(crate) fn is_too_long(delay: Duration, taken: Duration) -> bool {
    delay.saturating_add(taken) > HIDDEN_MAX.saturating_sub(MARGIN)
}

impl Postponed {
    /// What a message says of it, if anything.
    pub fn of(message: &Message) -> Option<Self> {
        let json = message.attributes.get(POSTPONED_ATTRIBUTE)?.text()?;
        serde_json::from_str(json).ok()
    }

    /// What to do with its message at `now`, Unix seconds; `None`: the time has come.
    pub(crate) fn early(&self, receive_count: Option<u32>, now: f64) -> Option<Early> {
        let left = self.not_before - now;
        if left <= 0.0 || !left.is_finite() {
            return None;
        }
        let left = Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX);
        let hidden = left.min(HIDDEN_MAX.saturating_sub(MARGIN));
        if receive_count.is_none_or(|count| count <= 1) || left <= DELAY_MAX {
            Some(Early::Hide(hidden))
        } else {
            Some(Early::SendAgain)
        }
    }

    /// The message to send in place of `message` at `now`, Unix seconds; `None` where SQS's ten
    /// attributes leave no room for ours.
    pub(crate) fn instead_of(&self, message: &Message, now: f64) -> Option<Outgoing> {
        let mut attributes = message.attributes.clone();
        let json = serde_json::to_string(self).expect("invariant: a text and a finite number");
        attributes.insert(POSTPONED_ATTRIBUTE.into(), Attribute::string(json));
        // A new message has a new id: the job's goes with it.
        if !attributes.contains_key(JOB_ID_ATTRIBUTE) {
            let job_id = Attribute::string(message.job_id());
            attributes.insert(LETTER_JOB_ID_ATTRIBUTE.into(), job_id);
        }
        let left = (self.not_before - now).max(1.0);
        let delay = Duration::try_from_secs_f64(left).unwrap_or(DELAY_MAX);
        (attributes.len() <= ATTRIBUTES_MAX).then(|| Outgoing {
            attributes,
            delay: delay.min(DELAY_MAX),
            group: message.group.clone(),
            trace_header: message.trace_header.clone(),
            ..Outgoing::new(message.body.clone())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: f64 = 3600.0;

    fn until(not_before: f64) -> Postponed {
        Postponed {
            ticket: "t".into(),
            not_before,
        }
    }

    #[test]
    fn delays_that_fit_into_twelve_hours_are_left_to_visibility() {
        let hours = Duration::from_hours;
        assert!(!is_too_long(hours(11), Duration::ZERO));
        assert!(is_too_long(hours(12), Duration::ZERO));
        assert!(is_too_long(hours(8), hours(5)));
        assert!(is_too_long(Duration::MAX, Duration::MAX));
    }

    #[test]
    fn early_message_is_hidden_once_and_sent_again_when_that_was_not_enough() {
        let put_off = until(100.0 * HOUR);
        let nearly_twelve = Duration::from_mins(12 * 60 - 5);
        assert_eq!(
            put_off.early(Some(1), 0.0),
            Some(Early::Hide(nearly_twelve))
        );
        assert_eq!(put_off.early(Some(2), 12.0 * HOUR), Some(Early::SendAgain));
        let ten_minutes = Duration::from_mins(10);
        let at = 100.0 * HOUR - 600.0;
        assert_eq!(put_off.early(Some(2), at), Some(Early::Hide(ten_minutes)));
        assert_eq!(put_off.early(Some(1), 100.0 * HOUR), None);
        assert_eq!(until(f64::NAN).early(Some(1), 0.0), None);
    }

    #[test]
    fn message_sent_instead_says_all_and_keeps_the_job() {
        let message = Message {
            id: "m".into(),
            body: "b".into(),
            ..Message::default()
        };
        let sent = until(HOUR).instead_of(&message, 0.0).unwrap();
        assert_eq!(sent.delay, DELAY_MAX);
        let arrived = Message {
            id: "n".into(),
            attributes: sent.attributes,
            ..Message::default()
        };
        assert_eq!(arrived.job_id(), "m");
        assert_eq!(Postponed::of(&arrived), Some(until(HOUR)));
        // Once more takes no more room.
        let again = until(2.0 * HOUR).instead_of(&arrived, 0.0).unwrap();
        assert_eq!(again.attributes.len(), 2);
    }

    #[test]
    fn ten_attributes_leave_no_room() {
        let attributes = (0..9).map(|n| (format!("a{n}"), Attribute::string("x")));
        let message = Message {
            id: "m".into(),
            attributes: attributes.collect(),
            ..Message::default()
        };
        assert_eq!(until(HOUR).instead_of(&message, 0.0), None);
    }
}
