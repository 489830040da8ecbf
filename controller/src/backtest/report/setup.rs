//! What was simulated, for those who ask whether the figures hold for them.
//!
//! Owns the wording of trace, fleet and chance. It must not judge.

use maud::{Markup, html};

use super::when::When;
use crate::backtest::outcome::{BoundShape, Outcome, SetupShape, TraceShape};
use crate::backtest::words;

/// Names and values, and what a reader should know beside them.
pub(super) fn list(outcome: &Outcome) -> Markup {
    let facts = [
        trace(&outcome.trace),
        fleet(&outcome.setup),
        bound(&outcome.bound),
    ];
    html! {
        dl.facts {
            @for (name, value) in facts.into_iter().flatten() { div { dt { (name) } dd { (value) } } }
        }
        @if !outcome.setup.faults.is_empty() { (notes("What was made hard", &outcome.setup.faults)) }
        @if !outcome.trace.notes.is_empty() { (notes("About the trace", &outcome.trace.notes)) }
    }
}

type Facts = Vec<(&'static str, String)>;

fn trace(trace: &TraceShape) -> Facts {
    let from = When::of(trace);
    vec![
        ("trace", trace.name.clone()),
        ("from", from.text(0.0)),
        ("length", words::duration(trace.seconds)),
        ("recorded in steps of", words::duration(trace.step_seconds)),
        ("messages", words::count(trace.messages)),
    ]
}

fn fleet(setup: &SetupShape) -> Facts {
    let service = words::duration(setup.service_seconds_mean);
    let seeds = match setup.seeds {
        0 | 1 => format!("{}", setup.seed),
        n => format!(
            "{n} from {} on; figures are their means, curves the first's",
            setup.seed
        ),
    };
    let mut facts = vec![
        ("jobs an instance runs at a time", setup.slots.to_string()),
        (
            "a job takes",
            format!("{service} on average, {}", setup.service),
        ),
        (
            "from launch to first job",
            words::duration(setup.boot_seconds),
        ),
        ("looks every", words::duration(setup.interval_seconds)),
        ("instances", format!("{} to {}", setup.min, setup.max)),
        ("seed", seeds),
    ];
    if let Some(price) = setup.price_per_hour {
        facts.push(("price of an instance-hour", price.to_string()));
    }
    facts
}

fn bound(bound: &BoundShape) -> Facts {
    let mut facts = vec![
        ("the work alone", words::hours(bound.work_hours)),
        (
            "a schedule that knows the future",
            words::hours(bound.feasible_hours),
        ),
    ];
    if let Some(exact) = bound.exact_hours {
        facts.push(("no schedule can cost less than", words::hours(exact)));
    }
    facts
}

fn notes(title: &str, notes: &[String]) -> Markup {
    html! {
        h3 { (title) }
        ul { @for note in notes { li { (note) } } }
    }
}
