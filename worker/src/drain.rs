//! When a leaving worker must be gone: causes, deadlines, and how a second notice changes them.
//!
//! Pure but for the switch that carries the answer to the tasks: `now` is an argument. What is done
//! about it is [`crate::service`]'s affair.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// A spot instance is taken two minutes after its notice (EC2 User Guide, "Spot Instance
/// interruption notices"); ten seconds are left for the last calls.
pub const SPOT_DEADLINE: Duration = Duration::from_secs(110);

/// How long before a known end everything must be handed back.
const SPOT_MARGIN_SECONDS: f64 = 10.0;

/// Why a worker leaves.
#[derive(Clone, Debug, PartialEq)]
pub enum DrainCause {
    /// SIGTERM or Ctrl-C.
    Signal,
    /// The group moves the instance out of service; the word is its target lifecycle state.
    Lifecycle(String),
    /// The controller asks an ECS task to leave.
    Asked,
    /// EC2 takes the spot instance back.
    SpotNotice {
        /// When, Unix seconds, if the notice said so.
        at: Option<f64>,
    },
    /// EC2 expects to take it soon.
    Rebalance,
}

impl std::fmt::Display for DrainCause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Signal => f.write_str("a signal to stop"),
            Self::Lifecycle(state) => write!(f, "target lifecycle state {state}"),
            Self::Asked => f.write_str("a request to leave"),
            Self::SpotNotice { .. } => f.write_str("a spot interruption notice"),
            Self::Rebalance => f.write_str("a rebalance recommendation"),
        }
    }
}

/// How long running jobs may go on, by cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainLimits {
    /// After a signal.
    pub signal: Duration,
    /// After a spot notice or a rebalance recommendation.
    pub spot: Duration,
    /// After a lifecycle transition or a request to leave; `None`: as long as it takes, the hook or
    /// the task's protection being kept alive.
    pub lifecycle: Option<Duration>,
}

impl Default for DrainLimits {
    fn default() -> Self {
        Self {
            signal: SPOT_DEADLINE,
            spot: SPOT_DEADLINE,
            lifecycle: None,
        }
    }
}

/// A drain under way.
#[derive(Clone, Debug, PartialEq)]
pub struct Drain {
    /// What began it.
    pub cause: DrainCause,
    /// When running jobs are cut short, Unix seconds; `None`: never.
    pub deadline: Option<f64>,
}

/// The drain after `cause` was noticed at `now`, `under_way` being what was known before. A later
/// notice can only bring the deadline nearer; the same one again changes nothing.
pub fn noticed(
    under_way: Option<&Drain>,
    cause: DrainCause,
    limits: &DrainLimits,
    now: f64,
) -> Drain {
    let from_now = |limit: Duration| Some(now + limit.as_secs_f64());
    let asked = match &cause {
        DrainCause::Signal => from_now(limits.signal),
        DrainCause::Rebalance => from_now(limits.spot),
        DrainCause::Lifecycle(_) | DrainCause::Asked => limits.lifecycle.and_then(from_now),
        DrainCause::SpotNotice { at } => {
            let end = at.map_or(f64::INFINITY, |at| at - SPOT_MARGIN_SECONDS);
            from_now(limits.spot).map(|deadline| deadline.min(end))
        }
    };
    match under_way {
        None => Drain {
            cause,
            deadline: asked,
        },
        Some(drain) => Drain {
            cause: drain.cause.clone(),
            deadline: match (drain.deadline, asked) {
                (Some(known), Some(asked)) => Some(known.min(asked)),
                (known, asked) => known.or(asked),
            },
        },
    }
}

/// Tells every task of a worker that it is leaving. Cloned freely.
#[derive(Clone, Debug)]
pub struct DrainSwitch {
    state: Arc<watch::Sender<Option<Drain>>>,
    limits: DrainLimits,
}

impl DrainSwitch {
    /// A switch that is off.
    pub fn new(limits: DrainLimits) -> Self {
        Self {
            state: Arc::new(watch::Sender::new(None)),
            limits,
        }
    }

    /// Begins the drain, or brings its deadline nearer.
    pub fn notice(&self, cause: DrainCause, now: f64) {
        self.state.send_if_modified(|state| {
            let drain = noticed(state.as_ref(), cause, &self.limits, now);
            let changed = state.as_ref() != Some(&drain);
            if changed {
                tracing::info!(cause = %drain.cause, deadline = drain.deadline, "draining");
                *state = Some(drain);
            }
            changed
        });
    }

    /// The drain under way, if any.
    pub fn current(&self) -> Option<Drain> {
        self.state.borrow().clone()
    }

    /// Follows the drain.
    pub fn watch(&self) -> watch::Receiver<Option<Drain>> {
        self.state.subscribe()
    }

    /// Waits until a drain begins.
    pub async fn begun(&self) {
        // The sender lives as long as `self`, so the wait cannot fail.
        let _ = self.watch().wait_for(Option::is_some).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(causes: &[(DrainCause, f64)]) -> Drain {
        let limits = DrainLimits::default();
        let fold = |drain: Option<Drain>, (cause, now): &(DrainCause, f64)| {
            Some(noticed(drain.as_ref(), cause.clone(), &limits, *now))
        };
        causes.iter().fold(None, fold).unwrap()
    }

    #[test]
    fn second_signal_does_not_move_the_deadline() {
        let drain = sequence(&[(DrainCause::Signal, 100.0), (DrainCause::Signal, 150.0)]);
        assert_eq!(drain.deadline, Some(210.0));
    }

    #[test]
    fn lifecycle_has_no_deadline_until_spot_brings_one() {
        let leaving = (DrainCause::Lifecycle("Terminated".into()), 100.0);
        assert_eq!(sequence(std::slice::from_ref(&leaving)).deadline, None);
        let spot = (DrainCause::SpotNotice { at: None }, 200.0);
        let drain = sequence(&[leaving.clone(), spot]);
        assert_eq!((drain.deadline, drain.cause), (Some(310.0), leaving.0));
    }

    #[test]
    fn spot_notice_ends_before_the_time_it_names() {
        let drain = sequence(&[(DrainCause::SpotNotice { at: Some(160.0) }, 100.0)]);
        assert_eq!(drain.deadline, Some(150.0));
    }
}
