//! The controller's request that this task leave, an item of the state table.
//!
//! Read as often as reports are written: the controller chose by what the last one said.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use weir_protocol::{REPORT_EVERY_SECONDS, keys};

use crate::aws::{CallError, call_error};
use crate::clock::Clock;
use crate::drain::{DrainCause, DrainSwitch};
use crate::report::Identity;

/// Where leave requests are.
#[async_trait]
pub trait Leave: Send + Sync {
    /// Whether this worker is asked to leave.
    async fn is_asked(&self, who: &Identity) -> Result<bool, CallError>;
}

/// Requests in the state table.
#[derive(Clone, Debug)]
pub struct DynamoLeave {
    client: Client,
    table: String,
}

impl DynamoLeave {
    /// Requests in `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self {
            client,
            table: table.into(),
        }
    }
}

#[async_trait]
impl Leave for DynamoLeave {
    async fn is_asked(&self, who: &Identity) -> Result<bool, CallError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(keys::PK, AttributeValue::S(keys::leave(&who.fleet)))
            .key(keys::SK, AttributeValue::S(who.instance_id.clone()))
            .send()
            .await
            .map_err(|error| call_error("GetItem", &format!("table {}", self.table), &error))?;
        Ok(answer.item().is_some())
    }
}

/// Looks until asked or told to stop; being asked begins the drain.
pub async fn watch(
    requests: impl Leave,
    who: Identity,
    drain: DrainSwitch,
    stop: CancellationToken,
) {
    let clock = Clock::system();
    let mut turn = tokio::time::interval(Duration::from_secs(REPORT_EVERY_SECONDS));
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = turn.tick() => {}
        }
        match requests.is_asked(&who).await {
            Ok(false) => {}
            Ok(true) => return drain.notice(DrainCause::Asked, clock.unix_seconds()),
            Err(error) => tracing::warn!(%error, "could not look for a request to leave"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::drain::DrainLimits;

    /// Asked from the look with this number on; the first one fails.
    struct AskedFrom(u32, AtomicU32);

    #[async_trait]
    impl Leave for AskedFrom {
        async fn is_asked(&self, _: &Identity) -> Result<bool, CallError> {
            let look = self.1.fetch_add(1, Ordering::Relaxed);
            if look == 0 {
                let what = "GetItem on table t: throttled".to_owned();
                return Err(CallError::Unavailable { what });
            }
            Ok(look >= self.0)
        }
    }

    fn who() -> Identity {
        Identity {
            instance_id: "t-1".into(),
            fleet: "f".into(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn being_asked_begins_a_drain_that_takes_as_long_as_it_takes() {
        let drain = DrainSwitch::new(DrainLimits::default());
        let start = tokio::time::Instant::now();
        let requests = AskedFrom(3, AtomicU32::new(0));
        watch(requests, who(), drain.clone(), CancellationToken::new()).await;
        let begun = drain.current().unwrap();
        assert_eq!((begun.cause, begun.deadline), (DrainCause::Asked, None));
        assert_eq!(start.elapsed().as_secs(), 30, "a look with each report");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_who_is_not_asked_leaves() {
        let drain = DrainSwitch::new(DrainLimits::default());
        let stop = CancellationToken::new();
        let looking = watch(
            AskedFrom(u32::MAX, AtomicU32::new(0)),
            who(),
            drain.clone(),
            stop,
        );
        let hour = Duration::from_hours(1);
        assert!(tokio::time::timeout(hour, looking).await.is_err());
        assert_eq!(drain.current(), None);
    }
}
