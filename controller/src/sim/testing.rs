//! A fleet, a policy and six hours of bursts, for tests of the simulation and of what builds on it.

use rand::RngExt;

use super::chance::{Stream, stream};
use super::{Conditions, Load, QUEUE, SeenToo, Service, Setup, Trace};
use crate::model::UnixSeconds;
use crate::policy::{self, Policy};

pub(crate) const ALL: SeenToo = SeenToo {
    reports: true,
    oldest_age: true,
};

pub(crate) fn setup() -> Setup {
    Setup {
        slots: 2,
        boot_seconds: 120.0,
        interval_seconds: 15.0,
        max: 200,
        count_noise: 0.0,
        seen: ALL,
        starts_at: UnixSeconds(0.0),
        conditions: Conditions::default(),
        seed: 1,
    }
}

pub(crate) fn policy(objective_seconds: f64) -> Policy {
    let text = format!(
        "version: 1\nname: t\nqueues: [{{ name: {QUEUE} }}]\n\
         fleet: {{ auto_scaling_group: g, max: 200 }}\n\
         objective: {{ start_within: {objective_seconds}s }}\n"
    );
    policy::parse("t.yaml", &text).expect("a policy")
}

/// Six hours of a trace with bursts, calm and nights, by seed.
pub(crate) fn bursty(seed: u64) -> Load {
    let mut chance = stream(seed, Stream::Arrivals);
    let mut level = 1.0;
    let mut count = |minute: u32| {
        if minute.is_multiple_of(20) {
            level = [0.0, 0.2, 1.0, 4.0][chance.random_range(0..4)];
        }
        level * chance.random_range(0.5..1.5)
    };
    let trace = Trace {
        step_seconds: 60.0,
        counts: (0..360).map(&mut count).collect(),
        service_seconds: Vec::new(),
    };
    Load::draw(&trace.scaled_to(0.4), &Service::exponential(30.0), seed)
}
