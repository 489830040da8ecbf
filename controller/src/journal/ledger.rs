//! The [`Ledger`]: what is kept between rounds, and the one way to it.
//!
//! Owns the trait and the shapes that it trades in. It must not run rounds, and knows no store.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Claim, Lease, Round, Standing};
use crate::decide::History;
use crate::model::{Seconds, UnixSeconds};
use crate::ports::PortError;

/// Rounds and snapshots are kept at least this long: two weeks show the same weekday twice.
pub const ROUNDS_KEPT_FOR: Seconds = Seconds(14.0 * 86_400.0);

/// A snapshot of the history is taken this often. A replay begins at one, so on average it runs
/// through half as much before it comes to what was asked for, some thirty rounds; and a history
/// of 100 KB, written so seldom, costs less than the rounds' own rows of 2 KB.
pub const SNAPSHOT_EVERY: Seconds = Seconds(900.0);

/// What is carried from round to round.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Carried {
    /// The history.
    pub history: History,
    /// When its last snapshot was taken; none where there is none yet.
    pub snapshot: Option<Stamp>,
}

/// Says of a snapshot when it was taken, and by whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stamp {
    /// The round after which it was taken.
    pub at: UnixSeconds,
    /// That round's policy, see [`policy_hash`](super::policy_hash).
    pub policy_hash: String,
    /// That round's version of the controller.
    pub version: String,
}

impl Stamp {
    /// The stamp of a snapshot that is taken after `round`.
    pub fn of(round: &Round) -> Self {
        Self {
            at: round.at,
            policy_hash: round.policy_hash.clone(),
            version: round.version.clone(),
        }
    }

    /// Whether it still serves rounds of this policy and version: a replay cannot pass from
    /// another's rounds to theirs. A snapshot of the future is by a clock that was wrong.
    pub fn serves(&self, round: &Round) -> bool {
        self.policy_hash == round.policy_hash
            && self.version == round.version
            && (0.0..SNAPSHOT_EVERY.0).contains(&(round.at.0 - self.at.0))
    }
}

/// The history as it was handed on by one round, for replays to begin at.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The round that handed it on.
    pub at: UnixSeconds,
    /// The history.
    pub history: History,
}

/// Which rounds to read, and in which order. Moments count to the millisecond.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reading {
    /// Newest first, from the newest.
    Newest,
    /// Newest first, those before this moment.
    Before(UnixSeconds),
    /// Oldest first, those after this moment.
    After(UnixSeconds),
}

/// Keeps leases, histories and rounds. Every implementation passes
/// [`testing::ledger_conformance`](crate::testing::ledger_conformance).
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Takes the fleet's lease for [`LEASE_FOR`](super::LEASE_FOR) where it is free, ended
    /// [`CLOCK_SKEW_MAX`](super::CLOCK_SKEW_MAX) ago, or already under `token`.
    async fn claim(&self, fleet: &str, token: &str, now: UnixSeconds) -> Result<Claim, PortError>;

    /// Lengthens the lease to [`LEASE_FOR`](super::LEASE_FOR) from `now`; `None` where it is no
    /// longer under this token, be it taken over or given up since.
    async fn renew(&self, lease: &Lease, now: UnixSeconds) -> Result<Option<Lease>, PortError>;

    /// Gives the lease up, if it still is under this token.
    async fn release(&self, lease: &Lease) -> Result<(), PortError>;

    /// What the fleet's last round handed on; the empty history where there is none, or none that
    /// this version can read.
    async fn carried(&self, fleet: &str) -> Result<Carried, PortError>;

    /// Hands `carried` on to the next round, if the lease still is under its token.
    async fn remember(&self, lease: &Lease, carried: &Carried) -> Result<Standing, PortError>;

    /// Keeps a snapshot for [`ROUNDS_KEPT_FOR`]; a later one of the same moment replaces it.
    async fn keep_snapshot(&self, fleet: &str, snapshot: &Snapshot) -> Result<(), PortError>;

    /// The newest snapshot from before this moment; none where there is none, or none that this
    /// version can read.
    async fn snapshot(
        &self,
        fleet: &str,
        before: UnixSeconds,
    ) -> Result<Option<Snapshot>, PortError>;

    /// Records a round for [`ROUNDS_KEPT_FOR`]; a later record of the same fleet and moment
    /// replaces it.
    async fn record(&self, round: &Round) -> Result<(), PortError>;

    /// A page of a fleet's rounds, at most `limit`. Fewer are all there are; the next page is
    /// that from the last one's moment. What this version cannot read is left out.
    async fn rounds(
        &self,
        fleet: &str,
        reading: Reading,
        limit: usize,
    ) -> Result<Vec<Round>, PortError>;
}
