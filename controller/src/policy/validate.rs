//! The raw tree to a [`Policy`], with every problem of the file at once.
//!
//! Owns the keys of a policy, their defaults and their ranges. It must not read files.

mod limits;
mod objective;
mod queues;

use std::ops::RangeInclusive;

use jiff::SignedDuration;

use super::names;
use super::problem::{Place, Problems};
use super::reader::{Item, Reader, Section, whole_file};
use super::{Actuate, Fleet, Forecast, Guess, Policy};
use crate::model::{Instances, Seconds};
#[cfg(test)]
pub(super) use limits::{BUDGET_KEYS, SCALE_IN_KEYS, SCALE_OUT_KEYS, SCHEDULE_KEYS};
#[cfg(test)]
pub(super) use objective::OBJECTIVE_KEYS;
#[cfg(test)]
pub(super) use queues::QUEUE_KEYS;
use weir_yaml::{self, Node, Value};

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
pub(super) const FLEET_KEYS: &[&str] = &["auto_scaling_group", "min", "max"];
pub(super) const WORKER_KEYS: &[&str] = &["slots", "service_time", "boot_time"];

/// First guesses where the policy has none: one job at a time, ten seconds each, two minutes from
/// launch to the first job, as a plain Linux image takes. Measured values soon take their place.
pub(super) const GUESS: Guess = Guess {
    slots: 1,
    service_time: Seconds(10.0),
    boot_time: Seconds(120.0),
};

/// No group is larger; it keeps slips such as a missing comma out.
const INSTANCES: RangeInclusive<i64> = 0..=100_000;
const MILLISECOND: SignedDuration = SignedDuration::from_millis(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// SQS hides a message for 12 hours at most, so no job can take longer.
const SERVICE_TIME: RangeInclusive<SignedDuration> = MILLISECOND..=SignedDuration::from_hours(12);
const BOOT_TIME: RangeInclusive<SignedDuration> = SignedDuration::ZERO..=DAY;

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
    let queues = queues::read_queues(reader, &section, objective);
    let fleet = read_fleet(reader, &section);
    let worker = read_worker(reader, &section);
    let forecast = read_forecast(reader, &section);
    let scale_out = limits::read_scale_out(reader, &section);
    let (scale_in, hold) = limits::read_scale_in(reader, &section);
    let schedule = limits::read_schedule(reader, &section, fleet.as_ref());
    let instance_hours_per_day = limits::read_budget(reader, &section, fleet.as_ref());
    let actuate = read_actuate(reader, &section);
    Some(Policy {
        name: name?,
        queues: queues?,
        fleet: fleet?,
        objective: objective?,
        worker,
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

fn read_fleet(reader: &mut Reader<'_>, root: &Section<'_>) -> Option<Fleet> {
    let item = reader.required(root, "fleet", "a mapping with auto_scaling_group and max")?;
    let section = reader.section(&item, FLEET_KEYS)?;
    let group = reader
        .required(&section, "auto_scaling_group", names::GROUP)
        .and_then(|item| {
            let name = reader.text(&item, names::GROUP)?;
            if !names::is_group(name) {
                reader.fault(&item, names::GROUP, "");
            }
            Some(name.to_owned())
        });
    let min_item = section.get("min");
    let min = min_item
        .as_ref()
        .map_or(Some(Instances(0)), |item| instances(reader, item));
    let max = reader
        .required(&section, "max", "the most instances there may be")
        .and_then(|item| instances(reader, &item));
    let (min, max) = (min?, max?);
    if let Some(item) = min_item.filter(|_| min > max) {
        let allowed = format!("0 to fleet.max ({})", max.0);
        reader.fault(&item, &allowed, "lower min or raise max");
    }
    Some(Fleet {
        // Where it is at fault there is a problem, and no policy comes of a file with one.
        auto_scaling_group: group.unwrap_or_default(),
        min,
        max,
    })
}

fn instances(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<Instances> {
    let number = reader.whole(item, &INSTANCES)?;
    u32::try_from(number).ok().map(Instances)
}

/// Faults leave the default in place; the problem is noted, and no policy comes of it.
fn read_worker(reader: &mut Reader<'_>, root: &Section<'_>) -> Guess {
    let mut guess = GUESS;
    let section = root
        .get("worker")
        .and_then(|item| reader.section(&item, WORKER_KEYS));
    let Some(section) = section else { return guess };
    if let Some(item) = section.get("slots") {
        let slots = reader
            .whole(&item, &(1..=10_000))
            .and_then(|n| u32::try_from(n).ok());
        guess.slots = slots.unwrap_or(guess.slots);
    }
    if let Some(item) = section.get("service_time") {
        guess.service_time = reader
            .duration(&item, &SERVICE_TIME)
            .unwrap_or(guess.service_time);
    }
    if let Some(item) = section.get("boot_time") {
        guess.boot_time = reader
            .duration(&item, &BOOT_TIME)
            .unwrap_or(guess.boot_time);
    }
    guess
}

fn read_forecast(reader: &mut Reader<'_>, root: &Section<'_>) -> Forecast {
    let choices = [("auto", Forecast::Auto), ("off", Forecast::Off)];
    let item = root.get("forecast");
    item.and_then(|item| reader.choice(&item, &choices))
        .unwrap_or(Forecast::Auto)
}

fn read_actuate(reader: &mut Reader<'_>, root: &Section<'_>) -> Actuate {
    let choices = [
        ("desired_capacity", Actuate::DesiredCapacity),
        ("target_tracking", Actuate::TargetTracking),
    ];
    let item = root.get("actuate");
    item.and_then(|item| reader.choice(&item, &choices))
        .unwrap_or(Actuate::DesiredCapacity)
}
