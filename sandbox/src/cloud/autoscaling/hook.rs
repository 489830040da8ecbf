//! Lifecycle hooks, and the actions by which they hold instances.

use std::time::Duration;

use super::super::{ApiError, ApiResult, Time};

/// The longest that an action may hold an instance: 48 hours or 100 heartbeats, whichever is less
/// (`PutLifecycleHook`, `HeartbeatTimeout`).
const HOLD_MAX: Duration = Duration::from_hours(48);

/// A lifecycle hook of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// The name, unique in the group.
    pub name: String,
    /// Which instances it holds.
    pub transition: Transition,
    /// An instance is held this long after the last heartbeat.
    pub heartbeat_timeout: Duration,
    /// What follows when nobody completes the action.
    pub default_result: ActionResult,
    /// Kept and handed out, without effect.
    pub notification: Notification,
}

/// Whom a hook would notify; nobody is notified here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notification {
    /// An ARN.
    pub target_arn: Option<String>,
    /// An ARN.
    pub role_arn: Option<String>,
    /// Free text.
    pub metadata: Option<String>,
}

/// Which instances a hook holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// Those that come: `autoscaling:EC2_INSTANCE_LAUNCHING`.
    Launching,
    /// Those that leave: `autoscaling:EC2_INSTANCE_TERMINATING`.
    Terminating,
}

/// How a lifecycle action ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionResult {
    /// The instance goes its way.
    Continue,
    /// A coming instance is ended; a leaving one leaves without waiting for other hooks.
    Abandon,
}

/// A `PutLifecycleHook`: what is absent keeps its value, or takes the default in a new hook.
#[derive(Clone, Debug, Default)]
pub struct HookChange {
    /// The hook's name.
    pub name: String,
    /// Required in a new hook.
    pub transition: Option<Transition>,
    /// 30 to 7200 seconds; an hour by default.
    pub heartbeat_timeout: Option<Duration>,
    /// Abandon by default.
    pub default_result: Option<ActionResult>,
    /// Whom to notify.
    pub notification: Notification,
}

/// A hook's hold on an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Action {
    pub(super) token: String,
    pub(super) default_result: ActionResult,
    heartbeat_timeout: Duration,
    heartbeat_until: Time,
    hold_until: Time,
}

impl Transition {
    /// As the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Launching => "autoscaling:EC2_INSTANCE_LAUNCHING",
            Self::Terminating => "autoscaling:EC2_INSTANCE_TERMINATING",
        }
    }

    /// Reads what the API writes.
    pub fn parse(text: &str) -> ApiResult<Self> {
        [Self::Launching, Self::Terminating]
            .into_iter()
            .find(|transition| transition.name() == text)
            .ok_or_else(|| {
                ApiError::validation(format!(
                    "Invalid Lifecycle Transition '{text}'. Supported are {} and {}.",
                    Self::Launching.name(),
                    Self::Terminating.name()
                ))
            })
    }
}

impl ActionResult {
    /// As the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Continue => "CONTINUE",
            Self::Abandon => "ABANDON",
        }
    }

    /// Reads what the API writes.
    pub fn parse(text: &str) -> ApiResult<Self> {
        match text {
            "CONTINUE" => Ok(Self::Continue),
            "ABANDON" => Ok(Self::Abandon),
            _ => Err(ApiError::validation(format!(
                "Invalid lifecycle action result '{text}': CONTINUE and ABANDON are allowed."
            ))),
        }
    }
}

impl Hook {
    /// What a hook becomes by `change`; `before` is absent for a new one.
    pub(super) fn changed(before: Option<&Hook>, change: HookChange) -> ApiResult<Self> {
        let transition = change.transition.or(before.map(|hook| hook.transition));
        let transition = transition.ok_or_else(|| {
            ApiError::validation("A new lifecycle hook needs a LifecycleTransition.")
        })?;
        let heartbeat_timeout = change
            .heartbeat_timeout
            .or(before.map(|hook| hook.heartbeat_timeout))
            .unwrap_or(Duration::from_hours(1));
        if !(30..=7_200).contains(&heartbeat_timeout.as_secs()) {
            return Err(ApiError::validation(format!(
                "Lifecycle hook heartbeat timeout {} is out of range: 30 to 7200 seconds are allowed.",
                heartbeat_timeout.as_secs()
            )));
        }
        Ok(Self {
            name: change.name,
            transition,
            heartbeat_timeout,
            default_result: change
                .default_result
                .or(before.map(|hook| hook.default_result))
                .unwrap_or(ActionResult::Abandon),
            notification: change.notification,
        })
    }

    /// The longest that this hook holds an instance.
    pub fn global_timeout(&self) -> Duration {
        HOLD_MAX.min(self.heartbeat_timeout * 100)
    }

    pub(super) fn hold(&self, now: Time, token: String) -> Action {
        Action {
            token,
            default_result: self.default_result,
            heartbeat_timeout: self.heartbeat_timeout,
            heartbeat_until: now + self.heartbeat_timeout,
            hold_until: now + self.global_timeout(),
        }
    }
}

impl Action {
    /// When the default result takes its place.
    pub(super) fn due_at(&self) -> Time {
        self.heartbeat_until.min(self.hold_until)
    }

    /// `RecordLifecycleActionHeartbeat`.
    pub(super) fn beat(&mut self, now: Time) {
        self.heartbeat_until = now + self.heartbeat_timeout;
    }
}
