//! What a request wants to do, in IAM's terms, and how each service says no.
//!
//! "Actions, resources, and condition keys" of each service, in the Service Authorization
//! Reference. Whether it may is [`crate::iam`]'s.

use axum::http::StatusCode;
use axum::response::Response;

use super::request::{Call, Protocol, Service};
use super::{SharedCloud, autoscaling, cloudwatch, ec2, reply};
use crate::cloud::autoscaling::Group;
use crate::iam::{Access, Place, Refusal};

/// What a call wants to do.
pub(super) fn accesses(
    cloud: &SharedCloud,
    call: &Call,
    action: &str,
    place: &Place,
) -> Vec<Access> {
    match call.service {
        Service::Sqs => vec![of_queue(call, action, place)],
        Service::Autoscaling => vec![of_group(cloud, call, action, place)],
        Service::Ec2 => vec![Access::new(format!("ec2:{action}"), "*")],
        // No fleet of tasks is adopted yet, so nothing narrower is asked of a policy here.
        Service::Ecs => vec![Access::new(format!("ecs:{action}"), "*")],
        Service::CloudWatch => {
            let access = Access::new(format!("cloudwatch:{action}"), "*");
            vec![match cloudwatch::namespace(call) {
                Some(name) if action == "PutMetricData" => {
                    access.with("cloudwatch:namespace", vec![name])
                }
                _ => access,
            }]
        }
    }
}

/// Batches need the permission of the single operation.
fn of_queue(call: &Call, action: &str, place: &Place) -> Access {
    let body: serde_json::Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let mut named = ["QueueUrl", "QueueName", "SourceArn"].into_iter();
    let queue = named.find_map(|key| body.get(key)?.as_str());
    let resource = match queue.and_then(|queue| queue.rsplit(['/', ':']).next()) {
        Some(name) => place.arn("sqs", name),
        None => "*".into(),
    };
    let action = action.strip_suffix("Batch").unwrap_or(action);
    Access::new(format!("sqs:{action}"), resource)
}

/// Describing knows no resources; the rest is about one group, by its name or by an instance's.
fn of_group(cloud: &SharedCloud, call: &Call, action: &str, place: &Place) -> Access {
    let verb = format!("autoscaling:{action}");
    if action.starts_with("Describe") {
        return Access::new(verb, "*");
    }
    let params = call.params();
    cloud.look(|cloud, _| {
        let groups = &cloud.autoscaling;
        let group = match (params.get("AutoScalingGroupName"), params.get("InstanceId")) {
            (Some(name), _) => groups.group(name),
            (None, Some(id)) => groups.group_of(id),
            (None, None) => return Access::new(&verb, "*"),
        };
        match group {
            Ok(group) => tagged(Access::new(&verb, arn(group, place)), group),
            Err(_) => Access::new(&verb, place.arn("autoscaling", "autoScalingGroup:unknown")),
        }
    })
}

/// The group's ARN, in the account that IAM speaks of.
fn arn(group: &Group, place: &Place) -> String {
    let rest = group.arn.splitn(6, ':').nth(5).unwrap_or_default();
    place.arn("autoscaling", rest)
}

fn tagged(access: Access, group: &Group) -> Access {
    let tags = group.settings.tags.iter();
    tags.fold(access, |access, (key, tag)| {
        access.with(&format!("aws:ResourceTag/{key}"), vec![tag.value.clone()])
    })
}

/// The service's answer to a call that may not be made.
pub(super) fn refused(call: &Call, refusal: &Refusal) -> Response {
    let unknown = matches!(refusal, Refusal::UnknownKey);
    let message = refusal.to_string();
    match (call.service, call.protocol) {
        (Service::Ec2, _) => {
            let code = if unknown {
                "AuthFailure"
            } else {
                "UnauthorizedOperation"
            };
            reply::xml(StatusCode::FORBIDDEN, ec2::error_document(code, &message))
        }
        (Service::Autoscaling, _) | (_, Protocol::Query) => {
            let code = if unknown {
                "InvalidClientTokenId"
            } else {
                "AccessDenied"
            };
            reply::xml(
                StatusCode::FORBIDDEN,
                autoscaling::error_document(code, &message),
            )
        }
        (_, protocol) => {
            let code = if unknown {
                "InvalidClientTokenId"
            } else {
                "AccessDenied"
            };
            let shape = format!("com.amazon.coral.service#{code}Exception");
            let response = match protocol {
                Protocol::Cbor => cloudwatch::error(protocol, &shape, &message),
                _ => reply::json_error(StatusCode::FORBIDDEN, &shape, &message),
            };
            let mut response = reply::with_query_error(response, code);
            *response.status_mut() = StatusCode::FORBIDDEN;
            response
        }
    }
}
