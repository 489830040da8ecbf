//! The raw tree to a [`Policy`], with every problem of the file at once.
//!
//! Owns the keys of a policy, their defaults and their ranges. It must not read files.

mod fleet;
mod limits;
mod objective;
mod queues;
mod worker;

use std::ops::RangeInclusive;

use jiff::SignedDuration;

use super::names;
use super::problem::{Place, Problems};
use super::reader::{Item, Reader, Section, whole_file};
use super::{Actuate, Fleet, Forecast, Policy};
use crate::model::Instances;
#[cfg(test)]
pub(super) use fleet::FLEET_KEYS;
#[cfg(test)]
pub(super) use limits::{BUDGET_KEYS, SCALE_IN_KEYS, SCALE_OUT_KEYS, SCHEDULE_KEYS};
#[cfg(test)]
pub(super) use objective::OBJECTIVE_KEYS;
#[cfg(test)]
pub(super) use queues::QUEUE_KEYS;
use weir_yaml::{self, Node, Value};
#[cfg(test)]
pub(super) use worker::WORKER_KEYS;

/// The keys of each mapping, in the order a policy is written.
pub(super) const POLICY_KEYS: &[&str] = &[
    "version",
    "name",
    "queues",
    "fleet",
    "objective",
    "worker",
    "forecast",
    "scale_out",
    "scale_in",
    "schedule",
    "budget",
    "actuate",
];

/// No group is larger; it keeps slips such as a missing comma out.
const INSTANCES: RangeInclusive<i64> = 0..=100_000;
const MILLISECOND: SignedDuration = SignedDuration::from_millis(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Reads and checks one policy; `file` names it in the problems.
pub(super) fn policy(file: &str, text: &str) -> Result<Policy, Problems> {
    let mut reader = Reader::new(file, text);
    let policy = match weir_yaml::read(text) {
        Ok(root) => read_root(&mut reader, &root),
        Err(error) => {
            let allowed = "one YAML document";
            reader.report(
                error.place,
                ("", &error.message),
                allowed,
                "mend the YAML first",
            );
            None
        }
    };
    let problems = reader.finish();
    match policy {
        Some(policy) if problems.is_empty() => Ok(policy),
        _ => Err(Problems(problems)),
    }
}

fn read_root(reader: &mut Reader<'_>, root: &Node) -> Option<Policy> {
    if root.value == Value::Null {
        let advice = "start with `version: 1` and see `weir schema`";
        reader.report(Place::START, ("", "an empty file"), "a policy", advice);
        return None;
    }
    let section = reader.section(&whole_file(root), POLICY_KEYS)?;
    // Everything is read before anything is given up, so that all problems show at once.
    read_version(reader, &section);
    let name = read_name(reader, &section);
    let objective = objective::read_objective(reader, &section);
    let (worker, max_attempts) = worker::read_worker(reader, &section);
    let given = queues::Given {
        objective,
        max_attempts,
    };
    let queues = queues::read_queues(reader, &section, given);
    let fleet = fleet::read_fleet(reader, &section);
    let forecast = read_forecast(reader, &section);
    let scale_out = limits::read_scale_out(reader, &section);
    let (scale_in, hold) = limits::read_scale_in(reader, &section);
    let schedule = limits::read_schedule(reader, &section, fleet.as_ref());
    let instance_hours_per_day = limits::read_budget(reader, &section, fleet.as_ref());
    let actuate = read_actuate(reader, &section, fleet.as_ref());
    Some(Policy {
        name: name?,
        queues: queues?,
        fleet: fleet?,
        objective: objective?,
        worker,
        max_attempts,
        forecast,
        scale_out,
        scale_in,
        hold,
        schedule,
        instance_hours_per_day,
        actuate,
    })
}

fn read_version(reader: &mut Reader<'_>, root: &Section<'_>) {
    let Some(item) = reader.required(root, "version", "1") else {
        return;
    };
    if item.node.value != Value::Integer(1) {
        reader.fault(&item, "1, the only version there is", "write `version: 1`");
    }
}

fn read_name(reader: &mut Reader<'_>, root: &Section<'_>) -> Option<String> {
    let item = reader.required(root, "name", names::FLEET)?;
    let name = reader.text(&item, names::FLEET)?;
    if names::is_fleet(name) {
        return Some(name.to_owned());
    }
    reader.fault(&item, names::FLEET, "");
    None
}

fn instances(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<Instances> {
    let number = reader.whole(item, &INSTANCES)?;
    u32::try_from(number).ok().map(Instances)
}

fn read_forecast(reader: &mut Reader<'_>, root: &Section<'_>) -> Forecast {
    let choices = [("auto", Forecast::Auto), ("off", Forecast::Off)];
    let item = root.get("forecast");
    item.and_then(|item| reader.choice(&item, &choices))
        .unwrap_or(Forecast::Auto)
}

/// Target tracking is an Auto Scaling group's: a service would be scaled by Application Auto
/// Scaling, which knows nothing of leave requests and would end whichever task it likes.
fn read_actuate(reader: &mut Reader<'_>, root: &Section<'_>, fleet: Option<&Fleet>) -> Actuate {
    let choices = [
        ("desired_capacity", Actuate::DesiredCapacity),
        ("target_tracking", Actuate::TargetTracking),
    ];
    let Some(item) = root.get("actuate") else {
        return Actuate::DesiredCapacity;
    };
    let actuate = reader.choice(&item, &choices);
    let of_service = fleet.is_some_and(|fleet| fleet.scaler.service().is_some());
    if of_service && actuate == Some(Actuate::TargetTracking) {
        let allowed = "desired_capacity, where the fleet is an ECS service";
        reader.fault(&item, allowed, "leave the key out");
    }
    actuate.unwrap_or(Actuate::DesiredCapacity)
}
