//! What tests of rounds need: a policy, workers, a fleet in memory whose ports fail on demand,
//! and the conformance suite that every [`Ledger`](crate::journal::Ledger)
//! passes.
//!
//! Compiled for this crate's tests and under the feature `testing`. It must not be used by the
//! programs.

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "test support"
)]

mod ledger;

use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;
use weir_protocol::Report;

use crate::figures::Figure;
use crate::model::{
    FleetObservation, Instances, Member, Messages, Observation, Phase, QueueObservation, Seconds,
    UnixSeconds,
};
use crate::policy::{
    Actuate, Fleet, Forecast, Guess, Hold, Objective, Policy, Queue, Scaler, StepLimit,
};
use crate::ports::{Act, Change, Observe, PortError, Sighting};

pub use self::ledger::ledger_conformance;

/// The moment that tests begin at.
pub const START: UnixSeconds = UnixSeconds(1_700_000_000.0);

/// A policy for one queue and a group of up to 40, four slots an instance, 8 s a job.
pub fn policy(name: &str) -> Policy {
    let objective = Objective {
        start_within: Seconds(60.0),
        percentile: 99.0,
    };
    Policy {
        name: name.to_owned(),
        queues: vec![Queue {
            name: name.to_owned(),
            url: None,
            weight: 1.0,
            priority: 0,
            objective,
            visibility_timeout: None,
            max_receive_count: None,
        }],
        fleet: Fleet {
            scaler: Scaler::AutoScalingGroup(format!("{name}-workers")),
            min: Instances(0),
            max: Instances(40),
        },
        objective,
        worker: Guess {
            slots: 4,
            service_time: Seconds(8.0),
            boot_time: Seconds(90.0),
        },
        max_attempts: None,
        forecast: Forecast::Auto,
        scale_out: StepLimit::Unlimited,
        scale_in: StepLimit::Unlimited,
        hold: Hold::For(Seconds(0.0)),
        schedule: Vec::new(),
        instance_hours_per_day: None,
        actuate: Actuate::DesiredCapacity,
    }
}

/// An instance without a report, launched ten minutes before [`START`].
pub fn member(id: &str, phase: Phase) -> Member {
    Member {
        id: id.to_owned(),
        zone: "eu-west-1a".to_owned(),
        phase,
        launched_at: Some(UnixSeconds(START.0 - 600.0)),
        report: None,
    }
}

/// A report of an instance with four slots, fresh at [`START`].
pub fn report(id: &str, busy_slots: u32) -> Report {
    Report {
        instance_id: id.to_owned(),
        fleet: "thumbnails".to_owned(),
        started_at: START.0 - 500.0,
        reported_at: START.0,
        slots: 4,
        busy_slots,
        completed_total: 0,
        failed_total: 0,
        service_seconds_mean: None,
        service_seconds_p95: None,
        draining: false,
        version: "0.1.0".to_owned(),
        expires_at: 1_700_000_900,
    }
}

/// An instance in service that reports so many busy slots.
pub fn worker(id: &str, busy_slots: u32) -> Member {
    Member {
        report: Some(report(id, busy_slots)),
        ..member(id, Phase::InService)
    }
}

/// A sighting of one queue with so many visible messages and of this roster.
pub fn sighting(name: &str, visible: u64, roster: Vec<Member>) -> Sighting {
    let count = |phase| {
        let count = roster.iter().filter(|member| member.phase == phase).count();
        Instances(u32::try_from(count).unwrap())
    };
    let fleet = FleetObservation {
        desired: Some(Instances(
            count(Phase::InService).0 + count(Phase::Pending).0,
        )),
        in_service: Some(count(Phase::InService)),
        pending: Some(count(Phase::Pending)),
        terminating: Some(count(Phase::Terminating)),
    };
    let reports: Vec<Report> = roster.iter().filter_map(|m| m.report.clone()).collect();
    Sighting {
        observation: Observation {
            at: START,
            queues: vec![QueueObservation {
                name: name.to_owned(),
                visible: Some(Messages(visible)),
                in_flight: Some(Messages(0)),
                delayed: Some(Messages(0)),
                oldest_age_seconds: None,
            }],
            fleet,
            workers: crate::reports::summarise(&reports, &roster),
        },
        roster,
        target_in_force: None,
        outdated: std::collections::BTreeSet::new(),
    }
}

/// A fleet in memory: shows one sighting, takes note of every change, fails on demand.
#[derive(Debug)]
pub struct FakeFleet {
    sighting: Mutex<Sighting>,
    made: Mutex<Vec<Change>>,
    published: Mutex<usize>,
    failures: Mutex<Failures>,
}

/// Which of the next calls fail; each entry is used once.
#[derive(Debug, Default)]
struct Failures {
    observe: VecDeque<&'static str>,
    make: VecDeque<Option<&'static str>>,
    publish: VecDeque<&'static str>,
}

impl FakeFleet {
    /// Shows `sighting` until a change alters it.
    pub fn showing(sighting: Sighting) -> Self {
        Self {
            sighting: Mutex::new(sighting),
            made: Mutex::default(),
            published: Mutex::default(),
            failures: Mutex::default(),
        }
    }

    /// Shows `sighting` from now on.
    pub fn show(&self, sighting: Sighting) {
        *self.sighting.lock().unwrap() = sighting;
    }

    /// Makes the next look fail.
    pub fn fail_observe(&self, why: &'static str) {
        self.failures.lock().unwrap().observe.push_back(why);
    }

    /// Makes the change after `good` good ones fail.
    pub fn fail_make_after(&self, good: usize, why: &'static str) {
        let make = &mut self.failures.lock().unwrap().make;
        make.extend(std::iter::repeat_n(None, good));
        make.push_back(Some(why));
    }

    /// Makes the next publication fail.
    pub fn fail_publish(&self, why: &'static str) {
        self.failures.lock().unwrap().publish.push_back(why);
    }

    /// Every change made so far.
    pub fn made(&self) -> Vec<Change> {
        self.made.lock().unwrap().clone()
    }

    /// How often figures were published.
    pub fn published(&self) -> usize {
        *self.published.lock().unwrap()
    }
}

fn unavailable(what: &str, why: &'static str) -> PortError {
    PortError::Unavailable {
        what: what.to_owned(),
        source: why.into(),
    }
}

#[async_trait]
impl Observe for FakeFleet {
    async fn observe(&self, _policy: &Policy, now: UnixSeconds) -> Result<Sighting, PortError> {
        tokio::task::yield_now().await;
        if let Some(why) = self.failures.lock().unwrap().observe.pop_front() {
            return Err(unavailable("cannot see the fleet", why));
        }
        let mut sighting = self.sighting.lock().unwrap().clone();
        sighting.observation.at = now;
        Ok(sighting)
    }
}

#[async_trait]
impl Act for FakeFleet {
    async fn make(&self, _policy: &Policy, change: &Change) -> Result<String, PortError> {
        tokio::task::yield_now().await;
        if let Some(Some(why)) = self.failures.lock().unwrap().make.pop_front() {
            return Err(unavailable("cannot change the fleet", why));
        }
        self.made.lock().unwrap().push(change.clone());
        let fleet = &mut self.sighting.lock().unwrap().observation.fleet;
        match change {
            Change::Resize { desired } => fleet.desired = Some(*desired),
            Change::Release { .. } => {
                fleet.desired = fleet.desired.map(|n| Instances(n.0.saturating_sub(1)));
            }
            Change::Dismiss { .. } | Change::Retarget { .. } => {}
        }
        Ok(change.to_string())
    }

    async fn publish(&self, _: &Policy, _: UnixSeconds, _: &[Figure]) -> Result<(), PortError> {
        if let Some(why) = self.failures.lock().unwrap().publish.pop_front() {
            return Err(unavailable("cannot publish", why));
        }
        *self.published.lock().unwrap() += 1;
        Ok(())
    }
}
