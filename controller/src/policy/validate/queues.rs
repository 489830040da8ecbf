//! `queues`: which queues the fleet serves.

use std::collections::BTreeSet;

use super::super::reader::{Item, Reader, Section};
use super::super::{Queue, names};

pub(in crate::policy) const QUEUE_KEYS: &[&str] = &["name", "url", "weight", "priority"];

/// At least one queue, each once.
pub(super) fn read_queues(reader: &mut Reader<'_>, root: &Section<'_>) -> Option<Vec<Queue>> {
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
