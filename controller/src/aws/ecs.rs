//! ECS: a service's tasks as they are, and the changes that a plan names.
//!
//! This module must not choose: which task leaves, and what the size should be, comes with the
//! call.
//!
//! # How a task leaves, and why a busy one is never ended
//!
//! ECS cannot be told which task to stop, and picks by itself when a desired count is lowered, but
//! never a task under scale-in protection (ECS Developer Guide, "Protect your Amazon ECS tasks from
//! being terminated by scale-in events"). Weir's worker protects its task before it receives a
//! first message and until it has drained, so lowering the count ends no task that works: it only
//! says that ECS shall not replace the next ones to go. Which one goes is said by a leave request
//! in the state table; that worker drains for as long as it takes, takes its protection off and
//! exits.
//!
//! The count is lowered **before** the request is written:
//!
//! - The task that exits is not replaced, for the count is lower by then, however quick it was.
//! - A crash, or a refusal, between the two leaves a service with one task more than its count.
//!   Nobody was asked and nobody is ended but a task that is still starting. The next round sees
//!   the surplus and asks one to leave, or raises the count again if that is what is wanted.
//! - A count that may not be lowered leaves everything as it is. The other way round tasks would
//!   leave and be replaced, round after round.
//! - `UpdateService` takes an absolute count: sent twice, it lowers once. The count is reckoned
//!   from what the round saw and what it has lowered since, not from a second look, which ECS may
//!   answer from before the change.
//! - A task that was asked before is not asked again and lowers nothing.

mod sizes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{DesiredStatus, Service, Task};

use self::sizes::Sizes;
use super::autoscaling::Lowering;
use super::dynamodb::{Asked, StateTable};
use super::error::{Call, Endpoints, Failure, Kind};
use crate::model::{FleetObservation, Instances, Member, Phase, Roster, UnixSeconds};
use crate::policy::{EcsService, Policy};

/// Tasks that `DescribeTasks` takes in one call (ECS API reference).
const TASKS_MAX: usize = 100;

/// One service, as ECS shows it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tasks {
    /// Its capacity, counted.
    pub fleet: FleetObservation,
    /// Its tasks, without reports.
    pub roster: Roster,
    /// Those of another task definition than the service has now.
    pub outdated: BTreeSet<String>,
}

/// Reads and changes services.
pub(super) struct Ecs {
    client: Client,
    endpoints: Endpoints,
    state: StateTable,
    seen: Mutex<BTreeMap<EcsService, Seen>>,
}

/// A service as this process last saw it, with what it has changed since.
#[derive(Clone, Debug)]
struct Seen {
    at: UnixSeconds,
    sizes: Sizes,
    leaving: BTreeSet<String>,
}

impl Ecs {
    pub(super) fn new(client: Client, endpoints: Endpoints, state: StateTable) -> Self {
        Self {
            client,
            endpoints,
            state,
            seen: Mutex::default(),
        }
    }

    /// A fleet's service and its tasks.
    pub(super) async fn tasks(
        &self,
        (policy, id): (&Policy, &EcsService),
        now: UnixSeconds,
    ) -> Result<Tasks, Failure> {
        let (service, tasks, leaving) = futures::join!(
            self.service(id),
            self.tasks_of(id),
            self.state.leaving(&policy.name),
        );
        let (service, tasks, leaving) = (service?, tasks?, leaving?);
        let roster: Roster = tasks.iter().map(|task| member(task, &leaving)).collect();
        let sizes = counted(&service, &roster);
        let seen = Seen {
            at: now,
            sizes,
            leaving,
        };
        self.seen().insert(id.clone(), seen);
        Ok(Tasks {
            fleet: observation(sizes),
            outdated: outdated(&service, &tasks),
            roster,
        })
    }

    /// Makes the service keep `desired` tasks besides those that leave; tells the count it was set
    /// to.
    pub(super) async fn resize(&self, id: &EcsService, desired: Instances) -> Result<u32, Failure> {
        let count = self.last_seen(id)?.sizes.count_for(desired.0);
        self.set_count(id, count).await?;
        Ok(count)
    }

    /// Asks a task to leave, the service's count being lowered first where it is to be.
    pub(super) async fn end(
        &self,
        (policy, id): (&Policy, &EcsService),
        task: &str,
        lowering: Lowering,
    ) -> Result<Asked, Failure> {
        let seen = self.last_seen(id)?;
        if seen.leaving.contains(task) {
            return Ok(Asked::Before);
        }
        let after = seen.sizes.with_one_leaving();
        if lowering == Lowering::ByOne {
            let desired = seen.sizes.desired().saturating_sub(1);
            self.set_count(id, after.count_for(desired)).await?;
        }
        let asked = (self.state)
            .ask_to_leave(&policy.name, task, seen.at)
            .await?;
        if let Some(seen) = self.seen().get_mut(id) {
            seen.leaving.insert(task.to_owned());
            seen.sizes = Sizes {
                count: seen.sizes.count,
                ..after
            };
        }
        Ok(asked)
    }

    async fn set_count(&self, id: &EcsService, count: u32) -> Result<(), Failure> {
        self.client
            .update_service()
            .cluster(&id.cluster)
            .service(&id.service)
            .desired_count(i32::try_from(count).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(|error| {
                let subject = subject(id);
                let call = call("ecs:UpdateService", &subject);
                self.endpoints.explain(&call, &error)
            })?;
        if let Some(seen) = self.seen().get_mut(id) {
            seen.sizes.count = count;
        }
        Ok(())
    }

    async fn service(&self, id: &EcsService) -> Result<Service, Failure> {
        let answer = self
            .client
            .describe_services()
            .cluster(&id.cluster)
            .services(&id.service)
            .send()
            .await
            .map_err(|error| {
                let subject = subject(id);
                let call = call("ecs:DescribeServices", &subject);
                self.endpoints.explain(&call, &error)
            })?;
        // A deleted service is shown for a while yet, as INACTIVE.
        let there = |service: &&Service| service.status() != Some("INACTIVE");
        let service = answer.services().iter().find(there).cloned();
        service.ok_or_else(|| {
            let region = self.endpoints.region();
            let what = format!("{} does not exist in {region}: {ADVICE}", subject(id));
            Failure::found(Kind::Missing, what)
        })
    }

    /// The tasks that ECS means to keep running; those it stops have no part in the service's
    /// count any more.
    async fn tasks_of(&self, id: &EcsService) -> Result<Vec<Task>, Failure> {
        let subject = subject(id);
        let mut pages = self
            .client
            .list_tasks()
            .cluster(&id.cluster)
            .service_name(&id.service)
            .desired_status(DesiredStatus::Running)
            .into_paginator()
            .send();
        let mut arns = Vec::new();
        while let Some(page) = pages.next().await {
            let call = call("ecs:ListTasks", &subject);
            let page = page.map_err(|error| self.endpoints.explain(&call, &error))?;
            arns.extend_from_slice(page.task_arns());
        }
        let mut tasks = Vec::new();
        for arns in arns.chunks(TASKS_MAX) {
            let answer = self
                .client
                .describe_tasks()
                .cluster(&id.cluster)
                .set_tasks(Some(arns.to_vec()))
                .send()
                .await
                .map_err(|error| {
                    let call = call("ecs:DescribeTasks", &subject);
                    self.endpoints.explain(&call, &error)
                })?;
            // One that has gone since is among the answer's failures, and missed by nobody.
            tasks.extend_from_slice(answer.tasks());
        }
        Ok(tasks)
    }

    fn last_seen(&self, id: &EcsService) -> Result<Seen, Failure> {
        let seen = self.seen().get(id).cloned();
        seen.ok_or_else(|| {
            let what = format!("{} has not been looked at yet", subject(id));
            Failure::found(Kind::Busy, what)
        })
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, BTreeMap<EcsService, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const ADVICE: &str = "check fleet.ecs_service in the policy, and the region";

fn subject(id: &EcsService) -> String {
    format!("ECS service {id}")
}

fn call<'a>(action: &'static str, subject: &'a str) -> Call<'a> {
    Call {
        action,
        subject,
        advice: ADVICE,
    }
}

fn member(task: &Task, leaving: &BTreeSet<String>) -> Member {
    let id = task_id(task);
    let phase = match task.last_status().unwrap_or_default() {
        _ if leaving.contains(&id) => Phase::Terminating,
        "PROVISIONING" | "PENDING" | "ACTIVATING" => Phase::Pending,
        "RUNNING" => Phase::InService,
        "DEACTIVATING" | "STOPPING" | "DEPROVISIONING" | "STOPPED" => Phase::Terminating,
        _ => Phase::Other,
    };
    Member {
        id,
        zone: task.availability_zone().unwrap_or_default().to_owned(),
        phase,
        // From here on it was waited for: the pull of the image is part of the boot.
        launched_at: task.created_at().map(|at| UnixSeconds(at.as_secs_f64())),
        report: None,
    }
}

/// The last part of its ARN, which is what the task knows itself by.
fn task_id(task: &Task) -> String {
    let arn = task.task_arn().unwrap_or_default();
    arn.rsplit('/').next().unwrap_or(arn).to_owned()
}

fn counted(service: &Service, roster: &Roster) -> Sizes {
    let count = |phase| {
        let members = roster.iter().filter(|member| member.phase == phase);
        u32::try_from(members.count()).unwrap_or(u32::MAX)
    };
    Sizes {
        count: u32::try_from(service.desired_count()).unwrap_or(0),
        running: count(Phase::InService),
        pending: count(Phase::Pending),
        leaving: count(Phase::Terminating),
    }
}

fn observation(sizes: Sizes) -> FleetObservation {
    FleetObservation {
        desired: Some(Instances(sizes.desired())),
        in_service: Some(Instances(sizes.running)),
        pending: Some(Instances(sizes.pending)),
        terminating: Some(Instances(sizes.leaving)),
    }
}

/// Where the service names no task definition, deployments are somebody else's (task sets), and
/// nothing is outdated.
fn outdated(service: &Service, tasks: &[Task]) -> BTreeSet<String> {
    let Some(present) = service.task_definition() else {
        return BTreeSet::new();
    };
    let others = tasks
        .iter()
        .filter(|task| task.task_definition_arn().is_some_and(|arn| arn != present));
    others.map(task_id).collect()
}
