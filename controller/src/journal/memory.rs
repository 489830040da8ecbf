//! A [`Ledger`] in memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{
    CLOCK_SKEW_MAX, Carried, Claim, LEASE_FOR, Lease, Ledger, Reading, Round, Snapshot, Standing,
};
use crate::clock::rfc3339;
use crate::model::{Seconds, UnixSeconds};
use crate::ports::PortError;

/// A dry run may go on for weeks: it keeps a day, some 20 MB a fleet.
const KEPT_FOR: Seconds = Seconds(86_400.0);

/// A [`Ledger`] in memory: for tests, simulations and dry runs. Keeps the rounds of a day.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    fleets: Mutex<BTreeMap<String, Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    lease: Option<Lease>,
    carried: Carried,
    snapshots: BTreeMap<String, Snapshot>,
    rounds: BTreeMap<String, Round>,
}

impl Kept {
    fn is_under(&self, token: &str) -> bool {
        self.lease.as_ref().is_some_and(|held| held.token == token)
    }
}

impl MemoryLedger {
    /// Lets `fleet` start from what another ledger carries.
    pub fn start_from(&self, fleet: &str, carried: Carried) {
        self.fleets().entry(fleet.to_owned()).or_default().carried = carried;
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

    async fn carried(&self, fleet: &str) -> Result<Carried, PortError> {
        let fleets = self.fleets();
        let kept = fleets.get(fleet).map(|kept| kept.carried.clone());
        Ok(kept.unwrap_or_default())
    }

    async fn remember(&self, lease: &Lease, carried: &Carried) -> Result<Standing, PortError> {
        let mut fleets = self.fleets();
        let kept = fleets.entry(lease.fleet.clone()).or_default();
        if !kept.is_under(&lease.token) {
            return Ok(Standing::Lost);
        }
        kept.carried = carried.clone();
        Ok(Standing::Held)
    }

    async fn keep_snapshot(&self, fleet: &str, snapshot: &Snapshot) -> Result<(), PortError> {
        let mut fleets = self.fleets();
        let snapshots = &mut fleets.entry(fleet.to_owned()).or_default().snapshots;
        snapshots.insert(rfc3339(snapshot.at), snapshot.clone());
        forget_before(snapshots, UnixSeconds(snapshot.at.0 - KEPT_FOR.0));
        Ok(())
    }

    async fn snapshot(
        &self,
        fleet: &str,
        before: UnixSeconds,
    ) -> Result<Option<Snapshot>, PortError> {
        let fleets = self.fleets();
        let kept = fleets.get(fleet);
        Ok(kept.and_then(|kept| {
            let earlier = kept.snapshots.range(..rfc3339(before));
            earlier.last().map(|(_, snapshot)| snapshot.clone())
        }))
    }

    async fn record(&self, round: &Round) -> Result<(), PortError> {
        let mut fleets = self.fleets();
        let rounds = &mut fleets.entry(round.fleet.clone()).or_default().rounds;
        rounds.insert(rfc3339(round.at), round.clone());
        forget_before(rounds, UnixSeconds(round.at.0 - KEPT_FOR.0));
        Ok(())
    }

    async fn rounds(
        &self,
        fleet: &str,
        reading: Reading,
        limit: usize,
    ) -> Result<Vec<Round>, PortError> {
        let fleets = self.fleets();
        let Some(kept) = fleets.get(fleet) else {
            return Ok(Vec::new());
        };
        let rounds: Vec<&Round> = match reading {
            Reading::Newest => kept.rounds.values().rev().take(limit).collect(),
            Reading::Before(at) => {
                let earlier = kept.rounds.range(..rfc3339(at)).rev();
                earlier.take(limit).map(|(_, round)| round).collect()
            }
            Reading::After(at) => {
                let later = (Bound::Excluded(rfc3339(at)), Bound::Unbounded);
                let later = kept.rounds.range(later);
                later.take(limit).map(|(_, round)| round).collect()
            }
        };
        Ok(rounds.into_iter().cloned().collect())
    }
}

fn forget_before<T>(kept: &mut BTreeMap<String, T>, moment: UnixSeconds) {
    let later = kept.split_off(&rfc3339(moment));
    *kept = later;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[tokio::test]
    async fn the_ledger_in_memory_conforms() {
        testing::ledger_conformance(&MemoryLedger::default(), "conformance").await;
    }

    #[tokio::test]
    async fn a_long_dry_run_keeps_a_day() {
        let ledger = MemoryLedger::default();
        let policy = testing::policy("thumbnails");
        for hour in 0..72 {
            let at = UnixSeconds(testing::START.0 + f64::from(hour) * 3600.0);
            ledger.record(&Round::begin(&policy, at)).await.unwrap();
        }
        let all = ledger.rounds("thumbnails", Reading::Newest, 1000).await;
        assert_eq!(all.unwrap().len(), 25);
    }
}
