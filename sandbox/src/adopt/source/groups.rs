//! Auto Scaling groups: bounds, protection, hooks, and what is suspended.

use std::time::Duration;

use aws_sdk_autoscaling::types::{AutoScalingGroup, LaunchTemplateSpecification, LifecycleHook};

use super::super::deployment::Fleet;
use super::super::user_data;
use super::{Source, SourceError, failed};
use crate::cloud::autoscaling::{
    ActionResult, GroupChange, GroupSettings, GroupTag, HookChange, Protection, Transition,
};
use crate::cloud::ec2::TemplateSpec;
use crate::cloud::{ApiError, ApiResult};

impl Source {
    /// The groups whose instances become workers, and what of them is not played.
    pub(super) async fn fleets(&self) -> Result<(Vec<Fleet>, Vec<String>), SourceError> {
        let autoscaling = aws_sdk_autoscaling::Client::new(&self.sdk);
        let groups = autoscaling.describe_auto_scaling_groups().into_paginator();
        let groups: Result<Vec<_>, _> = groups.items().send().collect().await;
        let (mut fleets, mut not_played) = (Vec::new(), Vec::new());
        for group in groups.map_err(|error| failed("DescribeAutoScalingGroups", &error))? {
            let name = group
                .auto_scaling_group_name()
                .unwrap_or_default()
                .to_owned();
            let hooks = autoscaling
                .describe_lifecycle_hooks()
                .auto_scaling_group_name(&name);
            let hooks = hooks.send().await;
            let hooks = hooks.map_err(|error| failed("DescribeLifecycleHooks", &error))?;
            let hooks = hooks.lifecycle_hooks.unwrap_or_default();
            not_played.extend(unplayed(&name, &group));
            fleets.push(self.fleet(name, &group, &hooks).await?);
        }
        Ok((fleets, not_played))
    }

    async fn fleet(
        &self,
        name: String,
        group: &AutoScalingGroup,
        hooks: &[LifecycleHook],
    ) -> Result<Fleet, SourceError> {
        let spec = template_of(group).ok_or_else(|| {
            SourceError::Missing(format!("the group {name} has no launch template"))
        })?;
        let (template_name, template) = self.template(spec).await?;
        let encoded = template.user_data.as_deref().unwrap_or_default();
        let told = user_data::read(encoded).map_err(|source| SourceError::UserData {
            template: template_name.clone(),
            source,
        })?;
        let profile = template.instance_profile.as_deref().ok_or_else(|| {
            SourceError::Missing(format!(
                "launch template {template_name} names no instance profile"
            ))
        })?;
        let role = self.role_of_profile(profile).await?;
        let hooks: ApiResult<Vec<_>> = hooks.iter().map(read_hook).collect();
        let hooks = hooks.map_err(|error| SourceError::Refused {
            what: format!("the hooks of {name}"),
            reason: error.message,
        })?;
        Ok(Fleet {
            name: told
                .env
                .get("WEIR_FLEET")
                .cloned()
                .unwrap_or_else(|| name.clone()),
            group: GroupChange {
                hooks,
                template: Some(TemplateSpec {
                    name: Some(template_name.clone()),
                    ..TemplateSpec::default()
                }),
                region: self.region.clone(),
                ..read_group(name, group)
            },
            template_name,
            template,
            worker_env: told.env,
            settings: told.settings,
            role,
        })
    }
}

/// The template of a plain group or of a mixed instances policy.
fn template_of(group: &AutoScalingGroup) -> Option<&LaunchTemplateSpecification> {
    let mixed = group
        .mixed_instances_policy()
        .and_then(|mixed| mixed.launch_template());
    group
        .launch_template()
        .or(mixed.and_then(|mixed| mixed.launch_template_specification()))
}

/// What a group has that makes no difference on the small cloud.
fn unplayed(name: &str, group: &AutoScalingGroup) -> Vec<String> {
    let warm = group
        .warm_pool_configuration()
        .map(|_| format!("the warm pool of {name}"));
    let mixed = group.mixed_instances_policy();
    let mixed = mixed.map(|_| format!("the instance types and the spot share of {name}"));
    warm.into_iter().chain(mixed).collect()
}

fn read_group(name: String, group: &AutoScalingGroup) -> GroupChange {
    let count = |size: Option<i32>| size.and_then(|size| usize::try_from(size).ok());
    let seconds = |value: Option<i32>| count(value).map(|value| Duration::from_secs(value as u64));
    let protected = group
        .new_instances_protected_from_scale_in()
        .unwrap_or_default();
    let tags = group.tags().iter().filter_map(|tag| {
        let kept = GroupTag {
            value: tag.value().unwrap_or_default().to_owned(),
            propagate: tag.propagate_at_launch().unwrap_or_default(),
        };
        Some((tag.key()?.to_owned(), kept))
    });
    let suspended = group.suspended_processes().iter().filter_map(|process| {
        let reason = process.suspension_reason().unwrap_or_default();
        Some((process.process_name()?.to_owned(), reason.to_owned()))
    });
    let metrics = group
        .enabled_metrics()
        .iter()
        .filter_map(|metric| metric.metric());
    GroupChange {
        name,
        min: count(group.min_size()),
        max: count(group.max_size()),
        desired: count(group.desired_capacity()),
        zones: group.availability_zones().to_vec(),
        subnets: group.vpc_zone_identifier().map(str::to_owned),
        new_instances: Some(if protected {
            Protection::Protected
        } else {
            Protection::Unprotected
        }),
        kept: GroupSettings {
            default_cooldown: seconds(group.default_cooldown()),
            default_instance_warmup: seconds(group.default_instance_warmup()),
            health_check_type: group.health_check_type().map(str::to_owned),
            health_check_grace: seconds(group.health_check_grace_period()),
            termination_policies: group.termination_policies().to_vec(),
            capacity_rebalance: group.capacity_rebalance(),
            max_instance_lifetime: seconds(group.max_instance_lifetime()),
            tags: tags.collect(),
            suspended: suspended.collect(),
            enabled_metrics: metrics.map(str::to_owned).collect(),
            ..GroupSettings::default()
        },
        ..GroupChange::default()
    }
}

fn read_hook(hook: &LifecycleHook) -> ApiResult<HookChange> {
    let name = hook.lifecycle_hook_name().unwrap_or_default().to_owned();
    let required = |value: Option<&str>, what: &str| {
        value
            .map(str::to_owned)
            .ok_or_else(|| ApiError::validation(format!("{name} has no {what}")))
    };
    let seconds = hook
        .heartbeat_timeout()
        .and_then(|seconds| u64::try_from(seconds).ok());
    Ok(HookChange {
        transition: Some(Transition::parse(&required(
            hook.lifecycle_transition(),
            "transition",
        )?)?),
        heartbeat_timeout: seconds.map(Duration::from_secs),
        default_result: Some(ActionResult::parse(&required(
            hook.default_result(),
            "default result",
        )?)?),
        name,
        ..HookChange::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(transition: &str, result: &str) -> LifecycleHook {
        LifecycleHook::builder()
            .lifecycle_hook_name("weir-boot")
            .lifecycle_transition(transition)
            .heartbeat_timeout(660)
            .default_result(result)
            .build()
    }

    #[test]
    fn hooks_of_both_kinds_are_read_with_timeout_and_result() {
        let boot = read_hook(&hook("autoscaling:EC2_INSTANCE_LAUNCHING", "ABANDON")).unwrap();
        assert_eq!(boot.transition, Some(Transition::Launching));
        assert_eq!(boot.default_result, Some(ActionResult::Abandon));
        assert_eq!(boot.heartbeat_timeout, Some(Duration::from_mins(11)));
        let drain = read_hook(&hook("autoscaling:EC2_INSTANCE_TERMINATING", "CONTINUE")).unwrap();
        assert_eq!(drain.transition, Some(Transition::Terminating));
        assert_eq!(drain.default_result, Some(ActionResult::Continue));
    }

    #[test]
    fn hook_that_no_group_can_have_is_refused() {
        assert!(read_hook(&hook("autoscaling:EC2_INSTANCE_SLEEPING", "ABANDON")).is_err());
        assert!(read_hook(&hook("autoscaling:EC2_INSTANCE_LAUNCHING", "PERHAPS")).is_err());
        assert!(read_hook(&LifecycleHook::builder().build()).is_err());
    }

    #[test]
    fn group_keeps_protection_suspended_processes_and_warm_up() {
        let process = aws_sdk_autoscaling::types::SuspendedProcess::builder();
        let group = AutoScalingGroup::builder()
            .min_size(1)
            .max_size(7)
            .desired_capacity(2)
            .default_instance_warmup(90)
            .new_instances_protected_from_scale_in(true)
            .suspended_processes(process.process_name("AZRebalance").build())
            .build();
        let read = read_group("g".into(), &group);
        assert_eq!(
            (read.min, read.desired, read.max),
            (Some(1), Some(2), Some(7))
        );
        assert_eq!(read.new_instances, Some(Protection::Protected));
        assert!(read.kept.suspended.contains_key("AZRebalance"));
        assert_eq!(
            read.kept.default_instance_warmup,
            Some(Duration::from_secs(90))
        );
    }
}
