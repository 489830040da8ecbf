//! The journal replayed: whether this program, under a policy, judges recorded rounds as they
//! were judged.
//!
//! Owns how the history is carried through recorded rounds, from a snapshot on. It only reads.

use serde_json::Value;

use crate::check::check;
use crate::decide::{History, decide};
use crate::journal::{Ledger, Reading, Round, VERSION, fingerprint, policy_hash};
use crate::model::{Observation, UnixSeconds};
use crate::policy::Policy;
use crate::ports::PortError;

/// Rounds read at a time; about a megabyte, which is what DynamoDB gives in one answer.
const PAGE: usize = 400;

/// Which rounds to replay: from the one at this moment to the one at that, both included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// The first.
    pub from: UnixSeconds,
    /// The last.
    pub to: UnixSeconds,
}

/// What came of replaying one round.
#[derive(Clone, Debug, PartialEq)]
pub struct Replayed {
    /// The round as it is recorded.
    pub round: Round,
    /// What was found.
    pub finding: Finding,
}

/// Whether a round is judged as it was.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// The same verdict, and the same history handed on.
    Same,
    /// Another verdict: this one.
    OtherVerdict(Value),
    /// The same verdict, but another history handed on, by which a later round may differ.
    OtherHistory,
    /// It cannot be compared.
    NotCompared(Obstacle),
}

impl Finding {
    /// Whether the round was judged otherwise than it is now.
    pub fn differs(&self) -> bool {
        matches!(self, Self::OtherVerdict(_) | Self::OtherHistory)
    }
}

/// Why a round cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// It failed before there was a verdict.
    Undecided,
    /// Another version of the program decided.
    OtherVersion,
    /// It was decided under a policy that means something else.
    OtherPolicy,
    /// Neither the rounds before it nor a snapshot lead to the history that it started from.
    HistoryUnknown,
}

/// Replays the rounds of `span`, oldest first. Those between the last snapshot before it and its
/// beginning are run through for the history alone.
///
/// # Errors
/// The ledger cannot be read.
pub async fn replay(
    policy: &Policy,
    ledger: &dyn Ledger,
    span: Span,
) -> Result<Vec<Replayed>, PortError> {
    let mut replayer = Replayer::new(policy);
    let mut after = UnixSeconds(span.from.0 - 0.001);
    if let Some(snapshot) = ledger.snapshot(&policy.name, span.from).await? {
        after = snapshot.at;
        replayer.learn(snapshot.history);
    }
    let mut all = Vec::new();
    loop {
        let page = ledger
            .rounds(&policy.name, Reading::After(after), PAGE)
            .await?;
        let is_last = page.len() < PAGE;
        for round in page {
            after = round.at;
            if round.at > span.to {
                return Ok(all);
            }
            if replayer.lacks_history_of(&round)
                && let Some(snapshot) = ledger.snapshot(&policy.name, round.at).await?
            {
                replayer.learn(snapshot.history);
            }
            let finding = replayer.replay(&round);
            if round.at >= span.from {
                all.push(Replayed { round, finding });
            }
        }
        if is_last {
            return Ok(all);
        }
    }
}

/// Judges rounds anew, one after another, and carries the history.
struct Replayer<'a> {
    policy: &'a Policy,
    policy_hash: String,
    /// Histories that the next round may start from, with their fingerprints: what the last one
    /// handed on, and what it started from, since what it handed on may not have been kept.
    known: Vec<(String, History)>,
}

impl<'a> Replayer<'a> {
    fn new(policy: &'a Policy) -> Self {
        let mut replayer = Self {
            policy,
            policy_hash: policy_hash(policy),
            known: Vec::new(),
        };
        replayer.learn(History::default());
        replayer
    }

    fn learn(&mut self, history: History) {
        self.known.push((fingerprint(&history), history));
    }

    fn lacks_history_of(&self, round: &Round) -> bool {
        self.obstacle(round).is_none() && self.start_of(round).is_none()
    }

    fn obstacle(&self, round: &Round) -> Option<Obstacle> {
        if round.observation.is_none() || round.verdict.is_none() {
            Some(Obstacle::Undecided)
        } else if round.version != VERSION {
            Some(Obstacle::OtherVersion)
        } else if round.policy_hash != self.policy_hash {
            Some(Obstacle::OtherPolicy)
        } else {
            None
        }
    }

    fn start_of(&self, round: &Round) -> Option<History> {
        let from = round.history_from.as_ref();
        let known = self.known.iter().find(|(print, _)| Some(print) == from);
        known
            .map(|(_, history)| history.clone())
            .or_else(|| round.history.clone())
    }

    fn replay(&mut self, round: &Round) -> Finding {
        if let Some(obstacle) = self.obstacle(round) {
            return Finding::NotCompared(obstacle);
        }
        let (Some(start), Some(observation)) = (self.start_of(round), &round.observation) else {
            return Finding::NotCompared(Obstacle::HistoryUnknown);
        };
        let (verdict, next) = self.judge(observation, &start);
        let handed_on = fingerprint(&next);
        self.known.clear();
        self.learn(start);
        self.learn(next);
        if Some(&verdict) != round.verdict.as_ref() {
            Finding::OtherVerdict(verdict)
        } else if round
            .history_to
            .as_ref()
            .is_some_and(|kept| *kept != handed_on)
        {
            Finding::OtherHistory
        } else {
            Finding::Same
        }
    }

    /// Verdict and history as they come back from the table: what JSON does to them is done.
    fn judge(&self, observation: &Observation, history: &History) -> (Value, History) {
        let decision = decide(self.policy, observation, history);
        let verdict = check(self.policy, observation, decision.verdict);
        let verdict = serde_json::to_string(&verdict)
            .and_then(|json| serde_json::from_str(&json))
            .unwrap_or_default();
        let kept = serde_json::to_string(&decision.history)
            .and_then(|json| serde_json::from_str(&json))
            .unwrap_or_default();
        (verdict, kept)
    }
}

#[cfg(test)]
mod tests;
