//! An instance as its group knows it.

use std::collections::BTreeMap;

use super::super::Time;
use super::super::ec2::TemplateSpec;
use super::hook::Action;

/// An instance of a group.
#[derive(Clone, Debug)]
pub struct Member {
    /// The instance's id.
    pub id: String,
    /// Its availability zone.
    pub zone: String,
    /// Such as `t3.small`.
    pub instance_type: String,
    /// What it was launched from.
    pub template: Option<TemplateSpec>,
    /// When it was launched.
    pub launched_at: Time,
    /// Protected from scale-in.
    pub protection: Protection,
    pub(super) health: Health,
    pub(super) phase: Phase,
    /// The activity under way: launch or termination.
    pub(super) activity: u64,
}

/// Whether scale-in may choose an instance ("Use instance scale-in protection").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protection {
    /// It may.
    #[default]
    Unprotected,
    /// It may not.
    Protected,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    Healthy,
    Unhealthy,
}

/// Where an instance stands in its life ("Amazon EC2 Auto Scaling instance lifecycle").
#[derive(Clone, Debug)]
pub(super) enum Phase {
    Booting {
        until: Time,
    },
    /// Held by launching hooks, by name.
    Coming {
        actions: BTreeMap<String, Action>,
    },
    InService,
    /// Held by terminating hooks, by name.
    Leaving {
        actions: BTreeMap<String, Action>,
    },
    ShuttingDown {
        until: Time,
        was: Held,
    },
    /// Dead, and its group has not noticed yet.
    Failed {
        noticed_at: Time,
    },
}

/// Whether a hook held the instance before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    ByHook,
    Never,
}

impl Member {
    /// The lifecycle state, as the API writes it.
    pub fn lifecycle_state(&self) -> &'static str {
        match &self.phase {
            Phase::Booting { .. } => "Pending",
            Phase::Coming { .. } => "Pending:Wait",
            Phase::InService | Phase::Failed { .. } => "InService",
            Phase::Leaving { .. } => "Terminating:Wait",
            Phase::ShuttingDown {
                was: Held::ByHook, ..
            } => "Terminating:Proceed",
            Phase::ShuttingDown {
                was: Held::Never, ..
            } => "Terminating",
        }
    }

    /// `Healthy` or `Unhealthy`, as the API writes it.
    pub fn health_status(&self) -> &'static str {
        match self.health {
            Health::Healthy => "Healthy",
            Health::Unhealthy => "Unhealthy",
        }
    }

    /// Whether the instance counts towards the desired capacity.
    pub fn is_active(&self) -> bool {
        !self.is_leaving()
    }

    /// Whether the instance is in service.
    pub fn is_in_service(&self) -> bool {
        matches!(self.phase, Phase::InService)
    }

    /// Whether the instance is on its way out.
    pub fn is_leaving(&self) -> bool {
        matches!(
            self.phase,
            Phase::Leaving { .. } | Phase::ShuttingDown { .. }
        )
    }

    /// When something happens to the instance by itself.
    pub(super) fn next_event_at(&self) -> Option<Time> {
        match &self.phase {
            Phase::Booting { until } | Phase::ShuttingDown { until, .. } => Some(*until),
            Phase::Failed { noticed_at } => Some(*noticed_at),
            Phase::Coming { actions } | Phase::Leaving { actions } => {
                actions.values().map(Action::due_at).min()
            }
            Phase::InService => None,
        }
    }

    pub(super) fn actions_mut(&mut self) -> Option<&mut BTreeMap<String, Action>> {
        match &mut self.phase {
            Phase::Coming { actions } | Phase::Leaving { actions } => Some(actions),
            _ => None,
        }
    }
}
