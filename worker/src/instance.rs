//! The EC2 instance a worker runs on: what its metadata announces, and its group's lifecycle hook.
//!
//! It turns announcements into drain notices and must not know what a drain does.

use std::time::Duration;

use aws_config::imds;
use aws_config::imds::client::error::ImdsError;
use aws_sdk_sqs::error::DisplayErrorContext;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::aws::{CallError, call_error};
use crate::chance;
use crate::clock::{Clock, pause};
use crate::drain::{DrainCause, DrainSwitch};
use crate::retry::Backoff;

/// How often the metadata is read. A spot notice leaves two minutes; AWS advises every five
/// seconds, and node-termination-handler uses two.
const POLL_EVERY: Duration = Duration::from_secs(2);

/// How often a hook is kept alive during a long drain: well inside 30 s, the shortest timeout a
/// hook may have (Auto Scaling API, `PutLifecycleHook`).
const HOOK_HEARTBEAT_EVERY: Duration = Duration::from_secs(20);

/// How often a metadata service that answers with errors is asked for the instance's id: for about
/// half a minute.
const ID_TRIES: u32 = 10;

const INSTANCE_ID: &str = "/latest/meta-data/instance-id";
const LIFECYCLE: &str = "/latest/meta-data/autoscaling/target-lifecycle-state";
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
const SPOT: &str = "/latest/meta-data/spot/instance-action";
const REBALANCE: &str = "/latest/meta-data/events/recommendations/rebalance";

/// The instance's metadata service, version 2.
#[derive(Clone, Debug)]
pub struct Metadata {
    client: imds::Client,
}

impl Default for Metadata {
    fn default() -> Self {
        Self::new()
    }
}

impl Metadata {
    /// The metadata service at the usual place, or where `AWS_EC2_METADATA_SERVICE_ENDPOINT` says.
    pub fn new() -> Self {
        let client = Self::client().build();
        Self { client }
    }

    /// The metadata service at a URL; `None` if it is not one.
    pub fn at(endpoint: &str) -> Option<Self> {
        let client = Self::client().endpoint(endpoint).ok()?.build();
        Some(Self { client })
    }

    fn client() -> imds::client::Builder {
        imds::Client::builder()
            .max_attempts(2)
            .connect_timeout(Duration::from_secs(1))
            .read_timeout(Duration::from_secs(2))
    }

    /// The instance's id; `None` where no metadata service answers, that is, not on EC2. One that
    /// answers with errors is asked again: whoever took it for absent would never hear of a spot
    /// notice.
    pub async fn instance_id(&self) -> Option<String> {
        for failures in 1..=ID_TRIES {
            match self.get(INSTANCE_ID).await {
                Ok(id) => return id,
                Err(Unread::Silent(error)) => {
                    tracing::info!(error, "no instance metadata: not on EC2, it seems");
                    return None;
                }
                Err(Unread::Failing(error)) => {
                    tracing::warn!(error, failures, "instance metadata could not be read");
                    pause(Backoff::CALLS.delay(failures, chance::unit())).await;
                }
            }
        }
        tracing::warn!("no instance metadata: working as if not on EC2");
        None
    }

    /// The instance's role; `None` if it has none, or cannot say.
    pub async fn role(&self) -> Option<String> {
        self.get(ROLES).await.ok().flatten()
    }

    /// What is announced now. A path that cannot be read announces nothing: the next look is near.
    pub async fn announced(&self) -> Announced {
        let read = async |path| {
            self.get(path).await.unwrap_or_else(|unread| {
                let (Unread::Silent(error) | Unread::Failing(error)) = unread;
                tracing::debug!(path, error, "could not read instance metadata");
                None
            })
        };
        let (target_lifecycle_state, spot_action, rebalance) =
            tokio::join!(read(LIFECYCLE), read(SPOT), read(REBALANCE));
        Announced {
            target_lifecycle_state,
            spot_action,
            rebalance,
        }
    }

    /// One value; `None` where there is none: 404 is how the service says that nothing is pending.
    async fn get(&self, path: &str) -> Result<Option<String>, Unread> {
        match self.client.get(path).await {
            Ok(value) => Ok(Some(String::from(value).trim().to_owned())),
            Err(ImdsError::ErrorResponse(answer)) if answer.response().status().as_u16() == 404 => {
                Ok(None)
            }
            Err(error) => {
                let answered = match &error {
                    ImdsError::ErrorResponse(_) => true,
                    ImdsError::FailedToLoadToken(token) => !token.is_dispatch_failure(),
                    _ => false,
                };
                let text = DisplayErrorContext(error).to_string();
                Err(if answered {
                    Unread::Failing(text)
                } else {
                    Unread::Silent(text)
                })
            }
        }
    }
}

/// Why a value could not be read.
enum Unread {
    /// Nobody answered.
    Silent(String),
    /// Somebody answered, with an error: "503: The request could not be completed. Retry the
    /// request" (EC2 User Guide, "Access instance metadata").
    Failing(String),
}

/// What the metadata said at one look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// `autoscaling/target-lifecycle-state`.
    pub target_lifecycle_state: Option<String>,
    /// `spot/instance-action`, JSON.
    pub spot_action: Option<String>,
    /// `events/recommendations/rebalance`, JSON.
    pub rebalance: Option<String>,
}

impl Announced {
    /// What the worker must know, most pressing first.
    pub fn notices(&self) -> Vec<DrainCause> {
        let spot = self
            .spot_action
            .as_ref()
            .map(|action| DrainCause::SpotNotice {
                at: spot_time(action),
            });
        let lifecycle = self
            .target_lifecycle_state
            .as_ref()
            .filter(|state| !state.is_empty() && *state != "InService")
            .map(|state| DrainCause::Lifecycle(state.clone()));
        let rebalance = self.rebalance.as_ref().map(|_| DrainCause::Rebalance);
        [spot, lifecycle, rebalance].into_iter().flatten().collect()
    }

    /// The terminating hook waits for this instance.
    pub fn is_terminating(&self) -> bool {
        self.target_lifecycle_state.as_deref() == Some("Terminated")
    }
}

fn spot_time(action: &str) -> Option<f64> {
    let action: serde_json::Value = serde_json::from_str(action).ok()?;
    let time: jiff::Timestamp = action.get("time")?.as_str()?.parse().ok()?;
    Some(time.as_millisecond() as f64 / 1000.0)
}

/// The terminating lifecycle hook of the instance's group.
#[derive(Clone, Debug)]
pub struct Hook {
    /// The Auto Scaling client.
    pub client: aws_sdk_autoscaling::Client,
    /// The group's name.
    pub group: String,
    /// The hook's name.
    pub name: String,
    /// The instance's id.
    pub instance_id: String,
}

impl Hook {
    /// Restarts the hook's timeout.
    pub async fn keep_alive(&self) -> Result<(), CallError> {
        let operation = "RecordLifecycleActionHeartbeat";
        self.client
            .record_lifecycle_action_heartbeat()
            .auto_scaling_group_name(&self.group)
            .lifecycle_hook_name(&self.name)
            .instance_id(&self.instance_id)
            .send()
            .await
            .map_err(|error| call_error(operation, &self.thing(), &error))?;
        Ok(())
    }

    /// Lets the instance go.
    pub async fn complete(&self) -> Result<(), CallError> {
        self.client
            .complete_lifecycle_action()
            .auto_scaling_group_name(&self.group)
            .lifecycle_hook_name(&self.name)
            .instance_id(&self.instance_id)
            .lifecycle_action_result("CONTINUE")
            .send()
            .await
            .map_err(|error| call_error("CompleteLifecycleAction", &self.thing(), &error))?;
        Ok(())
    }

    fn thing(&self) -> String {
        format!("hook {} of group {}", self.name, self.group)
    }
}

/// Reads the metadata until told to stop: notices go to `drain`, and a terminating hook is kept
/// alive while the worker drains.
pub async fn watch(
    metadata: Metadata,
    hook: Option<Hook>,
    drain: DrainSwitch,
    stop: CancellationToken,
) {
    let clock = Clock::system();
    let mut tick = tokio::time::interval(POLL_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut kept_alive_at = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        let announced = metadata.announced().await;
        for cause in announced.notices() {
            drain.notice(cause, clock.unix_seconds());
        }
        let Some(hook) = hook.as_ref().filter(|_| announced.is_terminating()) else {
            continue;
        };
        let now = clock.instant();
        let due = kept_alive_at.is_none_or(|at| now - at >= HOOK_HEARTBEAT_EVERY);
        if due {
            kept_alive_at = Some(now);
            if let Err(error) = hook.keep_alive().await {
                tracing::warn!(%error, "could not keep the lifecycle hook alive");
            }
        }
    }
}

/// Completes the terminating hook, if it waits for this instance. A failure costs only time: the
/// hook's timeout ends the wait.
pub async fn let_go(metadata: &Metadata, hook: &Hook) {
    if !metadata.announced().await.is_terminating() {
        return;
    }
    match hook.complete().await {
        Ok(()) => tracing::info!(hook = hook.name, "lifecycle action completed"),
        Err(error) => tracing::warn!(%error, "could not complete the lifecycle action"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_or_in_service_is_no_notice() {
        assert!(Announced::default().notices().is_empty());
        let in_service = Announced {
            target_lifecycle_state: Some("InService".into()),
            ..Announced::default()
        };
        assert!(in_service.notices().is_empty());
    }

    #[test]
    fn every_way_out_of_service_is_a_notice() {
        for state in ["Terminated", "Detached", "Standby", "Warmed:Stopped"] {
            let announced = Announced {
                target_lifecycle_state: Some(state.into()),
                ..Announced::default()
            };
            assert_eq!(announced.notices(), [DrainCause::Lifecycle(state.into())]);
            assert_eq!(announced.is_terminating(), state == "Terminated");
        }
    }

    #[test]
    fn spot_notice_comes_first_with_its_time() {
        let announced = Announced {
            spot_action: Some(r#"{"action":"terminate","time":"2023-11-14T22:13:20Z"}"#.into()),
            rebalance: Some(r#"{"noticeTime":"2023-11-14T22:13:20Z"}"#.into()),
            ..Announced::default()
        };
        let spot = DrainCause::SpotNotice {
            at: Some(1_700_000_000.0),
        };
        assert_eq!(announced.notices(), [spot, DrainCause::Rebalance]);
    }

    #[test]
    fn unreadable_spot_notice_is_still_one() {
        let announced = Announced {
            spot_action: Some("soon".into()),
            ..Announced::default()
        };
        assert_eq!(announced.notices(), [DrainCause::SpotNotice { at: None }]);
    }
}
