//! One run: look, decide, resize, again and again until the queue is empty.

use super::score::Score;
use super::world::{Setup, World};
use crate::check::check;
use crate::decide::{History, decide};
use crate::model::Observation;
use crate::policy::Policy;

/// Sets a fleet's size by what is seen.
pub trait Scaler {
    /// The size the fleet should have now.
    fn size(&mut self, seen: &Observation) -> u32;
}

/// The judgement itself, as it runs in production.
#[derive(Clone, Debug)]
pub struct Judged<'a> {
    policy: &'a Policy,
    history: History,
}

impl<'a> Judged<'a> {
    /// With nothing learned yet.
    pub fn new(policy: &'a Policy) -> Self {
        Self {
            policy,
            history: History::default(),
        }
    }
}

impl Scaler for Judged<'_> {
    fn size(&mut self, seen: &Observation) -> u32 {
        let decision = decide(self.policy, seen, &self.history);
        self.history = decision.history;
        let verdict = check(self.policy, seen, decision.verdict);
        verdict.desired.map_or(0, |desired| desired.0)
    }
}

/// A day's grace after the last arrival; what has not started by then never will.
const GRACE_SECONDS: f64 = 86_400.0;

/// Runs `arrivals` (seconds, ascending) through a fleet sized by `scaler`, a look every
/// `setup.interval_seconds`, until `until` and then until the queue is empty.
pub fn run(setup: &Setup, arrivals: &[f64], until: f64, scaler: &mut dyn Scaler) -> Score {
    let mut world = World::new(setup, arrivals);
    let mut now = 0.0;
    loop {
        world.advance(now);
        let over = now >= until && world.is_idle();
        if over || now > until + GRACE_SECONDS {
            return world.finish(now);
        }
        let size = scaler.size(&world.observe(now));
        world.resize(now, size);
        now += setup.interval_seconds;
    }
}
