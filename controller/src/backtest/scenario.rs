//! A policy and the world it is tried in.
//!
//! Owns how a policy becomes one that can be simulated. It must not run it.

use super::traces::Arrivals;
use crate::policy::{Policy, Queue};
use crate::sim::{Conditions, Load, QUEUE, Service, Setup};

/// A policy and the world it is tried in.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// One queue, named as the simulation names it.
    pub policy: Policy,
    /// What arrives.
    pub arrivals: Arrivals,
    /// The fleet, with the first seed.
    pub setup: Setup,
    /// How long jobs take.
    pub service: Service,
}

impl Scenario {
    /// The messages of one seed.
    pub fn load(&self, seed: u64) -> Load {
        Load::draw(&self.arrivals.trace, &self.service, seed)
    }

    /// The fleet with one seed.
    pub fn seeded(&self, seed: u64) -> Setup {
        Setup {
            seed,
            ..self.setup.clone()
        }
    }

    /// The share of messages that may start late, 0 to 1.
    pub fn late_share_max(&self) -> f64 {
        1.0 - self.policy.objective.percentile / 100.0
    }

    /// What is not as one would wish, in words; nothing where everything is.
    pub fn hardships(&self) -> Vec<String> {
        let (setup, usual) = (&self.setup, Conditions::default());
        let it = setup.conditions;
        let mut said = Vec::new();
        let mut say = |is_so: bool, words: String| {
            if is_so {
                said.push(words);
            }
        };
        let percent = |share: f64| format!("{} %", share * 100.0);
        say(
            setup.count_noise > 0.0,
            format!("counts are {} off", percent(setup.count_noise)),
        );
        say(
            it.counts_late_seconds > 0.0,
            format!("counts are {} s old", it.counts_late_seconds),
        );
        say(!setup.seen.reports, "workers do not report".to_owned());
        say(
            !setup.seen.oldest_age,
            "the oldest message's age is not known".to_owned(),
        );
        say(
            it.boot_spread > 0.0,
            format!("boots spread by {}", percent(it.boot_spread)),
        );
        say(
            it.delay_seconds > 0.0,
            format!("messages are delayed by {} s", it.delay_seconds),
        );
        let timeout = it.visibility_seconds;
        say(
            it.failing_share > usual.failing_share,
            format!(
                "{} of attempts fail and come back {timeout} s later",
                percent(it.failing_share)
            ),
        );
        say(
            it.reclaims_per_hour > 0.0,
            format!("{} spot reclaims an instance-hour", it.reclaims_per_hour),
        );
        if let Some(short) = it.shortage {
            let (from, until) = (short.from_seconds / 3600.0, short.until_seconds / 3600.0);
            let words = format!(
                "no launch above {} from {from} h to {until} h",
                short.instances
            );
            say(true, words);
        }
        if let Some(drift) = self.service.drift {
            let (at, factor) = (drift.at_seconds / 3600.0, drift.factor);
            say(
                true,
                format!("jobs take {factor} times as long from {at} h on"),
            );
        }
        said
    }
}

/// Why a policy cannot be simulated.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSimulated {
    /// Arrivals belong to one queue.
    #[error(
        "the policy serves {} queues, and arrivals are those of one; name it with --queue: {}",
        .found.len(), .found.join(", ")
    )]
    Queues {
        /// Their names.
        found: Vec<String>,
    },
    /// There is none of that name.
    #[error("--queue: found {wanted:?}, allowed are the policy's queues: {}", .found.join(", "))]
    NoSuchQueue {
        /// The name given.
        wanted: String,
        /// The policy's.
        found: Vec<String>,
    },
}

/// The policy's one queue, or the one that is named.
pub fn queue<'a>(policy: &'a Policy, name: Option<&str>) -> Result<&'a Queue, NotSimulated> {
    let found = || {
        policy
            .queues
            .iter()
            .map(|queue| queue.name.clone())
            .collect()
    };
    match (name, policy.queues.as_slice()) {
        (None, [only]) => Ok(only),
        (None, _) => Err(NotSimulated::Queues { found: found() }),
        (Some(wanted), queues) => {
            let named = queues.iter().find(|queue| queue.name == wanted);
            named.ok_or_else(|| NotSimulated::NoSuchQueue {
                wanted: wanted.to_owned(),
                found: found(),
            })
        }
    }
}

/// The policy for its one queue, or for the one that is named. The other queues of a fleet are not
/// there in the simulation.
pub fn simulated(policy: &Policy, name: Option<&str>) -> Result<Policy, NotSimulated> {
    let chosen = queue(policy, name)?;
    Ok(Policy {
        objective: chosen.objective,
        queues: vec![Queue {
            name: QUEUE.to_owned(),
            url: None,
            ..chosen.clone()
        }],
        ..policy.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn one_queue_is_simulated_with_its_own_objective() {
        let mut policy = testing::policy("a");
        assert_eq!(
            simulated(&policy, None).map(|p| p.queues[0].name.clone()),
            Ok(QUEUE.to_owned())
        );
        let mut other = policy.queues[0].clone();
        other.name = "b".to_owned();
        other.objective.percentile = 95.0;
        policy.queues.push(other);
        let error = simulated(&policy, None).unwrap_err().to_string();
        assert!(
            error.contains("2 queues") && error.ends_with("a, b"),
            "{error}"
        );
        let chosen = simulated(&policy, Some("b")).expect("a queue");
        assert_eq!(chosen.objective.percentile.to_bits(), 95.0_f64.to_bits());
        assert_eq!(chosen.queues.len(), 1);
        let error = simulated(&policy, Some("c")).unwrap_err().to_string();
        assert!(
            error.contains("\"c\"") && error.ends_with("a, b"),
            "{error}"
        );
    }
}
