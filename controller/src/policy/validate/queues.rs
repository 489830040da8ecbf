//! `queues`: which queues the fleet serves.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use jiff::SignedDuration;

use super::super::reader::{Item, Reader, Section};
use super::super::{Objective, Queue, names};
use super::objective::{STAND_IN, read_own_objective};
use super::worker::{MAX_ATTEMPTS, whole};

pub(in crate::policy) const QUEUE_KEYS: &[&str] = &[
    "name",
    "url",
    "weight",
    "priority",
    "objective",
    "visibility_timeout",
    "max_receive_count",
];
/// More queues than this on one fleet are hardly meant: the slots' shares get too small to tell
/// apart, and what is remembered of each must fit one item of the state table together.
const QUEUES_MAX: usize = 20;
/// Beyond this the smaller share is less than one slot of the largest fleet.
const WEIGHT: RangeInclusive<f64> = 0.001..=1000.0;
/// SQS: `SetQueueAttributes`, `VisibilityTimeout`; 0 would show a message again at once.
const VISIBILITY: RangeInclusive<SignedDuration> =
    SignedDuration::from_secs(1)..=SignedDuration::from_hours(12);
/// SQS: `SetQueueAttributes`, `RedrivePolicy`, `maxReceiveCount`.
const RECEIVES: RangeInclusive<i64> = 1..=1000;

/// What the fleet says that its queues are read with.
#[derive(Clone, Copy)]
pub(super) struct Given {
    /// The fleet's objective; `None` where it is at fault.
    pub(super) objective: Option<Objective>,
    /// The worker's attempts, where the policy says so.
    pub(super) max_attempts: Option<u32>,
}

/// At least one queue, each once.
pub(super) fn read_queues(
    reader: &mut Reader<'_>,
    root: &Section<'_>,
    given: Given,
) -> Option<Vec<Queue>> {
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
    if items.len() > QUEUES_MAX {
        let found = format!("{} queues", items.len());
        let allowed = format!("1 to {QUEUES_MAX} queues");
        let advice = "give the others a fleet of their own";
        reader.report(item.node.place, (&item.key, &found), &allowed, advice);
    }
    let mut names = BTreeSet::new();
    let mut queues = Vec::new();
    for item in &items {
        queues.extend(read_queue(reader, item, given, &mut names));
    }
    Some(queues)
}

/// `names` are those of the queues before it.
fn read_queue(
    reader: &mut Reader<'_>,
    item: &Item<'_>,
    given: Given,
    names: &mut BTreeSet<String>,
) -> Option<Queue> {
    let section = reader.section(item, QUEUE_KEYS)?;
    let weight = section
        .get("weight")
        .map_or(Some(1.0), |item| read_weight(reader, &item));
    let priority = section.get("priority").map_or(Some(0), |item| {
        reader
            .whole(&item, &(-1000..=1000))
            .and_then(|n| i32::try_from(n).ok())
    });
    let objective = given.objective.unwrap_or(STAND_IN);
    let objective = read_own_objective(reader, &section, objective);
    let visibility_timeout = section.get("visibility_timeout");
    let visibility_timeout =
        visibility_timeout.and_then(|item| reader.duration(&item, &VISIBILITY));
    let max_receive_count = read_receives(reader, &section, given.max_attempts);
    let (name, url) = read_queue_identity(reader, item, &section)?;
    if !names.insert(name.clone()) {
        let found = format!("the queue {name} a second time");
        let found = (item.key.as_str(), found.as_str());
        reader.report(item.node.place, found, "each queue once", "remove one");
    }
    Some(Queue {
        name,
        url,
        weight: weight?,
        priority: priority?,
        objective: objective?,
        visibility_timeout,
        max_receive_count,
    })
}

/// SQS's own redrive gives no reason, so it must come later than the worker's.
fn read_receives(
    reader: &mut Reader<'_>,
    queue: &Section<'_>,
    max_attempts: Option<u32>,
) -> Option<u32> {
    let item = queue.get("max_receive_count")?;
    let receives = whole(reader, &item, &RECEIVES)?;
    let attempts = max_attempts.unwrap_or(MAX_ATTEMPTS);
    if receives <= attempts {
        let least = attempts + 1;
        let allowed = format!("{least} or more: above the worker's {attempts} attempts");
        let advice = "raise it, or lower worker.max_attempts: a message that SQS moves away first \
                      gets no reason";
        reader.fault(&item, &allowed, advice);
    }
    Some(receives)
}

fn read_weight(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<f64> {
    let allowed = format!(
        "a number from {} to {}: the queue's share of the slots",
        WEIGHT.start(),
        WEIGHT.end()
    );
    let weight = reader.positive(item, &allowed)?;
    if WEIGHT.contains(&weight) {
        return Some(weight);
    }
    reader.fault(item, &allowed, "only the weights' proportion counts");
    None
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
