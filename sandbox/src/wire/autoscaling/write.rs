//! Writes groups, instances, hooks, activities and policies as Auto Scaling's answers have them.

use std::time::Duration;

use super::super::xml::Xml;
use crate::cloud::autoscaling::{
    Activity, Group, GroupSettings, GroupTag, Hook, Member, MixedInstances, Protection,
    ScalingPolicy, TargetTracking, TrackedMetric,
};
use crate::cloud::ec2::TemplateSpec;

pub(super) fn group(xml: &mut Xml, group: &Group) {
    let settings = &group.settings;
    xml.text("AutoScalingGroupName", &group.name);
    xml.text("AutoScalingGroupARN", &group.arn);
    xml.text("MinSize", group.size.min);
    xml.text("MaxSize", group.size.max);
    xml.text("DesiredCapacity", group.size.desired);
    xml.text("CreatedTime", group.created_at);
    xml.values("AvailabilityZones", "member", &group.zones);
    xml.text("VPCZoneIdentifier", &settings.subnets);
    source(xml, settings);
    xml.text(
        "NewInstancesProtectedFromScaleIn",
        is_protected(settings.new_instances),
    );
    xml.text(
        "HealthCheckType",
        settings.health_check_type.as_deref().unwrap_or("EC2"),
    );
    let grace = settings.health_check_grace.unwrap_or_default();
    xml.text("HealthCheckGracePeriod", grace.as_secs());
    let cooldown = settings.default_cooldown.unwrap_or(Duration::from_mins(5));
    xml.text("DefaultCooldown", cooldown.as_secs());
    xml.opt(
        "DefaultInstanceWarmup",
        settings.default_instance_warmup.map(|s| s.as_secs()),
    );
    xml.opt(
        "MaxInstanceLifetime",
        settings.max_instance_lifetime.map(|s| s.as_secs()),
    );
    xml.opt("CapacityRebalance", settings.capacity_rebalance);
    for (name, value) in &settings.inert {
        xml.text(name, value);
    }
    let policies = settings.termination_policies.iter().map(String::as_str);
    let default = settings
        .termination_policies
        .is_empty()
        .then_some("Default");
    xml.values("TerminationPolicies", "member", policies.chain(default));
    xml.list("Instances", "member", group.members(), |xml, found| {
        member(xml, found, None);
    });
    xml.list("Tags", "member", &settings.tags, |xml, (key, value)| {
        tag(xml, &group.name, key, value);
    });
    xml.list(
        "SuspendedProcesses",
        "member",
        &settings.suspended,
        |xml, (process, why)| {
            xml.text("ProcessName", process);
            xml.text("SuspensionReason", why);
        },
    );
    xml.list(
        "EnabledMetrics",
        "member",
        &settings.enabled_metrics,
        |xml, metric| {
            xml.text("Metric", metric);
            xml.text("Granularity", "1Minute");
        },
    );
    xml.node("LoadBalancerNames", |_| {});
    xml.node("TargetGroupARNs", |_| {});
}

/// What instances are launched from.
fn source(xml: &mut Xml, settings: &GroupSettings) {
    if let Some(spec) = &settings.template {
        xml.node("LaunchTemplate", |xml| template(xml, spec));
    }
    if let Some(mixed) = &settings.mixed_instances {
        xml.node("MixedInstancesPolicy", |xml| mixed_instances(xml, mixed));
    }
    xml.opt(
        "LaunchConfigurationName",
        settings.launch_configuration.as_ref(),
    );
}

fn mixed_instances(xml: &mut Xml, mixed: &MixedInstances) {
    xml.node("LaunchTemplate", |xml| {
        xml.node("LaunchTemplateSpecification", |xml| {
            template(xml, &mixed.template);
        });
        xml.list(
            "Overrides",
            "member",
            &mixed.instance_types,
            |xml, instance_type| {
                xml.text("InstanceType", instance_type);
            },
        );
    });
    xml.node("InstancesDistribution", |xml| {
        for (name, value) in &mixed.distribution {
            xml.text(name, value);
        }
    });
}

fn template(xml: &mut Xml, spec: &TemplateSpec) {
    xml.opt("LaunchTemplateId", spec.id.as_ref());
    xml.opt("LaunchTemplateName", spec.name.as_ref());
    xml.text("Version", spec.version.as_deref().unwrap_or("$Default"));
}

/// An instance; `group` is given where the answer does not stand inside of a group.
pub(super) fn member(xml: &mut Xml, member: &Member, group: Option<&String>) {
    xml.text("InstanceId", &member.id);
    xml.opt("AutoScalingGroupName", group);
    xml.text("AvailabilityZone", &member.zone);
    xml.text("InstanceType", &member.instance_type);
    xml.text("LifecycleState", member.lifecycle_state());
    // One of the two answers writes health in capitals.
    let health = member.health_status();
    if group.is_some() {
        xml.text("HealthStatus", health.to_ascii_uppercase());
    } else {
        xml.text("HealthStatus", health);
    }
    xml.text("ProtectedFromScaleIn", is_protected(member.protection));
    if let Some(spec) = &member.template {
        xml.node("LaunchTemplate", |xml| template(xml, spec));
    }
}

pub(super) fn tag(xml: &mut Xml, group: &str, key: &str, tag: &GroupTag) {
    xml.text("ResourceId", group);
    xml.text("ResourceType", "auto-scaling-group");
    xml.text("Key", key);
    xml.text("Value", &tag.value);
    xml.text("PropagateAtLaunch", tag.propagate);
}

pub(super) fn hook(xml: &mut Xml, group: &str, hook: &Hook) {
    xml.text("LifecycleHookName", &hook.name);
    xml.text("AutoScalingGroupName", group);
    xml.text("LifecycleTransition", hook.transition.name());
    xml.text("HeartbeatTimeout", hook.heartbeat_timeout.as_secs());
    xml.text("GlobalTimeout", hook.global_timeout().as_secs());
    xml.text("DefaultResult", hook.default_result.name());
    xml.opt(
        "NotificationTargetARN",
        hook.notification.target_arn.as_ref(),
    );
    xml.opt("RoleARN", hook.notification.role_arn.as_ref());
    xml.opt("NotificationMetadata", hook.notification.metadata.as_ref());
}

pub(super) fn activity(xml: &mut Xml, group: &str, activity: &Activity) {
    xml.text("ActivityId", &activity.id);
    xml.text("AutoScalingGroupName", group);
    xml.text("Description", &activity.description);
    xml.text("Cause", &activity.cause);
    xml.text("StartTime", activity.started_at);
    xml.opt("EndTime", activity.ended_at);
    xml.text("StatusCode", activity.status.name());
    xml.opt("StatusMessage", activity.status_message.as_ref());
    xml.text("Progress", activity.status.progress());
    xml.text("Details", "{}");
}

pub(super) fn policy(xml: &mut Xml, group: &str, policy: &ScalingPolicy) {
    xml.text("AutoScalingGroupName", group);
    xml.text("PolicyName", &policy.name);
    xml.text("PolicyARN", &policy.arn);
    xml.text("PolicyType", &policy.policy_type);
    xml.text("Enabled", policy.enabled);
    for (name, value) in &policy.inert {
        xml.text(name, value);
    }
    xml.node("Alarms", |_| {});
    if let Some(tracking) = &policy.tracking {
        xml.node("TargetTrackingConfiguration", |xml| {
            target_tracking(xml, tracking);
        });
    }
}

fn target_tracking(xml: &mut Xml, tracking: &TargetTracking) {
    match &tracking.metric {
        TrackedMetric::Predefined(name) => {
            xml.node("PredefinedMetricSpecification", |xml| {
                xml.text("PredefinedMetricType", name);
            });
        }
        TrackedMetric::Custom {
            namespace,
            name,
            dimensions,
            statistic,
            unit,
        } => xml.node("CustomizedMetricSpecification", |xml| {
            xml.text("Namespace", namespace);
            xml.text("MetricName", name);
            xml.list("Dimensions", "member", dimensions, |xml, (name, value)| {
                xml.text("Name", name);
                xml.text("Value", value);
            });
            xml.text("Statistic", statistic);
            xml.opt("Unit", unit.as_ref());
        }),
        // Kept as it was written; nothing here reads it back in full.
        TrackedMetric::Math(_) => xml.node("CustomizedMetricSpecification", |_| {}),
    }
    xml.text("TargetValue", tracking.target);
    xml.text("DisableScaleIn", tracking.disable_scale_in);
}

fn is_protected(protection: Protection) -> bool {
    protection == Protection::Protected
}
