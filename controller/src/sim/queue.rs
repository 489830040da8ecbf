//! The queue: which message is taken next, and how many are where.
//!
//! Messages are taken in the order in which they become visible: first sent after their delay,
//! and once more when an attempt failed or was cut short. It must not know who takes them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use super::load::Load;

/// A message in a load.
pub(super) type Message = usize;

/// The queue of one load.
#[derive(Debug)]
pub(super) struct Queue<'a> {
    load: &'a Load,
    delay_seconds: f64,
    /// The first message that was never taken.
    fresh: Message,
    /// Messages sent.
    sent: Message,
    /// Messages that come back, or have.
    returning: BinaryHeap<Reverse<Returning>>,
}

/// A message whose attempt did not succeed.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Returning {
    visible_at: f64,
    message: Message,
    /// When its attempt ends; until then it is running.
    from: f64,
}

impl Eq for Returning {}
impl Ord for Returning {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.visible_at.total_cmp(&other.visible_at)).then(self.message.cmp(&other.message))
    }
}
impl PartialOrd for Returning {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The message to be taken next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Next {
    pub(super) message: Message,
    pub(super) visible_at: f64,
    /// Whether it was never taken before.
    pub(super) is_fresh: bool,
}

/// How many messages are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) sent: u64,
    pub(super) visible: u64,
    /// Sent and not yet visible.
    pub(super) delayed: u64,
    /// Neither running nor visible: an attempt failed, and the visibility timeout runs.
    pub(super) hidden: u64,
}

impl<'a> Queue<'a> {
    pub(super) fn new(load: &'a Load, delay_seconds: f64) -> Self {
        Self {
            load,
            delay_seconds,
            fresh: 0,
            sent: 0,
            returning: BinaryHeap::new(),
        }
    }

    /// The message that becomes visible first of those not taken, be it later than now.
    #[inline]
    pub(super) fn next(&self) -> Option<Next> {
        let fresh = self.load.arrivals.get(self.fresh).map(|sent| Next {
            message: self.fresh,
            visible_at: sent + self.delay_seconds,
            is_fresh: true,
        });
        let Some(Reverse(returning)) = self.returning.peek() else {
            return fresh;
        };
        if fresh.is_some_and(|fresh| fresh.visible_at <= returning.visible_at) {
            return fresh;
        }
        Some(Next {
            message: returning.message,
            visible_at: returning.visible_at,
            is_fresh: false,
        })
    }

    /// Takes what [`Queue::next`] gave.
    #[inline]
    pub(super) fn take(&mut self, next: Next) {
        if next.is_fresh {
            self.fresh += 1;
        } else if let Some(returning) = self.returning.peek_mut() {
            PeekMut::pop(returning);
        }
    }

    /// A message whose attempt ends at `from` without success is visible again at `visible_at`.
    pub(super) fn give_back(&mut self, message: Message, from: f64, visible_at: f64) {
        self.returning.push(Reverse(Returning {
            visible_at,
            message,
            from,
        }));
    }

    /// A message whose attempt is cut short at a time, however it would have ended, is visible
    /// again from then on.
    pub(super) fn hand_back(&mut self, message: Message, at: f64) {
        (self.returning).retain(|Reverse(returning)| returning.message != message);
        self.give_back(message, at, at);
    }

    /// Sends what is to be sent by `now`.
    pub(super) fn send_until(&mut self, now: f64) {
        let later = &self.load.arrivals[self.sent..];
        self.sent += later.iter().take_while(|at| **at <= now).count();
    }

    /// Everything was sent, and nothing waits or will wait.
    pub(super) fn is_done(&self) -> bool {
        self.fresh == self.load.arrivals.len() && self.returning.is_empty()
    }

    /// Where messages are at `now`, which has been sent up to.
    pub(super) fn counts(&self, now: f64) -> Counts {
        let fresh = &self.load.arrivals[self.fresh..self.sent];
        // Nearly always none, and else the few of the last seconds.
        let is_delayed = |sent: &&f64| **sent + self.delay_seconds > now;
        let delayed = fresh.iter().rev().take_while(is_delayed).count();
        let mut counts = Counts {
            sent: self.sent as u64,
            visible: (fresh.len() - delayed) as u64,
            delayed: delayed as u64,
            hidden: 0,
        };
        for Reverse(returning) in &self.returning {
            if returning.visible_at <= now {
                counts.visible += 1;
            } else if returning.from <= now {
                counts.hidden += 1;
            }
        }
        counts
    }

    /// Seconds since the oldest visible message was sent.
    pub(super) fn oldest_age_seconds(&self, now: f64) -> Option<f64> {
        let returned = (self.returning.iter())
            .filter(|Reverse(returning)| returning.visible_at <= now)
            .map(|Reverse(returning)| returning.message);
        let fresh = (self.fresh < self.sent).then_some(self.fresh);
        let is_visible =
            |message: &Message| self.load.arrivals[*message] + self.delay_seconds <= now;
        let oldest = returned.chain(fresh.filter(is_visible)).min()?;
        Some(now - self.load.arrivals[oldest])
    }
}
