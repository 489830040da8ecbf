//! `queues`: which queues the fleet serves.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::super::reader::{Item, Reader, Section};
use super::super::{Objective, Queue, names};
use super::objective::{STAND_IN, read_own_objective};

pub(in crate::policy) const QUEUE_KEYS: &[&str] =
    &["name", "url", "weight", "priority", "objective"];
/// More queues than this on one fleet are hardly meant: the slots' shares get too small to tell
/// apart, and what is remembered of each must fit one item of the state table together.
const QUEUES_MAX: usize = 20;
/// Beyond this the smaller share is less than one slot of the largest fleet.
const WEIGHT: RangeInclusive<f64> = 0.001..=1000.0;

/// At least one queue, each once; `objective` is the fleet's.
pub(super) fn read_queues(
    reader: &mut Reader<'_>,
    root: &Section<'_>,
    objective: Option<Objective>,
) -> Option<Vec<Queue>> {
    const ALLOWED: &str = "a list of at least one queue, each with a name or a url";
    let objective = objective.unwrap_or(STAND_IN);
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
        queues.extend(read_queue(reader, item, objective, &mut names));
    }
    Some(queues)
}

/// `names` are those of the queues before it; `fleet` is the fleet's objective.
fn read_queue(
    reader: &mut Reader<'_>,
    item: &Item<'_>,
    fleet: Objective,
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
    let objective = read_own_objective(reader, &section, fleet);
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
    })
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
