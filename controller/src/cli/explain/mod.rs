//! `weir explain`: why the fleet has its size, read from the journal.
//!
//! Chooses what is read and how it is printed. It reads the state table and nothing else: no
//! lease, no write, no look at the fleet.

#[cfg(feature = "aws")]
mod command;
mod moment;
mod replayed;
mod stretches;
mod text;

use std::io::Write;

use anyhow::anyhow;
use jiff::Zoned;
use serde_json::{Value, json};

#[cfg(feature = "aws")]
pub(super) use self::command::{Args, run};

use self::moment::{shown, zone_name};
use self::replayed::{Head, Tally};
use self::stretches::{Extent, Found};
use super::{Output, rounds_text};
use crate::clock::rfc3339;
use crate::journal::{Ledger, ROUNDS_KEPT_FOR, Reading, Round, policy_hash};
use crate::model::UnixSeconds;
use crate::policy::Policy;
use crate::ports::PortError;
use crate::replay::{Span, replay};

/// A round is judged otherwise than it was.
const EXIT_DIFFERS: u8 = 1;

/// Moments are told apart to the millisecond.
const MILLISECOND: f64 = 0.001;

/// One fleet, its journal, and what is asked of them.
struct Question<'a> {
    policy: &'a Policy,
    ledger: &'a dyn Ledger,
    ask: &'a Ask,
}

/// What is asked.
struct Ask {
    rounds: Rounds,
    task: Task,
    output: Output,
    /// The moment of asking, in the zone in which times are told.
    now: Zoned,
}

/// Which rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rounds {
    /// From the newest back.
    Back(Extent),
    /// The one in force at this moment.
    At(UnixSeconds),
}

/// What is done with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Tell,
    Replay,
}

/// Answers for one fleet; gives the exit code.
async fn answer(question: &Question<'_>, out: &mut (dyn Write + Send)) -> anyhow::Result<u8> {
    let ask = question.ask;
    match (ask.rounds, ask.task) {
        (Rounds::At(at), Task::Tell) => {
            let round = in_force(question, at).await?;
            tell_one(question, &round, out).await.map(|()| 0)
        }
        (Rounds::Back(extent), Task::Tell) => tell(question, extent, out).await.map(|()| 0),
        (Rounds::At(at), Task::Replay) => {
            let at = in_force(question, at).await?.at;
            replay_span(question, Span { from: at, to: at }, out).await
        }
        (Rounds::Back(extent), Task::Replay) => {
            let found = some_rounds(question, extent, &mut |_| {}).await?;
            let (newest, oldest) = (found.stretches.first(), found.stretches.last());
            let span = newest.zip(oldest).map(|(newest, oldest)| Span {
                from: oldest.since,
                to: newest.newest.at,
            });
            let span = span.ok_or_else(|| anyhow!("no rounds to replay"))?;
            replay_span(question, span, out).await
        }
    }
}

/// Folded for people, one by one for programs.
async fn tell(
    question: &Question<'_>,
    extent: Extent,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let ask = question.ask;
    let mut written = Ok(());
    let mut told = |round: &Round| {
        if ask.output == Output::Json && written.is_ok() {
            written = writeln!(out, "{}", as_json(round));
        }
    };
    let found = some_rounds(question, extent, &mut told).await?;
    written?;
    if ask.output == Output::Text {
        let text = text::stretches(&question.policy.name, &found, ask.now.time_zone());
        out.write_all(text.as_bytes())?;
    }
    Ok(())
}

/// One in full; where it decided nothing, the last one that did as well: its size is in force.
async fn tell_one(
    question: &Question<'_>,
    round: &Round,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let ask = question.ask;
    match ask.output {
        Output::Json => writeln!(out, "{}", as_json(round))?,
        Output::Text => {
            let hash = policy_hash(question.policy);
            let told = |round| text::round(round, &hash, ask.now.time_zone());
            out.write_all(told(round).as_bytes())?;
            if round.verdict.is_none()
                && let Some(decided) = last_decided(question, round.at).await?
            {
                writeln!(out, "\nThe last one before it that decided:\n")?;
                out.write_all(told(&decided).as_bytes())?;
            }
        }
    }
    Ok(())
}

/// Replays, and gives 1 where a round is judged otherwise. Nothing compared is an error: whoever
/// asked for a check must not take silence for a yes.
async fn replay_span(
    question: &Question<'_>,
    span: Span,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<u8> {
    let policy = question.policy;
    let all = replay(policy, question.ledger, span).await?;
    match question.ask.output {
        Output::Json => {
            for one in &all {
                writeln!(out, "{}", replayed::json(one))?;
            }
        }
        Output::Text => {
            let head = Head {
                fleet: &policy.name,
                policy_hash: &policy_hash(policy),
                zone: question.ask.now.time_zone(),
            };
            out.write_all(replayed::text(&head, &all).as_bytes())?;
        }
    }
    let tally = Tally::of(&all);
    if tally.differ > 0 {
        return Ok(EXIT_DIFFERS);
    }
    if tally.same == 0 {
        let why = replayed::obstacles(&all);
        return Err(anyhow!("no round was compared ({why})"));
    }
    Ok(0)
}

/// The rounds of an extent; none at all is an error that says why.
async fn some_rounds(
    question: &Question<'_>,
    extent: Extent,
    told: &mut (dyn FnMut(&Round) + Send),
) -> anyhow::Result<Found> {
    let fleet = &question.policy.name;
    let found = stretches::read(question.ledger, fleet, extent, told).await?;
    if !found.stretches.is_empty() {
        return Ok(found);
    }
    let zone = question.ask.now.time_zone();
    let newest = one(question, Reading::Newest).await?;
    let newest = newest.ok_or_else(|| no_rounds(fleet))?;
    Err(anyhow!(
        "no round is recorded since {} ({}); the newest is of {}: see --since",
        shown(extent.since, zone),
        zone_name(zone),
        shown(newest.at, zone)
    ))
}

/// The newest round that began at this moment or before.
async fn in_force(question: &Question<'_>, at: UnixSeconds) -> anyhow::Result<Round> {
    let fleet = &question.policy.name;
    let just_after = UnixSeconds(at.0 + MILLISECOND);
    if let Some(round) = one(question, Reading::Before(just_after)).await? {
        return Ok(round);
    }
    let oldest = one(question, Reading::After(UnixSeconds(0.0))).await?;
    let oldest = oldest.ok_or_else(|| no_rounds(fleet))?;
    let zone = question.ask.now.time_zone();
    let days = ROUNDS_KEPT_FOR.0 / 86_400.0;
    Err(anyhow!(
        "no round is recorded at {} or before: the journal of {fleet} begins at {} ({}), and rounds \
         are kept for {days} days",
        shown(at, zone),
        shown(oldest.at, zone),
        zone_name(zone)
    ))
}

/// The last round before this moment that has a verdict, if it is not hours ago.
async fn last_decided(
    question: &Question<'_>,
    before: UnixSeconds,
) -> Result<Option<Round>, PortError> {
    let fleet = &question.policy.name;
    let page = (question.ledger).rounds(fleet, Reading::Before(before), stretches::PAGE);
    let mut page = page.await?.into_iter();
    Ok(page.find(|round| round.verdict.is_some()))
}

async fn one(question: &Question<'_>, reading: Reading) -> Result<Option<Round>, PortError> {
    let page = question.ledger.rounds(&question.policy.name, reading, 1);
    Ok(page.await?.pop())
}

fn no_rounds(fleet: &str) -> anyhow::Error {
    anyhow!(
        "no round is recorded yet: `weir run` for {fleet} records them (a dry run does not); if it \
         does run, check --state-table, the region, and the policy's name"
    )
}

/// What `weir run --output json` prints of the round, and what else the journal has; the fields
/// are in the command's help.
fn as_json(round: &Round) -> Value {
    let mut line = rounds_text::json(round);
    line["time"] = rfc3339(round.at).into();
    line["version"] = round.version.clone().into();
    line["policy_hash"] = round.policy_hash.clone().into();
    line["observation"] = json!(round.observation);
    line["roster"] = json!(round.roster);
    line["plan"] = json!(round.plan);
    line
}

#[cfg(test)]
mod tests;
