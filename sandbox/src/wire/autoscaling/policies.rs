//! The operations on scaling policies.

use super::super::query::{Params, page};
use super::{Answer, Request, nothing, write};
use crate::cloud::autoscaling::{Group, ScalingPolicy, TargetTracking, TrackedMetric};
use crate::cloud::{ACCOUNT, ApiError, ApiResult};

/// The answer, if the action is one of these.
pub(super) fn answer(request: &Request, action: &str) -> Option<ApiResult<Answer>> {
    Some(match action {
        "PutScalingPolicy" => put(request),
        "DescribePolicies" => describe(request),
        "DeletePolicy" => delete(request),
        _ => return None,
    })
}

fn put(request: &Request) -> ApiResult<Answer> {
    let params = request.params;
    let group = params.require("AutoScalingGroupName")?;
    let name = params.require("PolicyName")?;
    let policy_type = params.get("PolicyType").unwrap_or("SimpleScaling");
    let tracking = params.structure("TargetTrackingConfiguration");
    if policy_type == "TargetTrackingScaling" && tracking.is_empty() {
        return Err(ApiError::validation(
            "A policy of the type TargetTrackingScaling needs a TargetTrackingConfiguration.",
        ));
    }
    let arn = format!(
        "arn:aws:autoscaling:{}:{ACCOUNT}:scalingPolicy:00000000-0000-4000-8000-000000000000:\
         autoScalingGroupName/{group}:policyName/{name}",
        request.region
    );
    let policy = ScalingPolicy {
        name: name.to_owned(),
        arn: arn.clone(),
        policy_type: policy_type.to_owned(),
        enabled: params.read("Enabled")?.unwrap_or(true),
        tracking: (!tracking.is_empty())
            .then(|| read_tracking(&tracking))
            .transpose()?,
        inert: inert(params),
    };
    request
        .cloud
        .quietly(|cloud, _| cloud.autoscaling.put_policy(group, policy))?;
    Ok(Box::new(move |xml| {
        xml.text("PolicyARN", arn);
        xml.node("Alarms", |_| {});
    }))
}

/// Plain parameters of simple and step policies: kept, without effect.
fn inert(params: &Params) -> Vec<(String, String)> {
    const INERT: [&str; 6] = [
        "AdjustmentType",
        "ScalingAdjustment",
        "Cooldown",
        "MinAdjustmentMagnitude",
        "MetricAggregationType",
        "EstimatedInstanceWarmup",
    ];
    let given = |name: &&str| Some(((*name).to_owned(), params.string(name)?));
    INERT.iter().filter_map(given).collect()
}

fn read_tracking(params: &Params) -> ApiResult<TargetTracking> {
    let target = params.read::<f64>("TargetValue")?;
    let target = target.filter(|target| target.is_finite()).ok_or_else(|| {
        ApiError::validation("TargetTrackingConfiguration.TargetValue must be a number.")
    })?;
    let custom = params.structure("CustomizedMetricSpecification");
    let predefined = params.structure("PredefinedMetricSpecification");
    let metric = if custom.is_empty() {
        TrackedMetric::Predefined(predefined.require("PredefinedMetricType")?.to_owned())
    } else if custom.structure("Metrics").is_empty() {
        let dimensions = custom.structures("Dimensions.member");
        let dimension = |d: &Params| {
            Ok((
                d.require("Name")?.to_owned(),
                d.require("Value")?.to_owned(),
            ))
        };
        TrackedMetric::Custom {
            namespace: custom.require("Namespace")?.to_owned(),
            name: custom.require("MetricName")?.to_owned(),
            dimensions: dimensions.iter().map(dimension).collect::<ApiResult<_>>()?,
            statistic: custom.require("Statistic")?.to_owned(),
            unit: custom.string("Unit"),
        }
    } else {
        let pairs = custom.pairs();
        TrackedMetric::Math(pairs.map(|(n, v)| (n.to_owned(), v.to_owned())).collect())
    };
    Ok(TargetTracking {
        metric,
        target,
        disable_scale_in: params.read("DisableScaleIn")?.unwrap_or(false),
    })
}

fn describe(request: &Request) -> ApiResult<Answer> {
    let params = request.params;
    let group = params.get("AutoScalingGroupName");
    let names = params.strings("PolicyNames.member");
    let types = params.strings("PolicyTypes.member");
    let found: Vec<(String, ScalingPolicy)> = request.cloud.quietly(|cloud, _| {
        if let Some(group) = group {
            cloud.autoscaling.group(group)?;
        }
        let asked_group = |found: &&Group| group.is_none_or(|group| group == found.name);
        let asked = |policy: &&ScalingPolicy| {
            (names.is_empty() || names.contains(&policy.name) || names.contains(&policy.arn))
                && (types.is_empty() || types.contains(&policy.policy_type))
        };
        let groups = cloud.autoscaling.groups().filter(asked_group);
        let policies = groups.flat_map(|group| {
            let policies = group.policies().filter(asked);
            policies
                .map(|policy| (group.name.clone(), policy.clone()))
                .collect::<Vec<_>>()
        });
        Ok(policies.collect())
    })?;
    let size = params.read("MaxRecords")?.unwrap_or(50).min(100);
    let page = page(found, params.get("NextToken"), size)?;
    Ok(Box::new(move |xml| {
        xml.list(
            "ScalingPolicies",
            "member",
            &page.items,
            |xml, (group, policy)| {
                write::policy(xml, group, policy);
            },
        );
        xml.opt("NextToken", page.next);
    }))
}

fn delete(request: &Request) -> ApiResult<Answer> {
    let group = request.params.require("AutoScalingGroupName")?;
    let name = request.params.require("PolicyName")?;
    request
        .cloud
        .quietly(|cloud, _| cloud.autoscaling.delete_policy(group, name))?;
    Ok(nothing())
}
