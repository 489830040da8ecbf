//! What an invocation answers: what its rounds did.
//!
//! Gathers and words; it must not decide what a failure means but for the one that fails the
//! invocation: every round failed.

use std::sync::{Mutex, PoisonError};

use anyhow::bail;
use serde::Serialize;
use serde_json::Value;

use super::super::validate::problems_json;
use crate::journal::{Outcome, Round};
use crate::policies::{Fleets, Refusal};

/// What the rounds so far did.
pub(super) struct Answer(Mutex<Told>);

#[derive(Debug, Default, Serialize)]
struct Told {
    fleets: Vec<String>,
    rounds: usize,
    failed: usize,
    stood_by: usize,
    changes: Vec<Line>,
    failures: Vec<Line>,
    refused_policies: Vec<Value>,
}

/// Something that one fleet's round did, or that stopped it.
#[derive(Debug, PartialEq, Serialize)]
struct Line {
    fleet: String,
    what: String,
}

impl Answer {
    /// Of these fleets; no round has run yet.
    pub(super) fn new(fleets: &Fleets) -> Self {
        Self(Mutex::new(Told {
            fleets: fleets.keys().cloned().collect(),
            ..Told::default()
        }))
    }

    /// Takes a round in. A failure that is repeated is said once.
    pub(super) fn hear(&self, round: &Round) {
        let line = |what: &str| Line {
            fleet: round.fleet.clone(),
            what: what.to_owned(),
        };
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.rounds += 1;
        match &round.outcome {
            Outcome::Done { changes } => told.changes.extend(changes.iter().map(|c| line(c))),
            Outcome::StoodBy { .. } => told.stood_by += 1,
            Outcome::Intended => {}
            Outcome::Failed { step, why, changes } => {
                told.failed += 1;
                told.changes.extend(changes.iter().map(|c| line(c)));
                let failure = line(&format!("{step}: {why}"));
                if !told.failures.contains(&failure) {
                    told.failures.push(failure);
                }
            }
        }
    }

    /// The answer; `in_time` is false where the deadline cut rounds off.
    ///
    /// # Errors
    /// Not one round of one fleet went well.
    pub(super) fn give<'a>(
        self,
        in_time: bool,
        refusals: impl Iterator<Item = &'a Refusal>,
    ) -> anyhow::Result<Value> {
        let mut told = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !in_time {
            told.failures.push(Line {
                fleet: "*".to_owned(),
                what: "the deadline came before the last rounds had ended; they were cut off, and \
                       the next invocation begins anew"
                    .to_owned(),
            });
        }
        let some_went_well = told.rounds > told.failed;
        if !some_went_well && !told.failures.is_empty() {
            let why: Vec<String> = (told.failures.iter())
                .map(|line| format!("fleet {}: {}", line.fleet, line.what))
                .collect();
            bail!("no round went well: {}", why.join("; "));
        }
        told.refused_policies = refusals.map(refused).collect();
        Ok(serde_json::to_value(told)?)
    }
}

fn refused(refusal: &Refusal) -> Value {
    serde_json::json!({
        "file": refusal.file,
        "version": refusal.version,
        "in_force": refusal.in_force,
        "problems": problems_json(&refusal.problems),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Part;
    use crate::testing;

    fn round(fleet: &str, outcome: Outcome) -> Round {
        let policy = testing::policy(fleet);
        Round {
            outcome,
            ..Round::begin(&policy, testing::START)
        }
    }

    fn failed(fleet: &str) -> Round {
        let outcome = Outcome::Failed {
            step: Part::Observe,
            why: "no such queue".to_owned(),
            changes: Vec::new(),
        };
        round(fleet, outcome)
    }

    fn done(fleet: &str, change: &str) -> Round {
        let changes = vec![change.to_owned()];
        round(fleet, Outcome::Done { changes })
    }

    fn given(rounds: &[Round], in_time: bool) -> anyhow::Result<Value> {
        let answer = Answer::new(&Fleets::default());
        for round in rounds {
            answer.hear(round);
        }
        answer.give(in_time, std::iter::empty())
    }

    #[test]
    fn tells_changes_and_says_a_repeated_failure_once() {
        let rounds = [failed("a"), done("b", "grew"), failed("a")];
        let answer = given(&rounds, true).unwrap();
        assert_eq!(
            answer,
            serde_json::json!({
                "fleets": [],
                "rounds": 3,
                "failed": 2,
                "stood_by": 0,
                "changes": [{"fleet": "b", "what": "grew"}],
                "failures": [{"fleet": "a", "what": "observe: no such queue"}],
                "refused_policies": [],
            })
        );
    }

    #[test]
    fn only_where_every_round_of_every_fleet_failed_does_the_invocation() {
        let error = given(&[failed("a"), failed("b")], true).unwrap_err();
        let why = error.to_string();
        assert!(why.contains("fleet a: observe: no such queue"), "{why}");
        assert!(given(&[failed("a"), done("b", "grew")], true).is_ok());
        let stood_by = round(
            "a",
            Outcome::StoodBy {
                until: testing::START,
            },
        );
        assert!(given(&[stood_by], true).is_ok());
        assert!(given(&[], true).is_ok(), "told to end before the first");
    }

    #[test]
    fn rounds_that_the_deadline_cut_off_are_told() {
        assert!(given(&[], false).is_err());
        let answer = given(&[done("a", "grew")], false).unwrap();
        let said = answer["failures"][0]["what"].as_str().unwrap();
        assert!(said.contains("cut off"), "{said}");
    }
}
