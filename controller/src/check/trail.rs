//! The trail: it says something, stage after stage, in numbers, and ends with the verdict's size.
//!
//! Reads reasons as other programs do, as JSON, and so knows none of them.

use serde_json::Value;

use crate::model::{Step, Verdict};

/// Notes what is wrong with the verdict's trail.
pub(super) fn check(verdict: &Verdict, broken: &mut Vec<String>) {
    let Some(last) = verdict.trail.last() else {
        broken.push("it gives no reason".to_owned());
        return;
    };
    if let Some(pair) = (verdict.trail.windows(2)).find(|pair| pair[0].step > pair[1].step) {
        let (before, after) = (pair[0].step, pair[1].step);
        broken.push(format!("{after:?} speaks after {before:?}").to_lowercase());
    }
    for step in &verdict.trail {
        if let Some(key) = not_a_number(&as_json(step)) {
            let stage = step.step;
            broken.push(format!("{key} is no number in what {stage:?} says").to_lowercase());
        }
    }
    let ends_with = size(&as_json(last));
    let desired = verdict.desired.map(|n| u64::from(n.0));
    if ends_with != desired {
        let show = |size: Option<u64>| size.map_or("no size".to_owned(), |n| n.to_string());
        let (ends_with, desired) = (show(ends_with), show(desired));
        broken.push(format!(
            "its reasons end with {ends_with} and it names {desired}"
        ));
    }
}

fn as_json(step: &Step) -> Value {
    serde_json::to_value(&step.reason).unwrap_or_default()
}

/// What the step left: what it allowed, or what it wanted.
fn size(reason: &Value) -> Option<u64> {
    let size = reason.get("allowed").or_else(|| reason.get("wanted"))?;
    size.as_u64()
}

/// A number that is none becomes null as JSON. Only a size may be unknown.
fn not_a_number(reason: &Value) -> Option<&str> {
    let Some(fields) = reason.as_object() else {
        return Some("everything");
    };
    let null = |(key, value): &(&String, &Value)| {
        value.is_null() && !["wanted", "allowed"].contains(&key.as_str())
    };
    fields.iter().find(null).map(|(key, _)| key.as_str())
}
