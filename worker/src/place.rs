//! Where a worker runs, as far as that can end it: an EC2 instance, a task of ECS, or anywhere.
//!
//! It listens for what the place announces while the worker works, and lets the place go when it
//! has drained. What is announced where is [`crate::instance`]'s and [`crate::ecs`]'s affair.

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::drain::DrainSwitch;
use crate::ecs::{self, Agent, DynamoLeave, Task};
use crate::instance::{self, Hook, Metadata};
use crate::report::Identity;

/// Where a worker runs.
#[derive(Debug)]
pub(crate) enum Place {
    /// Nothing but a signal ends it.
    Elsewhere,
    /// An instance with its metadata, and its group's terminating hook where a group is named.
    Ec2(Metadata, Option<Hook>),
    /// A task of ECS, and where it is asked to leave.
    Ecs(Box<Tenancy>),
}

/// A task that a service started.
#[derive(Clone, Debug)]
pub(crate) struct Tenancy {
    pub(crate) agent: Agent,
    pub(crate) task: Task,
    pub(crate) requests: DynamoLeave,
    pub(crate) identity: Identity,
}

/// The tasks that listen at a place.
#[derive(Debug, Default)]
pub(crate) struct Listening {
    tasks: Vec<JoinHandle<()>>,
    granted: Option<watch::Receiver<bool>>,
}

impl Place {
    /// Begins to listen; the end of `stop` is the end of it.
    pub(crate) fn listen(&self, drain: &DrainSwitch, stop: &CancellationToken) -> Listening {
        match self {
            Self::Elsewhere => Listening::default(),
            Self::Ec2(metadata, hook) => {
                let watch =
                    instance::watch(metadata.clone(), hook.clone(), drain.clone(), stop.clone());
                Listening {
                    tasks: vec![tokio::spawn(watch)],
                    granted: None,
                }
            }
            Self::Ecs(tenancy) => tenancy.listen(drain, stop),
        }
    }

    /// Lets the place go after the drain.
    pub(crate) async fn let_go(&self) {
        match self {
            Self::Ec2(metadata, Some(hook)) => instance::let_go(metadata, hook).await,
            Self::Ecs(tenancy) if tenancy.agent.can_protect() => {
                ecs::take_off(&tenancy.agent).await;
            }
            Self::Elsewhere | Self::Ec2(..) | Self::Ecs(_) => {}
        }
    }
}

impl Tenancy {
    fn listen(&self, drain: &DrainSwitch, stop: &CancellationToken) -> Listening {
        let service = self.task.service.as_deref().unwrap_or("unknown");
        tracing::info!(cluster = self.task.cluster, service, "in a task of ECS");
        let (requests, who) = (self.requests.clone(), self.identity.clone());
        let leave = ecs::watch(requests, who, drain.clone(), stop.clone());
        let mut listening = Listening {
            tasks: vec![tokio::spawn(leave)],
            granted: None,
        };
        if self.agent.can_protect() {
            let (sender, granted) = watch::channel(false);
            let keep = ecs::keep(self.agent.clone(), sender, stop.clone());
            listening.tasks.push(tokio::spawn(keep));
            listening.granted = Some(granted);
        } else {
            tracing::warn!("no scale-in protection on this platform: ECS may end the task at work");
        }
        listening
    }
}

impl Listening {
    /// Waits until jobs may be taken: until a task is protected, for a minute at most, or until the
    /// worker leaves before it began.
    pub(crate) async fn ready(&mut self, drain: &DrainSwitch) {
        let Some(granted) = &mut self.granted else {
            return;
        };
        let limit = ecs::GRANT_LIMIT;
        let granted = tokio::time::timeout(limit, granted.wait_for(|granted| *granted));
        tokio::select! {
            () = drain.begun() => {}
            granted = granted => if granted.is_err() {
                let seconds = limit.as_secs();
                tracing::warn!(seconds, "not protected yet: jobs are taken all the same");
            }
        }
    }

    /// Waits until nobody listens any more.
    pub(crate) async fn end(self) {
        for task in self.tasks {
            let _ = task.await;
        }
    }
}
