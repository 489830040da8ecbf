//! The outcome in sentences: what the policy costs, whether it keeps the objective, and how that
//! stands beside the bound, the best peer and the fleet itself.
//!
//! Owns sentences. It must not compute a figure that the outcome does not hold, but a quotient.

use super::names;
use crate::backtest::outcome::{Outcome, Row, ScoreShape, Setting};
use crate::backtest::words;

/// The verdict first, then what it stands beside.
pub(super) fn sentences(outcome: &Outcome) -> Vec<String> {
    let Some(policy) = policy(outcome) else {
        return vec!["No policy was run.".to_owned()];
    };
    if outcome.trace.messages == 0 {
        let cost = words::number(policy.score.instance_hours);
        return vec![format!(
            "No message arrived: the policy would have cost {cost} instance-hours and kept nobody waiting."
        )];
    }
    let sentences = [
        Some(verdict(outcome, &policy.score)),
        over_bound(outcome, &policy.score),
        best_peer(outcome, policy),
        actual(outcome, policy),
    ];
    sentences.into_iter().flatten().collect()
}

/// The policy's row.
pub(super) fn policy(outcome: &Outcome) -> Option<&Row> {
    let mut rows = outcome.rows.iter();
    rows.find(|row| row.setting == Setting::Policy)
}

/// The cheapest peer in hindsight that kept the objective.
pub(super) fn cheapest_tuned(outcome: &Outcome) -> Option<&Row> {
    cheapest(outcome, |row| row.setting == Setting::Tuned)
}

fn cheapest(outcome: &Outcome, which: impl Fn(&Row) -> bool) -> Option<&Row> {
    let peers = peers(outcome).filter(|row| which(row));
    let in_time = peers.filter(|row| row.score.keeps_objective == Some(true));
    in_time.min_by(|a, b| a.score.instance_hours.total_cmp(&b.score.instance_hours))
}

/// Rows of other scalers; what the fleet did is no scaler.
fn peers(outcome: &Outcome) -> impl Iterator<Item = &Row> {
    let ours = policy(outcome).map(|row| row.scaler.as_str());
    let rows = outcome.rows.iter();
    rows.filter(move |row| row.setting != Setting::Actual && Some(row.scaler.as_str()) != ours)
}

fn verdict(outcome: &Outcome, score: &ScoreShape) -> String {
    let cost = cost(score);
    let messages = words::count(outcome.trace.messages);
    let within = words::duration(outcome.objective.start_within_seconds);
    let asked = words::nearly_all(outcome.objective.percentile / 100.0);
    let Some(late) = score.late_share else {
        return format!(
            "It would have cost {cost}; how many of {messages} messages would have started within {within} is not known."
        );
    };
    let started = words::apart(1.0 - late, outcome.objective.percentile / 100.0);
    let kept = match score.keeps_objective {
        Some(true) => format!("the objective of {asked} is kept"),
        Some(false) => format!("the objective of {asked} is missed"),
        None => format!("{asked} were asked for"),
    };
    format!(
        "It would have cost {cost} and started {started} of {messages} messages within {within}: {kept}."
    )
}

fn cost(score: &ScoreShape) -> String {
    let hours = words::number(score.instance_hours);
    match score.cost {
        Some(cost) => {
            let cost = words::number(cost);
            format!("{hours} instance-hours ({cost} at the price given)")
        }
        None => format!("{hours} instance-hours"),
    }
}

fn over_bound(outcome: &Outcome, score: &ScoreShape) -> Option<String> {
    let (bound, what) = match outcome.bound.exact_hours {
        Some(exact) => (exact, "the least that any schedule can cost"),
        None => (
            outcome.bound.feasible_hours,
            "what a schedule that knows the future would cost",
        ),
    };
    score.over_bound.map(|over| {
        let (times, bound) = (words::times(over), words::hours(bound));
        format!("That is {times} the bound of {bound}, {what}.")
    })
}

fn best_peer(outcome: &Outcome, policy: &Row) -> Option<String> {
    let (peer, how) = if let Some(tuned) = cheapest_tuned(outcome) {
        (
            tuned,
            "with its setting chosen in hindsight on these very arrivals",
        )
    } else if let Some(any) = cheapest(outcome, |_| true) {
        (any, "at its documented setting")
    } else {
        let none = peers(outcome).any(|row| row.score.keeps_objective == Some(false));
        return none
            .then(|| "No other scaler keeps the objective at the settings tried.".to_owned());
    };
    let name = names::scaler(&peer.scaler, peer.variant.as_deref());
    let cost = words::hours(peer.score.instance_hours);
    let difference = difference(policy, peer);
    Some(format!(
        "The cheapest other scaler that keeps the objective, {name}, costs {cost} {how}: the policy costs {difference}."
    ))
}

fn actual(outcome: &Outcome, policy: &Row) -> Option<String> {
    let mut rows = outcome.rows.iter();
    let actual = rows.find(|row| row.setting == Setting::Actual)?;
    let cost = words::hours(actual.score.instance_hours);
    let difference = difference(policy, actual);
    Some(format!(
        "The fleet as it was took {cost}: the policy costs {difference}."
    ))
}

/// `22 % less`, `as much`, `8 % more`.
fn difference(policy: &Row, other: &Row) -> String {
    let share = policy.score.instance_hours / other.score.instance_hours - 1.0;
    match share {
        s if !s.is_finite() => "another amount".to_owned(),
        s if s.abs() < 0.005 => "as much".to_owned(),
        s if s < 0.0 => format!("{} less", percent(-s)),
        s if s >= 1.0 => format!("{} as much", words::times(1.0 + s)),
        s => format!("{} more", percent(s)),
    }
}

/// Whole, since a simulation knows no better.
fn percent(share: f64) -> String {
    format!("{:.0}\u{a0}%", share * 100.0)
}
