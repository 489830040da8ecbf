//! One run: look, decide, resize, again and again until the queue is empty.

use super::load::Load;
use super::score::Score;
use super::setup::Setup;
use super::world::World;
use crate::check::check;
use crate::decide::{History, decide};
use crate::model::Observation;
use crate::policy::Policy;

/// Sets a fleet's size by what is seen.
pub trait Scaler {
    /// The size the fleet should have now.
    fn size(&mut self, seen: &Observation) -> u32;
}

/// The judgement itself, as it runs in production: decided, then checked.
#[derive(Clone, Debug)]
pub struct Judged<'a> {
    policy: &'a Policy,
    /// What it has learned.
    pub history: History,
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
        let present = seen.fleet.desired.map_or(0, |desired| desired.0);
        verdict.desired.map_or(present, |desired| desired.0)
    }
}

/// A day's grace after the last arrival; what has not started by then never will.
const GRACE_SECONDS: f64 = 86_400.0;

/// Runs a load through a fleet sized by `scaler`, a look every `setup.interval_seconds`, until
/// the load is over and then until the queue is empty.
pub fn run(setup: &Setup, load: &Load, scaler: &mut dyn Scaler) -> Score {
    let mut world = World::new(setup, load);
    let mut now = 0.0;
    for look in 1_u32.. {
        world.advance(now);
        let over = now >= load.seconds && world.is_empty();
        if over || now > load.seconds + GRACE_SECONDS {
            break;
        }
        let size = scaler.size(&world.observe(now));
        world.resize(now, size);
        now = f64::from(look) * setup.interval_seconds;
    }
    world.finish(now)
}
