//! The charts' places on the page: a title, the unit, what the chart shows in words for those who
//! do not see it, and the boxes that choose what is drawn.
//!
//! Owns words and places; assets/*.js draws. It must not hold data.

use maud::{Markup, html};

use super::when::When;
use super::{headline, names};
use crate::backtest::outcome::{Outcome, Row, RowSeries, Setting};
use crate::backtest::words;

/// A chart's place.
struct Figure {
    id: &'static str,
    title: &'static str,
    unit: &'static str,
    words: String,
}

/// The share of messages that may be late, 0 to 1.
pub(super) fn late_share_allowed(outcome: &Outcome) -> f64 {
    // A percentile such as 99.9 leaves 0.1 %, not 0.0999999999 %.
    let allowed = 1.0 - outcome.objective.percentile / 100.0;
    (allowed * 1e9).round() / 1e9
}

/// Cost against lateness of every setting that was tried.
pub(super) fn frontier(outcome: &Outcome) -> Markup {
    let scalers = names::Scalers::of(outcome);
    let has_points = (outcome.frontiers.iter()).any(|frontier| !frontier.points.is_empty());
    let is_known = |row: &Row| row.score.late_share.is_some();
    if !has_points && !outcome.rows.iter().any(is_known) {
        return html! { p.empty { "No setting's lateness is known, so there is nothing to draw." } };
    }
    html! {
        fieldset.choices data-choices="frontier" {
            legend { "Scalers in this chart" }
            @for name in &scalers.names {
                (choice(&Choice { look: scalers.look(name), line: "solid", name, is_on: true, has_mark: true }))
            }
        }
        (figure(&Figure {
            id: "frontier",
            title: "Cost against lateness",
            unit: "messages late, by cost over the bound",
            words: frontier_words(outcome),
        }))
    }
}

/// What happened when: four charts with one cursor and one zoom.
pub(super) fn through_time(outcome: &Outcome) -> Markup {
    if outcome.series.arrivals_per_second.is_empty() {
        return html! { p.empty { "The trace has no steps, so there is nothing to draw." } };
    }
    let scalers = names::Scalers::of(outcome);
    let shown = shown_at_first(outcome);
    html! {
        fieldset.choices data-choices="rows" {
            legend { "Scalers in these charts" }
            @for (row, is_on) in outcome.rows.iter().zip(&shown) {
                (choice(&Choice {
                    look: scalers.look(&row.scaler),
                    line: names::line(row.setting),
                    name: &names::row(row),
                    is_on: *is_on,
                    has_mark: false,
                }))
            }
        }
        div.zoom role="group" aria-label="Zoom of these charts" {
            button type="button" data-zoom="in" { "Zoom in" }
            button type="button" data-zoom="out" { "Zoom out" }
            button type="button" data-zoom="earlier" { "Earlier" }
            button type="button" data-zoom="later" { "Later" }
            button type="button" data-zoom="all" { "Whole trace" }
            output #window {}
            span.hint { "or drag across a chart" }
        }
        @for place in time_figures(outcome, &shown) { (figure(&place)) }
    }
}

fn time_figures(outcome: &Outcome, shown: &[bool]) -> [Figure; 4] {
    [
        Figure {
            id: "arrivals",
            title: "Arrivals",
            unit: "messages a second",
            words: arrivals_words(outcome),
        },
        Figure {
            id: "capacity",
            title: "Capacity, and what was needed",
            unit: "instances, each step's mean; the area is what a schedule that knows the future would use",
            words: capacity_words(outcome, shown),
        },
        Figure {
            id: "backlog",
            title: "Backlog",
            unit: "messages waiting",
            words: each_shown(outcome, shown, |row, curves| {
                let most = words::number(max(&curves.backlog));
                format!("{}: at most {most} waiting.", names::row(row))
            }),
        },
        Figure {
            id: "waits",
            title: "Longest wait",
            unit: "from arrival to start, of the messages that arrived in each step",
            words: waits_words(outcome, shown),
        },
    ]
}

fn figure(place: &Figure) -> Markup {
    let words = format!("{}-words", place.id);
    html! {
        figure {
            figcaption {
                h3 { (place.title) }
                p.unit { (place.unit) }
            }
            div.chart id=(place.id) role="img" tabindex="0" aria-label=(place.title) aria-describedby=(words) {}
            p.words id=(words) { (place.words) }
        }
    }
}

/// A box that puts a scaler into charts and takes it out.
struct Choice<'a> {
    look: usize,
    line: &'static str,
    name: &'a str,
    is_on: bool,
    has_mark: bool,
}

fn choice(choice: &Choice<'_>) -> Markup {
    let class = format!("look-{} {}", choice.look, choice.line);
    html! {
        label class=(class) {
            input type="checkbox" checked[choice.is_on];
            svg viewBox="0 0 24 12" aria-hidden="true" {
                line x1="1" y1="6" x2="23" y2="6" {}
                @if choice.has_mark { path d=(mark(choice.look)) {} }
            }
            span { (choice.name) }
        }
    }
}

/// The outline of a look's mark, as the frontier has it (assets/frontier.js, `MARKS`).
fn mark(look: usize) -> &'static str {
    match look % 5 {
        0 => "M16 6a4 4 0 1 1-8 0a4 4 0 1 1 8 0Z",
        1 => "M8.5 2.5h7v7h-7Z",
        2 => "M12 1.5l5 8.5h-10Z",
        3 => "M12 1l5 5l-5 5l-5-5Z",
        _ => "M12 10.5l5-8.5h-10Z",
    }
}

/// The policy, what the fleet did, and the best peer: the cheapest in hindsight, else the first.
fn shown_at_first(outcome: &Outcome) -> Vec<bool> {
    let ours = headline::policy(outcome).map(|row| row.scaler.as_str());
    let is_peer = |row: &&Row| Some(row.scaler.as_str()) != ours && row.setting != Setting::Actual;
    let best = headline::cheapest_tuned(outcome).or_else(|| outcome.rows.iter().find(is_peer));
    let is_best = |row: &Row| best.is_some_and(|best| std::ptr::eq(best, row));
    let is_ours = |row: &Row| matches!(row.setting, Setting::Policy | Setting::Actual);
    let rows = outcome.rows.iter();
    rows.map(|row| is_ours(row) || is_best(row)).collect()
}

fn frontier_words(outcome: &Outcome) -> String {
    let allowed = late_share_allowed(outcome);
    let mut sentences = Vec::new();
    for frontier in &outcome.frontiers {
        let kept = frontier
            .points
            .iter()
            .filter(|point| point.late_share <= allowed);
        let best = kept.min_by(|a, b| a.over_bound.total_cmp(&b.over_bound));
        let scaler = &frontier.scaler;
        sentences.push(match best {
            Some(best) => {
                let cost = words::times(best.over_bound);
                format!("{scaler} keeps the objective from {cost} the bound on.")
            }
            None => format!("{scaler} keeps it at no setting tried."),
        });
    }
    if let Some(policy) = headline::policy(outcome)
        && let Some(late) = policy.score.late_share
        && let Some(over_bound) = policy.score.over_bound
    {
        let (cost, late) = (words::times(over_bound), words::share(late));
        sentences.push(format!("The policy stands at {cost} with {late} late."));
    }
    sentences.join(" ")
}

fn arrivals_words(outcome: &Outcome) -> String {
    let series = &outcome.series;
    let arrivals = &series.arrivals_per_second;
    let mean = arrivals.iter().sum::<f64>() / arrivals.len() as f64;
    let busiest = (arrivals.iter().enumerate()).max_by(|a, b| a.1.total_cmp(b.1));
    let (place, most) = busiest.map_or((0, 0.0), |(place, most)| (place, *most));
    let at = When::of(&outcome.trace).text(place as f64 * series.step_seconds);
    let step = words::duration(series.step_seconds);
    format!(
        "On average {} messages a second arrived; most in the {step} from {at}, {} a second.",
        words::number(mean),
        words::number(most)
    )
}

fn capacity_words(outcome: &Outcome, shown: &[bool]) -> String {
    let needed = words::number(max(&outcome.series.needed));
    let rows = each_shown(outcome, shown, |row, curves| {
        let most = words::number(max(&curves.instances));
        let mean = curves.instances.iter().sum::<f64>() / curves.instances.len().max(1) as f64;
        let mean = words::number(mean);
        format!("{}: {mean} on average, at most {most}.", names::row(row))
    });
    format!("Needed: at most {needed} instances. {rows}")
}

fn waits_words(outcome: &Outcome, shown: &[bool]) -> String {
    let objective = words::duration(outcome.objective.start_within_seconds);
    let rows = each_shown(outcome, shown, |row, curves| {
        let waits = curves.wait_seconds.iter().flatten().copied();
        match waits.reduce(f64::max) {
            Some(longest) => {
                let longest = words::duration(longest);
                format!("{}: at most {longest}.", names::row(row))
            }
            None => format!("{}: waits are not known.", names::row(row)),
        }
    });
    format!("The objective is {objective}. {rows}")
}

/// A sentence for each row that is drawn at first.
fn each_shown(
    outcome: &Outcome,
    shown: &[bool],
    sentence: impl Fn(&Row, &RowSeries) -> String,
) -> String {
    let rows = outcome.rows.iter().zip(&outcome.series.rows).zip(shown);
    let rows = rows.filter(|(_, is_on)| **is_on);
    let sentences: Vec<_> = rows
        .map(|((row, curves), _)| sentence(row, curves))
        .collect();
    sentences.join(" ")
}

fn max(curve: &[f64]) -> f64 {
    curve.iter().copied().fold(0.0, f64::max)
}
