//! The ECS task a worker runs in: who it is, its protection against scale-in, and the controller's
//! request to leave.
//!
//! It turns requests into drain notices and must not know what a drain does. Whether the worker is
//! in a task at all is told by the environment that ECS gives every container, which is why this
//! file reads it.
//!
//! A service's tasks end in one of three ways: asked to leave by the controller (the drain takes as
//! long as it takes, behind protection), stopped by ECS with SIGTERM (the drain must be over within
//! the container's `stopTimeout`), or by themselves.
#![expect(
    clippy::disallowed_methods,
    reason = "ECS tells a container in its environment where metadata and agent are"
)]

mod agent;
mod leave;
mod protection;

use crate::builder::StartError;
use crate::chance;
use crate::clock::pause;
use crate::retry::Backoff;

pub use self::agent::{Agent, AgentError, Task};
pub use self::leave::{DynamoLeave, Leave, watch};
pub use self::protection::{GRANT_LIMIT, keep, take_off};

const METADATA: &str = "ECS_CONTAINER_METADATA_URI_V4";
const AGENT: &str = "ECS_AGENT_URI";

/// How often metadata that cannot be read is asked for again: for about half a minute.
const TASK_TRIES: u32 = 10;

/// Where ECS serves a container's metadata (version 4) and its agent's API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// `ECS_CONTAINER_METADATA_URI_V4`.
    pub metadata: String,
    /// `ECS_AGENT_URI`; `None` on a platform that has no such API.
    pub agent: Option<String>,
}

impl Endpoints {
    /// What the environment says; `None` outside ECS.
    pub fn from_env() -> Option<Self> {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Some(Self {
            metadata: set(METADATA)?,
            agent: set(AGENT),
        })
    }
}

/// The agent and the task, if this is a task of ECS; `service` is what the settings name.
///
/// # Errors
/// A service is named outside ECS, or the task does not learn who it is: reports under another
/// name would never meet the controller's requests.
pub async fn find(service: Option<&str>) -> Result<Option<(Agent, Task)>, StartError> {
    let Some(endpoints) = Endpoints::from_env() else {
        return match service {
            None => Ok(None),
            Some(service) => Err(StartError::Settings {
                what: format!(
                    "--ecs-service (WEIR_ECS_SERVICE) {service}: this is no task of ECS, for \
                     {METADATA} is not set; leave it out elsewhere"
                ),
            }),
        };
    };
    let agent = Agent::at(&endpoints)?;
    let mut failures = 0;
    loop {
        let error = match agent.task().await {
            Ok(task) => return Ok(Some((agent, task))),
            Err(error) => error,
        };
        failures += 1;
        if failures == TASK_TRIES {
            let what = format!("the task could not learn who it is: {error}");
            return Err(StartError::Unready { what });
        }
        tracing::warn!(%error, failures, "task metadata could not be read");
        pause(Backoff::CALLS.delay(failures, chance::unit())).await;
    }
}
