//! What users of other scalers complained about, each as a case that must not come back here.
//!
//! Every test tells the complaint in a line of its own and names the public thread it is from.
//! Whoever changes the judgement and sees one of these fail has met somebody's bad night.

#[path = "complaints/counts.rs"]
mod counts;
#[path = "complaints/leaving.rs"]
mod leaving;
#[path = "complaints/pace.rs"]
mod pace;

use weir_controller::check::check;
use weir_controller::decide::{History, decide};
use weir_controller::model::{Observation, Verdict, WorkersObservation};
use weir_controller::policy::{self, Policy};

use super::load;

/// 2023-11-14 22:13:20 UTC, a Tuesday.
const EVENING: f64 = 1.7e9;
/// Between looks.
const EVERY: f64 = 15.0;

/// Four slots, 90 s to boot, and what differs from case to case.
fn policy(objective: &str, service: &str, more: &str) -> Policy {
    let text = format!(
        "version: 1\nname: t\nqueues: [{{ name: q }}]\n\
         fleet: {{ auto_scaling_group: g, max: 600 }}\nobjective: {{ start_within: {objective} }}\n\
         worker: {{ slots: 4, service_time: {service}, boot_time: 90s }}\n{more}\n"
    );
    policy::parse("test", &text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// One fleet, look by look.
struct Story {
    policy: Policy,
    history: History,
    /// The next look's moment.
    at: f64,
    /// What the workers report as the mean time a job takes; `None` where they do not report.
    reported: Option<f64>,
}

impl Story {
    fn new(policy: Policy) -> Self {
        Self {
            policy,
            history: History::default(),
            at: EVENING,
            reported: None,
        }
    }

    fn reporting(policy: Policy, service_seconds: f64) -> Self {
        Self {
            reported: Some(service_seconds),
            ..Self::new(policy)
        }
    }

    /// What the next look sees: (visible, in flight) and (desired, of which pending).
    fn seen(&self, counts: (u64, u64), (size, pending): (u32, u32)) -> Observation {
        let mut seen = load::observation(self.at, counts, (size, pending));
        let working = size - pending;
        seen.workers = self.reported.map(|mean| WorkersObservation {
            completed_total: None,
            busy_slots: None,
            slots: Some(4 * working),
            service_seconds_mean: Some(mean).filter(|_| working > 0),
            boot_seconds_mean: None,
            reporting: Some(working),
        });
        seen
    }

    fn judge(&mut self, seen: &Observation) -> Verdict {
        let decision = decide(&self.policy, seen, &self.history);
        self.history = decision.history;
        self.at += EVERY;
        let verdict = check(&self.policy, seen, decision.verdict);
        assert_eq!(verdict.refused(), None);
        verdict
    }

    fn look(&mut self, counts: (u64, u64), fleet: (u32, u32)) -> u32 {
        let seen = self.seen(counts, fleet);
        desired(&self.judge(&seen))
    }

    /// The same to see for so many seconds, whatever is decided; the sizes that were asked for.
    fn stay(&mut self, for_seconds: f64, counts: (u64, u64), fleet: (u32, u32)) -> Vec<u32> {
        let until = self.at + for_seconds;
        let mut sizes = Vec::new();
        while self.at < until {
            sizes.push(self.look(counts, fleet));
        }
        sizes
    }

    /// A queue that stays as it is, on a fleet that becomes what is decided.
    fn follow(&mut self, for_seconds: f64, counts: (u64, u64), size: u32) -> Vec<u32> {
        let until = self.at + for_seconds;
        let mut sizes = vec![size];
        while self.at < until {
            sizes.push(self.look(counts, (sizes[sizes.len() - 1], 0)));
        }
        sizes
    }
}

fn desired(verdict: &Verdict) -> u32 {
    verdict.desired.expect("a size").0
}

fn has_code(verdict: &Verdict, code: &str) -> bool {
    let json = serde_json::to_value(&verdict.trail).expect("JSON");
    let steps = json.as_array().expect("a list");
    steps.iter().any(|step| step["reason"] == code)
}

fn first(policy: Policy, counts: (u64, u64), size: u32) -> u32 {
    Story::new(policy).look(counts, (size, 0))
}
