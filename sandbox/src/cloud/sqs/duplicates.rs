//! What a FIFO queue remembers of recent sends, so that the same message is not taken twice.
//!
//! "Any messages sent with the same `MessageDeduplicationId` are accepted successfully but aren't
//! delivered during the 5-minute deduplication interval", and SQS "continues to keep track of the
//! message deduplication ID even after the message is received and deleted" (`SendMessage`).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::super::Time;
use super::message::{Message, hex};
use super::settings::{DeduplicationScope, FifoSettings};

/// The deduplication interval.
const INTERVAL: Duration = Duration::from_mins(5);

/// The sends of the last five minutes.
#[derive(Debug, Default)]
pub(super) struct RecentSends {
    first: BTreeMap<Token, First>,
    /// In order of sending, so that what is over can go.
    sent: VecDeque<(Time, Token)>,
}

/// What two sends must share to be the same: the id, and the group where groups are apart.
type Token = (Option<Arc<str>>, Arc<str>);

/// What the first send was answered with.
#[derive(Clone, Debug)]
pub(super) struct First {
    pub(super) id: Arc<str>,
    pub(super) sequence_number: Option<Arc<str>>,
}

impl RecentSends {
    /// The answer to the send that this message repeats, if it repeats one.
    pub(super) fn find(
        &mut self,
        now: Time,
        message: &Message,
        settings: FifoSettings,
    ) -> Option<First> {
        while let Some((at, _)) = self.sent.front()
            && *at + INTERVAL <= now
        {
            if let Some((_, token)) = self.sent.pop_front() {
                self.first.remove(&token);
            }
        }
        self.first.get(&token(message, settings)?).cloned()
    }

    /// Notes a message that was taken.
    pub(super) fn note(&mut self, now: Time, message: &Message, settings: FifoSettings) {
        let Some(token) = token(message, settings) else {
            return;
        };
        let first = First {
            id: Arc::clone(&message.id),
            sequence_number: message.sequence_number.clone(),
        };
        self.first.insert(token.clone(), first);
        self.sent.push_back((now, token));
    }
}

/// The deduplication id that a queue makes of a body: its SHA-256 ("Exactly-once processing", SQS
/// Developer Guide); attributes do not count.
pub(super) fn of_content(body: &str) -> String {
    hex(&Sha256::digest(body.as_bytes()))
}

fn token(message: &Message, settings: FifoSettings) -> Option<Token> {
    let id = message.deduplication_id.clone()?;
    let group = match settings.deduplication_scope {
        DeduplicationScope::Queue => None,
        DeduplicationScope::MessageGroup => message.group_id.clone(),
    };
    Some((group, id))
}
