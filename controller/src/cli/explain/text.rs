//! Stretches and rounds for people.
//!
//! Pure text from the journal's rows; what is printed for a verdict is `judged_text`'s, so that
//! it reads as `weir plan` prints it.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use serde_json::Value;

use super::super::judged_text::{entry, known, numbers, trail};
use super::moment::{shown, shown_from_to, span, zone_name};
use super::stretches::{End, Found, Stretch};
use crate::journal::{Outcome, Round, VERSION};
use crate::model::{Instances, Observation};
use crate::ports::Change;

/// All of it: a block a stretch, newest first.
pub(super) fn stretches(fleet: &str, found: &Found, zone: &TimeZone) -> String {
    let mut text = format!("{fleet}, newest first, times in {}\n", zone_name(zone));
    for stretch in &found.stretches {
        text.push('\n');
        text += &block(stretch, zone);
        if let Some(seconds) = stretch.gap_seconds {
            let _ = writeln!(text, "\nNo round was recorded for {}.", span(seconds));
        }
    }
    text.push('\n');
    text += match found.end {
        End::Limit => "There is more: see --limit and --since.\n",
        End::Since => "There is more, from before: see --since.\n",
        End::Beginning => "The journal begins here.\n",
    };
    text
}

/// One round in full. What was decided by another program, or under a policy that means something
/// else than the one of this hash, is said.
pub(super) fn round(round: &Round, policy_hash: &str, zone: &TimeZone) -> String {
    let mut text = format!(
        "{}, the round of {} ({})\n",
        round.fleet,
        shown(round.at, zone),
        zone_name(zone),
    );
    if round.version != VERSION {
        let _ = writeln!(text, "weir {} ran it, this is {VERSION}", round.version);
    }
    if round.policy_hash != policy_hash {
        let _ = writeln!(
            text,
            "it ran under another policy than the one given now: {}, not {policy_hash}",
            round.policy_hash
        );
    }
    let verdict = round.verdict.as_ref();
    text += &numbers(round.observation.as_ref(), verdict.unwrap_or(&Value::Null));
    text.push('\n');
    text += &heading(round, zone);
    text.push('\n');
    text += &verdict.map_or_else(String::new, trail);
    text + &ending(round, &[])
}

fn block(stretch: &Stretch, zone: &TimeZone) -> String {
    let round = &stretch.newest;
    let mut text = format!(
        "{}  {}",
        shown_from_to(stretch.since, round.at, zone),
        heading(round, zone)
    );
    if stretch.rounds > 1 {
        let _ = write!(text, ", {} rounds", stretch.rounds);
    }
    text.push('\n');
    if let Some(verdict) = &round.verdict {
        text += &trail(verdict);
    }
    if let Some(observation) = &round.observation {
        text += &seen(observation);
    }
    text + &ending(round, &stretch.errors)
}

/// What the round did, or meant to.
fn heading(round: &Round, zone: &TimeZone) -> String {
    let meaning = || (round.verdict.as_ref()).map(|_| format!(", meaning to {}", intent(round)));
    match &round.outcome {
        Outcome::StoodBy { until } => format!(
            "stood by: another controller held the lease until {}",
            shown(*until, zone)
        ),
        Outcome::Failed { step, .. } => {
            format!("failed at {step}{}", meaning().unwrap_or_default())
        }
        Outcome::Intended => format!("broke off{}", meaning().unwrap_or_default()),
        Outcome::Done { .. } => done(round),
    }
}

/// `grow from 10 to 14`.
fn intent(round: &Round) -> String {
    let (action, present, desired) = sizes(round);
    match action {
        "grow" | "shrink" => format!("{action} from {} to {}", known(present), known(desired)),
        _ => format!("hold at {}", known(present)),
    }
}

/// `grew from 10 to 14`: where the changes made lead to another size than the verdict's, that one
/// is told first. Target tracking grows by itself, and busy instances are left where they are.
fn done(round: &Round) -> String {
    let (action, present, desired) = sizes(round);
    let verb = match action {
        "grow" => "grew",
        "shrink" => "shrank",
        _ => return format!("held at {}", known(present)),
    };
    let reached = size_after(round, present);
    let (from, to) = (known(present), known(desired));
    if reached == desired {
        format!("{verb} from {from} to {to}")
    } else if reached == present {
        format!("stayed at {from}, wanting {to}")
    } else {
        format!("{verb} from {from} to {}, wanting {to}", known(reached))
    }
}

fn sizes(round: &Round) -> (&str, Option<u64>, Option<u64>) {
    let seen = round.observation.as_ref();
    let present = seen.and_then(|seen| seen.fleet.desired);
    let verdict = round.verdict.as_ref().unwrap_or(&Value::Null);
    (
        verdict["action"].as_str().unwrap_or("hold"),
        present.map(|n| u64::from(n.0)),
        verdict["desired"].as_u64(),
    )
}

fn size_after(round: &Round, present: Option<u64>) -> Option<u64> {
    round
        .plan
        .iter()
        .fold(present, |size, change| match change {
            Change::Resize { desired } => Some(u64::from(desired.0)),
            Change::Release { .. } => size.map(|n| n.saturating_sub(1)),
            Change::Dismiss { .. } | Change::Retarget { .. } => size,
        })
}

/// The numbers in a line a queue and a line for the fleet.
fn seen(observation: &Observation) -> String {
    let mut text = String::new();
    for queue in &observation.queues {
        let oldest = queue.oldest_age_seconds;
        text += &entry(
            "seen",
            &format!(
                "queue {}: {} visible, {} in flight, {} delayed, oldest {}",
                queue.name,
                known(queue.visible.map(|n| n.0)),
                known(queue.in_flight.map(|n| n.0)),
                known(queue.delayed.map(|n| n.0)),
                known(oldest.map(|age| format!("{age:.0} s"))),
            ),
        );
    }
    let fleet = observation.fleet;
    let count = |n: Option<Instances>| known(n.map(|n| n.0));
    let mut line = format!(
        "fleet: {} desired, {} in service, {} pending, {} terminating",
        count(fleet.desired),
        count(fleet.in_service),
        count(fleet.pending),
        count(fleet.terminating),
    );
    if let Some(workers) = observation.workers {
        let _ = write!(
            line,
            "; {} of {} slots busy",
            known(workers.busy_slots),
            known(workers.slots)
        );
    }
    text + &entry("seen", &line)
}

/// What was changed, what went wrong, and what else there is to say.
fn ending(round: &Round, errors: &[String]) -> String {
    let mut text = String::new();
    let changed = |changes: &[String]| {
        let lines = changes.iter().map(|change| entry("changed", change));
        lines.collect::<String>()
    };
    match &round.outcome {
        Outcome::Done { changes } => text += &changed(changes),
        Outcome::Failed { why, changes, .. } => {
            text += &changed(changes);
            text += &entry("error", why);
            if errors.len() > 1 {
                let others = errors.len() - 1;
                let what = if others == 1 { "error" } else { "errors" };
                text += &entry("", &format!("and {others} other {what} before"));
            }
            if changes.is_empty() {
                text += &entry("", "nothing was changed");
            }
        }
        Outcome::Intended => {
            for change in &round.plan {
                text += &entry("meant", &change.to_string());
            }
            let why = "the controller ended in the midst of it; some may have been done";
            text += &entry("", why);
        }
        Outcome::StoodBy { .. } => {}
    }
    for note in &round.notes {
        text += &entry("note", note);
    }
    text
}
