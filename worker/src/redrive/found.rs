//! A letter as it was found, and which ones are meant. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::letters::{self, Letter};
use crate::queue::{ATTRIBUTES_MAX, is_job_id};
use crate::queue::{Attribute, LETTER_JOB_ID_ATTRIBUTE, Message, Outgoing};

/// A letter as it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The message in the dead-letter queue.
    pub message: Message,
    /// What it says; `None`: SQS's own redrive put it there, without a word.
    pub letter: Option<Letter>,
}

/// Which letters are meant: those that everything here applies to. [`Filter::default`] means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Letters with one of these ids, or of jobs with one; empty: any.
    pub ids: BTreeSet<String>,
    /// Letters with this in their reason, whatever its case.
    pub reason: Option<String>,
    /// Letters at least this old.
    pub older_than: Option<Duration>,
    /// Letters at most this old.
    pub younger_than: Option<Duration>,
}

impl Found {
    pub(super) fn new(message: Message) -> Self {
        let letter = Letter::of(&message);
        Self { message, letter }
    }

    /// The job.
    pub fn job_id(&self) -> &str {
        let named = self.letter.as_ref().map(|letter| letter.job_id.as_str());
        named
            .filter(|id| is_job_id(id))
            .unwrap_or_else(|| self.message.job_id())
    }

    /// Why it was given up, as far as that is known.
    pub fn reason(&self) -> Option<&str> {
        self.letter.as_ref().map(|letter| letter.reason.as_str())
    }

    /// The queue it came from.
    pub fn queue(&self) -> Option<&str> {
        let letter = self.letter.as_ref();
        letter
            .and_then(|letter| letter.queue.as_deref())
            .or(self.message.came_from.as_deref())
    }

    /// When it became a dead letter, Unix seconds. A message that SQS moved keeps the time it was
    /// first sent (SQS Developer Guide, "Using dead-letter queues"), which is then what this is.
    pub fn dead_since(&self) -> Option<f64> {
        let letter = self.letter.as_ref();
        letter
            .and_then(|letter| letter.failed_at)
            .or_else(|| self.message.sent_at())
    }

    /// The message as it was, and the job's id with it, as its message id will be a new one.
    ///
    /// On a FIFO queue, a second sending of the same letter within five minutes is not delivered.
    pub(super) fn original(&self) -> Outgoing {
        let message = &self.message;
        let mut attributes = letters::restored(&message.attributes);
        // Ten of the sender's own leave no room: then the job's id is the new message's.
        if attributes.len() < ATTRIBUTES_MAX {
            let name = LETTER_JOB_ID_ATTRIBUTE.to_owned();
            attributes.insert(name, Attribute::string(self.job_id()));
        }
        Outgoing {
            attributes,
            group: message.group.clone(),
            trace_header: message.trace_header.clone(),
            ..Outgoing::new(message.body.clone())
        }
    }
}

impl Filter {
    /// Whether it means a letter, at `now` in Unix seconds.
    pub fn means(&self, found: &Found, now: f64) -> bool {
        let id = self.ids.is_empty()
            || self.ids.contains(&found.message.id)
            || self.ids.contains(found.job_id());
        let reason = self.reason.as_ref().is_none_or(|wanted| {
            let reason = found.reason().unwrap_or_default().to_lowercase();
            reason.contains(&wanted.to_lowercase())
        });
        let age = found.dead_since().map(|since| (now - since).max(0.0));
        let old = self
            .older_than
            .is_none_or(|least| age.is_some_and(|age| age >= least.as_secs_f64()));
        let young = self
            .younger_than
            .is_none_or(|most| age.is_some_and(|age| age <= most.as_secs_f64()));
        id && reason && old && young
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(reason: Option<&str>) -> Found {
        let mut message = Message {
            id: "letter-1".into(),
            sent_at_millis: Some(100_000),
            ..Message::default()
        };
        if let Some(reason) = reason {
            let letter = Letter {
                failed_at: Some(150.0),
                queue: Some("jobs".into()),
                ..Letter::new("job-1", reason)
            };
            message.attributes = letter.forms(&message).remove(0).attributes;
        }
        Found::new(message)
    }

    #[test]
    fn filters_mean_what_all_their_parts_mean() {
        let disk = found(Some("the Disk is full"));
        let silent = found(None);
        let filter = Filter::default();
        assert!(filter.means(&disk, 200.0) && filter.means(&silent, 200.0));
        let filter = Filter {
            reason: Some("disk".into()),
            ..Filter::default()
        };
        assert!(filter.means(&disk, 200.0) && !filter.means(&silent, 200.0));
        for id in ["letter-1", "job-1"] {
            let filter = Filter {
                ids: [id.to_owned()].into(),
                ..Filter::default()
            };
            assert!(filter.means(&disk, 200.0), "{id}");
        }
        let second = Duration::from_secs(1);
        let old = Filter {
            older_than: Some(60 * second),
            ..Filter::default()
        };
        assert!(!old.means(&disk, 200.0) && old.means(&disk, 210.0));
        assert!(old.means(&silent, 200.0), "it was sent at 100");
        let young = Filter {
            younger_than: Some(60 * second),
            ..Filter::default()
        };
        assert!(young.means(&disk, 200.0) && !young.means(&disk, 211.0));
    }

    #[test]
    fn original_is_the_message_and_its_job() {
        let disk = found(Some("the disk is full"));
        let original = disk.original();
        let names: Vec<&String> = original.attributes.keys().collect();
        assert_eq!(names, [LETTER_JOB_ID_ATTRIBUTE]);
        let job = original.attributes[LETTER_JOB_ID_ATTRIBUTE].text();
        assert_eq!(job, Some("job-1"));
        let silent = found(None).original();
        let job = silent.attributes[LETTER_JOB_ID_ATTRIBUTE].text();
        assert_eq!(job, Some("letter-1"), "SQS keeps the id of what it moves");
    }
}
