//! EC2 Auto Scaling: the groups as they are, and the changes that a plan names.
//!
//! This module must not choose: which instance leaves, and what the size should be, comes with
//! the call.

use std::collections::BTreeMap;

use aws_sdk_autoscaling::Client;
use aws_sdk_autoscaling::config::retry::RetryConfig;
use aws_sdk_autoscaling::types::{
    AutoScalingGroup, CustomizedMetricSpecification, MetricDimension, MetricStatistic,
    TargetTrackingConfiguration,
};

use super::cloudwatch::{DIMENSION, NAMESPACE};
use super::error::{Call, Endpoints, Failure, Kind};
use crate::figures::BACKLOG_PER_INSTANCE;
use crate::model::{FleetObservation, Instances, Member, Phase, Roster};
use crate::policy::Policy;

/// Names that `DescribeAutoScalingGroups` takes in one call unless asked for larger pages
/// (Auto Scaling API reference).
const NAMES_MAX: usize = 50;

/// One group, as the service shows it.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    /// Its capacity, counted.
    pub fleet: FleetObservation,
    /// Its instances, without reports and launch times.
    pub roster: Roster,
}

/// Groups by name; one that does not exist is absent.
pub(super) type Groups = BTreeMap<String, Group>;

/// What became of an instance that was to be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It is leaving now.
    Leaving,
    /// It was no longer there.
    Gone,
}

/// Whether ending an instance lowers the size that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lowering {
    /// By one.
    ByOne,
    /// Not at all.
    Not,
}

/// Reads and changes groups.
pub(super) struct AutoScaling {
    client: Client,
    endpoints: Endpoints,
}

impl AutoScaling {
    pub(super) fn new(client: Client, endpoints: Endpoints) -> Self {
        Self { client, endpoints }
    }

    /// The groups of these names, fifty a call, paged.
    pub(super) async fn groups(&self, names: &[String]) -> Result<Groups, Failure> {
        let mut groups = Groups::new();
        for names in names.chunks(NAMES_MAX) {
            let mut pages = self
                .client
                .describe_auto_scaling_groups()
                .set_auto_scaling_group_names(Some(names.to_vec()))
                .into_paginator()
                .send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|error| {
                    let action = "autoscaling:DescribeAutoScalingGroups";
                    self.endpoints.explain(&call(action, "*"), &error)
                })?;
                for group in page.auto_scaling_groups() {
                    let name = group.auto_scaling_group_name().unwrap_or_default();
                    groups.insert(name.to_owned(), as_group(group));
                }
            }
        }
        Ok(groups)
    }

    /// What to say where a policy's group is not among those found.
    pub(super) fn missing(&self, name: &str) -> Failure {
        let region = self.endpoints.region();
        let what = format!(
            "Auto Scaling group {name} does not exist in {region}: \
             check fleet.auto_scaling_group in the policy, and the region"
        );
        Failure::found(Kind::Missing, what)
    }

    /// Sets desired capacity, whatever cooldown the group is in.
    pub(super) async fn resize(&self, group: &str, desired: Instances) -> Result<(), Failure> {
        self.client
            .set_desired_capacity()
            .auto_scaling_group_name(group)
            .desired_capacity(i32::try_from(desired.0).unwrap_or(i32::MAX))
            .honor_cooldown(false)
            .send()
            .await
            .map_err(|error| {
                let subject = format!("group {group}");
                let call = call("autoscaling:SetDesiredCapacity", &subject);
                self.endpoints.explain(&call, &error)
            })?;
        Ok(())
    }

    /// Ends an instance through the group, and so through its lifecycle hook.
    ///
    /// Sent once: a second attempt after a lost answer could lower desired capacity twice. If the
    /// one attempt fails, the next round sees what became of it.
    pub(super) async fn end(&self, instance: &str, lowering: Lowering) -> Result<Ended, Failure> {
        let once = aws_sdk_autoscaling::Config::builder().retry_config(RetryConfig::disabled());
        let answer = self
            .client
            .terminate_instance_in_auto_scaling_group()
            .instance_id(instance)
            .should_decrement_desired_capacity(lowering == Lowering::ByOne)
            .customize()
            .config_override(once)
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(Ended::Leaving);
        };
        let subject = format!("instance {instance}");
        let action = "autoscaling:TerminateInstanceInAutoScalingGroup";
        let failure = self.endpoints.explain(&call(action, &subject), &error);
        if failure.kind == Kind::Invalid && failure.to_string().contains("not found") {
            return Ok(Ended::Gone);
        }
        Err(failure)
    }

    /// The target value of this fleet's target tracking policy, if the group has one.
    pub(super) async fn tracking_target(
        &self,
        (policy, group): (&Policy, &str),
    ) -> Result<Option<f64>, Failure> {
        let answer = self
            .client
            .describe_policies()
            .auto_scaling_group_name(group)
            .policy_names(tracking_policy(policy))
            .send()
            .await
            .map_err(|error| {
                let subject = format!("group {group}");
                let call = call("autoscaling:DescribePolicies", &subject);
                self.endpoints.explain(&call, &error)
            })?;
        let mut configurations = answer
            .scaling_policies()
            .iter()
            .filter_map(|policy| policy.target_tracking_configuration());
        Ok(configurations
            .next()
            .and_then(TargetTrackingConfiguration::target_value))
    }

    /// Sets the target that the group keeps backlog per instance at. Growth alone is left to it:
    /// who leaves is chosen by the controller.
    pub(super) async fn retarget(
        &self,
        (policy, group): (&Policy, &str),
        target: f64,
    ) -> Result<(), Failure> {
        let metric = CustomizedMetricSpecification::builder()
            .namespace(NAMESPACE)
            .metric_name(BACKLOG_PER_INSTANCE)
            .dimensions(
                MetricDimension::builder()
                    .name(DIMENSION)
                    .value(&policy.name)
                    .build(),
            )
            .statistic(MetricStatistic::Average);
        let configuration = TargetTrackingConfiguration::builder()
            .customized_metric_specification(metric.build())
            .target_value(target)
            .disable_scale_in(true);
        self.client
            .put_scaling_policy()
            .auto_scaling_group_name(group)
            .policy_name(tracking_policy(policy))
            .policy_type("TargetTrackingScaling")
            .target_tracking_configuration(configuration.build())
            .send()
            .await
            .map_err(|error| {
                let subject = format!("group {group}");
                let call = call("autoscaling:PutScalingPolicy", &subject);
                self.endpoints.explain(&call, &error)
            })?;
        Ok(())
    }
}

fn tracking_policy(policy: &Policy) -> String {
    format!("weir-{}", policy.name)
}

fn call<'a>(action: &'static str, subject: &'a str) -> Call<'a> {
    Call {
        action,
        subject,
        advice: "check fleet.auto_scaling_group in the policy, and the region",
    }
}

fn as_group(group: &AutoScalingGroup) -> Group {
    let roster: Roster = group
        .instances()
        .iter()
        .map(|instance| Member {
            id: instance.instance_id().unwrap_or_default().to_owned(),
            zone: instance.availability_zone().unwrap_or_default().to_owned(),
            phase: instance
                .lifecycle_state()
                .map_or(Phase::Other, |state| phase(state.as_str())),
            launched_at: None,
            report: None,
        })
        .collect();
    let count = |phase| {
        let count = roster.iter().filter(|member| member.phase == phase).count();
        u32::try_from(count).ok().map(Instances)
    };
    Group {
        fleet: FleetObservation {
            desired: group
                .desired_capacity()
                .and_then(|desired| u32::try_from(desired).ok())
                .map(Instances),
            in_service: count(Phase::InService),
            pending: count(Phase::Pending),
            terminating: count(Phase::Terminating),
        },
        roster,
    }
}

/// Lifecycle states by their first word (Auto Scaling user guide, "Amazon EC2 Auto Scaling
/// instance lifecycle"). Warmed, standby and detached instances are no capacity.
fn phase(state: &str) -> Phase {
    match state.split(':').next().unwrap_or(state) {
        "Pending" => Phase::Pending,
        "InService" => Phase::InService,
        "Terminating" | "Terminated" => Phase::Terminating,
        _ => Phase::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_autoscaling::types::{Instance, LifecycleState};

    #[test]
    fn every_lifecycle_state_has_its_phase() {
        let expected = |state: &str| match state {
            "InService" => Phase::InService,
            "Pending" | "Pending:Wait" | "Pending:Proceed" => Phase::Pending,
            "Terminated" => Phase::Terminating,
            _ if state.starts_with("Terminating") => Phase::Terminating,
            _ => Phase::Other,
        };
        for state in LifecycleState::values() {
            assert_eq!(phase(state), expected(state), "{state}");
        }
        assert_eq!(phase("Warmed:Pending:Wait"), Phase::Other);
    }

    #[test]
    fn a_group_is_counted_by_phase() {
        let instance = |id: &str, state| {
            Instance::builder()
                .instance_id(id)
                .availability_zone("eu-west-1a")
                .lifecycle_state(state)
                .health_status("Healthy")
                .protected_from_scale_in(true)
                .build()
        };
        let group = AutoScalingGroup::builder()
            .auto_scaling_group_name("g")
            .desired_capacity(3)
            .instances(instance("i-1", LifecycleState::InService))
            .instances(instance("i-2", LifecycleState::PendingWait))
            .instances(instance("i-3", LifecycleState::TerminatingWait))
            .instances(instance("i-4", LifecycleState::Standby))
            .build();
        let group = as_group(&group);
        let one = Some(Instances(1));
        assert_eq!(
            group.fleet,
            FleetObservation {
                desired: Some(Instances(3)),
                in_service: one,
                pending: one,
                terminating: one,
            }
        );
        assert_eq!(group.roster.len(), 4);
        assert_eq!(group.roster[3].phase, Phase::Other);
    }
}
