//! Capacity that was asked for and does not come.
//!
//! Owns the breaker: once nothing has come for several boots, more is not asked for, or desired
//! would climb to the fleet's max while the group cannot launch what it already owes. The group
//! itself goes on trying for all of it, so nothing is lost by waiting. The breaker only ever stops
//! growth: what is outstanding stays asked for, and whether it is still wanted is demand's affair.

use serde::{Deserialize, Serialize};

use crate::model::Instances;
use crate::reason::Limit;

/// Boots without any arrival. A boot time that was guessed a third of the true one must not look
/// like a shortage; once boots are measured, three of them are.
const BOOTS: f64 = 3.0;
/// Looks on top of that: asking, launching and being counted are each seen a look late.
const LOOKS: f64 = 3.0;
/// The group takes a moment of its own before it launches.
const LAUNCH_SECONDS: f64 = 60.0;
/// However short a boot is said to be, EC2 is given so long.
const PATIENCE_MIN: f64 = 300.0;
/// One more instance is tried after as long again, then after twice that, and so on up to this.
const RETRY_MAX: f64 = 3600.0;

/// What is remembered of capacity that does not come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Shortage {
    /// The last look, and what was in service then.
    at: f64,
    running: u32,
    /// Since when more has been asked for than runs and nothing has come.
    since: Option<f64>,
    /// Set while growth is stopped.
    open: Option<Open>,
}

/// An open breaker.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Open {
    /// Once so many run, everything has come that was asked for before.
    goal: u32,
    /// Instances that may be outstanding: those that were, and the ones tried since.
    outstanding: u32,
    /// When one more is tried, and how long it is waited after that.
    retry_at: f64,
    wait: f64,
}

/// What the breaker is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) at: f64,
    /// The group's desired capacity.
    pub(super) present: u32,
    /// Instances in service.
    pub(super) running: u32,
    pub(super) wanted: u32,
    /// Seconds from launch to the first job.
    pub(super) boot: f64,
    /// Seconds between looks.
    pub(super) interval: f64,
}

/// Fewer are to be asked for than are wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Short {
    /// At least the present size, and below what is wanted.
    pub(super) allowed: u32,
    running: u32,
    outstanding: u32,
    for_seconds: f64,
    retry_seconds: f64,
}

impl Short {
    /// Why, where `allowed` is what is asked for in the end.
    pub(super) fn reason(&self, wanted: u32, allowed: u32) -> Limit {
        Limit::CapacityShort {
            wanted: Instances(wanted),
            allowed: Instances(allowed),
            running: Instances(self.running),
            outstanding: Instances(self.outstanding),
            for_seconds: self.for_seconds,
            retry_seconds: self.retry_seconds,
        }
    }
}

/// Takes the look in; none where all that is wanted may be asked for.
pub(super) fn breaker(asked: &Asked, state: &mut Shortage) -> Option<Short> {
    let patience = patience(asked);
    *state = look(asked, patience, state);
    let since = state.since?;
    let open = state.open.as_mut()?;
    let outstanding = asked.present.saturating_sub(asked.running);
    let most = outstanding.max(open.outstanding);
    if asked.wanted > asked.running.saturating_add(most) && asked.at >= open.retry_at {
        open.outstanding = most.saturating_add(1);
        open.wait = (2.0 * open.wait).min(RETRY_MAX.max(patience));
        open.retry_at = asked.at + open.wait;
    }
    let most = outstanding.max(open.outstanding);
    let allowed = asked.running.saturating_add(most);
    (asked.wanted > allowed).then_some(Short {
        allowed,
        running: asked.running,
        outstanding,
        for_seconds: asked.at - since,
        retry_seconds: open.retry_at - asked.at,
    })
}

/// How long nothing may come before it is a shortage.
fn patience(asked: &Asked) -> f64 {
    (BOOTS * asked.boot + LOOKS * asked.interval + LAUNCH_SECONDS).max(PATIENCE_MIN)
}

/// The state after this look. A pause longer than the patience, or a clock put back, says nothing
/// of what came meanwhile: the watch begins anew.
fn look(asked: &Asked, patience: f64, before: &Shortage) -> Shortage {
    let Asked {
        at,
        present,
        running,
        ..
    } = *asked;
    let mut after = Shortage {
        at,
        running,
        ..Shortage::default()
    };
    if running >= present {
        return after;
    }
    let watched = (0.0..=patience).contains(&(at - before.at));
    let came = running > before.running;
    let since = before.since.filter(|_| watched && !came).unwrap_or(at);
    after.since = Some(since);
    after.open = before.open.filter(|open| watched && running < open.goal);
    if let Some(open) = after.open.as_mut().filter(|_| came) {
        // As many more may be asked for as came; the tries begin anew.
        open.wait = patience;
        open.retry_at = at + patience;
    }
    if after.open.is_none() && at - since >= patience {
        after.open = Some(Open {
            goal: present,
            outstanding: present - running,
            retry_at: at + patience,
            wait: patience,
        });
    }
    after
}

#[cfg(test)]
mod tests;
