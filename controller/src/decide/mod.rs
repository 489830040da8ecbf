//! The judgement: a plain function from what was seen to what should be.
//!
//! Pure: no I/O, no clock, no chance, no logging. `observation.at` is the only time there is.
//! The stages, a file each, in order: trust, (measure), demand, forecast, stabilize, limit.

mod balance;
mod counted;
mod curve;
mod demand;
mod forecast;
mod history;
mod limit;
mod measure;
mod rehearse;
mod reported;
mod season;
mod service;
mod shortage;
mod stabilize;
mod trust;
mod tube;

pub use history::History;

use crate::model::{Action, Instances, Observation, Stage, Step, Verdict};
use crate::policy::Policy;
use measure::Worker;

/// One decision, and the history to hand to the next.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a verdict nobody reads changes nothing"]
pub struct Decision {
    /// What should be, and why.
    pub verdict: Verdict,
    /// For the next round.
    pub history: History,
}

/// Judges one observation. It cannot fail: doubt is a hold with a reason.
pub fn decide(policy: &Policy, observation: &Observation, history: &History) -> Decision {
    let mut history = history.usable();
    let mut trail = Vec::with_capacity(2);
    let desired = match trust::trust(policy, observation, &mut history) {
        Err(doubt) => {
            trail.push(Step {
                step: Stage::Trust,
                reason: doubt.reason.into(),
            });
            let at = doubt.at;
            trust::present(observation)
                .map(|present| limit::raise_only(policy, present, at, &mut trail))
        }
        Ok(seen) => {
            limit::book(&seen, &mut history);
            let measured = measure::measure(policy, &seen, &mut history);
            let demand = demand::demand(policy, &seen, &measured, &history);
            let demand = forecast::forecast(policy, &seen, &measured, &mut history, demand);
            let wanted = demand.wanted;
            trail.push(Step {
                step: demand.stage,
                reason: demand.reason,
            });
            let held = stabilize::stabilize(
                &stabilize::Asked {
                    policy,
                    seen: &seen,
                    measured: &measured,
                    wanted,
                },
                &mut history,
                &mut trail,
            );
            let asked = limit::Asked {
                policy,
                seen: &seen,
                worker: measured.worker,
                wanted: held,
            };
            let allowed = limit::limit(&asked, &mut history, &mut trail);
            history.note(&seen, measured.ready);
            Some(allowed)
        }
    };
    let verdict = verdict(
        policy,
        observation,
        &Worker::known(policy, &history),
        (desired, trail),
    );
    Decision { verdict, history }
}

fn verdict(
    policy: &Policy,
    observation: &Observation,
    worker: &Worker,
    (desired, trail): (Option<u32>, Vec<Step>),
) -> Verdict {
    let action = match (trust::present(observation), desired) {
        (Some(present), Some(desired)) if desired > present => Action::Grow,
        (Some(present), Some(desired)) if desired < present => Action::Shrink,
        _ => Action::Hold,
    };
    Verdict {
        at: observation.at,
        fleet: policy.name.clone(),
        action,
        desired: desired.map(Instances),
        backlog_per_instance: trust::backlog_per_instance(policy, observation),
        backlog_per_instance_target: worker
            .starts_within(worker.patience(policy.objective.start_within.0)),
        trail,
    }
}

/// The least whole number of instances that is not below `x`; saturates, and NaN is none.
fn whole_instances(x: f64) -> u32 {
    // Rounding in the last place must not cost an instance.
    const SLACK: f64 = 1e-9;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "float casts saturate, and NaN becomes 0"
    )]
    let n = (x * (1.0 - SLACK)).ceil() as u32;
    n
}

#[cfg(test)]
mod tests;
