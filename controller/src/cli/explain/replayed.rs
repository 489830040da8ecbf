//! What a replay found, for people and for programs.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::super::judged_text::{decision, entry};
use super::moment::{shown_from_to, zone_name};
use crate::journal::VERSION;
use crate::replay::{Finding, Obstacle, Replayed};

/// How many rounds came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Judged the same.
    pub same: usize,
    /// Judged otherwise.
    pub differ: usize,
    /// Not compared.
    pub not_compared: usize,
}

impl Tally {
    /// Counts `all`.
    pub(super) fn of(all: &[Replayed]) -> Self {
        let mut tally = Self::default();
        for one in all {
            *match &one.finding {
                Finding::Same => &mut tally.same,
                Finding::OtherVerdict(_) | Finding::OtherHistory => &mut tally.differ,
                Finding::NotCompared(_) => &mut tally.not_compared,
            } += 1;
        }
        tally
    }
}

/// A line for each run of rounds that came to the same, oldest first, and both verdicts where
/// they differ.
pub(super) fn text(head: &Head<'_>, all: &[Replayed]) -> String {
    let mut text = format!(
        "{}, replayed by weir {VERSION} under policy {}, oldest first, times in {}\n",
        head.fleet,
        head.policy_hash,
        zone_name(head.zone)
    );
    for run in all.chunk_by(alike) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            continue;
        };
        let when = shown_from_to(first.round.at, last.round.at, head.zone);
        let count = match run.len() {
            1 => String::new(),
            n => format!(", {n} rounds"),
        };
        let _ = writeln!(text, "{when}  {}{count}", said(first));
        if let Finding::OtherVerdict(now) = &first.finding {
            text += &both(first.round.verdict.as_ref(), now);
        }
    }
    let Tally {
        same,
        differ,
        not_compared,
    } = Tally::of(all);
    let _ = writeln!(
        text,
        "{same} judged the same, {differ} otherwise, {not_compared} not compared"
    );
    text
}

/// What a replay's text begins with.
pub(super) struct Head<'a> {
    /// The fleet.
    pub fleet: &'a str,
    /// The policy that was given.
    pub policy_hash: &'a str,
    /// Where times are told.
    pub zone: &'a TimeZone,
}

/// A round's finding as one JSON object; its fields are in the command's help.
pub(super) fn json(one: &Replayed) -> Value {
    let round = &one.round;
    let mut line = json!({
        "at": round.at,
        "fleet": round.fleet,
        "version": round.version,
        "policy_hash": round.policy_hash,
        "replay": match &one.finding {
            Finding::Same => "same",
            Finding::OtherVerdict(_) => "other_verdict",
            Finding::OtherHistory => "other_history",
            Finding::NotCompared(_) => "not_compared",
        },
    });
    match &one.finding {
        Finding::OtherVerdict(now) => {
            line["recorded"] = round.verdict.clone().unwrap_or_default();
            line["now"] = now.clone();
        }
        Finding::NotCompared(obstacle) => {
            line["why"] = code(*obstacle).into();
            line["text"] = why(*obstacle, one).into();
        }
        Finding::Same | Finding::OtherHistory => {}
    }
    line
}

/// Why nothing could be compared, most frequent first; for the error that says so.
pub(super) fn obstacles(all: &[Replayed]) -> String {
    let mut counted: Vec<(usize, String)> = Vec::new();
    for one in all {
        if let Finding::NotCompared(obstacle) = one.finding {
            let why = why(obstacle, one);
            match counted.iter_mut().find(|(_, known)| *known == why) {
                Some((count, _)) => *count += 1,
                None => counted.push((1, why)),
            }
        }
    }
    counted.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    let said: Vec<String> = counted
        .into_iter()
        .map(|(count, why)| format!("{count}: {why}"))
        .collect();
    said.join("; ")
}

/// Rounds that need no lines of their own. Differing verdicts always do.
fn alike(a: &Replayed, b: &Replayed) -> bool {
    !matches!(a.finding, Finding::OtherVerdict(_)) && said(a) == said(b)
}

fn said(one: &Replayed) -> String {
    match one.finding {
        Finding::Same => "the same verdict".to_owned(),
        Finding::OtherVerdict(_) => "another verdict".to_owned(),
        Finding::OtherHistory => "the same verdict, but another history for the next".to_owned(),
        Finding::NotCompared(obstacle) => format!("not compared: {}", why(obstacle, one)),
    }
}

fn why(obstacle: Obstacle, one: &Replayed) -> String {
    match obstacle {
        Obstacle::Undecided => "it failed before there was a verdict".to_owned(),
        Obstacle::OtherVersion => format!("weir {} decided it", one.round.version),
        Obstacle::OtherPolicy => {
            format!("it was decided under policy {}", one.round.policy_hash)
        }
        Obstacle::HistoryUnknown => {
            "no recorded round and no snapshot lead to the history it started from".to_owned()
        }
    }
}

fn code(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::Undecided => "undecided",
        Obstacle::OtherVersion => "other_version",
        Obstacle::OtherPolicy => "other_policy",
        Obstacle::HistoryUnknown => "history_unknown",
    }
}

/// Both verdicts, each with its trail under it.
fn both(recorded: Option<&Value>, now: &Value) -> String {
    let under = |word: &str, verdict: &Value| {
        let text = decision(verdict);
        let lines = text.trim_end().replace('\n', "\n            ");
        entry(word, &lines)
    };
    under("recorded", recorded.unwrap_or(&Value::Null)) + &under("now", now)
}
