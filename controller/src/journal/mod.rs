//! What a controller keeps between rounds: the [`Round`]s it ran, the lease that says which
//! controller may act, and the history.
//!
//! This module owns the record's shape and the [`Ledger`] trait with its in-memory
//! implementation; the one in DynamoDB is in `aws`. It must not run rounds: that is `drive`'s.

mod lease;
mod ledger;
mod memory;

use serde::{Deserialize, Deserializer, Serialize};

use crate::decide::History;
use crate::model::{Member, Observation, Phase, UnixSeconds};
use crate::policy::Policy;
use crate::ports::Plan;

pub use self::lease::{CLOCK_SKEW_MAX, Claim, LEASE_FOR, Lease, Standing};
pub use self::ledger::{
    Carried, Ledger, ROUNDS_KEPT_FOR, Reading, SNAPSHOT_EVERY, Snapshot, Stamp,
};
pub use self::memory::MemoryLedger;

/// The controller's version, as rounds carry it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// One round, so recorded that it can be replayed: `decide(policy, observation, history)` must
/// give the verdict again. Of the history it carries the fingerprints alone; the history itself
/// is in a [`Snapshot`] now and then, and what lies between is decided anew.
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
    /// [`fingerprint`] of the history that the round started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history_from: Option<String>,
    /// [`fingerprint`] of the history that it handed on; `None` where it handed on none, and the
    /// next round starts from the same as this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history_to: Option<String>,
    /// The history that the round started from: in rows of before there were snapshots. `None`
    /// where this version cannot read it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "if_readable"
    )]
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
            version: VERSION.to_owned(),
            history_from: None,
            history_to: None,
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
        !stood_by && (!failed_at_lease || self.history_from.is_some())
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

/// A history in a shape of another version is as good as none; the row's other parts stand.
fn if_readable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<History>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

/// Sixteen hex digits that change when what the policy means changes. For telling policies apart
/// in the journal, not against forgery.
pub fn policy_hash(policy: &Policy) -> String {
    fnv_1a(&format!("{policy:?}"))
}

/// Sixteen hex digits that differ for histories that differ as JSON.
pub fn fingerprint(history: &History) -> String {
    let json = serde_json::to_string(history).expect("invariant: a history has string keys");
    fnv_1a(&json)
}

/// Fowler, Noll and Vo's hash, variant 1a, 64 bits.
fn fnv_1a(text: &str) -> String {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let hash = text.bytes().fold(OFFSET, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    });
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

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
