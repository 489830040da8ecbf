//! First stage: is the observation to be believed?
//!
//! Owns what doubt is. Doubt never shrinks a fleet: it holds, with its reason. It must not guess
//! a number that is missing.

use super::balance;
use super::history::{Backwards, History};
use crate::model::{
    FleetObservation, Instances, Messages, Observation, QueueObservation, UnixSeconds,
    WorkersObservation,
};
use crate::policy::{Policy, Queue};
use crate::reason::Doubt;

/// So many observations in a row, each later than the one before, that all lie before the last
/// believed one: then that one was wrong, or the clock was put right.
const BACKWARDS_MAX: u32 = 3;
/// SQS has been seen to count one or two messages on a queue that never held any.
const MISCOUNT_MAX: u64 = 2;

/// An observation whose needed numbers are all known.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) at: f64,
    /// In the policy's order.
    pub(super) queues: Vec<QueueSeen>,
    /// Summed over the policy's queues, as the other counts.
    pub(super) visible: u64,
    pub(super) in_flight: u64,
    pub(super) delayed: u64,
    pub(super) desired: u32,
    pub(super) in_service: u32,
    pub(super) pending: u32,
    pub(super) terminating: u32,
    pub(super) workers: WorkersObservation,
}

/// What is known of one queue.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct QueueSeen {
    pub(super) visible: u64,
    pub(super) in_flight: u64,
    pub(super) delayed: u64,
    /// Of the oldest message that is not deleted, one that runs included.
    pub(super) oldest_age: Option<f64>,
}

impl QueueSeen {
    /// What waits or runs. A delayed message has not arrived yet: nobody can start it.
    pub(super) fn present(&self) -> f64 {
        self.visible as f64 + self.in_flight as f64
    }
}

/// Why an observation is not believed, and its time if that at least is good.
#[derive(Debug)]
pub(super) struct Unbelieved {
    pub(super) reason: Doubt,
    pub(super) at: Option<f64>,
}

impl Seen {
    /// Instances there are or that boot.
    pub(super) fn launched(&self) -> u32 {
        self.in_service.saturating_add(self.pending)
    }
}

/// The observation with every needed number known, or why not.
pub(super) fn trust(
    policy: &Policy,
    observation: &Observation,
    history: &mut History,
) -> Result<Seen, Unbelieved> {
    let wanted = present(observation).map(Instances);
    let at = time(observation.at, wanted, history)?;
    let doubt = |reason| Unbelieved {
        reason,
        at: Some(at),
    };
    let mut seen = known_fleet(observation, wanted).map_err(doubt)?;
    seen.at = at;
    for queue in &policy.queues {
        let found = observed(policy, queue, observation);
        add_queue(&mut seen, queue, found, wanted).map_err(doubt)?;
    }
    confirm(&seen, history).map_err(doubt)?;
    balance::confirm_falls(policy, &seen, history).map_err(doubt)?;
    Ok(seen)
}

/// The size a hold keeps: the desired capacity, else what there is.
pub(super) fn present(observation: &Observation) -> Option<u32> {
    let FleetObservation {
        desired,
        in_service,
        pending,
        ..
    } = observation.fleet;
    desired
        .map(|n| n.0)
        .or_else(|| Some(in_service?.0.saturating_add(pending?.0)))
}

/// (visible + in flight) / instances, where all of it is known and there are instances.
pub(super) fn backlog_per_instance(policy: &Policy, observation: &Observation) -> Option<f64> {
    let FleetObservation {
        desired,
        in_service,
        pending,
        ..
    } = observation.fleet;
    let launched = in_service
        .zip(pending)
        .map(|(up, coming)| up.0.saturating_add(coming.0));
    let instances = launched.or(desired.map(|n| n.0)).filter(|n| *n > 0)?;
    let mut backlog = 0.0;
    for queue in &policy.queues {
        let queue = observed(policy, queue, observation)?;
        backlog += queue.visible?.0 as f64 + queue.in_flight?.0 as f64;
    }
    Some(backlog / f64::from(instances))
}

/// The queue's observation by name; a single queue needs none.
fn observed<'o>(
    policy: &Policy,
    queue: &Queue,
    observation: &'o Observation,
) -> Option<&'o QueueObservation> {
    match observation.queues.as_slice() {
        [only] if only.name.is_empty() && policy.queues.len() == 1 => Some(only),
        queues => queues.iter().find(|seen| seen.name == queue.name),
    }
}

/// Time must be a number and run forward. A clock that was put back is believed after three
/// observations that agree with each other.
fn time(
    at: UnixSeconds,
    wanted: Option<Instances>,
    history: &mut History,
) -> Result<f64, Unbelieved> {
    let at = at.0;
    // Beyond that, floats cannot tell seconds apart.
    if !at.is_finite() || at.abs() > 1e12 {
        return Err(Unbelieved {
            reason: Doubt::TimeUnknown { wanted },
            at: None,
        });
    }
    let Some(last) = history.last.filter(|last| at < last.at) else {
        return Ok(at);
    };
    let count = match history.backwards {
        Some(before) if at > before.at => before.count.saturating_add(1),
        _ => 1,
    };
    if count >= BACKWARDS_MAX {
        history.forget_times();
        return Ok(at);
    }
    history.backwards = Some(Backwards { at, count });
    let reason = Doubt::TimeBackwards {
        wanted,
        behind_seconds: last.at - at,
    };
    Err(Unbelieved { reason, at: None })
}

fn known_fleet(observation: &Observation, wanted: Option<Instances>) -> Result<Seen, Doubt> {
    let fleet = observation.fleet;
    let (Some(desired), Some(in_service), Some(pending)) =
        (fleet.desired, fleet.in_service, fleet.pending)
    else {
        let numbers = [
            ("desired", fleet.desired),
            ("in_service", fleet.in_service),
            ("pending", fleet.pending),
        ];
        let unknown = numbers
            .iter()
            .filter(|(_, n)| n.is_none())
            .map(|(name, _)| *name)
            .collect();
        return Err(Doubt::FleetUnknown { wanted, unknown });
    };
    Ok(Seen {
        desired: desired.0,
        in_service: in_service.0,
        pending: pending.0,
        terminating: fleet.terminating.map_or(0, |n| n.0),
        workers: observation.workers.unwrap_or_default(),
        ..Seen::default()
    })
}

fn add_queue(
    seen: &mut Seen,
    queue: &Queue,
    found: Option<&QueueObservation>,
    wanted: Option<Instances>,
) -> Result<(), Doubt> {
    let visible = found.and_then(|q| q.visible);
    let in_flight = found.and_then(|q| q.in_flight);
    let (Some(visible), Some(in_flight)) = (visible, in_flight) else {
        let numbers = [("visible", visible), ("in_flight", in_flight)];
        let unknown = numbers
            .iter()
            .filter(|(_, n)| n.is_none())
            .map(|(name, _)| *name)
            .collect();
        return Err(Doubt::QueueUnknown {
            wanted,
            queue: queue.name.clone(),
            unknown,
        });
    };
    let queue = QueueSeen {
        visible: visible.0,
        in_flight: in_flight.0,
        delayed: found.and_then(|q| q.delayed).map_or(0, |n| n.0),
        oldest_age: found
            .and_then(|q| q.oldest_age_seconds)
            .filter(|age| age.is_finite() && *age >= 0.0),
    };
    seen.visible = seen.visible.saturating_add(queue.visible);
    seen.in_flight = seen.in_flight.saturating_add(queue.in_flight);
    seen.delayed = seen.delayed.saturating_add(queue.delayed);
    seen.queues.push(queue);
    Ok(())
}

/// A message or two does not wake a fleet from zero before a second look, unless an age says that
/// something really waits.
fn confirm(seen: &Seen, history: &mut History) -> Result<(), Doubt> {
    let asleep = seen.desired == 0 && seen.launched() == 0;
    let doubtful = asleep
        && (1..=MISCOUNT_MAX).contains(&seen.visible)
        && seen
            .queues
            .iter()
            .all(|queue| queue.oldest_age.is_none_or(|age| age <= 0.0));
    if !doubtful {
        return Ok(());
    }
    match history.waiting_since {
        Some(since) if since < seen.at => Ok(()),
        _ => {
            history.waiting_since = Some(seen.at);
            history.empty_reads = 0;
            let visible = Messages(seen.visible);
            Err(Doubt::Unconfirmed {
                wanted: Instances(0),
                visible,
            })
        }
    }
}
