//! What is carried from round to round.
//!
//! Owns the memory's shape, its version and its bounds. What is concluded from it is the stages'
//! affair.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::curve::Curve;
use super::limit;
use super::rehearse::Rehearsal;
use super::service::Service;
use super::shortage::Shortage;
use super::trust::Seen;
use crate::model::UnixSeconds;

/// The shape's version. A history of another version is set aside and a new one begun: it holds
/// minutes of learning, nothing that is lost for good.
const VERSION: u32 = 2;
/// Remembered changes of demand, launches and quarters of an hour, at most; about 10 KB as JSON.
const REMEMBERED_MAX: usize = 128;
/// Looks in a row that must have seen the queues empty for them to be.
const EMPTY_READS: u32 = 2;

/// What is carried from round to round: explicit in, explicit out, small enough for one item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// The shape's version.
    pub(super) version: u32,
    /// The last observation that was believed.
    pub(super) last: Option<Last>,
    /// Observations in a row that lay before the last one.
    pub(super) backwards: Option<Backwards>,
    /// When a fall was seen that nobody can have worked off, if the last look saw one.
    pub(super) doubted_fall: Option<f64>,
    /// Since when fleet and queues are watched without a gap longer than the hold.
    pub(super) watched_since: Option<f64>,
    /// Since when messages have been visible without a break.
    pub(super) waiting_since: Option<f64>,
    /// Believed observations in a row with nothing visible and nothing in flight.
    pub(super) empty_reads: u32,
    /// Mean seconds between observations.
    pub(super) interval: Option<f64>,
    /// How long a job takes.
    pub(super) service: Service,
    /// Slots an instance has.
    pub(super) slots: Option<f64>,
    /// Mean seconds from launch to first report.
    pub(super) boot_seconds: Option<f64>,
    /// Each queue's arrivals, by its name.
    pub(super) curves: BTreeMap<String, Curve>,
    /// The rehearsed ways to be ahead of arrivals, where the objective is shorter than the boot.
    pub(super) rehearsal: Option<Rehearsal>,
    /// The largest demands of late, falling: (when, instances).
    pub(super) demands: VecDeque<(f64, u32)>,
    /// Launches that may still boot: (when, instances).
    pub(super) launches: VecDeque<(f64, u32)>,
    /// Instance-hours by quarter of an hour, where the policy has a budget.
    pub(super) used: VecDeque<(i64, f64)>,
    /// Capacity that does not come.
    pub(super) shortage: Shortage,
}

/// The last observation that was believed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Last {
    pub(super) at: f64,
    pub(super) visible: u64,
    pub(super) in_flight: u64,
    /// Instances that worked.
    pub(super) ready: u32,
    /// In service and pending.
    pub(super) launched: u32,
    /// What is paid for: in service, pending and leaving.
    pub(super) billed: u32,
}

/// Observations in a row that lay before the last believed one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Backwards {
    pub(super) at: f64,
    pub(super) count: u32,
}

impl Default for History {
    fn default() -> Self {
        Self {
            version: VERSION,
            last: None,
            backwards: None,
            doubted_fall: None,
            watched_since: None,
            waiting_since: None,
            empty_reads: 0,
            interval: None,
            service: Service::default(),
            slots: None,
            boot_seconds: None,
            curves: BTreeMap::new(),
            rehearsal: None,
            demands: VecDeque::new(),
            launches: VecDeque::new(),
            used: VecDeque::new(),
            shortage: Shortage::default(),
        }
    }
}

impl History {
    /// Instance-hours of the 24 hours before `at`; unknown before a first look.
    pub fn instance_hours(&self, at: UnixSeconds) -> Option<f64> {
        self.last.map(|_| limit::used_hours(at.0, self))
    }

    /// Itself, or a new one where it is of another version.
    pub(super) fn usable(&self) -> Self {
        if self.version == VERSION {
            self.clone()
        } else {
            Self::default()
        }
    }

    /// Remembers what was seen, for the next round.
    pub(super) fn note(&mut self, seen: &Seen, ready: u32) {
        self.last = Some(Last {
            at: seen.at,
            visible: seen.visible,
            in_flight: seen.in_flight,
            ready,
            launched: seen.launched(),
            billed: seen.launched().saturating_add(seen.terminating),
        });
        self.backwards = None;
    }

    /// Forgets everything that is tied to a clock that proved wrong, but for what was spent.
    pub(super) fn forget_times(&mut self) {
        *self = Self {
            interval: self.interval,
            service: self.service,
            slots: self.slots,
            boot_seconds: self.boot_seconds,
            used: std::mem::take(&mut self.used),
            ..Self::default()
        };
    }

    /// Whether nothing waited and nothing ran at the last two looks: one may have been a miscount.
    pub(super) fn is_surely_empty(&self) -> bool {
        self.empty_reads >= EMPTY_READS
    }

    /// Remembers a demand. Smaller ones before it will never be the largest again and go.
    pub(super) fn note_demand(&mut self, at: f64, wanted: u32) {
        while self
            .demands
            .back()
            .is_some_and(|(_, earlier)| *earlier <= wanted)
        {
            self.demands.pop_back();
        }
        self.demands.push_back((at, wanted));
        // The second is merged into the first: held a little longer than it must be, never less.
        if self.demands.len() > REMEMBERED_MAX
            && let Some((at, _)) = self.demands.remove(1)
        {
            self.demands[0].0 = at;
        }
    }

    /// The largest demand of the last `hold` seconds, and when it was.
    pub(super) fn demand_max(&mut self, now: f64, hold: f64) -> Option<(f64, u32)> {
        while self
            .demands
            .front()
            .is_some_and(|(at, _)| *at < now - hold || *at > now)
        {
            self.demands.pop_front();
        }
        self.demands.front().copied()
    }

    /// Remembers that instances were launched.
    pub(super) fn note_launch(&mut self, at: f64, instances: u32) {
        self.launches.push_back((at, instances));
        if self.launches.len() > REMEMBERED_MAX
            && let Some((_, oldest)) = self.launches.pop_front()
        {
            self.launches[0].1 = self.launches[0].1.saturating_add(oldest);
        }
    }

    /// Instances launched after `since` that are not known to work.
    pub(super) fn launched_since(&self, since: f64) -> u32 {
        let young = self.launches.iter().filter(|(at, _)| *at > since);
        young.fold(0, |sum, (_, n)| sum.saturating_add(*n))
    }

    /// Keeps the youngest launches, as many as still boot, and returns when the others were.
    pub(super) fn settle_launches(&mut self, booting: u32) -> Vec<f64> {
        let mut room = booting;
        let mut settled = Vec::new();
        for (at, launched) in self.launches.iter_mut().rev() {
            if *launched > room {
                settled.push(*at);
                *launched = room;
            }
            room -= *launched;
        }
        self.launches.retain(|(_, launched)| *launched > 0);
        settled
    }

    /// The curve of a queue, a new one where there is none yet.
    pub(super) fn curve(&mut self, queue: &str) -> &mut Curve {
        self.curves.entry(queue.to_owned()).or_default()
    }
}
