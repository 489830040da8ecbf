//! ECS: services that keep a number of tasks, and tasks that protect themselves from scale-in.
//!
//! Owns a service's scheduler as the guide describes it: it starts what is missing, replaces what
//! exited, and stops what is too much, but never a protected task. It must not know what runs in a
//! task. One deployment at a time; no load balancers, no placement.

mod task;

use std::collections::BTreeMap;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{ApiError, ApiResult, CloudConfig, Time};

pub use self::task::{Status, Task};

/// A stopped task is shown for an hour (ECS API reference, `DescribeTasks`).
const SHOWN: Duration = Duration::from_hours(1);

/// "The protection period in minutes": 1 to 2,880, by default 120 (ECS API reference,
/// `UpdateTaskProtection`).
const EXPIRES_IN_MINUTES: std::ops::RangeInclusive<u64> = 1..=2880;

const ZONES: [&str; 3] = ["a", "b", "c"];

/// What happened to a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It runs: start what is in it.
    Started {
        /// Its service, as CLUSTER/SERVICE.
        service: String,
        /// The task.
        task: Task,
    },
    /// It is stopped: end what is in it.
    Stopped {
        /// The task's id.
        task: String,
    },
}

/// A service that keeps a number of tasks.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its cluster's name.
    pub cluster: String,
    /// Its own name.
    pub name: String,
    /// How many tasks it keeps.
    pub desired: usize,
    /// What new tasks are made of, as FAMILY:REVISION.
    pub task_definition: String,
    tasks: BTreeMap<String, Task>,
}

/// Services and their tasks.
#[derive(Debug)]
pub struct Ecs {
    boot: Duration,
    chance: ChaCha8Rng,
    services: BTreeMap<String, Service>,
    events: Vec<Event>,
    started: usize,
}

impl Ecs {
    /// An account without services.
    pub fn new(seed: u64, config: &CloudConfig) -> Self {
        Self {
            boot: config.boot,
            chance: ChaCha8Rng::seed_from_u64(seed),
            services: BTreeMap::new(),
            events: Vec::new(),
            started: 0,
        }
    }

    /// `CreateService`, with its cluster.
    ///
    /// # Errors
    /// There is one by this name.
    pub fn create_service(&mut self, id: (&str, &str), desired: usize) -> ApiResult<()> {
        let (cluster, name) = id;
        let key = format!("{cluster}/{name}");
        if self.services.contains_key(&key) {
            let what = "Creation of service was not idempotent.";
            return Err(ApiError::new("InvalidParameterException", what));
        }
        let service = Service {
            cluster: cluster.to_owned(),
            name: name.to_owned(),
            desired,
            task_definition: format!("{name}:1"),
            tasks: BTreeMap::new(),
        };
        self.services.insert(key, service);
        Ok(())
    }

    /// All services.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.values()
    }

    /// One service, by its cluster's name and its own.
    pub fn service(&self, cluster: &str, name: &str) -> Option<&Service> {
        self.services.get(&format!("{cluster}/{name}"))
    }

    /// Whether there is a cluster of this name.
    pub fn has_cluster(&self, cluster: &str) -> bool {
        self.services().any(|service| service.cluster == cluster)
    }

    /// `UpdateService` with a desired count.
    ///
    /// # Errors
    /// No such service.
    pub fn set_desired(&mut self, id: (&str, &str), desired: usize, now: Time) -> ApiResult<()> {
        let service = self.services.get_mut(&format!("{}/{}", id.0, id.1));
        let missing = || ApiError::new("ServiceNotFoundException", "Service not found.");
        service.ok_or_else(missing)?.desired = desired;
        self.advance(now);
        Ok(())
    }

    /// A task, running or stopped within the last hour.
    pub fn task(&self, id: &str) -> Option<(&Service, &Task)> {
        let mut found = self.services.values().filter_map(|service| {
            let task = service.tasks.get(id)?;
            Some((service, task))
        });
        found.next()
    }

    /// `UpdateTaskProtection`: on for so many minutes, or off.
    ///
    /// # Errors
    /// The minutes are out of range, or the task is not one that runs.
    pub fn protect(&mut self, id: &str, minutes: Option<u64>, now: Time) -> ApiResult<()> {
        if let Some(minutes) = minutes.filter(|minutes| !EXPIRES_IN_MINUTES.contains(minutes)) {
            let what = format!("expiresInMinutes must be between 1 and 2880, not {minutes}");
            return Err(ApiError::new("InvalidParameterException", what));
        }
        let tasks = self.services.values_mut();
        let mut found = tasks.filter_map(|service| service.tasks.get_mut(id));
        let Some(task) = found.next().filter(|task| task.is_wanted()) else {
            return Err(ApiError::new("TASK_NOT_VALID", "TASK_NOT_VALID"));
        };
        task.protected_until = minutes.map(|minutes| now + Duration::from_mins(minutes));
        self.advance(now);
        Ok(())
    }

    /// The program in a task ended by itself. Gives whether there is such a task.
    pub fn exited(&mut self, id: &str, now: Time) -> bool {
        let tasks = self.services.values_mut();
        let mut found = tasks.filter_map(|service| service.tasks.get_mut(id));
        let Some(task) = found.next() else {
            return false;
        };
        task.status = Status::Stopped { at: now };
        self.advance(now);
        true
    }

    /// Lets happen what is due by `now`.
    pub fn advance(&mut self, now: Time) {
        for (key, service) in &mut self.services {
            for task in service.tasks.values_mut() {
                if let Status::Pending { until } = task.status
                    && until <= now
                {
                    task.status = Status::Running { since: until };
                    self.events.push(Event::Started {
                        service: key.clone(),
                        task: task.clone(),
                    });
                }
            }
            service.tasks.retain(|_, task| match task.status {
                Status::Stopped { at } => now.since(at) < SHOWN,
                _ => true,
            });
            for id in service.too_many(now) {
                if let Some(task) = service.tasks.get_mut(&id) {
                    task.status = Status::Stopped { at: now };
                    self.events.push(Event::Stopped { task: id });
                }
            }
            while service.wanted().count() < service.desired {
                let zone = ZONES[self.started % ZONES.len()];
                self.started += 1;
                let task = Task {
                    id: format!("{:032x}", self.chance.random::<u128>()),
                    zone: zone.to_owned(),
                    task_definition: service.task_definition.clone(),
                    created_at: now,
                    status: Status::Pending {
                        until: now + self.boot,
                    },
                    protected_until: None,
                };
                service.tasks.insert(task.id.clone(), task);
            }
        }
    }

    /// When something is due next.
    pub fn next_event_at(&self) -> Option<Time> {
        let due = self.services.values().flat_map(|service| {
            let surplus = service.wanted().count() > service.desired;
            service.wanted().filter_map(move |task| match task.status {
                Status::Pending { until } => Some(until),
                _ => task.protected_until.filter(|_| surplus),
            })
        });
        due.min()
    }

    /// What happened to tasks since the last call, in order.
    pub fn drain_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// How many tasks were ever started.
    pub fn started(&self) -> usize {
        self.started
    }
}

impl Service {
    /// Its tasks that are not stopped.
    pub fn wanted(&self) -> impl Iterator<Item = &Task> {
        self.tasks.values().filter(|task| task.is_wanted())
    }

    /// Whom the scheduler stops: those that are starting, then the newest; nobody protected
    /// (ECS Developer Guide, "Protect your Amazon ECS tasks from being terminated by scale-in
    /// events").
    fn too_many(&self, now: Time) -> Vec<String> {
        let surplus = self.wanted().count().saturating_sub(self.desired);
        let mut open: Vec<&Task> = self
            .wanted()
            .filter(|task| !task.is_protected(now))
            .collect();
        open.sort_by_key(|task| (task.is_running(), std::cmp::Reverse(task.created_at)));
        let chosen = open.into_iter().take(surplus);
        chosen.map(|task| task.id.clone()).collect()
    }
}

#[cfg(test)]
mod tests;
