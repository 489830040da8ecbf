//! Named cases for each stage, through `decide` itself.

mod demand;
mod limit;
mod schedule;
mod shortage;
mod stabilize;
mod trust;

use super::{Decision, History, decide};
use crate::model::{
    FleetObservation, Instances, Messages, Observation, QueueObservation, Seconds, Stage,
    UnixSeconds, Verdict, WorkersObservation,
};
use crate::policy::{self, Policy};

/// Some afternoon: 2023-11-14 22:13:20 UTC, a Tuesday.
const NOW: f64 = 1_700_000_000.0;

/// Four slots, 8 s a job, 90 s to boot: one instance starts half a message a second.
fn policy() -> Policy {
    policy_with("")
}

/// The same with more lines at its end.
fn policy_with(more: &str) -> Policy {
    let text = format!(
        "version: 1\nname: thumbs\nqueues: [{{ name: thumbs }}]\n\
         fleet: {{ auto_scaling_group: workers, max: 40 }}\n\
         objective: {{ start_within: 300s }}\n\
         worker: {{ slots: 4, service_time: 8s, boot_time: 90s }}\n{more}\n"
    );
    policy::parse("test", &text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// What is seen at one moment.
#[derive(Clone, Copy)]
struct See {
    at: f64,
    visible: u64,
    in_flight: u64,
    desired: u32,
    pending: u32,
}

impl See {
    fn observation(self) -> Observation {
        Observation {
            at: UnixSeconds(NOW + self.at),
            queues: vec![QueueObservation {
                name: "thumbs".to_owned(),
                visible: Some(Messages(self.visible)),
                in_flight: Some(Messages(self.in_flight)),
                delayed: Some(Messages(0)),
                oldest_age_seconds: None,
            }],
            fleet: FleetObservation {
                desired: Some(Instances(self.desired)),
                in_service: Some(Instances(self.desired - self.pending)),
                pending: Some(Instances(self.pending)),
                terminating: Some(Instances(0)),
            },
            // Workers that run report that a job takes what the policy says.
            workers: (self.desired > self.pending).then(|| WorkersObservation {
                busy_slots: Some(u32::try_from(self.in_flight).unwrap()),
                completed_total: Some(1_000_000),
                service_seconds_mean: Some(8.0),
                ..WorkersObservation::default()
            }),
        }
    }
}

/// A fleet of `desired`, all in service, and a backlog.
fn see(at: f64, (visible, in_flight): (u64, u64), desired: u32) -> See {
    See {
        at,
        visible,
        in_flight,
        desired,
        pending: 0,
    }
}

/// Observations one after the other, with one history.
struct Rounds {
    policy: Policy,
    history: History,
}

impl Rounds {
    fn new(policy: Policy) -> Self {
        Self {
            policy,
            history: History::default(),
        }
    }

    fn round(&mut self, observation: &Observation) -> Verdict {
        let Decision { verdict, history } = decide(&self.policy, observation, &self.history);
        self.history = history;
        verdict
    }

    fn see(&mut self, see: See) -> Verdict {
        self.round(&see.observation())
    }
}

/// The verdict on a first look.
fn first(policy: Policy, see: See) -> Verdict {
    Rounds::new(policy).see(see)
}

fn desired(verdict: &Verdict) -> u32 {
    verdict.desired.expect("a size").0
}

/// The codes of a verdict's reasons, in order.
fn codes(verdict: &Verdict) -> Vec<String> {
    let code = |step| {
        let value = serde_json::to_value(step).unwrap();
        value["reason"].as_str().unwrap().to_owned()
    };
    verdict.trail.iter().map(code).collect()
}

fn text_of(verdict: &Verdict, stage: Stage) -> String {
    let texts = verdict
        .trail
        .iter()
        .filter(|s| s.step == stage)
        .map(|s| s.reason.to_string());
    texts.collect::<Vec<_>>().join("; ")
}

fn workers(slots: u32, reporting: u32, service: f64) -> WorkersObservation {
    WorkersObservation {
        slots: Some(slots),
        reporting: Some(reporting),
        service_seconds_mean: Some(service),
        ..WorkersObservation::default()
    }
}

#[test]
fn the_same_input_gives_the_same_output() {
    let see = see(0.0, (1200, 30), 10).observation();
    let once = decide(&policy(), &see, &History::default());
    assert_eq!(once, decide(&policy(), &see, &History::default()));
}

#[test]
fn a_plain_hold_explains_itself() {
    let verdict = first(policy(), see(0.0, (0, 4), 1));
    assert_eq!(desired(&verdict), 1);
    assert!(!verdict.trail.is_empty());
}

#[test]
fn history_survives_json() {
    let mut rounds = Rounds::new(policy_with("budget: { instance_hours_per_day: 100 }"));
    for i in 0_u32..50 {
        rounds.see(See {
            pending: 1,
            ..see(f64::from(i) * 15.0, (100 + u64::from(i), 8), 3)
        });
    }
    let text = serde_json::to_string(&rounds.history).unwrap();
    let back: History = serde_json::from_str(&text).unwrap();
    assert_eq!(back, rounds.history);
}

#[test]
fn a_history_of_another_version_is_set_aside() {
    let mut rounds = Rounds::new(policy());
    rounds.see(see(0.0, (0, 4), 1));
    let mut value = serde_json::to_value(&rounds.history).unwrap();
    value["version"] = 999.into();
    let other: History = serde_json::from_value(value).unwrap();
    let observation = see(-100.0, (0, 4), 1).observation();
    assert_eq!(
        decide(&policy(), &observation, &other),
        decide(&policy(), &observation, &History::default())
    );
}

#[test]
fn history_stays_small_over_a_week() {
    // An objective shorter than the boot, so that the rules are rehearsed too.
    let mut policy =
        policy_with("budget: { instance_hours_per_day: 900 }\nscale_in: { hold: 24h }");
    policy.objective.start_within = Seconds(45.0);
    policy.queues[0].objective = policy.objective;
    let mut rounds = Rounds::new(policy);
    let mut size = 0;
    for i in 0_u32..40_320 {
        let backlog = u64::from((i * 7919) % 2000);
        let at = f64::from(i) * 15.0;
        let verdict = rounds.see(See {
            pending: size / 2,
            ..see(at, (backlog, 0), size)
        });
        size = desired(&verdict);
    }
    let bytes = serde_json::to_vec(&rounds.history).unwrap().len();
    assert!(bytes < 60_000, "{bytes} bytes");
}
