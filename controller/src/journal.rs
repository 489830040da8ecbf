//! What a controller keeps between rounds: the [`Round`]s it ran, the lease that says which
//! controller may act, and the history.
//!
//! This module owns the record's shape and the [`Ledger`] trait with its in-memory
//! implementation; the one in DynamoDB is in `aws`. It must not run rounds: that is `drive`'s.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::decide::History;
use crate::model::{Member, Observation, Phase, Seconds, UnixSeconds};
use crate::policy::Policy;
use crate::ports::{Plan, PortError};

/// A lease holds this long; the controller renews it before each act. Long enough for a round
/// whose every call needs its 15 s, short enough that another takes over within the boot time of
/// an instance.
pub const LEASE_FOR: Seconds = Seconds(60.0);

/// How far two controllers' clocks may be apart. The holder stops this long before the lease
/// ends by its clock, another waits this long after by its own. NTP keeps machines within
/// milliseconds; a virtual machine that was paused may be off by seconds until the next sync.
pub const CLOCK_SKEW_MAX: Seconds = Seconds(5.0);

/// One round, so recorded that it can be replayed: `decide(policy, observation, history)` must
/// give the verdict again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// When it began.
    pub at: UnixSeconds,
    /// The policy's name.
    pub fleet: String,
    /// Fingerprint of the policy, see [`policy_hash`].
    pub policy_hash: String,
    /// Version of the controller.
    pub version: String,
    /// The history that the round started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
    /// What was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observation: Option<Observation>,
    /// The roster, counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roster: Option<Headcount>,
    /// The verdict after the checker, as `weir decide` prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<serde_json::Value>,
    /// What the round meant to change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plan: Plan,
    /// How it ended.
    pub outcome: Outcome,
    /// What went wrong without harm to the round's work, such as a metric not published.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Round {
    /// A round that has done nothing yet.
    pub fn begin(policy: &Policy, at: UnixSeconds) -> Self {
        Self {
            at,
            fleet: policy.name.clone(),
            policy_hash: policy_hash(policy),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            history: None,
            observation: None,
            roster: None,
            verdict: None,
            plan: Plan::new(),
            outcome: Outcome::Intended,
            notes: Vec::new(),
        }
    }

    /// Whether the round got as far as holding the lease; what comes first after it is the
    /// history.
    pub fn held_the_lease(&self) -> bool {
        let failed_at_lease = matches!(
            self.outcome,
            Outcome::Failed {
                step: Part::Lease,
                ..
            }
        );
        let stood_by = matches!(self.outcome, Outcome::StoodBy { .. });
        !stood_by && (!failed_at_lease || self.history.is_some())
    }

    /// Whether the round failed.
    pub fn failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failed { .. })
    }
}

/// How a round ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Written ahead of acting. Where it still stands, the controller ended in the midst of it,
    /// and some of the plan may have been carried out.
    Intended,
    /// The plan was carried out; no changes where there was nothing to do.
    Done {
        /// One line a change.
        changes: Vec<String>,
    },
    /// Another controller holds the lease: nothing was seen, decided or done.
    StoodBy {
        /// When that lease ends unless it is renewed.
        until: UnixSeconds,
    },
    /// It went wrong.
    Failed {
        /// Which part of the round.
        step: Part,
        /// Why, in words.
        why: String,
        /// Changes made before it went wrong.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        changes: Vec<String>,
    },
}

/// The parts of a round that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Taking or renewing the lease.
    Lease,
    /// Reading the history.
    History,
    /// Looking at the fleet.
    Observe,
    /// Deciding and checking.
    Decide,
    /// Writing the journal ahead of acting.
    Journal,
    /// Changing the fleet.
    Act,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Lease => "lease",
            Self::History => "history",
            Self::Observe => "observe",
            Self::Decide => "decide",
            Self::Journal => "journal",
            Self::Act => "act",
        })
    }
}

/// The roster in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headcount {
    /// In service with a fresh report and no busy slot.
    pub idle: u32,
    /// In service with a fresh report and busy slots.
    pub busy: u32,
    /// In service without a fresh report.
    pub silent: u32,
    /// Not yet in service.
    pub pending: u32,
    /// Leaving.
    pub terminating: u32,
    /// Neither capacity nor on its way.
    pub other: u32,
}

impl Headcount {
    /// Counts `roster`.
    pub fn of(roster: &[Member]) -> Self {
        let mut count = Self::default();
        for member in roster {
            *match (member.phase, &member.report) {
                (Phase::Pending, _) => &mut count.pending,
                (Phase::Terminating, _) => &mut count.terminating,
                (Phase::Other, _) => &mut count.other,
                (Phase::InService, None) => &mut count.silent,
                (Phase::InService, Some(report)) if report.busy_slots == 0 => &mut count.idle,
                (Phase::InService, Some(_)) => &mut count.busy,
            } += 1;
        }
        count
    }
}

/// Sixteen hex digits that change when what the policy means changes (FNV-1a, 64 bits). For
/// telling policies apart in the journal, not against forgery.
pub fn policy_hash(policy: &Policy) -> String {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let hash = format!("{policy:?}").bytes().fold(OFFSET, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    });
    format!("{hash:016x}")
}

/// The right to act on a fleet, for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Lease {
    /// The fleet, by its policy's name.
    pub fleet: String,
    /// The holder's token: one a controller process, never used by another.
    pub token: String,
    /// Until when it holds.
    pub until: UnixSeconds,
}

impl Lease {
    /// How long the holder may still act, with the clock skew taken off.
    pub fn left(&self, now: UnixSeconds) -> Seconds {
        Seconds((self.until.0 - CLOCK_SKEW_MAX.0 - now.0).max(0.0))
    }
}

/// What came of asking for a lease.
#[derive(Clone, Debug, PartialEq)]
pub enum Claim {
    /// It is the caller's.
    Held(Lease),
    /// Another holds it.
    Taken {
        /// Until when, unless it is renewed.
        until: UnixSeconds,
    },
}

/// Whether a lease still is the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is, and what was asked for was done.
    Held,
    /// It is not, and nothing was done.
    Lost,
}

/// Keeps leases, histories and rounds. Every implementation passes
/// [`testing::ledger_conformance`](crate::testing::ledger_conformance).
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Takes the fleet's lease for [`LEASE_FOR`] where it is free, ended [`CLOCK_SKEW_MAX`] ago,
    /// or already under `token`.
    async fn claim(&self, fleet: &str, token: &str, now: UnixSeconds) -> Result<Claim, PortError>;

    /// Lengthens the lease to [`LEASE_FOR`] from `now`; `None` where it is no longer under this
    /// token, be it taken over or given up since.
    async fn renew(&self, lease: &Lease, now: UnixSeconds) -> Result<Option<Lease>, PortError>;

    /// Gives the lease up, if it still is under this token.
    async fn release(&self, lease: &Lease) -> Result<(), PortError>;

    /// The fleet's history; the empty one where there is none, or none that this version can
    /// read.
    async fn history(&self, fleet: &str) -> Result<History, PortError>;

    /// Keeps `history` for the next round, if the lease still is under its token.
    async fn remember(&self, lease: &Lease, history: &History) -> Result<Standing, PortError>;

    /// Records a round; a later record of the same fleet and moment replaces it.
    async fn record(&self, round: &Round) -> Result<(), PortError>;

    /// The newest rounds of a fleet, newest first, at most `limit`.
    async fn rounds(&self, fleet: &str, limit: usize) -> Result<Vec<Round>, PortError>;
}

/// A [`Ledger`] in memory: for tests, simulations and dry runs.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    fleets: Mutex<BTreeMap<String, Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    lease: Option<Lease>,
    history: Option<History>,
    rounds: BTreeMap<String, Round>,
}

impl Kept {
    fn is_under(&self, token: &str) -> bool {
        self.lease.as_ref().is_some_and(|held| held.token == token)
    }
}

impl MemoryLedger {
    /// Lets `fleet` start from this history.
    pub fn start_from(&self, fleet: &str, history: History) {
        self.fleets().entry(fleet.to_owned()).or_default().history = Some(history);
    }

    fn fleets(&self) -> MutexGuard<'_, BTreeMap<String, Kept>> {
        self.fleets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn claim(&self, fleet: &str, token: &str, now: UnixSeconds) -> Result<Claim, PortError> {
        let mut fleets = self.fleets();
        let kept = fleets.entry(fleet.to_owned()).or_default();
        if let Some(held) = &kept.lease
            && held.token != token
            && held.until.0 + CLOCK_SKEW_MAX.0 >= now.0
        {
            return Ok(Claim::Taken { until: held.until });
        }
        let lease = Lease {
            fleet: fleet.to_owned(),
            token: token.to_owned(),
            until: UnixSeconds(now.0 + LEASE_FOR.0),
        };
        kept.lease = Some(lease.clone());
        Ok(Claim::Held(lease))
    }

    async fn renew(&self, lease: &Lease, now: UnixSeconds) -> Result<Option<Lease>, PortError> {
        let mut fleets = self.fleets();
        let kept = fleets.entry(lease.fleet.clone()).or_default();
        if !kept.is_under(&lease.token) {
            return Ok(None);
        }
        let renewed = Lease {
            until: UnixSeconds(now.0 + LEASE_FOR.0),
            ..lease.clone()
        };
        kept.lease = Some(renewed.clone());
        Ok(Some(renewed))
    }

    async fn release(&self, lease: &Lease) -> Result<(), PortError> {
        let mut fleets = self.fleets();
        let kept = fleets.entry(lease.fleet.clone()).or_default();
        if kept.is_under(&lease.token) {
            kept.lease = None;
        }
        Ok(())
    }

    async fn history(&self, fleet: &str) -> Result<History, PortError> {
        let fleets = self.fleets();
        let kept = fleets.get(fleet).and_then(|kept| kept.history.clone());
        Ok(kept.unwrap_or_default())
    }

    async fn remember(&self, lease: &Lease, history: &History) -> Result<Standing, PortError> {
        let mut fleets = self.fleets();
        let kept = fleets.entry(lease.fleet.clone()).or_default();
        if !kept.is_under(&lease.token) {
            return Ok(Standing::Lost);
        }
        kept.history = Some(history.clone());
        Ok(Standing::Held)
    }

    async fn record(&self, round: &Round) -> Result<(), PortError> {
        let mut fleets = self.fleets();
        let kept = fleets.entry(round.fleet.clone()).or_default();
        kept.rounds.insert(clock::rfc3339(round.at), round.clone());
        Ok(())
    }

    async fn rounds(&self, fleet: &str, limit: usize) -> Result<Vec<Round>, PortError> {
        let fleets = self.fleets();
        let rounds = fleets.get(fleet).map(|kept| &kept.rounds);
        Ok(rounds
            .into_iter()
            .flat_map(|rounds| rounds.values().rev())
            .take(limit)
            .cloned()
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[tokio::test]
    async fn the_ledger_in_memory_conforms() {
        testing::ledger_conformance(&MemoryLedger::default(), "conformance").await;
    }

    #[test]
    fn a_headcount_tells_idle_busy_and_silent_apart() {
        let roster = [
            testing::worker("i-idle", 0),
            testing::worker("i-busy", 2),
            testing::member("i-silent", Phase::InService),
            testing::member("i-pending", Phase::Pending),
            Member {
                phase: Phase::Terminating,
                ..testing::worker("i-leaving", 1)
            },
            testing::member("i-standby", Phase::Other),
        ];
        let each = Headcount {
            idle: 1,
            busy: 1,
            silent: 1,
            pending: 1,
            terminating: 1,
            other: 1,
        };
        assert_eq!(Headcount::of(&roster), each);
    }

    #[test]
    fn a_policys_hash_changes_with_what_it_means_and_only_then() {
        let policy = testing::policy("thumbnails");
        assert_eq!(policy_hash(&policy), policy_hash(&policy.clone()));
        let mut other = policy.clone();
        other.fleet.max.0 += 1;
        assert_ne!(policy_hash(&policy), policy_hash(&other));
    }
}
