//! What is around the worker: who it is to AWS, its instance, its group's hook, the payload bucket.

use aws_config::SdkConfig;
use aws_sdk_sqs::config::ProvideCredentials;

use super::{Finding, Refusal, refusal};
use crate::builder::Builder;
use crate::ecs::{self, Agent, Task};
use crate::instance::Metadata;

const LOST_CREDENTIALS: &str = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or an \
                                instance role";

/// Whether there are any; that they are accepted shows at the first call.
pub(super) async fn credentials(config: &SdkConfig) -> Finding {
    let thing = "credentials";
    let Some(provider) = config.credentials_provider() else {
        return Finding::failed(thing, "none are configured", LOST_CREDENTIALS);
    };
    match provider.provide_credentials().await {
        Ok(credentials) => {
            let key = credentials.access_key_id();
            let hidden = key.char_indices().rev().nth(3).map_or(0, |(at, _)| at);
            let account = credentials
                .account_id()
                .map_or_else(String::new, |account| {
                    format!(" of account {}", account.as_str())
                });
            let region = config.region().map_or("?", AsRef::as_ref);
            let found = format!("access key …{}{account}, region {region}", &key[hidden..]);
            Finding::ok(thing, found)
        }
        Err(error) => {
            let found = format!("no AWS credentials could be loaded: {error}");
            Finding::failed(thing, found, LOST_CREDENTIALS)
        }
    }
}

/// The metadata service, and with it the instance and its role.
pub(super) async fn metadata(builder: &Builder) -> Finding {
    match ecs::find(builder.ecs_service.as_deref()).await {
        Ok(None) => {}
        Ok(Some((agent, task))) => return task_of(&agent, &task),
        Err(error) => {
            let next = "look at the container's environment and ECS's agent";
            return Finding::failed("task metadata", error.to_string(), next);
        }
    }
    let thing = "instance metadata";
    if !builder.metadata {
        let found = "not looked for: only a signal ends the worker";
        return Finding::ok(thing, found);
    }
    let metadata = Metadata::new();
    match metadata.instance_id().await {
        Some(id) => {
            let role = match metadata.role().await {
                Some(role) => format!(", role {role}"),
                None => ", no instance role".to_owned(),
            };
            Finding::ok(thing, format!("instance {id}{role}"))
        }
        None => Finding::note(
            thing,
            "no answer: not on EC2, it seems, so nothing but a signal ends the worker",
            "on EC2, let the instance's metadata be reached; elsewhere, set --no-metadata",
        ),
    }
}

/// A task of ECS. That it may protect itself shows when it does: a look must not protect it.
fn task_of(agent: &Agent, task: &Task) -> Finding {
    let service = task.service.as_deref().unwrap_or("a service unnamed");
    let found = format!("task {} of {service} in {}", task.id, task.cluster);
    if agent.can_protect() {
        return Finding::ok("task metadata", found);
    }
    let found = format!("{found}, without a protection API: ECS may end it at work");
    let next = "use Fargate platform 1.4.0 or later, or a current ECS agent";
    Finding::note("task metadata", &found, next)
}

/// The group's terminating hook, if a group is named.
pub(super) async fn hook(config: &SdkConfig, builder: &Builder) -> Option<Finding> {
    let group = builder.auto_scaling_group.as_deref()?;
    let name = &builder.lifecycle_hook;
    let thing = format!("lifecycle hook {name} of group {group}");
    let client = aws_sdk_autoscaling::Client::new(config);
    let answer = client
        .describe_lifecycle_hooks()
        .auto_scaling_group_name(group)
        .send()
        .await;
    let hooks = match answer {
        Ok(answer) => answer.lifecycle_hooks.unwrap_or_default(),
        Err(error) => {
            return Some(match refusal("DescribeLifecycleHooks", &thing, &error) {
                Refusal::Denied(_) => Finding::note(
                    &thing,
                    "this role may not describe hooks, so nobody can tell whether it is there",
                    "none: the worker does not need to describe it",
                ),
                Refusal::Other(words) => {
                    let next = "check --auto-scaling-group (WEIR_AUTO_SCALING_GROUP) and region";
                    Finding::failed(&thing, words, next)
                }
            });
        }
    };
    let found = hooks
        .iter()
        .find(|hook| hook.lifecycle_hook_name.as_ref() == Some(name));
    let Some(hook) = found else {
        return Some(Finding::failed(
            &thing,
            "the group, if there is one, has no such hook: its instances end without a drain",
            "create it, or name another with --lifecycle-hook (WEIR_LIFECYCLE_HOOK)",
        ));
    };
    let transition = hook.lifecycle_transition.as_deref().unwrap_or("?");
    if transition != "autoscaling:EC2_INSTANCE_TERMINATING" {
        let next = "name the hook of the terminating transition";
        return Some(Finding::failed(
            &thing,
            format!("it is for {transition}"),
            next,
        ));
    }
    let timeout = hook.heartbeat_timeout.unwrap_or_default();
    let found = format!("holds an instance {timeout} s at a time");
    Some(Finding::ok(&thing, found))
}

/// The payload bucket, if one is named.
#[cfg(feature = "s3")]
pub(super) async fn bucket(config: &SdkConfig, name: Option<&str>) -> Option<Finding> {
    let name = name?;
    let thing = format!("payload bucket {name}");
    let config = aws_sdk_s3::config::Builder::from(config).force_path_style(true);
    let client = aws_sdk_s3::Client::from_conf(config.build());
    let answer = client.head_bucket().bucket(name).send().await;
    let Err(error) = answer else {
        return Some(Finding::ok(&thing, "it is there"));
    };
    // An answer to HEAD has no body, so its status is all there is.
    let status = error.raw_response().map(|answer| answer.status().as_u16());
    let next = "check --payload-bucket (WEIR_PAYLOAD_BUCKET) and region";
    Some(match status {
        Some(404) => Finding::failed(&thing, "there is no such bucket", next),
        Some(403) => Finding::note(
            &thing,
            "this role may not look at the bucket itself",
            "none, if the worker may read and delete its objects (s3:GetObject, s3:DeleteObject)",
        ),
        Some(301) => Finding::failed(&thing, "it is in another region", next),
        _ => {
            let words = crate::aws::call_error("HeadBucket", &thing, &error).to_string();
            Finding::failed(&thing, words, next)
        }
    })
}

/// A build without S3 has no such setting.
#[cfg(not(feature = "s3"))]
pub(super) async fn bucket(_: &SdkConfig, _: Option<&str>) -> Option<Finding> {
    None
}
