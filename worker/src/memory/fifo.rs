//! What makes a queue in memory a FIFO queue: whose turn it is, and which sends were there before.
//!
//! The rules are those of `ReceiveMessage` and `SendMessage` in SQS's API reference, and of its
//! Developer Guide, "FIFO queue delivery logic" and "Exactly-once processing". There is no
//! content-based deduplication: an id must be given.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::queue::Outgoing;

/// The deduplication interval (`SendMessage`, `MessageDeduplicationId`).
const INTERVAL: Duration = Duration::from_mins(5);

/// Where a message stands, as far as its group cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Visible,
    Delayed,
    InFlight,
}

/// The places of the messages that may be handed out, in the order in which a receive gives them.
/// `stored` has each message's group and standing, in order of arrival.
///
/// A group waits while any of its messages is in flight, nothing overtakes what was sent before it to
/// its group, and a receive gives as many of one group as it can before it turns to the next.
pub(super) fn in_turn<'a>(stored: impl Iterator<Item = (&'a str, Standing)> + Clone) -> Vec<usize> {
    let in_flight = |(group, standing)| (standing == Standing::InFlight).then_some(group);
    let mut closed: BTreeSet<&str> = stored.clone().filter_map(in_flight).collect();
    let mut runs: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, (group, standing)) in stored.enumerate() {
        if closed.contains(group) {
            continue;
        }
        if standing == Standing::Visible {
            runs.entry(group).or_default().push(place);
        } else {
            closed.insert(group);
        }
    }
    let mut runs: Vec<Vec<usize>> = runs.into_values().collect();
    runs.sort_unstable();
    runs.concat()
}

/// What SQS says to a parameter that belongs to the other type of queue.
pub(super) const NOT_FOR_THIS_TYPE: &str =
    "The request include parameter that is not valid for this queue type.";

/// What a FIFO queue needs of a message; the error is in SQS's words.
pub(super) fn check(message: &Outgoing) -> Result<(), &'static str> {
    if message.group.is_none() {
        return Err("The request must contain the parameter MessageGroupId.");
    }
    if message.deduplication_id.is_none() {
        return Err(
            "The queue should either have ContentBasedDeduplication enabled or \
             MessageDeduplicationId provided explicitly",
        );
    }
    if !message.delay.is_zero() {
        return Err(NOT_FOR_THIS_TYPE);
    }
    Ok(())
}

/// The ids of the messages that were sent in the last five minutes, by deduplication id.
#[derive(Debug, Default)]
pub(super) struct RecentSends {
    first: BTreeMap<String, (Instant, String)>,
}

impl RecentSends {
    /// The id of the message that this one repeats, if it repeats one; else it is noted under `id`.
    pub(super) fn repeated(
        &mut self,
        now: Instant,
        message: &Outgoing,
        id: &str,
    ) -> Option<String> {
        let token = message.deduplication_id.clone()?;
        self.first.retain(|_, (at, _)| *at + INTERVAL > now);
        if let Some((_, first)) = self.first.get(&token) {
            return Some(first.clone());
        }
        self.first.insert(token, (now, id.to_owned()));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_take_turns_and_nothing_overtakes() {
        use Standing::{Delayed, InFlight, Visible};
        let stored = [
            ("b", Visible),
            ("a", Visible),
            ("locked", Visible),
            ("b", Visible),
            ("locked", InFlight),
            ("a", Delayed),
            ("a", Visible),
        ];
        assert_eq!(in_turn(stored.into_iter()), [0, 3, 1]);
    }
}
