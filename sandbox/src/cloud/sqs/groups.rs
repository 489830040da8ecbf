//! The message groups of a FIFO queue: which messages may be handed out now, and in which order.
//!
//! Owns the order and the lock on a group, and no message. "While messages with a particular
//! `MessageGroupId` are invisible, no more messages belonging to the same `MessageGroupId` are
//! returned until the visibility timeout expires" (`ReceiveMessage`); one call gives "as many messages
//! with the same message group ID as possible" (SQS Developer Guide, "FIFO queue delivery logic").

use std::collections::BTreeMap;
use std::sync::Arc;

use super::queue::Key;

/// The groups that have messages.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: BTreeMap<Arc<str>, Group>,
    /// The groups that may be handed out, by their first message: the longest waiting first.
    open: BTreeMap<Key, Arc<str>>,
}

/// Where a message stands, as far as its group cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Visible,
    Delayed,
    InFlight,
}

#[derive(Debug, Default)]
struct Group {
    messages: BTreeMap<Key, Standing>,
    in_flight: usize,
}

impl Groups {
    /// Notes where a message stands, a new one too.
    pub(super) fn set(&mut self, group: &Arc<str>, key: Key, standing: Standing) {
        self.change(group, |group| {
            let before = group.messages.insert(key, standing);
            group.count(before, Some(standing));
        });
    }

    /// Takes a message out.
    pub(super) fn remove(&mut self, group: &Arc<str>, key: Key) {
        self.change(group, |group| {
            let before = group.messages.remove(&key);
            group.count(before, None);
        });
    }

    /// Takes all messages out.
    pub(super) fn clear(&mut self) {
        self.groups.clear();
        self.open.clear();
    }

    /// The messages that may be handed out, in the order in which a receive gives them: group by
    /// group, each from its first message to the last that is visible.
    pub(super) fn in_turn(&self) -> impl Iterator<Item = Key> {
        self.open.values().flat_map(|name| self.groups[name].run())
    }

    fn change(&mut self, name: &Arc<str>, change: impl FnOnce(&mut Group)) {
        let group = self.groups.entry(Arc::clone(name)).or_default();
        let before = group.opens_at();
        change(group);
        let after = group.opens_at();
        if group.messages.is_empty() {
            self.groups.remove(name);
        }
        if before != after {
            before.map(|key| self.open.remove(&key));
            after.map(|key| self.open.insert(key, Arc::clone(name)));
        }
    }
}

impl Group {
    /// The first message, if the group may be handed out.
    fn opens_at(&self) -> Option<Key> {
        let (key, standing) = self.messages.first_key_value()?;
        (self.in_flight == 0 && *standing == Standing::Visible).then_some(*key)
    }

    fn run(&self) -> impl Iterator<Item = Key> {
        let visible = |entry: &(&Key, &Standing)| *entry.1 == Standing::Visible;
        self.messages
            .iter()
            .take_while(visible)
            .map(|(key, _)| *key)
    }

    fn count(&mut self, before: Option<Standing>, after: Option<Standing>) {
        self.in_flight += usize::from(after == Some(Standing::InFlight));
        self.in_flight -= usize::from(before == Some(Standing::InFlight));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(messages: &[(&str, Key, Standing)]) -> Groups {
        let mut groups = Groups::default();
        for (group, key, standing) in messages {
            groups.set(&Arc::from(*group), *key, *standing);
        }
        groups
    }

    fn in_turn(groups: &Groups) -> Vec<Key> {
        groups.in_turn().collect()
    }

    #[test]
    fn a_group_comes_whole_before_the_next() {
        use Standing::Visible;
        let groups = groups(&[("b", 1, Visible), ("a", 2, Visible), ("b", 3, Visible)]);
        assert_eq!(in_turn(&groups), [1, 3, 2]);
    }

    #[test]
    fn a_message_in_flight_locks_its_group() {
        use Standing::{InFlight, Visible};
        let mut groups = groups(&[("a", 1, Visible), ("a", 2, InFlight), ("b", 3, Visible)]);
        assert_eq!(in_turn(&groups), [3]);
        groups.remove(&Arc::from("a"), 2);
        assert_eq!(in_turn(&groups), [1, 3]);
    }

    #[test]
    fn nothing_overtakes_a_message_that_is_delayed() {
        use Standing::{Delayed, Visible};
        let first = groups(&[("a", 1, Delayed), ("a", 2, Visible)]);
        assert!(in_turn(&first).is_empty());
        let second = groups(&[("a", 1, Visible), ("a", 2, Delayed), ("a", 3, Visible)]);
        assert_eq!(in_turn(&second), [1]);
    }

    #[test]
    fn a_group_without_messages_is_forgotten() {
        let mut groups = groups(&[("a", 1, Standing::InFlight)]);
        groups.remove(&Arc::from("a"), 1);
        assert!(groups.groups.is_empty() && groups.open.is_empty());
    }
}
