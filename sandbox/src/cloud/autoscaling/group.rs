//! A group: its settings and its members. What makes its size follow its settings is in `reconcile`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::ec2::{Ec2, TemplateSpec};
use super::super::{ApiError, ApiResult, Tags, Time};
use super::activity::Activities;
use super::hook::Hook;
use super::member::{Member, Protection};
use super::policy::ScalingPolicy;

/// An Auto Scaling group.
#[derive(Clone, Debug)]
pub struct Group {
    /// The name, unique in the account.
    pub name: String,
    /// The ARN.
    pub arn: String,
    /// When it was created.
    pub created_at: Time,
    /// Its size.
    pub size: Size,
    /// Everything else that is set.
    pub settings: GroupSettings,
    /// The zones in which it launches, in turn.
    pub zones: Vec<String>,
    pub(super) hooks: BTreeMap<String, Hook>,
    pub(super) policies: BTreeMap<String, ScalingPolicy>,
    pub(super) members: Vec<Member>,
    pub(super) activities: Activities,
    /// No launch before this moment: a delay, or a wait after a failure.
    pub(super) launch_after: Option<Time>,
    /// Why the desired capacity is what it is, for the causes of activities.
    pub(super) last_cause: String,
    /// Scale-in was blocked by protection, and an activity says so.
    pub(super) blocked: Blocked,
}

/// Whether it was noted that protection keeps a group from shrinking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Blocked {
    #[default]
    No,
    Noted,
}

/// A group's size: `min <= desired <= max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// `MinSize`.
    pub min: usize,
    /// `MaxSize`.
    pub max: usize,
    /// `DesiredCapacity`.
    pub desired: usize,
}

/// The settings of a group that are kept as they are given.
#[derive(Clone, Debug, Default)]
pub struct GroupSettings {
    /// What instances are launched from.
    pub template: Option<TemplateSpec>,
    /// The launch configuration's name, in groups of old.
    pub launch_configuration: Option<String>,
    /// A mixed instances policy.
    pub mixed_instances: Option<MixedInstances>,
    /// Subnets, comma-separated.
    pub subnets: String,
    /// `NewInstancesProtectedFromScaleIn`.
    pub new_instances: Protection,
    /// `DefaultCooldown`, 300 s unless set.
    pub default_cooldown: Option<Duration>,
    /// `DefaultInstanceWarmup`.
    pub default_instance_warmup: Option<Duration>,
    /// `HealthCheckType`, `EC2` unless set.
    pub health_check_type: Option<String>,
    /// `HealthCheckGracePeriod`.
    pub health_check_grace: Option<Duration>,
    /// `TerminationPolicies`; kept, while victims are chosen by zone balance and age.
    pub termination_policies: Vec<String>,
    /// `CapacityRebalance`; kept.
    pub capacity_rebalance: Option<bool>,
    /// `MaxInstanceLifetime`; kept.
    pub max_instance_lifetime: Option<Duration>,
    /// `Context`, `ServiceLinkedRoleARN` and their like; kept by their API names.
    pub inert: BTreeMap<String, String>,
    /// The group's tags.
    pub tags: BTreeMap<String, GroupTag>,
    /// Processes that are suspended; kept.
    pub suspended: BTreeMap<String, String>,
    /// Group metrics that are enabled; kept.
    pub enabled_metrics: Vec<String>,
}

/// A mixed instances policy: the template counts here, the rest is kept.
#[derive(Clone, Debug, Default)]
pub struct MixedInstances {
    /// The launch template.
    pub template: TemplateSpec,
    /// Instance types of the overrides; the first is launched.
    pub instance_types: Vec<String>,
    /// `InstancesDistribution`, by its API names.
    pub distribution: BTreeMap<String, String>,
}

/// A tag of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupTag {
    /// The value.
    pub value: String,
    /// `PropagateAtLaunch`: whether new instances carry it.
    pub propagate: bool,
}

/// A `CreateAutoScalingGroup` or `UpdateAutoScalingGroup`: what is absent stays, or takes its default.
#[derive(Clone, Debug, Default)]
pub struct GroupChange {
    /// The group's name.
    pub name: String,
    /// The region that stands in the group's ARN.
    pub region: String,
    /// `MinSize`.
    pub min: Option<usize>,
    /// `MaxSize`.
    pub max: Option<usize>,
    /// `DesiredCapacity`.
    pub desired: Option<usize>,
    /// `AvailabilityZones`.
    pub zones: Vec<String>,
    /// `VPCZoneIdentifier`.
    pub subnets: Option<String>,
    /// `LaunchTemplate`.
    pub template: Option<TemplateSpec>,
    /// `LaunchConfigurationName`.
    pub launch_configuration: Option<String>,
    /// `MixedInstancesPolicy`.
    pub mixed_instances: Option<MixedInstances>,
    /// `NewInstancesProtectedFromScaleIn`.
    pub new_instances: Option<Protection>,
    /// The settings that are merely kept; each that is present replaces.
    pub kept: GroupSettings,
    /// `LifecycleHookSpecificationList`, in a new group.
    pub hooks: Vec<super::hook::HookChange>,
}

impl Group {
    pub(super) fn create(now: Time, change: &GroupChange, ec2: &Ec2) -> ApiResult<Self> {
        let min = change.min.ok_or_else(|| missing("MinSize"))?;
        let max = change.max.ok_or_else(|| missing("MaxSize"))?;
        let size = Size::new(min, max, change.desired.unwrap_or(min))?;
        if change.zones.is_empty() && change.subnets.is_none() {
            return Err(ApiError::validation(
                "At least one Availability Zone or VPC Subnet is required.",
            ));
        }
        let has_source = change.template.is_some()
            || change.launch_configuration.is_some()
            || change.mixed_instances.is_some();
        if !has_source {
            return Err(ApiError::validation(
                "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, \
                 InstanceId or MixedInstancesPolicy parameter.",
            ));
        }
        let arn = format!(
            "arn:aws:autoscaling:{}:{}:autoScalingGroup:00000000-0000-0000-0000-{:012x}:autoScalingGroupName/{}",
            change.region,
            super::super::ACCOUNT,
            now.as_millis() & 0xffff_ffff_ffff,
            change.name
        );
        let mut group = Self {
            name: change.name.clone(),
            arn,
            created_at: now,
            size,
            settings: GroupSettings::default(),
            zones: Vec::new(),
            hooks: BTreeMap::new(),
            policies: BTreeMap::new(),
            members: Vec::new(),
            activities: Activities::default(),
            launch_after: None,
            last_cause: format!(
                "At {now} a user request created an AutoScalingGroup changing the desired capacity \
                 from 0 to {}.",
                size.desired
            ),
            blocked: Blocked::No,
        };
        group.settings.tags = change.kept.tags.clone();
        group.apply(change, ec2)?;
        for hook in &change.hooks {
            group.put_hook(hook.clone())?;
        }
        Ok(group)
    }

    /// Applies what `change` holds, all or nothing; the caller has settled the size.
    pub(super) fn apply(&mut self, change: &GroupChange, ec2: &Ec2) -> ApiResult<()> {
        let mixed = change.mixed_instances.as_ref();
        let template = change
            .template
            .as_ref()
            .or(mixed.map(|mixed| &mixed.template));
        if let Some(spec) = template {
            ec2.data(spec).map_err(|error| {
                ApiError::validation(format!(
                    "You must use a valid fully-formed launch template. {}",
                    error.message
                ))
            })?;
        }
        let region = self.arn.split(':').nth(3).unwrap_or_default().to_owned();
        let settings = &mut self.settings;
        if let Some(subnets) = &change.subnets {
            settings.subnets.clone_from(subnets);
            if change.zones.is_empty() {
                let subnets = subnets.split(',').count().clamp(1, 3);
                let zone = |letter: &char| format!("{region}{letter}");
                self.zones = ['a', 'b', 'c'][..subnets].iter().map(zone).collect();
            }
        }
        if !change.zones.is_empty() {
            self.zones.clone_from(&change.zones);
        }
        if template.is_some() || change.launch_configuration.is_some() {
            settings.template = change.template.as_ref().map(|spec| ec2.named(spec));
            settings.mixed_instances.clone_from(&change.mixed_instances);
            settings
                .launch_configuration
                .clone_from(&change.launch_configuration);
        }
        settings.new_instances = change.new_instances.unwrap_or(settings.new_instances);
        settings.keep(&change.kept);
        Ok(())
    }

    pub(super) fn put_hook(&mut self, change: super::hook::HookChange) -> ApiResult<()> {
        let hook = Hook::changed(self.hooks.get(&change.name), change)?;
        self.hooks.insert(hook.name.clone(), hook);
        Ok(())
    }

    /// The group's members, in order of launch.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The group's lifecycle hooks, by name.
    pub fn hooks(&self) -> impl Iterator<Item = &Hook> {
        self.hooks.values()
    }

    /// The group's scaling policies, by name.
    pub fn policies(&self) -> impl Iterator<Item = &ScalingPolicy> {
        self.policies.values()
    }

    /// Members that count towards the desired capacity.
    pub fn active(&self) -> usize {
        self.members
            .iter()
            .filter(|member| member.is_active())
            .count()
    }

    pub(super) fn member_mut(&mut self, id: &str) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.id == id)
    }

    /// The tags of a new instance: the propagated ones and the group's name.
    pub(super) fn instance_tags(&self) -> Tags {
        let propagated = self.settings.tags.iter().filter(|(_, tag)| tag.propagate);
        propagated
            .map(|(key, tag)| (key.clone(), tag.value.clone()))
            .chain([("aws:autoscaling:groupName".into(), self.name.clone())])
            .collect()
    }
}

impl Size {
    /// A size; an error unless `min <= desired <= max`.
    pub fn new(min: usize, max: usize, desired: usize) -> ApiResult<Self> {
        if min > max {
            return Err(ApiError::validation(format!(
                "Max bound, {max}, must be greater than or equal to min bound, {min}"
            )));
        }
        if desired > max {
            return Err(ApiError::validation(format!(
                "Desired capacity:{desired} must be between the specified min size:{min} and max \
                 size:{max}"
            )));
        }
        if desired < min {
            return Err(ApiError::validation(format!(
                "Desired capacity:{desired} must be between the specified min size:{min} and max \
                 size:{max}"
            )));
        }
        Ok(Self { min, max, desired })
    }
}

impl GroupSettings {
    fn keep(&mut self, new: &GroupSettings) {
        let replace = |old: &mut Option<Duration>, new: Option<Duration>| *old = new.or(*old);
        replace(&mut self.default_cooldown, new.default_cooldown);
        replace(
            &mut self.default_instance_warmup,
            new.default_instance_warmup,
        );
        replace(&mut self.health_check_grace, new.health_check_grace);
        replace(&mut self.max_instance_lifetime, new.max_instance_lifetime);
        self.capacity_rebalance = new.capacity_rebalance.or(self.capacity_rebalance);
        if new.health_check_type.is_some() {
            self.health_check_type.clone_from(&new.health_check_type);
        }
        if !new.termination_policies.is_empty() {
            self.termination_policies
                .clone_from(&new.termination_policies);
        }
        self.inert.extend(new.inert.clone());
    }
}

fn missing(parameter: &str) -> ApiError {
    ApiError::validation(format!(
        "1 validation error detected: Value null at '{parameter}' failed to satisfy constraint: \
         Member must not be null"
    ))
}
