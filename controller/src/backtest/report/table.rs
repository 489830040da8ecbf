//! The table of all rows, and the second one with what is asked for less often.
//!
//! Owns rows and cells, and what a click on a head sorts by; the columns stand in columns.rs. It
//! must not judge a figure.

use maud::{Markup, html};

use super::columns::{Column, MAIN, MORE};
use super::names;
use crate::backtest::outcome::{Outcome, Row, Setting};
use crate::backtest::words;

/// Cost and waits of every row, and the bound under them.
pub(super) fn main(outcome: &Outcome) -> Markup {
    let has_cost = outcome.rows.iter().any(|row| row.score.cost.is_some());
    let columns: Vec<&Column> = (MAIN.iter())
        .filter(|column| has_cost || column.field != "cost")
        .collect();
    html! {
        div.scroll tabindex="0" role="region" aria-label="Cost and waits of every scaler" {
            table.sortable #scalers {
                caption { "Cost and waits of every scaler, over the whole trace" }
                (head(&columns))
                tbody { @for row in &outcome.rows { (line(outcome, row, &columns)) } }
                tfoot { (bound(outcome, &columns)) }
            }
        }
        p.unit {
            @if outcome.rows.iter().any(is_in_hindsight) {
                "Tuned: the cheapest setting that kept the objective, chosen in hindsight on these \
                 very arrivals; least late, where none kept it. "
            }
            "A click on a column's head sorts by it."
        }
    }
}

fn is_in_hindsight(row: &Row) -> bool {
    matches!(row.setting, Setting::Tuned | Setting::LeastLate)
}

/// Where the hours went, and how well size followed need.
pub(super) fn more(outcome: &Outcome) -> Markup {
    let columns: Vec<&Column> = MORE.iter().collect();
    html! {
        div.scroll tabindex="0" role="region" aria-label="More figures of every scaler" {
            table.sortable {
                caption { "Where the hours went, and how the size followed the need" }
                (head(&columns))
                tbody { @for row in &outcome.rows { (line(outcome, row, &columns)) } }
            }
        }
        dl.meanings {
            @for column in columns { div { dt { (column.head) } dd { (column.meaning) } } }
        }
    }
}

fn head(columns: &[&Column]) -> Markup {
    html! {
        thead { tr {
            th scope="col" { "Scaler" }
            @for column in columns {
                th scope="col" title=(column.meaning) { button type="button" { (column.head) } }
            }
        } }
    }
}

fn line(outcome: &Outcome, row: &Row, columns: &[&Column]) -> Markup {
    let all = names::parameters(&row.parameters);
    let parameters = names::parameters(&row.unlike(outcome.documented(row)));
    html! {
        tr.policy[row.setting == Setting::Policy] {
            th scope="row" title=[(!all.is_empty()).then_some(&all)] {
                span.name { (names::scaler(&row.scaler, row.variant.as_deref())) }
                span.setting { (names::setting(row.setting)) }
                @if !parameters.is_empty() { span.parameters { (parameters) } }
            }
            @for column in columns { (cell(row, column)) }
        }
    }
}

fn cell(row: &Row, column: &Column) -> Markup {
    let value = (column.value)(&row.score).filter(|value| value.is_finite());
    let text = value.map_or_else(|| words::UNKNOWN.to_owned(), column.word);
    let kept = (row.score.keeps_objective).filter(|_| column.field == "late_share");
    html! {
        td data-key=[value] {
            (text)
            @match kept {
                Some(true) => span.kept { " kept" },
                Some(false) => span.missed { " missed" },
                None => {},
            }
            @if let Some([from, to]) = row.confidence.get(column.field) {
                span.interval title="95 % confidence interval" {
                    ((column.word)(*from)) " to " ((column.word)(*to))
                }
            }
        }
    }
}

/// The clairvoyant's row: it has a cost and is late for nobody.
fn bound(outcome: &Outcome, columns: &[&Column]) -> Markup {
    let bound = outcome.bound;
    let hours = bound.exact_hours.unwrap_or(bound.feasible_hours);
    let setting = match bound.exact_hours {
        Some(_) => "the least any schedule can cost",
        None => "a schedule that knows the future",
    };
    let text = |field: &str| match field {
        "instance_hours" => words::number(hours),
        "cost" => (outcome.setup.price_per_hour).map_or_else(
            || words::UNKNOWN.to_owned(),
            |price| words::number(price * hours),
        ),
        "over_bound" => words::times(1.0),
        "late_share" => words::share(0.0),
        "peak_instances" => words::number(bound.peak_instances.ceil()),
        _ => words::UNKNOWN.to_owned(),
    };
    html! {
        tr {
            th scope="row" {
                span.name { "bound" }
                span.setting { (setting) }
            }
            @for column in columns { td { (text(column.field)) } }
        }
    }
}
