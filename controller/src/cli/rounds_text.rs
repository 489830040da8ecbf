//! A round as one line, for people and for programs.
//!
//! Reads rounds and nothing else; it must not know how they came about.

use serde_json::{Value, json};

use crate::clock::rfc3339;
use crate::journal::{Outcome, Round};

/// The line that `weir run` prints for a person.
pub(super) fn line(round: &Round) -> String {
    let mut line = format!("{} {}: {}", rfc3339(round.at), round.fleet, ending(round));
    for note in &round.notes {
        line.push_str(" [");
        line.push_str(note);
        line.push(']');
    }
    line
}

fn ending(round: &Round) -> String {
    match &round.outcome {
        Outcome::StoodBy { until } => format!(
            "stood by: another controller holds the lease until {}",
            rfc3339(*until)
        ),
        Outcome::Failed { step, why, changes } if changes.is_empty() => {
            format!("failed at {step}: {why}; nothing was changed")
        }
        Outcome::Failed { step, why, changes } => {
            let changes = changes.join(", ");
            format!("failed at {step}: {why}; changed before: {changes}")
        }
        Outcome::Done { changes } if !changes.is_empty() => {
            format!("{} → {}", judged(round), changes.join(", "))
        }
        Outcome::Intended | Outcome::Done { .. } => judged(round),
    }
}

/// `grow 3 to 5: why`, `hold 3: why`.
fn judged(round: &Round) -> String {
    let Some(verdict) = &round.verdict else {
        return "no verdict".to_owned();
    };
    let present = round
        .observation
        .as_ref()
        .and_then(|seen| seen.fleet.desired);
    let present = present.map_or_else(|| "?".to_owned(), |n| n.0.to_string());
    let action = verdict["action"].as_str().unwrap_or("hold");
    let size = match &verdict["desired"] {
        Value::Number(desired) if action != "hold" => format!("{present} to {desired}"),
        _ => present,
    };
    match main_reason(verdict) {
        Some(reason) => format!("{action} {size}: {}", without_size(reason)),
        None => format!("{action} {size}"),
    }
}

/// `grow to 14: why` and `keep 3: why` begin with what the line has said already.
fn without_size(reason: &str) -> &str {
    match reason.split_once(": ") {
        Some((size, why)) if size.starts_with("grow to ") || size.starts_with("keep ") => why,
        _ => reason,
    }
}

fn main_reason(verdict: &Value) -> Option<&str> {
    decisive_step(verdict)?["text"].as_str()
}

/// The last step that asked for the size that came out: later steps only agreed.
pub(super) fn decisive_step(verdict: &Value) -> Option<&Value> {
    let trail = verdict["trail"].as_array()?;
    let asked = |step: &Value| {
        let size = step.get("allowed").or_else(|| step.get("wanted"));
        size == Some(&verdict["desired"])
    };
    let decisive = trail.iter().rev().find(|step| asked(step));
    decisive.or(trail.last())
}

/// The verdict as `weir decide` prints it, and how the round ended; without a verdict the
/// fleet's name and the moment stand in its place.
pub(super) fn json(round: &Round) -> Value {
    let mut line = round
        .verdict
        .clone()
        .unwrap_or_else(|| json!({ "at": round.at, "fleet": round.fleet }));
    let outcome = serde_json::to_value(&round.outcome).unwrap_or_default();
    if let (Some(line), Value::Object(outcome)) = (line.as_object_mut(), outcome) {
        line.extend(outcome);
        if let Some(why) = line.remove("why") {
            line.insert("error".to_owned(), why);
        }
        if !round.notes.is_empty() {
            line.insert("notes".to_owned(), json!(round.notes));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Part;
    use crate::model::UnixSeconds;
    use crate::testing;

    fn round(outcome: Outcome) -> Round {
        Round {
            outcome,
            ..Round::begin(&testing::policy("thumbnails"), testing::START)
        }
    }

    fn judged_round(outcome: Outcome) -> Round {
        let roster = vec![testing::worker("i-1", 4)];
        Round {
            observation: Some(testing::sighting("thumbnails", 900, roster).observation),
            verdict: Some(json!({
                "at": 1_700_000_000.0, "fleet": "thumbnails", "action": "grow", "desired": 3,
                "trail": [
                    { "step": "demand", "wanted": 5, "text": "grow to 5: 900 wait" },
                    { "step": "limit", "wanted": 5, "allowed": 3, "text": "3 on the way to 5" },
                    { "step": "limit", "wanted": 0, "allowed": 1, "text": "at least 1" },
                ],
            })),
            ..round(outcome)
        }
    }

    #[test]
    fn a_round_is_one_line() {
        let changes = vec!["set desired capacity of thumbnails-workers to 3".to_owned()];
        insta::assert_snapshot!(
            line(&judged_round(Outcome::Done { changes: changes.clone() })),
            @"2023-11-14T22:13:20.000Z thumbnails: grow 1 to 3: 3 on the way to 5 → set desired capacity of thumbnails-workers to 3"
        );
        insta::assert_snapshot!(
            line(&round(Outcome::StoodBy { until: UnixSeconds(1_700_000_060.0) })),
            @"2023-11-14T22:13:20.000Z thumbnails: stood by: another controller holds the lease until 2023-11-14T22:14:20.000Z"
        );
        let why = "queue thumbnails does not exist".to_owned();
        let failed = Outcome::Failed {
            step: Part::Observe,
            why,
            changes: Vec::new(),
        };
        insta::assert_snapshot!(
            line(&round(failed)),
            @"2023-11-14T22:13:20.000Z thumbnails: failed at observe: queue thumbnails does not exist; nothing was changed"
        );
        let failed = Outcome::Failed {
            step: Part::Act,
            why: "throttled".to_owned(),
            changes,
        };
        insta::assert_snapshot!(
            line(&judged_round(failed)),
            @"2023-11-14T22:13:20.000Z thumbnails: failed at act: throttled; changed before: set desired capacity of thumbnails-workers to 3"
        );
    }

    #[test]
    fn a_line_names_the_size_once() {
        assert_eq!(without_size("grow to 14: 1,900 are due"), "1,900 are due");
        assert_eq!(without_size("keep 3: too early"), "too early");
        let other = "no fewer than 3: what boots is not cancelled";
        assert_eq!(without_size(other), other);
    }

    #[test]
    fn as_json_a_round_is_its_verdict_and_how_it_ended() {
        let done = json(&judged_round(Outcome::Done {
            changes: vec!["x".to_owned()],
        }));
        assert_eq!(done["action"], "grow");
        assert_eq!(done["desired"], 3);
        assert_eq!(done["outcome"], "done");
        assert_eq!(done["changes"], json!(["x"]));
        let why = "no such queue".to_owned();
        let failed = Outcome::Failed {
            step: Part::Observe,
            why,
            changes: Vec::new(),
        };
        let failed = json(&round(failed));
        assert_eq!(failed["fleet"], "thumbnails");
        assert_eq!(failed["error"], "no such queue");
        assert_eq!(failed["step"], "observe");
    }
}
