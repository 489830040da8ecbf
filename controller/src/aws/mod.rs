//! AWS behind the ports: the only code that names `aws_sdk_*`, one file a service.
//!
//! [`Aws`] sees and changes fleets, [`StateTable`] keeps what is kept. Nothing here judges;
//! what cannot be had is unknown, and what makes a look worthless is an error with one clear
//! message.

mod autoscaling;
mod bucket;
mod cloudwatch;
mod dynamodb;
#[cfg(feature = "ec2")]
mod ec2;
mod ecs;
mod error;
pub mod history;
mod shared;
mod sqs;

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use futures::future::{join, join_all};
use weir_protocol::Report;

pub use self::bucket::Bucket;
pub use self::dynamodb::StateTable;

use self::autoscaling::{AutoScaling, Ended, Group, Groups, Lowering};
use self::cloudwatch::{Ages, CloudWatch};
use self::dynamodb::Asked;
use self::ecs::{Ecs, Tasks};
use self::error::{Endpoints, Failure, Kind};
use self::shared::Shared;
use self::sqs::Sqs;
use crate::figures::{Figure, policy_refused};
use crate::model::{Observation, QueueObservation, Roster, UnixSeconds};
use crate::policies::Fleets;
use crate::policy::{Actuate, EcsService, Policy, Scaler};
use crate::ports::{Act, Change, Observe, PortError, Sighting};
use crate::reports::summarise;

/// A connection that is not made in this time is not made: the endpoints are in the region.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// One attempt; the slowest of these calls takes well under a second.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// All attempts of a call; less than a round's interval of 15 s leaves room for.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(15);
const ATTEMPTS: u32 = 3;

/// The SDK's settings for a process, from the environment, with limits on what a call may take.
pub async fn config() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT);
    aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(timeouts.build())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .load()
        .await
}

/// AWS, for the fleets of one process.
pub struct Aws {
    attended: RwLock<Arc<Attended>>,
    sqs: Sqs,
    cloudwatch: CloudWatch,
    autoscaling: AutoScaling,
    #[cfg(feature = "ec2")]
    ec2: ec2::Ec2,
    ecs: Ecs,
    state: StateTable,
    seen_groups: Shared<Groups>,
    seen_ages: Shared<Ages>,
}

impl Aws {
    /// Builds the clients once for the process; asks AWS nothing yet.
    ///
    /// # Errors
    /// No region: nothing can be asked anywhere.
    pub fn with(
        config: &SdkConfig,
        policies: &[Policy],
        state_table: &str,
    ) -> Result<Self, PortError> {
        let endpoints = Endpoints::of_config(config)?;
        let at = || endpoints.clone();
        let dynamodb = aws_sdk_dynamodb::Client::new(config);
        let state = StateTable::new(dynamodb, at(), state_table);
        Ok(Self {
            attended: RwLock::new(Arc::new(Attended::of(policies))),
            sqs: Sqs::new(aws_sdk_sqs::Client::new(config), at()),
            cloudwatch: CloudWatch::new(aws_sdk_cloudwatch::Client::new(config), at()),
            autoscaling: AutoScaling::new(aws_sdk_autoscaling::Client::new(config), at()),
            #[cfg(feature = "ec2")]
            ec2: ec2::Ec2::new(aws_sdk_ec2::Client::new(config), at()),
            ecs: Ecs::new(aws_sdk_ecs::Client::new(config), at(), state.clone()),
            state,
            seen_groups: Shared::new(),
            seen_ages: Shared::new(),
        })
    }

    /// From now on looks at the queues and groups of these policies: one call sees all of them.
    pub async fn attend(&self, policies: &Fleets) {
        let attended = Attended::of(policies.values().map(AsRef::as_ref));
        if attended == *self.attended() {
            return;
        }
        *(self.attended.write()).unwrap_or_else(PoisonError::into_inner) = Arc::new(attended);
        self.seen_groups.forget().await;
        self.seen_ages.forget().await;
    }

    fn attended(&self) -> Arc<Attended> {
        let attended = self.attended.read();
        Arc::clone(&attended.unwrap_or_else(PoisonError::into_inner))
    }

    /// The state table, as a ledger.
    pub fn state_table(&self) -> StateTable {
        self.state.clone()
    }

    /// Publishes of each fleet whether a newer version of its policy is refused, all in one call.
    ///
    /// # Errors
    /// `CloudWatch` did not take it.
    pub async fn publish_standing(
        &self,
        at: UnixSeconds,
        standing: &[(String, bool)],
    ) -> Result<(), PortError> {
        let figures = standing.iter();
        let figures = figures.map(|(fleet, refused)| (fleet.as_str(), policy_refused(*refused)));
        Ok(self
            .cloudwatch
            .publish(at, &figures.collect::<Vec<_>>())
            .await?)
    }

    /// Who and how many there are, be it a group's instances or a service's tasks.
    async fn tasks(&self, policy: &Policy, now: UnixSeconds) -> Result<Tasks, Failure> {
        match &policy.fleet.scaler {
            Scaler::AutoScalingGroup(name) => {
                let Group { fleet, roster } = self.group(name, now).await?;
                Ok(Tasks {
                    fleet,
                    roster,
                    outdated: BTreeSet::new(),
                })
            }
            Scaler::EcsService(service) => self.ecs.tasks((policy, service), now).await,
        }
    }

    async fn group(&self, name: &str, now: UnixSeconds) -> Result<Group, Failure> {
        let attended = self.attended();
        let fetch = self.autoscaling.groups(&attended.groups);
        let groups = self.seen_groups.get(now, fetch).await?;
        let mut group = groups
            .get(name)
            .cloned()
            .ok_or_else(|| self.autoscaling.missing(name))?;
        self.add_launch_times(&mut group.roster, &groups).await;
        Ok(group)
    }

    /// Without launch times a fleet is scaled as well, on the policy's guess of the boot time.
    #[cfg(feature = "ec2")]
    async fn add_launch_times(&self, roster: &mut Roster, all: &Groups) {
        let everyone = all.values().flat_map(|group| &group.roster);
        self.ec2
            .keep_only(&everyone.map(|m| m.id.clone()).collect());
        let ids: Vec<String> = roster.iter().map(|member| member.id.clone()).collect();
        match self.ec2.launches(&ids).await {
            Ok(launches) => {
                for member in roster {
                    member.launched_at = launches.get(&member.id).copied();
                }
            }
            Err(failure) => tracing::warn!("launch times unknown: {failure}"),
        }
    }

    #[cfg(not(feature = "ec2"))]
    #[expect(clippy::unused_async, reason = "the same shape as with the feature")]
    async fn add_launch_times(&self, _roster: &mut Roster, _all: &Groups) {}

    async fn queues(
        &self,
        policy: &Policy,
        now: UnixSeconds,
    ) -> Result<Vec<QueueObservation>, Failure> {
        let counts = join_all(policy.queues.iter().map(|queue| self.sqs.observe(queue)));
        let attended = self.attended();
        let fetch = self.cloudwatch.oldest_ages(&attended.queues, now);
        let (counts, ages) = join(counts, self.seen_ages.get(now, fetch)).await;
        let ages = ages
            .inspect_err(|failure| tracing::warn!("ages of oldest messages unknown: {failure}"))
            .unwrap_or_default();
        counts
            .into_iter()
            .map(|counted| {
                let queue = counted?;
                let oldest_age_seconds = ages.get(&queue.name).copied();
                Ok(QueueObservation {
                    oldest_age_seconds,
                    ..queue
                })
            })
            .collect()
    }

    /// A busy table makes reports unknown; a missing one is a mistake in the configuration.
    async fn reports(&self, policy: &Policy, now: UnixSeconds) -> Result<Vec<Report>, Failure> {
        match self.state.reports(&policy.name, now).await {
            Err(failure) if failure.kind == Kind::Busy => {
                tracing::warn!(fleet = policy.name, "reports unknown: {failure}");
                Ok(Vec::new())
            }
            outcome => outcome,
        }
    }

    async fn target_in_force(&self, policy: &Policy) -> Result<Option<f64>, Failure> {
        match (policy.actuate, &policy.fleet.scaler) {
            (Actuate::TargetTracking, Scaler::AutoScalingGroup(group)) => {
                self.autoscaling.tracking_target((policy, group)).await
            }
            _ => Ok(None),
        }
    }

    async fn change(&self, policy: &Policy, change: &Change) -> Result<String, Failure> {
        match &policy.fleet.scaler {
            Scaler::AutoScalingGroup(group) => self.change_group(policy, group, change).await,
            Scaler::EcsService(service) => self.change_service(policy, service, change).await,
        }
    }

    async fn change_group(
        &self,
        policy: &Policy,
        group: &str,
        change: &Change,
    ) -> Result<String, Failure> {
        match change {
            Change::Resize { desired } => {
                self.autoscaling.resize(group, *desired).await?;
                Ok(format!("set desired capacity of {group} to {}", desired.0))
            }
            Change::Release { instance } => self.end(instance, Lowering::ByOne).await,
            Change::Dismiss { instance } => self.end(instance, Lowering::Not).await,
            Change::Retarget { target } => {
                self.autoscaling.retarget((policy, group), *target).await?;
                Ok(format!("set the tracking target of {group} to {target:.2}"))
            }
        }
    }

    async fn change_service(
        &self,
        policy: &Policy,
        service: &EcsService,
        change: &Change,
    ) -> Result<String, Failure> {
        let of = (policy, service);
        let asked = |task: &str, asked| match asked {
            Asked::Now => format!("asked {task} to leave"),
            Asked::Before => format!("{task} had been asked to leave already"),
        };
        match change {
            Change::Resize { desired } => {
                let count = self.ecs.resize(service, *desired).await?;
                Ok(format!("set desired count of {service} to {count}"))
            }
            Change::Release { instance: task } => {
                Ok(asked(task, self.ecs.end(of, task, Lowering::ByOne).await?))
            }
            Change::Dismiss { instance: task } => {
                Ok(asked(task, self.ecs.end(of, task, Lowering::Not).await?))
            }
            Change::Retarget { .. } => Err(Failure::found(
                Kind::Invalid,
                format!("ECS service {service} has no tracking target of this program's"),
            )),
        }
    }

    async fn end(&self, instance: &str, lowering: Lowering) -> Result<String, Failure> {
        Ok(match self.autoscaling.end(instance, lowering).await? {
            Ended::Leaving => format!("ended {instance}"),
            Ended::Gone => format!("{instance} was gone already"),
        })
    }
}

#[async_trait]
impl Observe for Aws {
    async fn observe(&self, policy: &Policy, now: UnixSeconds) -> Result<Sighting, PortError> {
        let (queues, tasks, reports, target_in_force) = futures::join!(
            self.queues(policy, now),
            self.tasks(policy, now),
            self.reports(policy, now),
            self.target_in_force(policy),
        );
        // In the order in which a person would want to know.
        let (queues, tasks, reports) = (queues?, tasks?, reports?);
        let mut roster = tasks.roster;
        for member in &mut roster {
            let own = |report: &&Report| report.instance_id == member.id;
            member.report = reports.iter().find(own).cloned();
        }
        Ok(Sighting {
            observation: Observation {
                at: now,
                queues,
                fleet: tasks.fleet,
                workers: summarise(&reports, &roster),
            },
            roster,
            target_in_force: target_in_force?,
            outdated: tasks.outdated,
        })
    }
}

#[async_trait]
impl Act for Aws {
    async fn make(&self, policy: &Policy, change: &Change) -> Result<String, PortError> {
        let made = self.change(policy, change).await;
        self.seen_groups.forget().await;
        Ok(made?)
    }

    async fn publish(
        &self,
        policy: &Policy,
        at: UnixSeconds,
        figures: &[Figure],
    ) -> Result<(), PortError> {
        let figures = figures.iter().map(|figure| (policy.name.as_str(), *figure));
        Ok(self
            .cloudwatch
            .publish(at, &figures.collect::<Vec<_>>())
            .await?)
    }
}

/// What one call sees for all fleets.
#[derive(PartialEq)]
struct Attended {
    queues: Vec<String>,
    groups: Vec<String>,
}

impl Attended {
    fn of<'a>(policies: impl IntoIterator<Item = &'a Policy>) -> Self {
        let policies: Vec<&Policy> = policies.into_iter().collect();
        let queues = policies.iter().flat_map(|policy| &policy.queues);
        Self {
            queues: unique(queues.map(|queue| queue.name.as_str())),
            groups: unique(policies.iter().filter_map(|p| p.fleet.scaler.group())),
        }
    }
}

fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let unique: BTreeSet<&str> = names.collect();
    unique.into_iter().map(str::to_owned).collect()
}
