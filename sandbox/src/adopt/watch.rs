//! What is seen of the fleets while the jobs are done: sizes, protection, hooks that hold.
//!
//! It looks at the small cloud itself, never through its wire, and judges nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::deployment::{Deployment, Fleet};
use crate::cloud::autoscaling::Protection;
use crate::wire::SharedCloud;

/// What has been seen of each fleet, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    pub(super) fleets: BTreeMap<String, Seen>,
}

/// What has been seen of one fleet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// The size asked for, now.
    pub desired: usize,
    /// Members that are there or come, now.
    pub active: usize,
    /// Members that leave, now.
    pub leaving: usize,
    /// The least and the largest size asked for.
    pub desired_range: Option<(usize, usize)>,
    /// The most members in service at once.
    pub in_service_max: usize,
    /// Every instance there was.
    pub instances: BTreeSet<String>,
    /// Instances seen in service without protection.
    pub unprotected: BTreeSet<String>,
    /// Instances that a launching hook was seen to hold.
    pub held_coming: BTreeSet<String>,
    /// Instances that a terminating hook was seen to hold.
    pub held_leaving: BTreeSet<String>,
}

impl Watch {
    /// Looks once.
    pub(super) fn look(&mut self, deployment: &Deployment, cloud: &SharedCloud) {
        for fleet in &deployment.fleets {
            let seen = self.fleets.entry(fleet.name.clone()).or_default();
            seen.look(fleet, cloud);
        }
    }

    /// Whether every group is at its minimum, with nobody on the way in or out.
    pub(super) fn at_rest(&self, deployment: &Deployment) -> bool {
        deployment.fleets.iter().all(|fleet| {
            let (min, _) = fleet.bounds();
            let seen = self.fleets.get(&fleet.name);
            seen.is_some_and(|seen| seen.desired == min && seen.active == min && seen.leaving == 0)
        })
    }
}

impl Seen {
    fn look(&mut self, fleet: &Fleet, cloud: &SharedCloud) {
        cloud.look(|cloud, _| {
            let Ok(group) = cloud.autoscaling.group(&fleet.group.name) else {
                return;
            };
            self.desired = group.size.desired;
            let (least, most) = self.desired_range.unwrap_or((self.desired, self.desired));
            self.desired_range = Some((least.min(self.desired), most.max(self.desired)));
            self.active = group.active();
            self.leaving = group.members().len() - group.active();
            let in_service = group
                .members()
                .iter()
                .filter(|member| member.is_in_service());
            self.in_service_max = self.in_service_max.max(in_service.count());
            for member in group.members() {
                self.instances.insert(member.id.clone());
                let kept = match member.lifecycle_state() {
                    "Pending:Wait" => &mut self.held_coming,
                    "Terminating:Wait" => &mut self.held_leaving,
                    "InService" if member.protection == Protection::Unprotected => {
                        &mut self.unprotected
                    }
                    _ => continue,
                };
                kept.insert(member.id.clone());
            }
        });
    }
}
