//! Auto Scaling: groups and their size.

use std::time::Duration;

use aws_sdk_autoscaling::types::{
    CustomizedMetricSpecification, LaunchTemplateSpecification, LifecycleState, MetricDimension,
    MetricStatistic, MetricType, PredefinedMetricSpecification, Tag, TargetTrackingConfiguration,
};
use weir_sandbox::cloud::CloudConfig;
use weir_sandbox::cloud::ec2::TemplateData;

use crate::harness::{Aws, code, message};

pub(crate) fn template(aws: &Aws) -> LaunchTemplateSpecification {
    aws.cloud.with(|cloud, now| {
        // There already when a case makes several groups.
        let _ = cloud
            .ec2
            .create_launch_template(now, "workers", TemplateData::default());
    });
    LaunchTemplateSpecification::builder()
        .launch_template_name("workers")
        .build()
}

/// A group of this size in two zones, with its instances in service.
pub(crate) async fn group(aws: &Aws, [min, max, desired]: [i32; 3]) {
    aws.autoscaling()
        .create_auto_scaling_group()
        .auto_scaling_group_name("workers")
        .launch_template(template(aws))
        .availability_zones("eu-west-1a")
        .availability_zones("eu-west-1b")
        .min_size(min)
        .max_size(max)
        .desired_capacity(desired)
        .send()
        .await
        .unwrap();
    aws.skip(2);
}

pub(crate) async fn described(aws: &Aws) -> aws_sdk_autoscaling::types::AutoScalingGroup {
    let describe = aws.autoscaling().describe_auto_scaling_groups();
    let got = describe
        .auto_scaling_group_names("workers")
        .send()
        .await
        .unwrap();
    got.auto_scaling_groups()[0].clone()
}

pub(crate) async fn ids_in(aws: &Aws, state: LifecycleState) -> Vec<String> {
    let group = described(aws).await;
    let in_state = group
        .instances()
        .iter()
        .filter(|i| i.lifecycle_state() == Some(&state));
    in_state
        .map(|i| i.instance_id().unwrap().to_owned())
        .collect()
}

async fn set_desired(aws: &Aws, desired: i32) {
    let set = aws
        .autoscaling()
        .set_desired_capacity()
        .auto_scaling_group_name("workers");
    set.desired_capacity(desired).send().await.unwrap();
}

/// `CreateAutoScalingGroup`, `DescribeAutoScalingGroups`: what was set is what is described, and the
/// instances come in the zones in turn ("Auto Scaling benefits", Availability Zone balance).
#[tokio::test]
async fn a_group_is_described_as_it_was_created() {
    let aws = Aws::start().await;
    let tag = Tag::builder()
        .key("team")
        .value("a & b")
        .propagate_at_launch(true)
        .build();
    aws.autoscaling()
        .create_auto_scaling_group()
        .auto_scaling_group_name("workers")
        .launch_template(template(&aws))
        .availability_zones("eu-west-1a")
        .availability_zones("eu-west-1b")
        .min_size(0)
        .max_size(5)
        .desired_capacity(4)
        .new_instances_protected_from_scale_in(true)
        .tags(tag)
        .send()
        .await
        .unwrap();
    let group = described(&aws).await;
    let pending = group
        .instances()
        .iter()
        .filter(|i| i.lifecycle_state() == Some(&LifecycleState::Pending));
    assert_eq!(pending.count(), 4);
    aws.skip(2);
    let group = described(&aws).await;
    assert_eq!(
        (group.min_size(), group.max_size(), group.desired_capacity()),
        (Some(0), Some(5), Some(4))
    );
    assert_eq!(group.new_instances_protected_from_scale_in(), Some(true));
    assert_eq!(group.tags()[0].value(), Some("a & b"));
    assert!(
        group
            .auto_scaling_group_arn()
            .unwrap()
            .contains(":autoscaling:eu-west-1:")
    );
    let in_zone = |zone| {
        group
            .instances()
            .iter()
            .filter(|i| i.availability_zone() == Some(zone))
            .count()
    };
    assert_eq!((in_zone("eu-west-1a"), in_zone("eu-west-1b")), (2, 2));
    for instance in group.instances() {
        assert_eq!(instance.lifecycle_state(), Some(&LifecycleState::InService));
        assert_eq!(instance.health_status(), Some("Healthy"));
        assert_eq!(instance.protected_from_scale_in(), Some(true));
    }
}

/// `CreateAutoScalingGroup`: `AlreadyExists`; and requests that hold no size, no zone or no template.
#[tokio::test]
async fn a_group_that_is_wrong_is_refused() {
    let aws = Aws::start().await;
    group(&aws, [0, 1, 0]).await;
    let create = || {
        let create = aws
            .autoscaling()
            .create_auto_scaling_group()
            .min_size(0)
            .max_size(1);
        create.auto_scaling_group_name("other")
    };
    let error = create()
        .launch_template(template(&aws))
        .send()
        .await
        .unwrap_err();
    assert_eq!(code(&error), "ValidationError");
    let error = create()
        .availability_zones("eu-west-1a")
        .send()
        .await
        .unwrap_err();
    assert_eq!(code(&error), "ValidationError");
    let absent = LaunchTemplateSpecification::builder()
        .launch_template_name("absent")
        .build();
    let create_absent = create()
        .availability_zones("eu-west-1a")
        .launch_template(absent);
    let error = create_absent.send().await.unwrap_err();
    assert!(message(&error).contains("absent"), "{}", message(&error));
    let again = create()
        .auto_scaling_group_name("workers")
        .availability_zones("eu-west-1a");
    let error = again
        .launch_template(template(&aws))
        .send()
        .await
        .unwrap_err();
    assert_eq!(code(&error), "AlreadyExists");
}

/// `SetDesiredCapacity`: outside of the group's bounds it is a `ValidationError`, and nothing changes.
#[tokio::test]
async fn the_desired_capacity_stays_within_the_bounds() {
    let aws = Aws::start().await;
    group(&aws, [1, 3, 1]).await;
    for outside in [0, 4] {
        let set = aws
            .autoscaling()
            .set_desired_capacity()
            .auto_scaling_group_name("workers");
        let error = set.desired_capacity(outside).send().await.unwrap_err();
        assert_eq!(code(&error), "ValidationError");
        assert!(
            message(&error).contains(&outside.to_string()),
            "{}",
            message(&error)
        );
    }
    assert_eq!(described(&aws).await.desired_capacity(), Some(1));
    let set = aws
        .autoscaling()
        .set_desired_capacity()
        .auto_scaling_group_name("absent");
    let error = set.desired_capacity(1).send().await.unwrap_err();
    assert_eq!(code(&error), "ValidationError");
}

/// `UpdateAutoScalingGroup`: "If a new value for `MaxSize` is specified without setting `DesiredCapacity`
/// and the new `MaxSize` is smaller than the current size of the group, this sets the group's
/// `DesiredCapacity` to the new `MaxSize` value"; likewise for `MinSize`.
#[tokio::test]
async fn bounds_take_the_desired_capacity_along() {
    let aws = Aws::start().await;
    group(&aws, [0, 4, 3]).await;
    let update = || {
        aws.autoscaling()
            .update_auto_scaling_group()
            .auto_scaling_group_name("workers")
    };
    update().max_size(2).send().await.unwrap();
    assert_eq!(described(&aws).await.desired_capacity(), Some(2));
    update().min_size(5).max_size(6).send().await.unwrap();
    assert_eq!(described(&aws).await.desired_capacity(), Some(5));
    let error = update().min_size(7).send().await.unwrap_err();
    assert_eq!(code(&error), "ValidationError");
    assert_eq!(described(&aws).await.min_size(), Some(5));
}

/// "Default termination policy": the zone with the most instances gives first, and of it the oldest.
#[tokio::test]
async fn scale_in_takes_the_oldest_of_the_fullest_zone() {
    let aws = Aws::start().await;
    group(&aws, [0, 5, 1]).await;
    let oldest = ids_in(&aws, LifecycleState::InService).await;
    set_desired(&aws, 3).await;
    aws.skip(2);
    set_desired(&aws, 2).await;
    let left = ids_in(&aws, LifecycleState::InService).await;
    assert_eq!(left.len(), 2);
    assert!(
        !left.contains(&oldest[0]),
        "the oldest is in the zone of two"
    );
}

/// "Use instance scale-in protection": "If all instances in an Auto Scaling group are protected from
/// scale in, and a scale-in event occurs, its desired capacity is decremented. However, the Auto Scaling
/// group can't terminate the required number of instances until their instance scale-in protection
/// settings are disabled."
#[tokio::test]
async fn protected_instances_outlive_a_lower_desired_capacity() {
    let aws = Aws::start().await;
    group(&aws, [0, 5, 2]).await;
    let ids = ids_in(&aws, LifecycleState::InService).await;
    let protect = |on, ids: &[String]| {
        let protect = aws
            .autoscaling()
            .set_instance_protection()
            .auto_scaling_group_name("workers");
        protect
            .set_instance_ids(Some(ids.to_vec()))
            .protected_from_scale_in(on)
            .send()
    };
    protect(true, &ids).await.unwrap();
    set_desired(&aws, 0).await;
    aws.skip(60);
    let group = described(&aws).await;
    assert_eq!(
        (group.desired_capacity(), group.instances().len()),
        (Some(0), 2)
    );
    let activities = aws.autoscaling().describe_scaling_activities();
    let activities = activities
        .auto_scaling_group_name("workers")
        .send()
        .await
        .unwrap();
    let newest = activities.activities()[0].description().unwrap();
    assert!(newest.contains("protected from scale-in"), "{newest}");
    protect(false, &ids[..1]).await.unwrap();
    assert_eq!(ids_in(&aws, LifecycleState::InService).await, ids[1..]);
}

/// `SetInstanceProtection`: an instance that is not of the group is a `ValidationError`.
#[tokio::test]
async fn protection_is_for_instances_of_the_group() {
    let aws = Aws::start().await;
    group(&aws, [0, 5, 1]).await;
    let protect = aws
        .autoscaling()
        .set_instance_protection()
        .auto_scaling_group_name("workers");
    let error = protect
        .instance_ids("i-0")
        .protected_from_scale_in(true)
        .send()
        .await
        .unwrap_err();
    assert_eq!(code(&error), "ValidationError");
}

/// `TerminateInstanceInAutoScalingGroup`, `ShouldDecrementDesiredCapacity`: with it the group shrinks,
/// without it the instance is replaced; protection does not keep an instance named by hand.
#[tokio::test]
async fn a_named_instance_is_ended_with_or_without_a_replacement() {
    let aws = Aws::start().await;
    group(&aws, [0, 5, 2]).await;
    let ids = ids_in(&aws, LifecycleState::InService).await;
    let protect = aws
        .autoscaling()
        .set_instance_protection()
        .auto_scaling_group_name("workers");
    let protect = protect
        .set_instance_ids(Some(ids.clone()))
        .protected_from_scale_in(true);
    protect.send().await.unwrap();
    let end = |id: &str, decrement| {
        let end = aws
            .autoscaling()
            .terminate_instance_in_auto_scaling_group()
            .instance_id(id);
        end.should_decrement_desired_capacity(decrement).send()
    };
    let ended = end(&ids[0], true).await.unwrap();
    assert!(
        ended
            .activity()
            .unwrap()
            .description()
            .unwrap()
            .contains(&ids[0])
    );
    assert_eq!(described(&aws).await.desired_capacity(), Some(1));
    end(&ids[1], false).await.unwrap();
    aws.skip(2);
    let now = ids_in(&aws, LifecycleState::InService).await;
    assert_eq!(now.len(), 1);
    assert!(!ids.contains(&now[0]), "a new one took its place");
    let error = end("i-0123456789abcdef0", true).await.unwrap_err();
    assert_eq!(code(&error), "ValidationError");
}

/// As above: the desired capacity never falls below the minimum.
#[tokio::test]
async fn a_decrement_below_the_minimum_is_refused() {
    let aws = Aws::start().await;
    group(&aws, [1, 5, 1]).await;
    let ids = ids_in(&aws, LifecycleState::InService).await;
    let end = aws
        .autoscaling()
        .terminate_instance_in_auto_scaling_group()
        .instance_id(&ids[0]);
    let error = end
        .should_decrement_desired_capacity(true)
        .send()
        .await
        .unwrap_err();
    assert_eq!(code(&error), "ValidationError");
    assert!(message(&error).contains("min size"), "{}", message(&error));
    assert_eq!(ids_in(&aws, LifecycleState::InService).await, ids);
}

/// `DescribeScalingActivities`: a launch that EC2 has no room for is `Failed`; it is tried again, and
/// comes through when there is room ("Troubleshoot ... insufficient capacity").
#[tokio::test]
async fn capacity_that_is_not_there_is_waited_for() {
    let config = CloudConfig {
        capacity: Some(2),
        launch_retry: Duration::from_secs(30),
        ..CloudConfig::default()
    };
    let aws = Aws::with(&config).await;
    group(&aws, [0, 5, 3]).await;
    let group = described(&aws).await;
    assert_eq!(
        (group.desired_capacity(), group.instances().len()),
        (Some(3), 2)
    );
    let activities = aws.autoscaling().describe_scaling_activities();
    let activities = activities
        .auto_scaling_group_name("workers")
        .send()
        .await
        .unwrap();
    let failed = &activities.activities()[0];
    assert_eq!(failed.status_code().unwrap().as_str(), "Failed");
    assert!(
        failed
            .status_message()
            .unwrap()
            .contains("InsufficientInstanceCapacity")
    );
    aws.cloud
        .with(|cloud, _| cloud.autoscaling.set_capacity(None));
    aws.skip(32);
    assert_eq!(ids_in(&aws, LifecycleState::InService).await.len(), 3);
}

/// "Health checks for instances in an Auto Scaling group": an instance that is gone is replaced.
#[tokio::test]
async fn an_instance_that_dies_is_replaced() {
    let aws = Aws::start().await;
    group(&aws, [0, 5, 1]).await;
    let ids = ids_in(&aws, LifecycleState::InService).await;
    aws.cloud
        .with(|cloud, now| cloud.instance_failed(now, &ids[0]));
    aws.skip(2);
    let now = ids_in(&aws, LifecycleState::InService).await;
    assert_eq!(now.len(), 1);
    assert_ne!(now, ids);
    assert_eq!(described(&aws).await.desired_capacity(), Some(1));
}

/// `DescribeAutoScalingGroups`, `MaxRecords` and `NextToken`.
#[tokio::test]
async fn groups_come_in_pages() {
    let aws = Aws::start().await;
    for n in 0..5 {
        let create = aws
            .autoscaling()
            .create_auto_scaling_group()
            .min_size(0)
            .max_size(1);
        let create = create
            .launch_template(template(&aws))
            .availability_zones("eu-west-1a");
        create
            .auto_scaling_group_name(format!("g{n}"))
            .send()
            .await
            .unwrap();
    }
    let first = aws
        .autoscaling()
        .describe_auto_scaling_groups()
        .max_records(2)
        .send()
        .await
        .unwrap();
    assert_eq!(first.auto_scaling_groups().len(), 2);
    assert!(first.next_token().is_some());
    let pages = aws
        .autoscaling()
        .describe_auto_scaling_groups()
        .max_records(2)
        .into_paginator();
    let all: Vec<_> = pages
        .items()
        .send()
        .collect::<Result<_, _>>()
        .await
        .unwrap();
    assert_eq!(all.len(), 5);
    let named = aws.autoscaling().describe_auto_scaling_groups();
    let named = named
        .auto_scaling_group_names("g1")
        .auto_scaling_group_names("absent");
    assert_eq!(
        named.send().await.unwrap().auto_scaling_groups().len(),
        1,
        "absent ones are left out"
    );
}

/// `DescribeAutoScalingInstances`: by id; the answer names the group.
#[tokio::test]
async fn instances_are_described_by_id() {
    let aws = Aws::start().await;
    group(&aws, [0, 5, 2]).await;
    let ids = ids_in(&aws, LifecycleState::InService).await;
    let one = aws
        .autoscaling()
        .describe_auto_scaling_instances()
        .instance_ids(&ids[0]);
    let one = one.send().await.unwrap();
    let [instance] = one.auto_scaling_instances() else {
        panic!("one instance: {one:?}")
    };
    assert_eq!(instance.auto_scaling_group_name(), Some("workers"));
    assert_eq!(instance.lifecycle_state(), Some("InService"));
    assert_eq!(instance.protected_from_scale_in(), Some(false));
}

/// `DeleteAutoScalingGroup`: `ResourceInUse` while there are instances, unless forced.
#[tokio::test]
async fn a_group_with_instances_is_deleted_only_by_force() {
    let aws = Aws::start().await;
    group(&aws, [0, 5, 1]).await;
    let delete = || {
        aws.autoscaling()
            .delete_auto_scaling_group()
            .auto_scaling_group_name("workers")
    };
    let error = delete().send().await.unwrap_err();
    assert!(error.into_service_error().is_resource_in_use_fault());
    delete().force_delete(true).send().await.unwrap();
    let all = aws
        .autoscaling()
        .describe_auto_scaling_groups()
        .send()
        .await
        .unwrap();
    assert!(all.auto_scaling_groups().is_empty());
}

/// `PutScalingPolicy`, `DescribePolicies`, `DeletePolicy`: target tracking of a metric of one's own.
#[tokio::test]
async fn target_tracking_policies_are_kept() {
    let aws = Aws::start().await;
    group(&aws, [0, 5, 0]).await;
    let metric = CustomizedMetricSpecification::builder()
        .namespace("Weir/Fleet")
        .metric_name("BacklogPerInstance")
        .dimensions(
            MetricDimension::builder()
                .name("Fleet")
                .value("thumbnails")
                .build(),
        )
        .statistic(MetricStatistic::Average)
        .build();
    let tracking = TargetTrackingConfiguration::builder()
        .customized_metric_specification(metric)
        .target_value(28.5)
        .disable_scale_in(true)
        .build();
    let put = |tracking| {
        let put = aws
            .autoscaling()
            .put_scaling_policy()
            .auto_scaling_group_name("workers");
        put.policy_name("weir")
            .policy_type("TargetTrackingScaling")
            .target_tracking_configuration(tracking)
    };
    let arn = put(tracking.clone()).send().await.unwrap().policy_arn;
    let describe = || {
        aws.autoscaling()
            .describe_policies()
            .auto_scaling_group_name("workers")
            .send()
    };
    let policies = describe().await.unwrap();
    let [policy] = policies.scaling_policies() else {
        panic!("one policy: {policies:?}")
    };
    assert_eq!(policy.target_tracking_configuration(), Some(&tracking));
    assert_eq!(policy.policy_arn, arn);
    let predefined = PredefinedMetricSpecification::builder();
    let predefined = predefined
        .predefined_metric_type(MetricType::AsgAverageCpuUtilization)
        .build();
    let cpu = TargetTrackingConfiguration::builder().predefined_metric_specification(predefined);
    put(cpu.target_value(50.0).build()).send().await.unwrap();
    let policies = describe().await.unwrap();
    let tracking = policies.scaling_policies()[0]
        .target_tracking_configuration()
        .unwrap();
    assert_eq!(
        (policies.scaling_policies().len(), tracking.target_value()),
        (1, Some(50.0))
    );
    let delete = aws
        .autoscaling()
        .delete_policy()
        .auto_scaling_group_name("workers");
    delete.policy_name("weir").send().await.unwrap();
    assert!(describe().await.unwrap().scaling_policies().is_empty());
}

/// `CreateOrUpdateTags`, `DeleteTags`.
#[tokio::test]
async fn tags_of_a_group_can_be_changed() {
    let aws = Aws::start().await;
    group(&aws, [0, 5, 0]).await;
    let tag = Tag::builder()
        .resource_id("workers")
        .resource_type("auto-scaling-group");
    let tag = tag.key("k").value("v").propagate_at_launch(false).build();
    aws.autoscaling()
        .create_or_update_tags()
        .tags(tag.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(described(&aws).await.tags()[0].key(), Some("k"));
    aws.autoscaling()
        .delete_tags()
        .tags(tag)
        .send()
        .await
        .unwrap();
    assert!(described(&aws).await.tags().is_empty());
}

/// `LaunchTemplateSpecification`: a group shows the template's id and name and the version it follows;
/// an instance keeps the number of the version it was launched from.
#[tokio::test]
async fn an_instance_keeps_the_version_it_was_launched_from() {
    let aws = Aws::start().await;
    let spec = template(&aws);
    let latest = LaunchTemplateSpecification::builder()
        .launch_template_name(spec.launch_template_name().unwrap())
        .version("$Latest");
    let create = aws.autoscaling().create_auto_scaling_group();
    let create = create
        .auto_scaling_group_name("workers")
        .launch_template(latest.build())
        .availability_zones("eu-west-1a")
        .min_size(1)
        .max_size(1);
    create.send().await.unwrap();
    aws.cloud.with(|cloud, now| {
        let spec = weir_sandbox::cloud::ec2::TemplateSpec {
            name: Some("workers".into()),
            ..Default::default()
        };
        let template = cloud.ec2.template_mut(&spec).unwrap();
        template.add_version(now, None, TemplateData::default());
    });
    let group = described(&aws).await;
    let shown = group.launch_template().unwrap();
    assert_eq!(shown.version(), Some("$Latest"));
    assert!(shown.launch_template_id().unwrap().starts_with("lt-"));
    let kept = group.instances()[0].launch_template().unwrap();
    assert_eq!(kept.launch_template_name(), Some("workers"));
    assert_eq!(kept.version(), Some("1"));
}
