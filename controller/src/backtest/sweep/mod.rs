//! Peers at their best: each rule's swept parameter, tuned in hindsight on the very load it is
//! judged by.
//!
//! Owns the search and what is made of the settings tried: a rule's cheapest that keeps the
//! allowed lateness, and its frontier of cost against lateness. It must not know the judgement.
//! Rules are independent of each other: callers search them on as many threads as they have.

mod coarse;
mod fine;
mod frontier;
mod ladder;

pub use crate::sim::peers::Peer;
pub use frontier::{Tried, cheapest, frontier, least_late, undominated};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::sim::peers::Setting;
use crate::sim::{Load, Setup, run};
use ladder::Ladder;

/// To be raised with every change that lets a peer's run come out differently: kept results of
/// another version are no longer right.
pub const VERSION: u32 = 1;

/// A rule at one setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The swept parameter's value: for most, messages an instance is meant to carry.
    pub target: f64,
    /// What it cost.
    pub billed_hours: f64,
    /// The share that started late, for each objective of the sweep.
    pub late_shares: Vec<f64>,
}

/// A late share that is allowed for one objective.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Allowed {
    /// Which of the sweep's objectives.
    pub objective: usize,
    /// At most this share may be late.
    pub late_share_max: f64,
}

impl Allowed {
    fn keeps(&self, point: &Point) -> bool {
        point.late_shares[self.objective] <= self.late_share_max
    }
}

/// A rule's settings tried on one load.
#[derive(Debug)]
pub struct Sweep<'a> {
    /// The rule; its swept parameter is left open.
    pub rule: Setting,
    /// The fleet.
    pub setup: &'a Setup,
    /// The messages.
    pub load: &'a Load,
    /// In seconds.
    pub objectives: &'a [f64],
    /// What was tried, by place on the ladder of values; a larger place is cheaper and later.
    pub points: BTreeMap<u32, Point>,
    ladder: Ladder,
}

/// A setting that bills so many times the work is of no use to anyone: none dearer is tried.
const HOPELESS: f64 = 20.0;

impl<'a> Sweep<'a> {
    /// With nothing tried.
    pub fn new(rule: Setting, setup: &'a Setup, load: &'a Load, objectives: &'a [f64]) -> Self {
        Self {
            ladder: Ladder::of(&rule),
            rule,
            setup,
            load,
            objectives,
            points: BTreeMap::new(),
        }
    }

    /// Everything tried so far, by one objective's lateness.
    pub fn tried(&self, objective: usize) -> Vec<Tried> {
        let tried = |point: &Point| Tried {
            setting: self.rule.with_swept(point.target),
            billed_hours: point.billed_hours,
            late_share: point.late_shares[objective],
        };
        self.points.values().map(tried).collect()
    }

    /// The cheapest of what was tried so far.
    fn cheapest_tried(&self, allowed: Allowed) -> Option<&Point> {
        let kept = self.points.values().filter(|point| allowed.keeps(point));
        kept.min_by(|a, b| a.billed_hours.total_cmp(&b.billed_hours))
    }

    /// What an instance's slots can start within the longest objective if a job takes the mean.
    fn carried(&self) -> f64 {
        let jobs = self.load.service_seconds.len().max(1) as f64;
        let service_seconds = (self.load.work_seconds() / jobs).max(f64::MIN_POSITIVE);
        let longest = self.objectives.iter().copied().fold(0.0, f64::max);
        f64::from(self.setup.slots) * (1.0 + longest / service_seconds)
    }

    fn is_hopelessly_dear(&mut self, place: u32) -> bool {
        let slots = f64::from(self.setup.slots);
        let work_hours = self.load.work_seconds() / slots / 3600.0;
        self.at(place).billed_hours > HOPELESS * work_hours
    }

    fn at(&mut self, place: u32) -> &Point {
        let Self {
            ref rule,
            setup,
            load,
            objectives,
            ref mut points,
            ladder,
        } = *self;
        points.entry(place).or_insert_with(|| {
            let target = ladder.value(place);
            let score = run(setup, load, rule.with_swept(target).scaler().as_mut());
            let late = |objective: &f64| score.late_share(*objective);
            Point {
                target,
                billed_hours: score.billed_hours,
                late_shares: objectives.iter().map(late).collect(),
            }
        })
    }
}
