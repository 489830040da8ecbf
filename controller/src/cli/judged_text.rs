//! What was seen and what was decided, for people: the numbers as tables, the verdict and its
//! trail. `weir plan` and `weir explain` print them alike.
//!
//! Reads an observation and a verdict in the form that `weir decide` prints and the journal
//! keeps; it must not know how they came about.

use std::fmt::Write as _;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use serde_json::Value;

use crate::model::{FleetObservation, Instances, Observation};

/// The numbers, a table for the queues, one for the group and one for the workers.
pub(super) fn numbers(observation: Option<&Observation>, verdict: &Value) -> String {
    let Some(observation) = observation else {
        return "Nothing was seen.\n".to_owned();
    };
    let mut text = format!(
        "{}\n{}\n",
        queues(observation),
        instances(observation, verdict)
    );
    if let Some(workers) = workers(observation) {
        let _ = writeln!(text, "{workers}");
    }
    text
}

/// `Grow to 14:` and the trail under it.
pub(super) fn decision(verdict: &Value) -> String {
    let desired = known(verdict["desired"].as_u64());
    let action = match verdict["action"].as_str() {
        Some("grow") => "Grow to",
        Some("shrink") => "Shrink to",
        _ => "Hold at",
    };
    format!("{action} {desired}:\n{}", trail(verdict))
}

/// Each step of the trail, a line each.
pub(super) fn trail(verdict: &Value) -> String {
    let steps = verdict["trail"].as_array().into_iter().flatten();
    steps.fold(String::new(), |text, step| {
        let text_of = |key: &str| step[key].as_str().unwrap_or("?");
        text + &entry(text_of("step"), text_of("text"))
    })
}

/// A line with a word of up to nine letters in front.
pub(super) fn entry(word: &str, text: &str) -> String {
    format!("  {word:<9} {text}\n")
}

/// The number, or that it is not known.
pub(super) fn known(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "unknown".to_owned(), |value| value.to_string())
}

fn queues(observation: &Observation) -> Table {
    let mut table = table(&["queue", "visible", "in flight", "delayed", "oldest"]);
    for queue in &observation.queues {
        table.add_row([
            queue.name.clone(),
            known(queue.visible.map(|n| n.0)),
            known(queue.in_flight.map(|n| n.0)),
            known(queue.delayed.map(|n| n.0)),
            known(queue.oldest_age_seconds.map(|age| format!("{age:.0} s"))),
        ]);
    }
    table
}

fn instances(observation: &Observation, verdict: &Value) -> Table {
    let mut table = table(&[
        "instances",
        "in service",
        "pending",
        "terminating",
        "backlog each",
        "target each",
    ]);
    let FleetObservation {
        desired,
        in_service,
        pending,
        terminating,
    } = observation.fleet;
    let count = |n: Option<Instances>| known(n.map(|n| n.0));
    let each = |key: &str| known(verdict[key].as_f64().map(|n| format!("{n:.1}")));
    table.add_row([
        format!("{} desired", count(desired)),
        count(in_service),
        count(pending),
        count(terminating),
        each("backlog_per_instance"),
        each("backlog_per_instance_target"),
    ]);
    table
}

fn workers(observation: &Observation) -> Option<Table> {
    let workers = observation.workers?;
    let mut table = table(&[
        "workers",
        "busy slots",
        "slots",
        "completed",
        "a job takes",
        "boot takes",
    ]);
    let seconds = |n: Option<f64>| known(n.map(|n| format!("{n:.1} s")));
    table.add_row([
        format!("{} reporting", known(workers.reporting)),
        known(workers.busy_slots),
        known(workers.slots),
        known(workers.completed_total),
        seconds(workers.service_seconds_mean),
        seconds(workers.boot_seconds_mean),
    ]);
    Some(table)
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
