//! The raw tree to a [`Policy`], with every problem of the file at once.
//!
//! Owns the keys of a policy, their defaults and their ranges. It must not read files.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::names;
use super::problem::{Place, Problems};
use super::raw::{self, Node, Value};
use super::reader::{Item, Reader, Section, whole_file};
use super::{
    Actuate, Fleet, Forecast, Guess, Hold, Objective, Policy, Queue, Scheduled, StepLimit,
};
use crate::model::{Instances, Seconds};

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
pub(super) const QUEUE_KEYS: &[&str] = &["name", "url", "weight", "priority"];
pub(super) const FLEET_KEYS: &[&str] = &["auto_scaling_group", "min", "max"];
pub(super) const OBJECTIVE_KEYS: &[&str] = &["start_within", "percentile"];
pub(super) const WORKER_KEYS: &[&str] = &["slots", "service_time", "boot_time"];
pub(super) const SCALE_OUT_KEYS: &[&str] = &["max_step"];
pub(super) const SCALE_IN_KEYS: &[&str] = &["max_step", "hold"];
pub(super) const SCHEDULE_KEYS: &[&str] = &["cron", "timezone", "for", "min"];
pub(super) const BUDGET_KEYS: &[&str] = &["instance_hours_per_day"];

/// First guesses where the policy has none: one job at a time, ten seconds each, two minutes from
/// launch to the first job, as a plain Linux image takes. Measured values soon take their place.
pub(super) const GUESS: Guess = Guess {
    slots: 1,
    service_time: Seconds(10.0),
    boot_time: Seconds(120.0),
};
/// The percentile where the policy names none.
pub(super) const PERCENTILE: f64 = 99.0;

/// No group is larger; it keeps slips such as a missing comma out.
const INSTANCES: RangeInclusive<i64> = 0..=100_000;
const MILLISECOND: SignedDuration = SignedDuration::from_millis(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// SQS drops a message after 14 days at most.
const START_WITHIN: RangeInclusive<SignedDuration> = MILLISECOND..=SignedDuration::from_hours(336);
/// SQS hides a message for 12 hours at most, so no job can take longer.
const SERVICE_TIME: RangeInclusive<SignedDuration> = MILLISECOND..=SignedDuration::from_hours(12);
const BOOT_TIME: RangeInclusive<SignedDuration> = SignedDuration::ZERO..=DAY;
const HOLD: RangeInclusive<SignedDuration> = SignedDuration::ZERO..=DAY;
const OPEN_FOR: RangeInclusive<SignedDuration> =
    SignedDuration::from_secs(1)..=SignedDuration::from_hours(744);

/// Reads and checks one policy; `file` names it in the problems.
pub(super) fn policy(file: &str, text: &str) -> Result<Policy, Problems> {
    let mut reader = Reader::new(file, text);
    let policy = match raw::read(text) {
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
    let queues = read_queues(reader, &section);
    let fleet = read_fleet(reader, &section);
    let objective = read_objective(reader, &section);
    let worker = read_worker(reader, &section);
    let forecast = read_forecast(reader, &section);
    let scale_out = read_scale_out(reader, &section);
    let (scale_in, hold) = read_scale_in(reader, &section);
    let schedule = read_schedule(reader, &section, fleet.as_ref());
    let instance_hours_per_day = read_budget(reader, &section, fleet.as_ref());
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

fn read_queues(reader: &mut Reader<'_>, root: &Section<'_>) -> Option<Vec<Queue>> {
    const ALLOWED: &str = "a list of at least one queue, each with a name or a url";
    let item = reader.required(root, "queues", ALLOWED)?;
    let items = reader.list(&item, ALLOWED)?;
    if items.is_empty() {
        reader.report(
            item.node.place,
            (&item.key, "an empty list"),
            ALLOWED,
            "add a queue",
        );
        return None;
    }
    let mut names = BTreeSet::new();
    let mut queues = Vec::new();
    for item in &items {
        let Some(queue) = read_queue(reader, item) else {
            continue;
        };
        if names.insert(queue.name.clone()) {
            queues.push(queue);
        } else {
            let found = format!("the queue {} a second time", queue.name);
            reader.report(
                item.node.place,
                (&item.key, &found),
                "each queue once",
                "remove one",
            );
        }
    }
    Some(queues)
}

fn read_queue(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<Queue> {
    let section = reader.section(item, QUEUE_KEYS)?;
    let weight = section.get("weight").map_or(Some(1.0), |item| {
        reader.positive(&item, "a number above 0: the queue's share of the slots")
    });
    let priority = section.get("priority").map_or(Some(0), |item| {
        reader
            .whole(&item, &(-1000..=1000))
            .and_then(|n| i32::try_from(n).ok())
    });
    let (name, url) = read_queue_identity(reader, item, &section)?;
    Some(Queue {
        name,
        url,
        weight: weight?,
        priority: priority?,
    })
}

/// The queue's name and, where the policy gives it, its URL.
fn read_queue_identity(
    reader: &mut Reader<'_>,
    queue: &Item<'_>,
    section: &Section<'_>,
) -> Option<(String, Option<String>)> {
    match (section.get("name"), section.get("url")) {
        (Some(item), None) => {
            let name = reader.text(&item, names::QUEUE)?;
            if names::is_queue(name) {
                return Some((name.to_owned(), None));
            }
            reader.fault(&item, names::QUEUE, "");
        }
        (None, Some(item)) => {
            let url = reader.text(&item, names::QUEUE_URL)?;
            if let Some(name) = names::queue_of_url(url) {
                return Some((name.to_owned(), Some(url.to_owned())));
            }
            reader.fault(
                &item,
                names::QUEUE_URL,
                "copy it from the queue's page or `get-queue-url`",
            );
        }
        (Some(_), Some(url)) => {
            let found = (url.key.as_str(), "both a name and a url");
            reader.report(
                url.node.place,
                found,
                "one of them",
                "keep the url; it holds the name",
            );
        }
        (None, None) => {
            let found = (queue.key.as_str(), "neither name nor url");
            reader.report(
                queue.node.place,
                found,
                "one of them",
                "add the queue's name",
            );
        }
    }
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
        auto_scaling_group: group?,
        min,
        max,
    })
}

fn instances(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<Instances> {
    let number = reader.whole(item, &INSTANCES)?;
    u32::try_from(number).ok().map(Instances)
}

fn read_objective(reader: &mut Reader<'_>, root: &Section<'_>) -> Option<Objective> {
    let item = reader.required(
        root,
        "objective",
        "a mapping with start_within, such as 60s",
    )?;
    let section = reader.section(&item, OBJECTIVE_KEYS)?;
    let start_within = reader
        .required(&section, "start_within", "a duration such as 60s")
        .and_then(|item| reader.duration(&item, &START_WITHIN));
    let percentile = section.get("percentile").map_or(Some(PERCENTILE), |item| {
        const ALLOWED: &str = "a number above 0 and below 100";
        let percentile = reader.positive(&item, ALLOWED)?;
        if percentile < 100.0 {
            return Some(percentile);
        }
        reader.fault(
            &item,
            ALLOWED,
            "no finite fleet keeps every message within a time",
        );
        None
    });
    Some(Objective {
        start_within: start_within?,
        percentile: percentile?,
    })
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

fn read_scale_out(reader: &mut Reader<'_>, root: &Section<'_>) -> StepLimit {
    let section = root
        .get("scale_out")
        .and_then(|item| reader.section(&item, SCALE_OUT_KEYS));
    section.map_or(StepLimit::Unlimited, |section| read_step(reader, &section))
}

fn read_scale_in(reader: &mut Reader<'_>, root: &Section<'_>) -> (StepLimit, Hold) {
    let section = root
        .get("scale_in")
        .and_then(|item| reader.section(&item, SCALE_IN_KEYS));
    let Some(section) = section else {
        return (StepLimit::Unlimited, Hold::Auto);
    };
    let hold = match section.get("hold") {
        Some(item) if item.node.value != Value::Text("auto".to_owned()) => {
            reader.duration(&item, &HOLD).map_or(Hold::Auto, Hold::For)
        }
        _ => Hold::Auto,
    };
    (read_step(reader, &section), hold)
}

fn read_step(reader: &mut Reader<'_>, section: &Section<'_>) -> StepLimit {
    let Some(item) = section.get("max_step") else {
        return StepLimit::Unlimited;
    };
    let step = match &item.node.value {
        Value::Text(text) if text == "unlimited" => Some(StepLimit::Unlimited),
        Value::Text(text) => text
            .strip_suffix('%')
            .and_then(|number| number.trim().parse::<f64>().ok())
            .filter(|percent| percent.is_finite() && *percent > 0.0)
            .map(StepLimit::Percent),
        Value::Integer(count) => u32::try_from(*count)
            .ok()
            .filter(|count| *count >= 1)
            .map(|count| StepLimit::Count(Instances(count))),
        _ => None,
    };
    step.unwrap_or_else(|| {
        let allowed = "unlimited, a percentage such as 100%, or a count of at least 1";
        reader.fault(&item, allowed, "");
        StepLimit::Unlimited
    })
}

fn read_schedule(
    reader: &mut Reader<'_>,
    root: &Section<'_>,
    fleet: Option<&Fleet>,
) -> Vec<Scheduled> {
    let Some(item) = root.get("schedule") else {
        return Vec::new();
    };
    let items = reader.list(&item, "a list of windows, each with cron, for and min");
    let items = items.unwrap_or_default();
    items
        .iter()
        .filter_map(|item| read_window(reader, item, fleet))
        .collect()
}

fn read_window(
    reader: &mut Reader<'_>,
    item: &Item<'_>,
    fleet: Option<&Fleet>,
) -> Option<Scheduled> {
    let section = reader.section(item, SCHEDULE_KEYS)?;
    let cron = reader
        .required(&section, "cron", CRON)
        .and_then(|item| read_cron(reader, &item));
    let timezone = section.get("timezone").map_or(Some(TimeZone::UTC), |item| {
        const ALLOWED: &str = "an IANA time zone, such as Europe/Berlin or UTC";
        let name = reader.text(&item, ALLOWED)?;
        let zone = TimeZone::get(name).ok();
        if zone.is_none() {
            reader.fault(&item, ALLOWED, "");
        }
        zone
    });
    let open_for = reader
        .required(&section, "for", "a duration such as 10h")
        .and_then(|item| reader.duration(&item, &OPEN_FOR));
    let min = reader.required(&section, "min", "the minimum while the window is open");
    let min = min.and_then(|item| {
        let min = instances(reader, &item)?;
        if let Some(fleet) = fleet.filter(|fleet| min > fleet.max) {
            let allowed = format!("0 to fleet.max ({})", fleet.max.0);
            reader.fault(&item, &allowed, "lower this min or raise fleet.max");
        }
        Some(min)
    });
    Some(Scheduled {
        cron: cron?,
        timezone: timezone?,
        open_for: open_for?,
        min: min?,
    })
}

const CRON: &str = "a cron expression of five fields, such as \"0 8 * * MON-FRI\"";

fn read_cron(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<croner::Cron> {
    let text = reader.text(item, CRON)?;
    match text.parse::<croner::Cron>() {
        Ok(cron) => Some(cron),
        Err(error) => {
            let why = error.to_string();
            reader.fault(item, CRON, why.trim_end_matches('.'));
            None
        }
    }
}

fn read_budget(reader: &mut Reader<'_>, root: &Section<'_>, fleet: Option<&Fleet>) -> Option<f64> {
    const ALLOWED: &str = "a number of hours above 0";
    let item = root.get("budget")?;
    let section = reader.section(&item, BUDGET_KEYS)?;
    let item = reader.required(&section, "instance_hours_per_day", ALLOWED)?;
    let hours = reader.positive(&item, ALLOWED)?;
    let floor = fleet.map_or(0.0, |fleet| f64::from(fleet.min.0) * 24.0);
    if hours < floor {
        let allowed = format!("at least {floor}: fleet.min alone uses that in a day");
        reader.fault(&item, &allowed, "raise the budget or lower fleet.min");
    }
    Some(hours)
}
