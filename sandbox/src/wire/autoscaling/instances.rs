//! The operations on a group's instances: ending, protecting, and what hooks hold.

use super::super::query::page;
use super::groups::{protection, read_hook};
use super::{Answer, Request, nothing, write};
use crate::cloud::autoscaling::{
    ActionRef, ActionResult, Activity, Decrement, Hook, Member, ProtectionChange,
};
use crate::cloud::{ApiError, ApiResult};

/// The answer, if the action is one of these.
pub(super) fn answer(request: &Request, action: &str) -> Option<ApiResult<Answer>> {
    Some(match action {
        "DescribeAutoScalingInstances" => describe(request),
        "TerminateInstanceInAutoScalingGroup" => terminate(request),
        "SetInstanceProtection" => protect(request),
        "SetInstanceHealth" => set_health(request),
        "PutLifecycleHook" => put_hook(request),
        "DescribeLifecycleHooks" => describe_hooks(request),
        "DeleteLifecycleHook" => delete_hook(request),
        "DescribeLifecycleHookTypes" => Ok(hook_types()),
        "CompleteLifecycleAction" => complete(request),
        "RecordLifecycleActionHeartbeat" => heartbeat(request),
        "DescribeScalingActivities" => activities(request),
        _ => return None,
    })
}

fn describe(request: &Request) -> ApiResult<Answer> {
    let params = request.params;
    let ids = params.strings("InstanceIds.member");
    if ids.len() > 50 {
        return Err(ApiError::validation(format!(
            "The number of instance IDs is {}, and 50 is the most allowed.",
            ids.len()
        )));
    }
    let found: Vec<(String, Member)> = request.cloud.quietly(|cloud, now| {
        cloud.advance(now);
        let groups = cloud.autoscaling.groups();
        let members = groups.flat_map(|group| {
            let members = group.members().iter();
            members.map(|member| (group.name.clone(), member.clone()))
        });
        members
            .filter(|(_, member)| ids.is_empty() || ids.contains(&member.id))
            .collect()
    });
    let size = params.read("MaxRecords")?.unwrap_or(50).min(50);
    let page = page(found, params.get("NextToken"), size)?;
    Ok(Box::new(move |xml| {
        xml.list(
            "AutoScalingInstances",
            "member",
            &page.items,
            |xml, (group, member)| {
                write::member(xml, member, Some(group));
            },
        );
        xml.opt("NextToken", page.next);
    }))
}

fn terminate(request: &Request) -> ApiResult<Answer> {
    let id = request.params.require("InstanceId")?;
    request.params.require("ShouldDecrementDesiredCapacity")?;
    let decrement = match request.params.read("ShouldDecrementDesiredCapacity")? {
        Some(true) => Decrement::Yes,
        _ => Decrement::No,
    };
    let (group, activity) = request.cloud.quietly(|cloud, now| {
        let group = cloud.autoscaling.group_of(id)?.name.clone();
        let activity = cloud
            .autoscaling
            .terminate_instance(now, id, decrement, &mut cloud.ec2)?;
        Ok((group, activity))
    })?;
    Ok(Box::new(move |xml| {
        xml.node("Activity", |xml| write::activity(xml, &group, &activity));
    }))
}

fn protect(request: &Request) -> ApiResult<Answer> {
    let params = request.params;
    params.require("ProtectedFromScaleIn")?;
    let change = ProtectionChange {
        group: params.require("AutoScalingGroupName")?.to_owned(),
        instances: params.strings("InstanceIds.member"),
        protection: protection(params.read("ProtectedFromScaleIn")?.unwrap_or(false)),
    };
    request.cloud.quietly(|cloud, now| {
        cloud
            .autoscaling
            .set_protection(now, &change, &mut cloud.ec2)
    })?;
    Ok(nothing())
}

/// An instance set unhealthy is replaced; one set healthy stays as it is.
fn set_health(request: &Request) -> ApiResult<Answer> {
    let id = request.params.require("InstanceId")?;
    let status = request.params.require("HealthStatus")?;
    request.cloud.quietly(|cloud, now| {
        cloud.autoscaling.group_of(id)?;
        match status {
            "Unhealthy" => {
                cloud
                    .autoscaling
                    .terminate_instance(now, id, Decrement::No, &mut cloud.ec2)?;
                Ok(())
            }
            "Healthy" => Ok(()),
            _ => Err(ApiError::validation(format!(
                "Valid health statuses are Healthy and Unhealthy; found '{status}'."
            ))),
        }
    })?;
    Ok(nothing())
}

fn put_hook(request: &Request) -> ApiResult<Answer> {
    let group = request.params.require("AutoScalingGroupName")?;
    let change = read_hook(request.params)?;
    request
        .cloud
        .quietly(|cloud, _| cloud.autoscaling.put_hook(group, change))?;
    Ok(nothing())
}

fn describe_hooks(request: &Request) -> ApiResult<Answer> {
    let group = request.params.require("AutoScalingGroupName")?.to_owned();
    let names = request.params.strings("LifecycleHookNames.member");
    let hooks: Vec<Hook> = request.cloud.quietly(|cloud, _| {
        let hooks = cloud.autoscaling.group(&group)?.hooks();
        let asked = |hook: &&Hook| names.is_empty() || names.contains(&hook.name);
        Ok(hooks.filter(asked).cloned().collect())
    })?;
    Ok(Box::new(move |xml| {
        xml.list("LifecycleHooks", "member", &hooks, |xml, hook| {
            write::hook(xml, &group, hook);
        });
    }))
}

fn delete_hook(request: &Request) -> ApiResult<Answer> {
    let group = request.params.require("AutoScalingGroupName")?;
    let hook = request.params.require("LifecycleHookName")?;
    request.cloud.quietly(|cloud, now| {
        cloud
            .autoscaling
            .delete_hook(now, group, hook, &mut cloud.ec2)
    })?;
    Ok(nothing())
}

fn hook_types() -> Answer {
    Box::new(|xml| {
        let types = [
            "autoscaling:EC2_INSTANCE_LAUNCHING",
            "autoscaling:EC2_INSTANCE_TERMINATING",
        ];
        xml.values("LifecycleHookTypes", "member", types);
    })
}

fn read_action(request: &Request) -> ApiResult<ActionRef> {
    Ok(ActionRef {
        group: request.params.require("AutoScalingGroupName")?.to_owned(),
        hook: request.params.require("LifecycleHookName")?.to_owned(),
        instance: request.params.string("InstanceId"),
        token: request.params.string("LifecycleActionToken"),
    })
}

fn complete(request: &Request) -> ApiResult<Answer> {
    let action = read_action(request)?;
    let result = ActionResult::parse(request.params.require("LifecycleActionResult")?)?;
    request.cloud.quietly(|cloud, now| {
        cloud
            .autoscaling
            .complete_action(now, &action, result, &mut cloud.ec2)
    })?;
    Ok(nothing())
}

fn heartbeat(request: &Request) -> ApiResult<Answer> {
    let action = read_action(request)?;
    request
        .cloud
        .quietly(|cloud, now| cloud.autoscaling.heartbeat(now, &action))?;
    Ok(nothing())
}

fn activities(request: &Request) -> ApiResult<Answer> {
    let params = request.params;
    let group = params.get("AutoScalingGroupName");
    let ids = params.strings("ActivityIds.member");
    let found: Vec<(String, Activity)> = request.cloud.quietly(|cloud, now| {
        cloud.advance(now);
        if let Some(group) = group {
            cloud.autoscaling.group(group)?;
        }
        let activities = cloud.autoscaling.activities(group).into_iter();
        let asked =
            |(_, activity): &(&str, &Activity)| ids.is_empty() || ids.contains(&activity.id);
        let asked = activities.filter(asked);
        Ok(asked
            .map(|(group, activity)| (group.to_owned(), activity.clone()))
            .collect())
    })?;
    let size = params.read("MaxRecords")?.unwrap_or(100).min(100);
    let page = page(found, params.get("NextToken"), size)?;
    Ok(Box::new(move |xml| {
        xml.list(
            "Activities",
            "member",
            &page.items,
            |xml, (group, activity)| {
                write::activity(xml, group, activity);
            },
        );
        xml.opt("NextToken", page.next);
    }))
}
