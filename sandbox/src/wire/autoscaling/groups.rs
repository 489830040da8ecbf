//! The operations on groups as a whole.

use std::collections::BTreeMap;

use super::super::query::{Params, page};
use super::{Answer, Request, nothing, write};
use crate::cloud::autoscaling::{
    Force, Group, GroupChange, GroupSettings, GroupTag, HookChange, MixedInstances, Protection,
};
use crate::cloud::ec2::TemplateSpec;
use crate::cloud::{ApiError, ApiResult, Cloud, Time};

/// The answer, if the action is one of these.
pub(super) fn answer(request: &Request, action: &str) -> Option<ApiResult<Answer>> {
    Some(match action {
        "CreateAutoScalingGroup" => change(request, |cloud, now, change| {
            cloud.autoscaling.create_group(now, change, &mut cloud.ec2)
        }),
        "UpdateAutoScalingGroup" => change(request, |cloud, now, change| {
            cloud.autoscaling.update_group(now, change, &mut cloud.ec2)
        }),
        "DeleteAutoScalingGroup" => delete(request),
        "DescribeAutoScalingGroups" => describe(request),
        "SetDesiredCapacity" => set_desired(request),
        "CreateOrUpdateTags" => tag(request),
        "DeleteTags" => untag(request),
        "DescribeTags" => describe_tags(request),
        "SuspendProcesses" | "ResumeProcesses" => suspend(request, action),
        "EnableMetricsCollection" | "DisableMetricsCollection" => collect(request, action),
        _ => return None,
    })
}

fn change(
    request: &Request,
    act: impl FnOnce(&mut Cloud, Time, &GroupChange) -> ApiResult<()>,
) -> ApiResult<Answer> {
    let change = read_change(request)?;
    request
        .cloud
        .quietly(|cloud, now| act(cloud, now, &change))?;
    Ok(nothing())
}

fn read_change(request: &Request) -> ApiResult<GroupChange> {
    let params = request.params;
    let template = params.structure("LaunchTemplate");
    let mixed = params.structure("MixedInstancesPolicy");
    let protected = params.read::<bool>("NewInstancesProtectedFromScaleIn")?;
    let tags = params.structures("Tags.member");
    let hooks = params.structures("LifecycleHookSpecificationList.member");
    Ok(GroupChange {
        name: params.require("AutoScalingGroupName")?.to_owned(),
        region: request.region.to_owned(),
        min: params.read("MinSize")?,
        max: params.read("MaxSize")?,
        desired: params.read("DesiredCapacity")?,
        zones: params.strings("AvailabilityZones.member"),
        subnets: params.string("VPCZoneIdentifier"),
        template: (!template.is_empty()).then(|| read_template(&template)),
        launch_configuration: params.string("LaunchConfigurationName"),
        mixed_instances: (!mixed.is_empty()).then(|| read_mixed(&mixed)),
        new_instances: protected.map(protection),
        kept: GroupSettings {
            default_cooldown: params.seconds("DefaultCooldown")?,
            default_instance_warmup: params.seconds("DefaultInstanceWarmup")?,
            health_check_type: params.string("HealthCheckType"),
            health_check_grace: params.seconds("HealthCheckGracePeriod")?,
            termination_policies: params.strings("TerminationPolicies.member"),
            capacity_rebalance: params.read("CapacityRebalance")?,
            max_instance_lifetime: params.seconds("MaxInstanceLifetime")?,
            inert: inert(params),
            tags: tags.iter().map(read_tag).collect::<ApiResult<_>>()?,
            ..GroupSettings::default()
        },
        hooks: hooks.iter().map(read_hook).collect::<ApiResult<_>>()?,
    })
}

fn inert(params: &Params) -> BTreeMap<String, String> {
    const INERT: [&str; 4] = [
        "Context",
        "DesiredCapacityType",
        "PlacementGroup",
        "ServiceLinkedRoleARN",
    ];
    let given = |name: &&str| Some(((*name).to_owned(), params.string(name)?));
    INERT.iter().filter_map(given).collect()
}

fn read_template(params: &Params) -> TemplateSpec {
    TemplateSpec {
        id: params.string("LaunchTemplateId"),
        name: params.string("LaunchTemplateName"),
        version: params.string("Version"),
    }
}

fn read_mixed(params: &Params) -> MixedInstances {
    let overrides = params.structures("LaunchTemplate.Overrides.member");
    let distribution = params.structure("InstancesDistribution");
    MixedInstances {
        template: read_template(&params.structure("LaunchTemplate.LaunchTemplateSpecification")),
        instance_types: overrides
            .iter()
            .filter_map(|o| o.string("InstanceType"))
            .collect(),
        distribution: distribution
            .pairs()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    }
}

fn read_tag(params: &Params) -> ApiResult<(String, GroupTag)> {
    let tag = GroupTag {
        value: params.string("Value").unwrap_or_default(),
        propagate: params.read("PropagateAtLaunch")?.unwrap_or(false),
    };
    Ok((params.require("Key")?.to_owned(), tag))
}

pub(super) fn read_hook(params: &Params) -> ApiResult<HookChange> {
    use crate::cloud::autoscaling::{ActionResult, Notification, Transition};
    let transition = params.get("LifecycleTransition").map(Transition::parse);
    let result = params.get("DefaultResult").map(ActionResult::parse);
    Ok(HookChange {
        name: params.require("LifecycleHookName")?.to_owned(),
        transition: transition.transpose()?,
        heartbeat_timeout: params.seconds("HeartbeatTimeout")?,
        default_result: result.transpose()?,
        notification: Notification {
            target_arn: params.string("NotificationTargetARN"),
            role_arn: params.string("RoleARN"),
            metadata: params.string("NotificationMetadata"),
        },
    })
}

pub(super) fn protection(protected: bool) -> Protection {
    if protected {
        Protection::Protected
    } else {
        Protection::Unprotected
    }
}

fn delete(request: &Request) -> ApiResult<Answer> {
    let name = request.params.require("AutoScalingGroupName")?;
    let force = match request.params.read::<bool>("ForceDelete")? {
        Some(true) => Force::Yes,
        _ => Force::No,
    };
    request.cloud.quietly(|cloud, now| {
        cloud
            .autoscaling
            .delete_group(now, name, force, &mut cloud.ec2)
    })?;
    Ok(nothing())
}

fn describe(request: &Request) -> ApiResult<Answer> {
    let params = request.params;
    let names = params.strings("AutoScalingGroupNames.member");
    let filters = read_filters(params)?;
    let groups: Vec<Group> = request.cloud.quietly(|cloud, now| {
        cloud.advance(now);
        let asked = |group: &&Group| {
            (names.is_empty() || names.contains(&group.name) || names.contains(&group.arn))
                && filters
                    .iter()
                    .all(|(name, values)| tag_matches(group, name, values))
        };
        cloud.autoscaling.groups().filter(asked).cloned().collect()
    });
    let size = params.read("MaxRecords")?.unwrap_or(50).min(100);
    let page = page(groups, params.get("NextToken"), size)?;
    Ok(Box::new(move |xml| {
        xml.list("AutoScalingGroups", "member", &page.items, write::group);
        xml.opt("NextToken", page.next);
    }))
}

type TagFilter = (String, Vec<String>);

fn read_filters(params: &Params) -> ApiResult<Vec<TagFilter>> {
    let filters = params.structures("Filters.member");
    let read = |filter: &Params| {
        Ok((
            filter.require("Name")?.to_owned(),
            filter.strings("Values.member"),
        ))
    };
    filters.iter().map(read).collect()
}

/// `tag-key`, `tag-value` and `tag:KEY` (`DescribeAutoScalingGroups`, `Filters`).
fn tag_matches(group: &Group, name: &str, values: &[String]) -> bool {
    let tags = &group.settings.tags;
    match name {
        "tag-key" => tags.keys().any(|key| values.contains(key)),
        "tag-value" => tags.values().any(|tag| values.contains(&tag.value)),
        _ => name
            .strip_prefix("tag:")
            .and_then(|key| tags.get(key))
            .is_some_and(|tag| values.contains(&tag.value)),
    }
}

fn set_desired(request: &Request) -> ApiResult<Answer> {
    let name = request.params.require("AutoScalingGroupName")?;
    let desired = request.params.read::<i64>("DesiredCapacity")?;
    let desired = desired
        .map(usize::try_from)
        .transpose()
        .map_err(|_| ApiError::validation("DesiredCapacity must not be negative."))?;
    let desired = desired.ok_or_else(|| ApiError::validation("DesiredCapacity is required."))?;
    request.cloud.quietly(|cloud, now| {
        cloud
            .autoscaling
            .set_desired(now, name, desired, &mut cloud.ec2)
    })?;
    Ok(nothing())
}

fn tag(request: &Request) -> ApiResult<Answer> {
    for tag in request.params.structures("Tags.member") {
        let group = tag.require("ResourceId")?;
        let (key, value) = read_tag(&tag)?;
        request.cloud.quietly(|cloud, _| {
            cloud
                .autoscaling
                .settings_mut(group)?
                .tags
                .insert(key, value);
            Ok(())
        })?;
    }
    Ok(nothing())
}

fn untag(request: &Request) -> ApiResult<Answer> {
    for tag in request.params.structures("Tags.member") {
        let (group, key) = (tag.require("ResourceId")?, tag.require("Key")?);
        request.cloud.quietly(|cloud, _| {
            cloud.autoscaling.settings_mut(group)?.tags.remove(key);
            Ok(())
        })?;
    }
    Ok(nothing())
}

fn describe_tags(request: &Request) -> ApiResult<Answer> {
    let filters = read_filters(request.params)?;
    let groups: Vec<Group> = request
        .cloud
        .quietly(|cloud, _| cloud.autoscaling.groups().cloned().collect());
    let passes = |group: &Group, key: &str, tag: &GroupTag| {
        filters.iter().all(|(name, values)| match name.as_str() {
            "auto-scaling-group" => values.contains(&group.name),
            "key" => values.iter().any(|value| value == key),
            "value" => values.contains(&tag.value),
            "propagate-at-launch" => values.contains(&tag.propagate.to_string()),
            _ => false,
        })
    };
    let mut found = Vec::new();
    for group in &groups {
        let tags = group
            .settings
            .tags
            .iter()
            .filter(|(key, tag)| passes(group, key, tag));
        found.extend(tags.map(|(key, tag)| (group.name.clone(), key.clone(), tag.clone())));
    }
    Ok(Box::new(move |xml| {
        xml.list("Tags", "member", &found, |xml, (group, key, tag)| {
            write::tag(xml, group, key, tag);
        });
    }))
}

/// Processes of an Auto Scaling group ("Types of processes").
const PROCESSES: [&str; 9] = [
    "Launch",
    "Terminate",
    "AddToLoadBalancer",
    "AlarmNotification",
    "AZRebalance",
    "HealthCheck",
    "InstanceRefresh",
    "ReplaceUnhealthy",
    "ScheduledActions",
];

fn suspend(request: &Request, action: &str) -> ApiResult<Answer> {
    let group = request.params.require("AutoScalingGroupName")?;
    let named = request.params.strings("ScalingProcesses.member");
    if let Some(unknown) = named
        .iter()
        .find(|name| !PROCESSES.contains(&name.as_str()))
    {
        return Err(ApiError::validation(format!(
            "The process '{unknown}' does not exist."
        )));
    }
    let all = PROCESSES.map(str::to_owned).to_vec();
    let named = if named.is_empty() { all } else { named };
    request.cloud.quietly(|cloud, now| {
        let suspended = &mut cloud.autoscaling.settings_mut(group)?.suspended;
        for process in named {
            if action == "SuspendProcesses" {
                suspended.insert(process, format!("User suspended at {now}"));
            } else {
                suspended.remove(&process);
            }
        }
        Ok(())
    })?;
    Ok(nothing())
}

fn collect(request: &Request, action: &str) -> ApiResult<Answer> {
    let group = request.params.require("AutoScalingGroupName")?;
    let named = request.params.strings("Metrics.member");
    request.cloud.quietly(|cloud, _| {
        let enabled = &mut cloud.autoscaling.settings_mut(group)?.enabled_metrics;
        let all = named.is_empty();
        enabled.retain(|metric| !all && !named.contains(metric));
        if action == "EnableMetricsCollection" {
            enabled.extend(named);
        }
        Ok(())
    })?;
    Ok(nothing())
}
