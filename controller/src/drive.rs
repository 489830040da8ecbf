//! One round for one fleet: lease, history, observe, decide, check, journal, act, publish.
//!
//! This module owns the order of a round and what a failure in its midst means: nothing more is
//! changed, the reason is recorded, and the next round starts clean. It must not judge, and it
//! names no service.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use crate::check::check;
use crate::clock::Clock;
use crate::decide::{History, decide};
use crate::figures::figures;
use crate::journal::{
    Carried, Claim, Headcount, Lease, Ledger, Outcome, Part, Round, Snapshot, Stamp, Standing,
    fingerprint,
};
use crate::model::{Seconds, UnixSeconds, Verdict};
use crate::plan::plan;
use crate::policy::Policy;
use crate::ports::{Act, Observe, Plan, PortError, Sighting};

/// A change is not begun with less than this left of the lease: one call's 15 s and a margin.
const LEFT_MIN: Seconds = Seconds(20.0);

/// What a round works with.
#[derive(Clone)]
pub struct Ports {
    /// Sees the fleet.
    pub observe: Arc<dyn Observe>,
    /// Changes the fleet.
    pub act: Arc<dyn Act>,
    /// Keeps lease, history and journal.
    pub ledger: Arc<dyn Ledger>,
    /// Tells the time.
    pub clock: Clock,
    /// This controller process's token, never used by another.
    pub token: String,
}

/// What was seen, decided and planned, before anything is changed.
#[derive(Clone, Debug)]
pub struct Judged {
    /// What was seen.
    pub sighting: Sighting,
    /// What should be, after the checker.
    pub verdict: Verdict,
    /// What would be changed.
    pub plan: Plan,
    /// The history to hand to the next round.
    pub history: History,
}

/// Where a round stopped, and why.
#[derive(Debug, thiserror::Error)]
#[error("{part}: {why}")]
pub struct Stopped {
    /// The part that failed.
    pub part: Part,
    /// Why, in words.
    pub why: String,
    /// Changes made before.
    pub changes: Vec<String>,
}

impl Stopped {
    fn at(part: Part) -> impl FnOnce(PortError) -> Self {
        move |error| Self::because(part, error.story())
    }

    fn because(part: Part, why: String) -> Self {
        Self {
            part,
            why,
            changes: Vec::new(),
        }
    }

    fn after(self, changes: Vec<String>) -> Self {
        Self { changes, ..self }
    }
}

/// Runs one round. Whatever goes wrong is in the round's outcome, never an error or a panic of
/// the caller's.
pub async fn round(policy: Arc<Policy>, ports: Ports) -> Round {
    let begun = Round::begin(&policy, ports.clock.now());
    let mut failed = begun.clone();
    // A task of its own, so that a defect in one fleet's round cannot end another's; and one that
    // ends with the caller, so that no round goes on in a process that is thawed later.
    let task = tokio::spawn(async move { run(&policy, &ports, begun).await });
    match AbortOnDropHandle::new(task).await {
        Ok(round) => round,
        Err(error) => {
            failed.outcome = Outcome::Failed {
                step: Part::Decide,
                why: format!("the round broke off, which is a defect of this program: {error}"),
                changes: Vec::new(),
            };
            failed
        }
    }
}

async fn run(policy: &Policy, ports: &Ports, mut round: Round) -> Round {
    let judged = match steps(policy, ports, &mut round).await {
        Ok(judged) => judged,
        Err(stopped) => {
            let Stopped { part, why, changes } = stopped;
            round.outcome = Outcome::Failed {
                step: part,
                why,
                changes,
            };
            None
        }
    };
    if !round.held_the_lease() {
        return round;
    }
    record(ports, &mut round).await;
    if let Some(judged) = judged
        && let Err(error) = publish(policy, ports, &judged).await
    {
        round
            .notes
            .push(format!("figures not published: {}", error.story()));
        record(ports, &mut round).await;
    }
    round
}

/// Everything up to the outcome; `None` where another controller holds the lease.
async fn steps(
    policy: &Policy,
    ports: &Ports,
    round: &mut Round,
) -> Result<Option<Judged>, Stopped> {
    let lease = match claim(policy, ports, round.at).await? {
        Claim::Held(lease) => lease,
        Claim::Taken { until } => {
            round.outcome = Outcome::StoodBy { until };
            return Ok(None);
        }
    };
    let carried = recall(policy, ports).await?;
    round.history_from = Some(fingerprint(&carried.history));
    let sighting = look(policy, ports).await?;
    round.observation = Some(sighting.observation.clone());
    round.roster = Some(Headcount::of(&sighting.roster));
    let judged = judge(policy, sighting, &carried.history);
    raise_alarm(policy, &judged.verdict);
    round.verdict = Some(as_json(&judged.verdict)?);
    round.plan.clone_from(&judged.plan);
    if !judged.plan.is_empty() {
        (ports.ledger.record(round).await).map_err(Stopped::at(Part::Journal))?;
    }
    let (lease, changes) = carry_out(policy, ports, lease, &judged.plan).await?;
    round.outcome = Outcome::Done { changes };
    let next = Carried {
        history: judged.history.clone(),
        ..carried
    };
    hand_on(ports, &lease, round, next).await;
    Ok(Some(judged))
}

/// Keeps the history for the next round, and now and then a snapshot of it. What cannot be kept is
/// a note: the next round starts from the history that this one started from.
async fn hand_on(ports: &Ports, lease: &Lease, round: &mut Round, mut carried: Carried) {
    if !(carried.snapshot.as_ref()).is_some_and(|stamp| stamp.serves(round)) {
        let snapshot = Snapshot {
            at: round.at,
            history: carried.history.clone(),
        };
        match ports.ledger.keep_snapshot(&round.fleet, &snapshot).await {
            Ok(()) => carried.snapshot = Some(Stamp::of(round)),
            Err(error) => {
                let note = format!("no snapshot of the history: {}", error.story());
                round.notes.push(note);
            }
        }
    }
    match ports.ledger.remember(lease, &carried).await {
        Ok(Standing::Held) => round.history_to = Some(fingerprint(&carried.history)),
        Ok(Standing::Lost) => round
            .notes
            .push("history not kept: another controller took the lease".to_owned()),
        Err(error) => round
            .notes
            .push(format!("history not kept: {}", error.story())),
    }
}

/// Gives the fleet's lease up, if this process holds it: the next controller need not wait.
pub async fn stand_down(policy: &Policy, ports: &Ports) {
    let lease = Lease {
        fleet: policy.name.clone(),
        token: ports.token.clone(),
        until: ports.clock.now(),
    };
    if let Err(error) = ports.ledger.release(&lease).await {
        tracing::warn!(
            fleet = policy.name,
            "the lease runs out by itself: {}",
            error.story()
        );
    }
}

/// Observes and judges, and does nothing else: no lease, no write.
pub async fn preview(policy: &Policy, ports: &Ports) -> Result<Judged, Stopped> {
    let carried = recall(policy, ports).await?;
    let sighting = look(policy, ports).await?;
    Ok(judge(policy, sighting, &carried.history))
}

async fn claim(policy: &Policy, ports: &Ports, now: UnixSeconds) -> Result<Claim, Stopped> {
    (ports.ledger.claim(&policy.name, &ports.token, now).await).map_err(Stopped::at(Part::Lease))
}

async fn recall(policy: &Policy, ports: &Ports) -> Result<Carried, Stopped> {
    (ports.ledger.carried(&policy.name).await).map_err(Stopped::at(Part::History))
}

async fn look(policy: &Policy, ports: &Ports) -> Result<Sighting, Stopped> {
    (ports.observe.observe(policy, ports.clock.now()).await).map_err(Stopped::at(Part::Observe))
}

fn judge(policy: &Policy, sighting: Sighting, history: &History) -> Judged {
    let decision = decide(policy, &sighting.observation, history);
    let verdict = check(policy, &sighting.observation, decision.verdict);
    let plan = plan(policy, &verdict, &sighting);
    Judged {
        sighting,
        verdict,
        plan,
        history: decision.history,
    }
}

/// A refused verdict is a defect of this program: the fleet is held, and someone has to know. The
/// published figures say so too.
fn raise_alarm(policy: &Policy, verdict: &Verdict) {
    if let Some(breach) = verdict.refused() {
        tracing::error!(fleet = policy.name, "verdict refused: {breach}");
    }
}

fn as_json(verdict: &Verdict) -> Result<serde_json::Value, Stopped> {
    serde_json::to_value(verdict).map_err(|error| {
        Stopped::because(
            Part::Decide,
            format!("the verdict cannot be written as JSON: {error}"),
        )
    })
}

/// Makes the changes one by one, each under a lease that was confirmed after the decision and
/// that outlasts it.
async fn carry_out(
    policy: &Policy,
    ports: &Ports,
    mut lease: Lease,
    plan: &Plan,
) -> Result<(Lease, Vec<String>), Stopped> {
    let mut changes = Vec::new();
    for (nth, change) in plan.iter().enumerate() {
        if nth == 0 || lease.left(ports.clock.now()).0 < LEFT_MIN.0 {
            lease = match confirm(ports, &lease).await {
                Ok(lease) => lease,
                Err(stopped) => return Err(stopped.after(changes)),
            };
        }
        let left = Duration::from_secs_f64(lease.left(ports.clock.now()).0);
        let made = tokio::time::timeout(left, ports.act.make(policy, change)).await;
        match made {
            Ok(Ok(line)) => changes.push(line),
            Ok(Err(error)) => return Err(Stopped::at(Part::Act)(error).after(changes)),
            Err(_) => {
                let why = format!("cannot {change}: no answer before the lease ran out");
                return Err(Stopped::because(Part::Act, why).after(changes));
            }
        }
    }
    Ok((lease, changes))
}

async fn confirm(ports: &Ports, lease: &Lease) -> Result<Lease, Stopped> {
    (ports.ledger.renew(lease, ports.clock.now()).await)
        .map_err(Stopped::at(Part::Lease))?
        .ok_or_else(|| {
            let why = "another controller took the lease while this one decided; \
                       nothing more was changed";
            Stopped::because(Part::Lease, why.to_owned())
        })
}

async fn publish(policy: &Policy, ports: &Ports, judged: &Judged) -> Result<(), PortError> {
    let figures = figures(policy, &judged.sighting, &judged.verdict, &judged.history);
    (ports.act.publish(policy, judged.verdict.at, &figures)).await
}

/// A round that cannot be recorded is still a round: the note tells whoever reads the terminal.
async fn record(ports: &Ports, round: &mut Round) {
    if let Err(error) = ports.ledger.record(round).await {
        round
            .notes
            .push(format!("round not recorded: {}", error.story()));
    }
}

#[cfg(test)]
mod tests;
