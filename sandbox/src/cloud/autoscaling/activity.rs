//! Scaling activities: what a group did, and why.

use std::collections::VecDeque;

use super::super::Time;

/// Activities kept of a group; AWS keeps six weeks.
const KEPT: usize = 2_000;

/// One thing that a group did.
#[derive(Clone, Debug)]
pub struct Activity {
    /// A UUID.
    pub id: String,
    /// What is being done.
    pub description: String,
    /// Why.
    pub cause: String,
    /// When it began.
    pub started_at: Time,
    /// When it ended, if it did.
    pub ended_at: Option<Time>,
    /// How it stands.
    pub status: ActivityStatus,
    /// What went wrong.
    pub status_message: Option<String>,
    number: u64,
}

/// How an activity stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivityStatus {
    /// Under way.
    InProgress,
    /// Done.
    Successful,
    /// Not done.
    Failed,
    /// Given up.
    Cancelled,
}

/// A group's activities, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Activities {
    log: VecDeque<Activity>,
    next: u64,
}

/// An activity to be noted.
pub(super) struct NewActivity {
    pub(super) id: String,
    pub(super) description: String,
    pub(super) cause: String,
}

impl ActivityStatus {
    /// As the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::InProgress => "InProgress",
            Self::Successful => "Successful",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        }
    }

    /// Percent done, as far as it is known.
    pub fn progress(self) -> u8 {
        if self == Self::InProgress { 50 } else { 100 }
    }
}

impl Activities {
    /// Newest first, as `DescribeScalingActivities` gives them.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = &Activity> {
        self.log.iter().rev()
    }

    /// Notes an activity that begins; its number finds it again.
    pub(super) fn begin(&mut self, now: Time, new: NewActivity) -> u64 {
        self.next += 1;
        self.log.push_back(Activity {
            id: new.id,
            description: new.description,
            cause: new.cause,
            started_at: now,
            ended_at: None,
            status: ActivityStatus::InProgress,
            status_message: None,
            number: self.next,
        });
        if self.log.len() > KEPT {
            self.log.pop_front();
        }
        self.next
    }

    pub(super) fn get(&self, number: u64) -> Option<&Activity> {
        let at = self
            .log
            .binary_search_by_key(&number, |activity| activity.number);
        at.ok().and_then(|at| self.log.get(at))
    }

    /// Ends the activity, with a message when it did not succeed.
    pub(super) fn end(&mut self, now: Time, number: u64, outcome: Result<(), String>) {
        let at = self
            .log
            .binary_search_by_key(&number, |activity| activity.number);
        if let Some(activity) = at.ok().and_then(|at| self.log.get_mut(at)) {
            activity.ended_at = Some(now);
            activity.status = match outcome {
                Ok(()) => ActivityStatus::Successful,
                Err(_) => ActivityStatus::Failed,
            };
            activity.status_message = outcome.err();
        }
    }

    pub(super) fn cancel(&mut self, now: Time, number: u64, why: &str) {
        self.end(now, number, Err(why.into()));
        let at = self
            .log
            .binary_search_by_key(&number, |activity| activity.number);
        if let Some(activity) = at.ok().and_then(|at| self.log.get_mut(at)) {
            activity.status = ActivityStatus::Cancelled;
        }
    }
}
