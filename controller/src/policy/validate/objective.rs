//! `objective`: what is kept, for the fleet and for a queue that asks for something else.

use std::ops::RangeInclusive;

use jiff::SignedDuration;

use super::super::Objective;
use super::super::reader::{Reader, Section};
use super::MILLISECOND;
use crate::model::Seconds;

pub(in crate::policy) const OBJECTIVE_KEYS: &[&str] = &["start_within", "percentile"];
/// The percentile where the policy names none.
const PERCENTILE: f64 = 99.0;
/// SQS drops a message after 14 days at most.
const START_WITHIN: RangeInclusive<SignedDuration> = MILLISECOND..=SignedDuration::from_hours(336);

/// Stands in for a fleet's objective that is at fault, so that the queues' problems still show;
/// no policy comes of a file with a problem.
pub(super) const STAND_IN: Objective = Objective {
    start_within: Seconds(60.0),
    percentile: PERCENTILE,
};

/// The fleet's: a time must be named.
pub(super) fn read_objective(reader: &mut Reader<'_>, root: &Section<'_>) -> Option<Objective> {
    let item = reader.required(
        root,
        "objective",
        "a mapping with start_within, such as 60s",
    )?;
    let section = reader.section(&item, OBJECTIVE_KEYS)?;
    let start_within = reader
        .required(&section, "start_within", "a duration such as 60s")
        .and_then(|item| reader.duration(&item, &START_WITHIN));
    let percentile = read_percentile(reader, &section, PERCENTILE);
    Some(Objective {
        start_within: start_within?,
        percentile: percentile?,
    })
}

/// A queue's own, where it has one: what it leaves out is the fleet's.
pub(super) fn read_own_objective(
    reader: &mut Reader<'_>,
    queue: &Section<'_>,
    fleet: Objective,
) -> Option<Objective> {
    let Some(item) = queue.get("objective") else {
        return Some(fleet);
    };
    let section = reader.section(&item, OBJECTIVE_KEYS)?;
    if section.is_empty() {
        let advice = "without the key, the fleet's objective holds for the queue";
        reader.report(
            item.node.place,
            (&item.key, "an empty mapping"),
            "start_within, percentile or both",
            advice,
        );
    }
    let start_within = section
        .get("start_within")
        .map_or(Some(fleet.start_within), |item| {
            reader.duration(&item, &START_WITHIN)
        });
    let percentile = read_percentile(reader, &section, fleet.percentile);
    Some(Objective {
        start_within: start_within?,
        percentile: percentile?,
    })
}

fn read_percentile(reader: &mut Reader<'_>, section: &Section<'_>, default: f64) -> Option<f64> {
    const ALLOWED: &str = "a number above 0 and below 100";
    let Some(item) = section.get("percentile") else {
        return Some(default);
    };
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
}
