//! An observation and its verdict as a person reads them.
//!
//! Renders; the reasons' texts are theirs.

use std::fmt::Write as _;

use crate::model::{Action, Instances, Messages, Observation, Verdict};

/// Several lines: the fleet's numbers, what should be, and the trail. Ends with a line break.
pub fn text(observation: &Observation, verdict: &Verdict) -> String {
    let mut out = format!("{}\n", headline(observation, verdict));
    for queue in &observation.queues {
        let age = queue
            .oldest_age_seconds
            .map_or("?".to_owned(), |age| format!("{age:.0} s"));
        let _ = writeln!(
            out,
            "  queue {}: {} visible, {} in flight, {} delayed, oldest {age}",
            queue.name,
            messages(queue.visible),
            messages(queue.in_flight),
            messages(queue.delayed),
        );
    }
    let fleet = &observation.fleet;
    let _ = writeln!(
        out,
        "  fleet: {} desired, {} in service, {} pending, {} terminating",
        instances(fleet.desired),
        instances(fleet.in_service),
        instances(fleet.pending),
        instances(fleet.terminating),
    );
    if let Some(workers) = &observation.workers {
        let count = |n: Option<u32>| n.map_or("?".to_owned(), |n| n.to_string());
        let service = workers
            .service_seconds_mean
            .map_or("?".to_owned(), |s| format!("{s:.2} s"));
        let _ = writeln!(
            out,
            "  workers: {} of {} slots busy, {service} a job",
            count(workers.busy_slots),
            count(workers.slots),
        );
    }
    let per_instance = verdict
        .backlog_per_instance
        .map_or("?".to_owned(), |x| format!("{x:.1}"));
    let target = verdict.backlog_per_instance_target;
    let _ = writeln!(
        out,
        "  backlog per instance: {per_instance}, target {target:.1}"
    );
    for step in &verdict.trail {
        let stage = format!("{:?}", step.step).to_lowercase();
        let _ = writeln!(out, "  {stage:>9}  {}", step.reason);
    }
    out
}

/// `thumbnails: grow from 8 to 14`.
pub fn headline(observation: &Observation, verdict: &Verdict) -> String {
    let from = instances(observation.fleet.desired);
    let to = instances(verdict.desired);
    match verdict.action {
        Action::Grow => format!("{}: grow from {from} to {to}", verdict.fleet),
        Action::Shrink => format!("{}: shrink from {from} to {to}", verdict.fleet),
        Action::Hold => format!("{}: hold at {to}", verdict.fleet),
    }
}

fn instances(n: Option<Instances>) -> String {
    n.map_or("?".to_owned(), |n| n.0.to_string())
}

fn messages(n: Option<Messages>) -> String {
    n.map_or("?".to_owned(), |n| n.0.to_string())
}
