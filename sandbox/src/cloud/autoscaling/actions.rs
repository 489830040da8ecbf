//! The operations on lifecycle hooks, and on the actions by which they hold instances.

use super::hook::{self, ActionResult, HookChange};
use super::{Autoscaling, Member};
use crate::cloud::ec2::Ec2;
use crate::cloud::{ApiError, ApiResult, Time};

/// Names an action that holds an instance: by its hook, and by its token when that is known.
#[derive(Clone, Debug)]
pub struct ActionRef {
    /// The group.
    pub group: String,
    /// The hook.
    pub hook: String,
    /// The instance; either this or the token is given.
    pub instance: Option<String>,
    /// The action's token.
    pub token: Option<String>,
}

impl Autoscaling {
    /// `PutLifecycleHook`.
    pub fn put_hook(&mut self, group: &str, change: HookChange) -> ApiResult<()> {
        self.group_mut(group)?.put_hook(change)
    }

    /// `DeleteLifecycleHook`: instances that it holds go their way.
    pub fn delete_hook(
        &mut self,
        now: Time,
        group: &str,
        hook: &str,
        ec2: &mut Ec2,
    ) -> ApiResult<()> {
        let found = self.group_mut(group)?.hooks.remove(hook);
        found.ok_or_else(|| {
            ApiError::validation(format!(
                "No Lifecycle Hook found with name {hook} in group {group}"
            ))
        })?;
        self.on_group(now, group, ec2, |group, scene| {
            let ids: Vec<String> = group
                .members
                .iter()
                .map(|member| member.id.clone())
                .collect();
            for id in ids {
                let member = group.member_mut(&id);
                let actions = member.and_then(Member::actions_mut);
                if actions.is_some_and(|actions| actions.contains_key(hook)) {
                    group.complete(&id, hook, ActionResult::Continue, scene);
                }
            }
            group.settle(scene);
        });
        Ok(())
    }

    /// `CompleteLifecycleAction`.
    pub fn complete_action(
        &mut self,
        now: Time,
        action: &ActionRef,
        result: ActionResult,
        ec2: &mut Ec2,
    ) -> ApiResult<()> {
        let (id, _) = self.find_action(action)?;
        self.on_group(now, &action.group, ec2, |group, scene| {
            group.complete(&id, &action.hook, result, scene);
            group.settle(scene);
        });
        Ok(())
    }

    /// `RecordLifecycleActionHeartbeat`.
    pub fn heartbeat(&mut self, now: Time, action: &ActionRef) -> ApiResult<()> {
        let (_, found) = self.find_action(action)?;
        found.beat(now);
        Ok(())
    }

    fn find_action(&mut self, wanted: &ActionRef) -> ApiResult<(String, &mut hook::Action)> {
        let no_action = || {
            ApiError::validation(format!(
                "No active Lifecycle Action found with {}",
                match (&wanted.instance, &wanted.token) {
                    (Some(id), _) => format!("instance ID {id}"),
                    (None, Some(token)) => format!("token {token}"),
                    (None, None) => "neither an instance ID nor a token".into(),
                }
            ))
        };
        let group = self.group_mut(&wanted.group)?;
        for member in &mut group.members {
            let id = member.id.clone();
            let asked = wanted.instance.as_ref().is_none_or(|wanted| *wanted == id);
            let actions = member.actions_mut().filter(|_| asked);
            let Some(action) = actions.and_then(|actions| actions.get_mut(&wanted.hook)) else {
                continue;
            };
            let named = wanted
                .token
                .as_ref()
                .is_none_or(|token| *token == action.token);
            let given = wanted.token.is_some() || wanted.instance.is_some();
            if named && given {
                return Ok((id, action));
            }
        }
        Err(no_action())
    }
}
