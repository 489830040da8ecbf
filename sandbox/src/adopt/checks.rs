//! Whether a run went as it must: a line for each promise, with what was found.
//!
//! Pure: it judges what [`super::books`] and [`super::watch`] have read.

use serde::Serialize;
use weir_protocol::JobState;

use super::books::Tally;
use super::deployment::{Deployment, Fleet};
use super::watch::{Seen, Watch};
use super::work::{Expected, Job};
use crate::cloud::autoscaling::{Protection, Transition};
use crate::iam::Ledger;

/// A promise, and whether it was kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What must be so.
    pub name: String,
    /// Whether it is.
    pub ok: bool,
    /// What was found.
    pub found: String,
}

/// All that is judged by.
pub(super) struct Evidence<'a> {
    pub(super) deployment: &'a Deployment,
    pub(super) jobs: &'a [Job],
    pub(super) tally: &'a Tally,
    pub(super) watch: &'a Watch,
    pub(super) ledger: &'a Ledger,
}

impl Check {
    /// A check; what is wrong is named, at most a few of it.
    pub(super) fn none_of(name: &str, wrong: &[String], good: String) -> Self {
        const NAMED_MAX: usize = 5;
        let named = wrong[..wrong.len().min(NAMED_MAX)].join(", ");
        let more = match wrong.len().saturating_sub(NAMED_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Self {
            name: name.to_owned(),
            ok: wrong.is_empty(),
            found: if wrong.is_empty() {
                good
            } else {
                format!("{named}{more}")
            },
        }
    }
}

/// Every check of the run itself.
pub(super) fn all(evidence: &Evidence) -> Vec<Check> {
    let mut checks = vec![
        nothing_lost(evidence),
        every_job_as_expected(evidence),
        nothing_twice(evidence),
        queues_empty(evidence),
        dead_letters(evidence),
    ];
    for fleet in &evidence.deployment.fleets {
        let seen = evidence
            .watch
            .fleets
            .get(&fleet.name)
            .cloned()
            .unwrap_or_default();
        checks.extend(of_fleet(fleet, &seen, evidence.ledger));
    }
    checks
}

fn nothing_lost(evidence: &Evidence) -> Check {
    let lost = evidence
        .jobs
        .iter()
        .filter(|job| !evidence.tally.records.contains_key(&job.id));
    let lost: Vec<_> = lost.map(|job| job.id.clone()).collect();
    let good = format!("{} jobs, each with a record", evidence.jobs.len());
    Check::none_of("nothing lost", &lost, good)
}

fn every_job_as_expected(evidence: &Evidence) -> Check {
    let wrong = evidence.jobs.iter().filter_map(|job| {
        let state = evidence.tally.records.get(&job.id)?.state;
        let expected = match job.expected {
            Expected::Done => JobState::Succeeded,
            Expected::GivenUp => JobState::Failed,
            Expected::PutOff => JobState::Waiting,
        };
        (state != expected).then(|| format!("{} is {}", job.id, state.as_str()))
    });
    let count = |expected| {
        let jobs = evidence.jobs.iter();
        jobs.filter(|job| job.expected == expected).count()
    };
    let good = format!(
        "{} succeeded, {} given up and {} put off as they asked",
        count(Expected::Done),
        count(Expected::GivenUp),
        count(Expected::PutOff)
    );
    Check::none_of("every job done", &wrong.collect::<Vec<_>>(), good)
}

fn nothing_twice(evidence: &Evidence) -> Check {
    let wrong = evidence.tally.runs.iter().filter(|(_, times)| **times != 1);
    let mut wrong: Vec<_> = wrong
        .map(|(job, times)| format!("{job} {times} times"))
        .collect();
    let unknown = evidence.tally.runs.keys();
    let unknown = unknown.filter(|run| !evidence.jobs.iter().any(|job| job.id == **run));
    wrong.extend(unknown.map(|run| format!("{run}, which nobody sent")));
    let good = format!(
        "{} successful runs of the handler",
        evidence.tally.runs.len()
    );
    Check::none_of("nothing done twice", &wrong, good)
}

/// The queues that workers serve hold what was put off, and nothing else.
fn queues_empty(evidence: &Evidence) -> Check {
    let put_off = |queue: &str| {
        let jobs = evidence.jobs.iter().filter(|job| job.queue == queue);
        jobs.filter(|job| job.expected == Expected::PutOff).count() as u64
    };
    let fleets = evidence.deployment.fleets.iter();
    let held = fleets.flat_map(Fleet::queue_names).filter_map(|name| {
        let (count, expected) = (*evidence.tally.messages.get(&name)?, put_off(&name));
        (count != expected).then(|| format!("{count} in {name}, not {expected}"))
    });
    let good = "no message left but those put off".into();
    Check::none_of("queues empty", &held.collect::<Vec<_>>(), good)
}

fn dead_letters(evidence: &Evidence) -> Check {
    let (mut wrong, mut in_all) = (Vec::new(), 0);
    for queue in &evidence.deployment.queues {
        let Some(dead) = queue.dead_letters() else {
            continue;
        };
        let given_up = evidence.jobs.iter();
        let given_up =
            given_up.filter(|job| job.expected == Expected::GivenUp && job.queue == queue.name);
        let expected = given_up.count() as u64;
        let found = evidence
            .tally
            .messages
            .get(&dead)
            .copied()
            .unwrap_or_default();
        in_all += found;
        if found != expected {
            wrong.push(format!("{found} in {dead}, not {expected}"));
        }
    }
    let good = format!("{in_all} dead letters, one for each job given up");
    Check::none_of("dead letters", &wrong, good)
}

fn of_fleet(fleet: &Fleet, seen: &Seen, ledger: &Ledger) -> Vec<Check> {
    let (min, max) = fleet.bounds();
    let name = |what: &str| format!("{}: {what}", fleet.name);
    let (least, most) = seen.desired_range.unwrap_or_default();
    let mut checks = vec![
        Check {
            name: name("came up"),
            ok: seen.in_service_max > min,
            found: format!(
                "{} in service at most, {} instances in all",
                seen.in_service_max,
                seen.instances.len()
            ),
        },
        Check {
            name: name("size within what was applied"),
            ok: least >= min && most <= max,
            found: format!("{least} to {most}, applied {min} to {max}"),
        },
        Check {
            name: name("back at its minimum"),
            ok: seen.desired == min && seen.active == min && seen.leaving == 0,
            found: format!(
                "{} wanted, {} there, {} leaving, minimum {min}",
                seen.desired, seen.active, seen.leaving
            ),
        },
    ];
    if fleet.group.new_instances == Some(Protection::Protected) {
        let wrong: Vec<_> = seen.unprotected.iter().cloned().collect();
        let good = "every instance in service was".to_owned();
        checks.push(Check::none_of(
            &name("protected from scale-in"),
            &wrong,
            good,
        ));
    }
    checks.extend(hooks(fleet, seen, ledger));
    checks
}

/// Each hook held every instance that it is for, and was completed, never left to time out.
fn hooks(fleet: &Fleet, seen: &Seen, ledger: &Ledger) -> Vec<Check> {
    let completed = ledger.calls().iter().filter(|(call, _)| {
        let group = call.resource.rsplit('/').next();
        call.action == "autoscaling:CompleteLifecycleAction" && group == Some(&fleet.group.name)
    });
    let completed: u64 = completed.map(|(_, counts)| counts.allowed).sum();
    let coming = fleet.hooks(Transition::Launching).count();
    let leaving = fleet.hooks(Transition::Terminating).count();
    let ended = seen.instances.len() - seen.active;
    let expected = seen.instances.len() * coming + ended * leaving;
    let held = (coming == 0 || seen.held_coming.len() == seen.instances.len())
        && (leaving == 0 || seen.held_leaving.len() == ended);
    if coming + leaving == 0 {
        return Vec::new();
    }
    vec![Check {
        name: format!("{}: hooks hold and are completed", fleet.name),
        ok: held && completed == expected as u64,
        found: format!(
            "held {} coming and {} leaving, {completed} of {expected} actions completed",
            seen.held_coming.len(),
            seen.held_leaving.len()
        ),
    }]
}
