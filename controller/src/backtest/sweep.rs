//! Peers at their best: each rule's target, tuned in hindsight on the very load it is judged by.
//!
//! Owns the search. A larger target is cheaper and later, nearly always. So targets are tried on a
//! coarse grid first, and wherever one keeps the allowed lateness and the next does not, on a fine
//! one of 2 %, a little beyond too, where "nearly" matters. Every setting tried is kept: together
//! they are the rule's frontier of cost against lateness. It must not know the judgement.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::sim::peers::{Counted, Keda, Proportional, RampUp, ScaleIn, TargetTracking};
use crate::sim::{Load, Scaler, Setup, run};

/// To be raised with every change that lets a peer's run come out differently: kept results of
/// another version are no longer right.
pub const VERSION: u32 = 1;

/// A peer's rule; its target is left open.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// Backlog over a target, scale-in held back for so many seconds.
    Proportional(f64),
    /// KEDA with the Horizontal Pod Autoscaler.
    Keda(RampUp),
    /// AWS target tracking.
    TargetTracking(Counted, ScaleIn),
}

/// The product a rule belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// A home-made function.
    Proportional,
    /// KEDA.
    Keda,
    /// AWS's own.
    TargetTracking,
}

impl Peer {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Proportional, Self::Keda, Self::TargetTracking];

    /// For a table's head.
    pub fn name(self) -> &'static str {
        match self {
            Self::Proportional => "proportional",
            Self::Keda => "KEDA",
            Self::TargetTracking => "target tracking",
        }
    }
}

impl Rule {
    /// Every rule with each of its typed-in constants but the target.
    pub const ALL: [Self; 11] = [
        Self::Proportional(120.0),
        Self::Proportional(300.0),
        Self::Proportional(600.0),
        Self::Proportional(1800.0),
        Self::Proportional(7200.0),
        Self::Keda(RampUp::Legacy),
        Self::Keda(RampUp::Behavior),
        Self::TargetTracking(Counted::Visible, ScaleIn::EveryPoint),
        Self::TargetTracking(Counted::Visible, ScaleIn::AfreshEachTime),
        Self::TargetTracking(Counted::VisibleAndInFlight, ScaleIn::EveryPoint),
        Self::TargetTracking(Counted::VisibleAndInFlight, ScaleIn::AfreshEachTime),
    ];

    /// The product it belongs to.
    pub fn peer(self) -> Peer {
        match self {
            Self::Proportional(_) => Peer::Proportional,
            Self::Keda(_) => Peer::Keda,
            Self::TargetTracking(..) => Peer::TargetTracking,
        }
    }

    /// The rule in words, unique among [`Rule::ALL`].
    pub fn name(self) -> String {
        match self {
            Self::Proportional(hold) => format!("proportional, hold {hold} s"),
            Self::Keda(RampUp::Legacy) => "KEDA".to_owned(),
            Self::Keda(RampUp::Behavior) => "KEDA, behavior block".to_owned(),
            Self::TargetTracking(counted, scale_in) => {
                let counted = match counted {
                    Counted::Visible => "visible",
                    Counted::VisibleAndInFlight => "visible and in flight",
                };
                let scale_in = match scale_in {
                    ScaleIn::EveryPoint => "in each minute",
                    ScaleIn::AfreshEachTime => "in each 15 minutes",
                };
                format!("target tracking, {counted}, {scale_in}")
            }
        }
    }

    fn with(self, target: f64) -> Box<dyn Scaler> {
        match self {
            Self::Proportional(hold_seconds) => Box::new(Proportional::new(target, hold_seconds)),
            Self::Keda(ramp_up) => Box::new(Keda::new(target, ramp_up)),
            Self::TargetTracking(counted, scale_in) => {
                Box::new(TargetTracking::new(target, counted, scale_in))
            }
        }
    }
}

/// A rule at one setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Messages an instance is meant to carry.
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

/// A rule's settings tried on one load.
#[derive(Debug)]
pub struct Sweep<'a> {
    /// The rule.
    pub rule: Rule,
    /// The fleet. Peers look at counts and instances alone.
    pub setup: &'a Setup,
    /// The messages.
    pub load: &'a Load,
    /// In seconds.
    pub objectives: &'a [f64],
    /// What was tried, by place on the grid of targets; a larger place is a larger target.
    pub points: BTreeMap<u32, Point>,
}

/// The grid of targets: from a tenth of a message, in steps of 2 %, to some 2,000 messages.
const TARGET_MIN: f64 = 0.1;
const TARGET_STEP: f64 = 1.02;
const PLACE_MAX: u32 = 504;
/// The coarse grid takes every sixth place, 13 % of target.
const STRIDE: u32 = 6;
/// Settings beyond an edge that are tried too, 6 % of target: short traces are rugged.
const BEYOND: u32 = 3;
/// A setting that bills so many times the work is of no use to anyone: no smaller target is tried.
const HOPELESS: f64 = 20.0;
/// Nor is one with so many late: no larger target is tried.
const HOPELESSLY_LATE: f64 = 0.5;

impl<'a> Sweep<'a> {
    /// With nothing tried.
    pub fn new(rule: Rule, setup: &'a Setup, load: &'a Load, objectives: &'a [f64]) -> Self {
        Self {
            rule,
            setup,
            load,
            objectives,
            points: BTreeMap::new(),
        }
    }

    /// The cheapest setting that keeps the allowed lateness; `None` where no setting does.
    pub fn cheapest(&mut self, allowed: Allowed) -> Option<Point> {
        let keeps = |point: &Point| point.late_shares[allowed.objective] <= allowed.late_share_max;
        self.refine(keeps);
        let kept = self.points.values().filter(|point| keeps(point));
        kept.min_by(|a, b| a.billed_hours.total_cmp(&b.billed_hours))
            .cloned()
    }

    /// Tries the settings that cost about this much, so that the frontier is fine there.
    pub fn explore(&mut self, billed_hours: f64) {
        self.refine(|point| point.billed_hours > billed_hours);
    }

    /// Tries the places at each edge of the coarse grid: where one passes and the next does not.
    fn refine(&mut self, passes: impl Fn(&Point) -> bool) {
        for pair in self.coarse().windows(2) {
            let [low, high] = [pair[0], pair[1]];
            if passes(self.at(low)) && !passes(self.at(high)) {
                for place in low..=(high + BEYOND).min(PLACE_MAX) {
                    self.at(place);
                }
            }
        }
    }

    /// The coarse grid, ascending, from what is hopelessly dear to what is hopelessly late. It
    /// begins at what the slots can start within the longest objective if a job takes the mean.
    fn coarse(&mut self) -> Vec<u32> {
        let jobs = self.load.service_seconds.len().max(1) as f64;
        let service_seconds = (self.load.work_seconds() / jobs).max(f64::MIN_POSITIVE);
        let longest = self.objectives.iter().copied().fold(0.0, f64::max);
        let carried = f64::from(self.setup.slots) * (1.0 + longest / service_seconds);
        let first = place(carried) / STRIDE * STRIDE;
        let mut coarse = vec![first];
        let mut at = first;
        while at >= STRIDE && !self.is_hopelessly_dear(at) {
            at -= STRIDE;
            coarse.push(at);
        }
        at = first;
        while at + STRIDE <= PLACE_MAX && !self.is_hopelessly_late(at) {
            at += STRIDE;
            coarse.push(at);
        }
        coarse.sort_unstable();
        coarse
    }

    fn is_hopelessly_dear(&mut self, place: u32) -> bool {
        let slots = f64::from(self.setup.slots);
        let work_hours = self.load.work_seconds() / slots / 3600.0;
        self.at(place).billed_hours > HOPELESS * work_hours
    }

    fn is_hopelessly_late(&mut self, place: u32) -> bool {
        let late_shares = &self.at(place).late_shares;
        late_shares.iter().all(|late| *late > HOPELESSLY_LATE)
    }

    fn at(&mut self, place: u32) -> &Point {
        let Self {
            rule,
            setup,
            load,
            objectives,
            ref mut points,
        } = *self;
        points.entry(place).or_insert_with(|| {
            let target = TARGET_MIN * TARGET_STEP.powf(f64::from(place));
            let score = run(setup, load, rule.with(target).as_mut());
            let late = |objective: &f64| score.late_share(*objective);
            Point {
                target,
                billed_hours: score.billed_hours,
                late_shares: objectives.iter().map(late).collect(),
            }
        })
    }
}

/// The place of the largest target on the grid that is no larger.
fn place(target: f64) -> u32 {
    let steps = (target / TARGET_MIN).ln() / TARGET_STEP.ln();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "float casts saturate, and NaN becomes 0"
    )]
    let place = steps as u32;
    place.min(PLACE_MAX)
}
