//! One task and where it stands in its life.

use super::super::Time;

/// A task of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// 32 hexadecimal digits, the last part of its ARN.
    pub id: String,
    /// Its availability zone's letter.
    pub zone: String,
    /// What it was made of, as FAMILY:REVISION.
    pub task_definition: String,
    /// When it was created.
    pub created_at: Time,
    /// Where it stands.
    pub status: Status,
    /// Until when it is protected from scale-in.
    pub protected_until: Option<Time>,
}

/// Where a task stands ("Amazon ECS task lifecycle"), as far as it is played here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The image is pulled, the network made.
    Pending {
        /// When it runs.
        until: Time,
    },
    /// Its program runs.
    Running {
        /// Since when.
        since: Time,
    },
    /// It was stopped, or its program ended.
    Stopped {
        /// When.
        at: Time,
    },
}

impl Task {
    /// The service counts it: its desired status is `RUNNING`.
    pub fn is_wanted(&self) -> bool {
        !matches!(self.status, Status::Stopped { .. })
    }

    /// Its program runs.
    pub fn is_running(&self) -> bool {
        matches!(self.status, Status::Running { .. })
    }

    /// No scale-in ends it now.
    pub fn is_protected(&self, now: Time) -> bool {
        self.protected_until.is_some_and(|until| until > now)
    }
}
