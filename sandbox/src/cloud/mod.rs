//! A small cloud: the part of AWS that Weir's judgement touches, as plain state machines.
//!
//! Owns the behaviour of SQS, Auto Scaling, EC2, ECS and CloudWatch as far as it is played here. It
//! does no I/O and reads no clock: `now` is an argument, chance is seeded, and what happens by itself
//! happens in [`Cloud::advance`]. So the same models run behind HTTP and inside a simulation.

pub mod autoscaling;
pub mod cloudwatch;
pub mod ec2;
pub mod ecs;
mod error;
pub mod sqs;
mod time;

use std::collections::BTreeMap;
use std::time::Duration;

use self::autoscaling::Autoscaling;
use self::cloudwatch::CloudWatch;
use self::ec2::{Ec2, InstanceState};
use self::ecs::Ecs;
use self::sqs::{CountLag, Sqs};

pub use self::error::{ApiError, ApiResult};
pub use self::time::Time;

/// The account that everything belongs to.
pub const ACCOUNT: &str = "000000000000";

/// Tags by key.
pub type Tags = BTreeMap<String, String>;

/// How the cloud behaves where AWS's behaviour varies.
#[derive(Clone, Debug)]
pub struct CloudConfig {
    /// All ids, tokens and noise come from it.
    pub seed: u64,
    /// From an instance's launch until EC2 says `running`.
    pub boot: Duration,
    /// From a change of desired capacity until instances are launched.
    pub launch_delay: Duration,
    /// From the end of an instance's last lifecycle action until it is gone.
    pub shutdown: Duration,
    /// From an instance's death until Auto Scaling notices.
    pub detect_failure: Duration,
    /// The most instances that EC2 has to give; `None` is plenty.
    pub capacity: Option<usize>,
    /// After a launch that failed for lack of capacity, the next attempt comes this much later.
    pub launch_retry: Duration,
    /// How far reported queue counts may be from the truth.
    pub count_lag: CountLag,
    /// The period of the metrics that AWS services publish by themselves; a minute in AWS.
    pub metrics_period: Duration,
    /// From the end of a period until those metrics can be read.
    pub metrics_delay: Duration,
}

impl Default for CloudConfig {
    /// A quick and truthful cloud.
    fn default() -> Self {
        Self {
            seed: 0,
            boot: Duration::from_secs(1),
            launch_delay: Duration::ZERO,
            shutdown: Duration::ZERO,
            detect_failure: Duration::ZERO,
            capacity: None,
            launch_retry: Duration::from_secs(30),
            count_lag: CountLag::EXACT,
            metrics_period: Duration::from_mins(1),
            metrics_delay: Duration::ZERO,
        }
    }
}

/// What happened to what runs programs.
#[derive(Clone, Debug)]
pub enum Event {
    /// To an instance of a group.
    Instance(autoscaling::Event),
    /// To a task of a service.
    Task(ecs::Event),
}

/// The cloud: five services that share instances and time.
#[derive(Debug)]
pub struct Cloud {
    /// Queues.
    pub sqs: Sqs,
    /// Groups.
    pub autoscaling: Autoscaling,
    /// Instances and launch templates.
    pub ec2: Ec2,
    /// Services and their tasks.
    pub ecs: Ecs,
    /// Metrics.
    pub cloudwatch: CloudWatch,
}

impl Cloud {
    /// An empty account.
    pub fn new(config: &CloudConfig) -> Self {
        // One stream of chance for each service: what one does never shifts the ids of another.
        let seed = |service: u64| config.seed.wrapping_mul(4).wrapping_add(service);
        Self {
            sqs: Sqs::new(seed(0), config.count_lag),
            autoscaling: Autoscaling::new(seed(1), config),
            ec2: Ec2::new(seed(2)),
            ecs: Ecs::new(seed(3), config),
            cloudwatch: CloudWatch::new(config),
        }
    }

    /// Lets happen what is due by `now`, in order of time.
    pub fn advance(&mut self, now: Time) {
        self.autoscaling.advance(now, &mut self.ec2);
        self.ecs.advance(now);
        self.sqs.observe(now);
        self.cloudwatch.feed_sqs(now, &mut self.sqs);
    }

    /// When something is due next that does not happen by looking; queues settle when looked at.
    pub fn next_event_at(&self) -> Option<Time> {
        let feed = self.cloudwatch.next_feed_at();
        self.autoscaling
            .next_event_at()
            .into_iter()
            .chain(self.ecs.next_event_at())
            .chain(feed)
            .min()
    }

    /// What happened to instances and tasks since the last call, in order.
    pub fn drain_events(&mut self) -> Vec<Event> {
        let instances = self.autoscaling.drain_events().into_iter();
        let tasks = self.ecs.drain_events().into_iter();
        let instances = instances.map(Event::Instance);
        instances.chain(tasks.map(Event::Task)).collect()
    }

    /// The instance or task died by itself, or was killed from outside. Its group or service
    /// replaces it.
    pub fn instance_failed(&mut self, now: Time, id: &str) {
        if self.ecs.exited(id, now) {
            return;
        }
        self.autoscaling.instance_failed(now, id, &mut self.ec2);
    }

    /// `TerminateInstances`: ends instances without any lifecycle hook; groups replace theirs.
    /// Gives each id with its state before.
    pub fn terminate_instances(
        &mut self,
        now: Time,
        ids: &[String],
    ) -> ApiResult<Vec<(String, InstanceState)>> {
        let before = self.ec2.describe(ids, &[])?;
        let before = before
            .into_iter()
            .map(|found| (found.id.clone(), found.state));
        let before: Vec<_> = before.filter(|(id, _)| ids.contains(id)).collect();
        for (id, _) in &before {
            self.instance_failed(now, id);
        }
        Ok(before)
    }
}
