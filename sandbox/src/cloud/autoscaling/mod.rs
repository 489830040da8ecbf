//! Auto Scaling: groups, the life of their instances, and the hooks that hold them.
//!
//! Owns when an instance comes and goes; what EC2 knows of it is `ec2`'s. It starts no process: an
//! [`Event`] tells whoever does.

mod actions;
mod activity;
mod group;
mod hook;
mod member;
mod policy;
mod reconcile;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

pub use self::actions::ActionRef;
pub use self::activity::{Activity, ActivityStatus};
pub use self::group::{Group, GroupChange, GroupSettings, GroupTag, MixedInstances, Size};
pub use self::hook::{ActionResult, Hook, HookChange, Notification, Transition};
pub use self::member::{Member, Protection};
pub use self::policy::{ScalingPolicy, TargetTracking, TrackedMetric};
use self::reconcile::Scene;
use super::ec2::{Ec2, Instance, InstanceState};
use super::{ApiError, ApiResult, CloudConfig, Time};

/// The account's groups.
#[derive(Debug)]
pub struct Autoscaling {
    groups: BTreeMap<String, Group>,
    events: VecDeque<Event>,
    rng: ChaCha8Rng,
    timing: Timing,
}

/// What happened to an instance, for whoever runs it.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "few events live at once")]
pub enum Event {
    /// The instance is up: start what runs on it. A launching hook may hold it still.
    Launched {
        /// Its group.
        group: String,
        /// The instance.
        instance: Instance,
    },
    /// The state that the instance is on its way to changed: what its metadata gives as
    /// `autoscaling/target-lifecycle-state`.
    LifecycleStateChanged {
        /// The instance's id.
        instance: String,
        /// Where it goes.
        target_state: TargetState,
    },
    /// The instance is down: end what runs on it.
    Ended {
        /// The instance's id.
        instance: String,
    },
}

/// The state that an instance is on its way to ("Retrieve the target lifecycle state through
/// instance metadata").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetState {
    /// It comes, or is there.
    InService,
    /// It leaves.
    Terminated,
}

impl TargetState {
    /// As the instance's metadata writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::InService => "InService",
            Self::Terminated => "Terminated",
        }
    }
}

/// The times that an instance's life takes.
#[derive(Clone, Debug)]
pub(super) struct Timing {
    boot: Duration,
    launch_delay: Duration,
    shutdown: Duration,
    detect_failure: Duration,
    launch_retry: Duration,
    capacity: Option<usize>,
}

/// Whether ending an instance lowers the group's desired capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decrement {
    /// The group shrinks.
    Yes,
    /// The instance is replaced.
    No,
}

impl Autoscaling {
    /// No groups; tokens and activity ids come from `seed`.
    pub fn new(seed: u64, config: &CloudConfig) -> Self {
        Self {
            groups: BTreeMap::new(),
            events: VecDeque::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            timing: Timing {
                boot: config.boot,
                launch_delay: config.launch_delay,
                shutdown: config.shutdown,
                detect_failure: config.detect_failure,
                // Never at once: a launch that fails is not tried again in the same moment.
                launch_retry: config.launch_retry.max(Duration::from_millis(100)),
                capacity: config.capacity,
            },
        }
    }

    /// Lets happen what is due by `now`, each thing at its own moment.
    pub fn advance(&mut self, now: Time, ec2: &mut Ec2) {
        while let Some(due) = self.next_event_at().filter(|at| *at <= now) {
            self.settle_all(due, ec2);
        }
    }

    /// When something happens by itself.
    pub fn next_event_at(&self) -> Option<Time> {
        self.groups.values().filter_map(Group::next_event_at).min()
    }

    /// What happened to instances since the last call, in order.
    pub fn drain_events(&mut self) -> Vec<Event> {
        self.events.drain(..).collect()
    }

    /// EC2 has at most this many instances to give from now on; `None` is plenty.
    pub fn set_capacity(&mut self, capacity: Option<usize>) {
        self.timing.capacity = capacity;
    }

    /// `CreateAutoScalingGroup`.
    pub fn create_group(
        &mut self,
        now: Time,
        change: &GroupChange,
        ec2: &mut Ec2,
    ) -> ApiResult<()> {
        let name = change.name.as_str();
        if name.is_empty() || name.len() > 255 || name.contains(':') {
            return Err(ApiError::validation(format!(
                "The group name '{name}' is invalid: 1 to 255 characters without a colon are allowed."
            )));
        }
        if self.groups.contains_key(name) {
            return Err(ApiError::new(
                "AlreadyExists",
                "AutoScalingGroup by this name already exists - A group with the name ".to_owned()
                    + name
                    + " already exists",
            ));
        }
        let mut group = Group::create(now, change, ec2)?;
        group.launch_after = self.launch_after(now);
        self.groups.insert(name.into(), group);
        self.settle_group(now, name, ec2);
        Ok(())
    }

    /// `UpdateAutoScalingGroup`: a bound that moves past the desired capacity takes it along.
    pub fn update_group(
        &mut self,
        now: Time,
        change: &GroupChange,
        ec2: &mut Ec2,
    ) -> ApiResult<()> {
        let launch_after = self.launch_after(now);
        let group = self.group_mut(&change.name)?;
        let min = change.min.unwrap_or(group.size.min);
        let max = change.max.unwrap_or(group.size.max);
        let desired = match change.desired {
            Some(desired) => desired,
            None => group.size.desired.min(max).max(min),
        };
        let size = Size::new(min, max, desired)?;
        group.apply(change, ec2)?;
        group.resize(size, launch_after, format!(
            "At {now} a user request update of AutoScalingGroup constraints to min: {min}, max: \
             {max}, desired: {desired} changing the desired capacity from {} to {desired}.",
            group.size.desired
        ));
        self.settle_group(now, &change.name, ec2);
        Ok(())
    }

    /// `DeleteAutoScalingGroup`; with `force` its instances end with it, past any hook.
    pub fn delete_group(
        &mut self,
        now: Time,
        name: &str,
        force: Force,
        ec2: &mut Ec2,
    ) -> ApiResult<()> {
        let group = self.group(name)?;
        if !group.members.is_empty() && force == Force::No {
            return Err(ApiError::new(
                "ResourceInUse",
                "You cannot delete an AutoScalingGroup while there are instances or pending Spot \
                 instance request(s) still in the group.",
            ));
        }
        if let Some(group) = self.groups.remove(name) {
            for member in group.members {
                ec2.set_state(now, &member.id, InstanceState::Terminated);
                self.events.push_back(Event::Ended {
                    instance: member.id,
                });
            }
        }
        Ok(())
    }

    /// All groups, by name.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// The group of this name.
    pub fn group(&self, name: &str) -> ApiResult<&Group> {
        self.groups.get(name).ok_or_else(|| no_group(name))
    }

    /// The group of this name, to be changed in what is merely kept.
    pub fn settings_mut(&mut self, name: &str) -> ApiResult<&mut GroupSettings> {
        self.group_mut(name).map(|group| &mut group.settings)
    }

    /// `SetDesiredCapacity`: an error outside of `[min, max]`.
    pub fn set_desired(
        &mut self,
        now: Time,
        name: &str,
        desired: usize,
        ec2: &mut Ec2,
    ) -> ApiResult<()> {
        let launch_after = self.launch_after(now);
        let group = self.group_mut(name)?;
        let Size {
            min,
            max,
            desired: before,
        } = group.size;
        if desired > max {
            return Err(ApiError::validation(format!(
                "New SetDesiredCapacity value {desired} is above max value {max} for the \
                 AutoScalingGroup."
            )));
        }
        if desired < min {
            return Err(ApiError::validation(format!(
                "New SetDesiredCapacity value {desired} is below min value {min} for the \
                 AutoScalingGroup."
            )));
        }
        group.resize(Size { min, max, desired }, launch_after, format!(
            "At {now} a user request explicitly set group desired capacity changing the desired \
             capacity from {before} to {desired}."
        ));
        self.settle_group(now, name, ec2);
        Ok(())
    }

    /// `TerminateInstanceInAutoScalingGroup`: protection does not keep it. Gives the activity.
    pub fn terminate_instance(
        &mut self,
        now: Time,
        id: &str,
        decrement: Decrement,
        ec2: &mut Ec2,
    ) -> ApiResult<Activity> {
        let name = self.group_of(id)?.name.clone();
        let group = self.group_mut(&name)?;
        let leaving = group
            .members
            .iter()
            .any(|member| member.id == id && member.is_leaving());
        if leaving {
            return Err(ApiError::new(
                "ScalingActivityInProgress",
                format!("The instance {id} is being terminated already."),
            ));
        }
        let Size { min, max, desired } = group.size;
        if decrement == Decrement::Yes {
            if desired <= min {
                return Err(ApiError::validation(format!(
                    "Currently, desiredSize equals minSize ({min}). Terminating instance without \
                     replacement will violate group's min size constraint. Either set \
                     shouldDecrementDesiredCapacity flag to false or lower group's min size."
                )));
            }
            group.size = Size {
                min,
                max,
                desired: desired - 1,
            };
        }
        let cause = match decrement {
            Decrement::Yes => format!(
                "At {now} instance {id} was taken out of service in response to a user request, \
                 shrinking the capacity from {desired} to {}.",
                desired - 1
            ),
            Decrement::No => format!(
                "At {now} instance {id} was taken out of service in response to a user request."
            ),
        };
        let activity = self.on_group(now, &name, ec2, |group, scene| {
            let number = group.end_member(id, cause, scene);
            let activity = group.activities.get(number).cloned();
            group.settle(scene);
            activity
        });
        activity.flatten().ok_or_else(|| no_instance(id))
    }

    /// `SetInstanceProtection`: all of `ids` or, on an error, none.
    pub fn set_protection(
        &mut self,
        now: Time,
        change: &ProtectionChange,
        ec2: &mut Ec2,
    ) -> ApiResult<()> {
        if change.instances.len() > 50 {
            return Err(ApiError::validation(format!(
                "At most 50 instance IDs are allowed; found {}.",
                change.instances.len()
            )));
        }
        let group = self.group_mut(&change.group)?;
        for id in &change.instances {
            let member = group.member_mut(id).ok_or_else(|| {
                ApiError::validation(format!(
                    "The instance {id} is not part of Auto Scaling group {}.",
                    change.group
                ))
            })?;
            if !member.is_in_service() {
                return Err(ApiError::validation(format!(
                    "The instance {id} is not in InService or EnteringStandby or Standby."
                )));
            }
        }
        for id in &change.instances {
            if let Some(member) = group.member_mut(id) {
                member.protection = change.protection;
            }
        }
        self.settle_group(now, &change.group, ec2);
        Ok(())
    }

    /// `DescribeScalingActivities`, newest first, of one group or of all.
    pub fn activities(&self, group: Option<&str>) -> Vec<(&str, &Activity)> {
        let asked = |name: &str| group.is_none_or(|group| group == name);
        let groups = self.groups.values().filter(|group| asked(&group.name));
        groups
            .flat_map(|group| {
                let activities = group.activities.newest_first();
                activities.map(|activity| (group.name.as_str(), activity))
            })
            .collect()
    }

    /// `PutScalingPolicy`: replaces the policy of the same name.
    pub fn put_policy(&mut self, group: &str, policy: ScalingPolicy) -> ApiResult<()> {
        let group = self.group_mut(group)?;
        group.policies.insert(policy.name.clone(), policy);
        Ok(())
    }

    /// `DeletePolicy`.
    pub fn delete_policy(&mut self, group: &str, policy: &str) -> ApiResult<()> {
        let group = self.group_mut(group)?;
        let named = |found: &ScalingPolicy| found.name == policy || found.arn == policy;
        let before = group.policies.len();
        group.policies.retain(|_, found| !named(found));
        if group.policies.len() == before {
            return Err(ApiError::validation("The specified policy does not exist."));
        }
        Ok(())
    }

    /// The group that the instance belongs to.
    pub fn group_of(&self, id: &str) -> ApiResult<&Group> {
        let has = |group: &&Group| group.members.iter().any(|member| member.id == id);
        self.groups
            .values()
            .find(has)
            .ok_or_else(|| no_instance(id))
    }

    /// The instance died, or was killed from outside.
    pub fn instance_failed(&mut self, now: Time, id: &str, ec2: &mut Ec2) {
        let Ok(group) = self.group_of(id) else {
            return;
        };
        let name = group.name.clone();
        self.on_group(now, &name, ec2, |group, scene| {
            group.failed(id, scene);
            group.settle(scene);
        });
    }

    fn launch_after(&self, now: Time) -> Option<Time> {
        let delay = self.timing.launch_delay;
        (!delay.is_zero()).then(|| now + delay)
    }

    fn settle_all(&mut self, now: Time, ec2: &mut Ec2) {
        let names: Vec<String> = self.groups.keys().cloned().collect();
        for name in names {
            self.settle_group(now, &name, ec2);
        }
    }

    fn settle_group(&mut self, now: Time, name: &str, ec2: &mut Ec2) {
        self.on_group(now, name, ec2, Group::settle);
    }

    fn on_group<T>(
        &mut self,
        now: Time,
        name: &str,
        ec2: &mut Ec2,
        act: impl FnOnce(&mut Group, &mut Scene) -> T,
    ) -> Option<T> {
        let group = self.groups.get_mut(name)?;
        let mut scene = Scene {
            now,
            ec2,
            events: &mut self.events,
            rng: &mut self.rng,
            timing: &self.timing,
        };
        Some(act(group, &mut scene))
    }

    fn group_mut(&mut self, name: &str) -> ApiResult<&mut Group> {
        self.groups.get_mut(name).ok_or_else(|| no_group(name))
    }
}

/// Whether a group is deleted with its instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// `ForceDelete`.
    Yes,
    /// Only an empty group goes.
    No,
}

/// A `SetInstanceProtection`.
#[derive(Clone, Debug)]
pub struct ProtectionChange {
    /// The group.
    pub group: String,
    /// Instances of the group, at most 50.
    pub instances: Vec<String>,
    /// What they get.
    pub protection: Protection,
}

impl Group {
    fn resize(&mut self, size: Size, launch_after: Option<Time>, cause: String) {
        if size.desired > self.size.desired && self.launch_after.is_none() {
            self.launch_after = launch_after;
        }
        if size.desired != self.size.desired {
            self.last_cause = cause;
        }
        self.size = size;
    }
}

fn no_group(name: &str) -> ApiError {
    ApiError::validation(format!(
        "AutoScalingGroup name not found - AutoScalingGroup {name} not found"
    ))
}

fn no_instance(id: &str) -> ApiError {
    ApiError::validation(format!(
        "Instance Id not found - No managed instance found for instance ID: {id}"
    ))
}
