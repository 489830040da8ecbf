//! The simulation behind the ports of a round: whole rounds run on it as they run on AWS.
//!
//! A backtest calls `decide` and the checker straight away, for speed. Through these ports the
//! plan, the choice of who leaves, the journal and the lease have their say too; a test holds the
//! two to each other. It must not judge.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use weir_protocol::Report;

use super::instance::Instance;
use super::world::World;
use crate::figures::Figure;
use crate::model::{Member, Phase, UnixSeconds};
use crate::policy::Policy;
use crate::ports::{Act, Change, Observe, PortError, Sighting};

/// A simulated fleet as the ports of a round.
#[derive(Debug)]
pub struct SimulatedFleet<'a> {
    state: Mutex<State<'a>>,
}

#[derive(Debug)]
struct State<'a> {
    world: World<'a>,
    /// What the clock said when the load began.
    starts_at: UnixSeconds,
    /// Seconds of simulation until the last look.
    now: f64,
}

impl<'a> SimulatedFleet<'a> {
    /// The world's load begins at `starts_at`.
    pub fn new(world: World<'a>, starts_at: UnixSeconds) -> Self {
        Self {
            state: Mutex::new(State {
                world,
                starts_at,
                now: 0.0,
            }),
        }
    }

    /// The world, for its score.
    pub fn into_world(self) -> World<'a> {
        let state = self.state.into_inner();
        state.unwrap_or_else(PoisonError::into_inner).world
    }
}

#[async_trait]
impl Observe for SimulatedFleet<'_> {
    async fn observe(&self, policy: &Policy, now: UnixSeconds) -> Result<Sighting, PortError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.now = now.0 - state.starts_at.0;
        let (seconds, starts_at) = (state.now, state.starts_at);
        state.world.advance(seconds);
        let mut observation = state.world.observe(seconds);
        for (seen, queue) in observation.queues.iter_mut().zip(&policy.queues) {
            seen.name.clone_from(&queue.name);
        }
        let looking = Looking {
            fleet: &policy.name,
            now: seconds,
            starts_at,
        };
        let roster = (state.world.fleet.present())
            .map(|(index, instance)| looking.member(index, instance))
            .collect();
        Ok(Sighting {
            observation,
            roster,
            target_in_force: None,
            outdated: std::collections::BTreeSet::new(),
        })
    }
}

#[async_trait]
impl Act for SimulatedFleet<'_> {
    async fn make(&self, _: &Policy, change: &Change) -> Result<String, PortError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = state.now;
        match change {
            Change::Resize { desired } => state.world.resize(now, desired.0),
            Change::Release { instance } => state.world.fleet.release(now, index(instance)?),
            Change::Dismiss { instance } => {
                state.world.fleet.dismiss(now, index(instance)?);
            }
            Change::Retarget { .. } => {
                return Err(refused("a simulated group has no target tracking policy"));
            }
        }
        Ok(change.to_string())
    }

    async fn publish(&self, _: &Policy, _: UnixSeconds, _: &[Figure]) -> Result<(), PortError> {
        Ok(())
    }
}

/// What a look needs to tell of each instance.
struct Looking<'a> {
    fleet: &'a str,
    now: f64,
    starts_at: UnixSeconds,
}

impl Looking<'_> {
    fn member(&self, index: usize, instance: &Instance) -> Member {
        let is_booting = instance.is_booting(self.now);
        Member {
            id: id(index),
            zone: "simulated".to_owned(),
            phase: if instance.is_leaving() {
                Phase::Terminating
            } else if is_booting {
                Phase::Pending
            } else {
                Phase::InService
            },
            launched_at: Some(UnixSeconds(self.starts_at.0 + instance.launched)),
            report: (!is_booting).then(|| self.report(index, instance)),
        }
    }

    fn report(&self, index: usize, instance: &Instance) -> Report {
        let reported_at = self.starts_at.0 + self.now;
        #[expect(clippy::cast_possible_truncation, reason = "whole seconds will do")]
        let expires_at = reported_at as i64 + 900;
        Report {
            instance_id: id(index),
            fleet: self.fleet.to_owned(),
            started_at: self.starts_at.0 + instance.ready,
            reported_at,
            slots: instance.slots(),
            busy_slots: instance.busy(self.now),
            completed_total: instance.finished,
            failed_total: 0,
            service_seconds_mean: instance.reported_mean(),
            service_seconds_p95: None,
            draining: instance.is_leaving(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            expires_at,
        }
    }
}

fn id(index: usize) -> String {
    format!("i-{index:08x}")
}

fn index(id: &str) -> Result<usize, PortError> {
    let digits = id.strip_prefix("i-").unwrap_or_default();
    usize::from_str_radix(digits, 16).map_err(|_| {
        refused(&format!(
            "no instance {id:?}; simulated ones are called i-00000000 and so on"
        ))
    })
}

fn refused(what: &str) -> PortError {
    PortError::Refused {
        what: what.to_owned(),
    }
}
