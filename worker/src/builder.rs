//! A worker on AWS: named queues and tables become a running worker, checked before it polls.
//!
//! Everything that can be wrong from the start is found here and said once; what goes wrong later is
//! waited out by the tasks.

mod checks;

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::config::StalledStreamProtectionConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use self::checks::{check_queues, check_settings};
use crate::aws::CallError;
use crate::clock::Clock;
use crate::control::Control;
use crate::drain::{DrainCause, DrainSwitch};
use crate::ecs::{self, DynamoLeave};
use crate::flow::Share;
use crate::handler::Handler;
use crate::instance::{Hook, Metadata};
use crate::jobs::{DynamoJobs, Jobs, JobsError};
use crate::lease::Idempotency;
use crate::observe::{Observer, Outside, Views};
use crate::payload::{self, ClaimCheck};
use crate::place::{Place, Tenancy};
use crate::queue::Queue;
use crate::report::{DynamoReports, Identity, Reports};
use crate::service::{Parts, Settings, Source, Summary, serve};
use crate::sqs::Sqs;

pub(crate) use self::checks::{RATE_MAX, RATE_MIN, check_queue};

/// A job id that no message can have, as it holds a space: reading it proves that the table is there.
const NO_JOB: &str = "start-up check";

/// The SDK's own default.
const CONNECT_LIMIT: Duration = Duration::from_millis(3100);

/// One try of a small call; the slowest ones of DynamoDB and Auto Scaling take a second or two.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(10);

/// Why a worker did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings are wrong.
    #[error("{what}")]
    Settings {
        /// The setting, what was found, what is allowed.
        what: String,
    },
    /// AWS did not give what the worker needs.
    #[error("{what}")]
    Unready {
        /// The thing, what was answered, what to do.
        what: String,
    },
}

/// The way to a worker: see [`Worker::builder`].
#[derive(Clone, Copy, Debug)]
pub struct Worker;

impl Worker {
    /// A worker with default settings, which needs at least a queue.
    pub fn builder() -> Builder {
        Builder {
            queues: Vec::new(),
            fleet: None,
            jobs_table: "weir-jobs".into(),
            state_table: "weir-state".into(),
            auto_scaling_group: None,
            ecs_service: None,
            lifecycle_hook: "weir-drain".into(),
            instance_id: None,
            metadata: true,
            payload_bucket: None,
            settings: Settings::default(),
            views: Views::default(),
        }
    }
}

/// A worker about to be.
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    pub(crate) queues: Vec<(String, Share)>,
    pub(crate) fleet: Option<String>,
    pub(crate) jobs_table: String,
    pub(crate) state_table: String,
    pub(crate) auto_scaling_group: Option<String>,
    pub(crate) ecs_service: Option<String>,
    pub(crate) lifecycle_hook: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) metadata: bool,
    pub(crate) payload_bucket: Option<String>,
    pub(crate) settings: Settings,
    pub(crate) views: Views,
}

impl Builder {
    /// A queue to serve, by name or URL. Several share the slots evenly.
    pub fn queue(self, name_or_url: impl Into<String>) -> Self {
        self.queue_with(name_or_url, Share::default())
    }

    /// A queue to serve, and its claim to the slots among several.
    pub fn queue_with(mut self, name_or_url: impl Into<String>, share: Share) -> Self {
        self.queues.push((name_or_url.into(), share));
        self
    }

    /// The fleet, by its policy's name; otherwise the first queue's name.
    pub fn fleet(mut self, name: impl Into<String>) -> Self {
        self.fleet = Some(name.into());
        self
    }

    /// The table of job records; otherwise `weir-jobs`.
    pub fn jobs_table(mut self, name: impl Into<String>) -> Self {
        self.jobs_table = name.into();
        self
    }

    /// The table of reports; otherwise `weir-state`.
    pub fn state_table(mut self, name: impl Into<String>) -> Self {
        self.state_table = name.into();
        self
    }

    /// The instance's Auto Scaling group, whose terminating hook is completed after the drain.
    pub fn auto_scaling_group(mut self, name: impl Into<String>) -> Self {
        self.auto_scaling_group = Some(name.into());
        self
    }

    /// The ECS service that the worker's task belongs to, `CLUSTER/SERVICE`. In a task of ECS it
    /// need not be named; outside, naming it is an error.
    pub fn ecs_service(mut self, name: impl Into<String>) -> Self {
        self.ecs_service = Some(name.into());
        self
    }

    /// The terminating hook's name; otherwise `weir-drain`.
    pub fn lifecycle_hook(mut self, name: impl Into<String>) -> Self {
        self.lifecycle_hook = name.into();
        self
    }

    /// The worker's id; otherwise the instance's, or the host's name and the process id.
    pub fn instance_id(mut self, id: impl Into<String>) -> Self {
        self.instance_id = Some(id.into());
        self
    }

    /// Does not look for an EC2 instance's metadata: outside ECS nothing but a signal ends the worker.
    pub fn without_metadata(mut self) -> Self {
        self.metadata = false;
        self
    }

    /// The bucket with the bodies that are too large for a message: they are fetched before the
    /// handler runs, and removed once the job is done. Otherwise a body that points to S3 is handed
    /// to the handler as it is.
    #[cfg(feature = "s3")]
    pub fn payload_bucket(mut self, name: impl Into<String>) -> Self {
        self.payload_bucket = Some(name.into());
        self
    }

    /// How it works.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// What it shows to whoever looks from outside; otherwise nothing.
    pub fn views(mut self, views: Views) -> Self {
        self.views = views;
        self
    }

    /// Checks queue and tables, then works until a signal or the instance's metadata ends it and
    /// everything is finished or handed back.
    pub async fn run(self, handler: impl Handler) -> Result<Summary, StartError> {
        self.check()?;
        // From here on a signal is a wish to leave, not to die.
        let signals = Signals::listen()?;
        let outside = Outside::open(self.views.clone(), Control::new(self.settings.slots))?;
        let config = aws_config().await?;
        let (place, identity) = self.place(&config).await?;
        let parts = self.connect(&config, identity, Arc::new(handler)).await?;
        let mut parts = self.with_payloads(&config, parts);
        parts.observer = outside.observer.clone();
        parts.control = outside.control.clone();
        let summary = live(parts, signals, place).await;
        outside.close().await;
        Ok(summary)
    }

    /// Whether the settings are right in themselves.
    pub(crate) fn check(&self) -> Result<(), StartError> {
        check_queues(&self.queues)?;
        check_settings(&self.settings)
    }

    /// Where the worker runs, and who it therefore is.
    async fn place(&self, config: &aws_config::SdkConfig) -> Result<(Place, Identity), StartError> {
        if let Some((agent, task)) = ecs::find(self.ecs_service.as_deref()).await? {
            let identity = self.identity(Some(&task.id));
            let dynamo = aws_sdk_dynamodb::Client::new(&with_time_limits(config));
            let tenancy = Tenancy {
                agent,
                task,
                requests: DynamoLeave::new(dynamo, &self.state_table),
                identity: identity.clone(),
            };
            return Ok((Place::Ecs(Box::new(tenancy)), identity));
        }
        let metadata = Metadata::new();
        let on_ec2 = if self.metadata {
            metadata.instance_id().await
        } else {
            None
        };
        let Some(instance_id) = on_ec2 else {
            return Ok((Place::Elsewhere, self.identity(None)));
        };
        let identity = self.identity(Some(&instance_id));
        let hook = self.auto_scaling_group.clone().map(|group| Hook {
            client: aws_sdk_autoscaling::Client::new(&with_time_limits(config)),
            group,
            name: self.lifecycle_hook.clone(),
            instance_id,
        });
        Ok((Place::Ec2(metadata, hook), identity))
    }

    fn with_payloads(&self, config: &aws_config::SdkConfig, parts: Parts) -> Parts {
        // S3's client costs memory, so that only those who asked for it have one.
        let Some(bucket) = &self.payload_bucket else {
            return parts;
        };
        match payload::on_aws(config) {
            Some(payloads) => ClaimCheck::new(payloads, bucket).around(parts),
            None => parts,
        }
    }

    fn identity(&self, by_place: Option<&str>) -> Identity {
        let first = self.queues.first().map_or("", |(queue, _)| queue);
        let plain_queue = first.rsplit('/').next().unwrap_or(first);
        Identity {
            instance_id: self
                .instance_id
                .as_deref()
                .or(by_place)
                .map_or_else(host_and_process, str::to_owned),
            fleet: self.fleet.clone().unwrap_or_else(|| plain_queue.to_owned()),
        }
    }

    /// SQS's own redrive gives no reason, so it must come later than ours.
    fn warn_of_redrive(&self, queue: &Sqs) {
        if !queue.has_dead_letter_queue() {
            tracing::warn!(
                queue = queue.name(),
                "the queue has no dead-letter queue: failed jobs leave only a record"
            );
        }
        let max_attempts = u64::from(self.settings.max_attempts);
        if let Some(max_receive_count) = queue.max_receive_count()
            && max_receive_count <= max_attempts
        {
            tracing::warn!(
                queue = queue.name(),
                max_receive_count,
                max_attempts,
                "SQS moves messages to the dead-letter queue, without a reason, before a job's \
                 attempts are used up: give the queue a greater maxReceiveCount"
            );
        }
    }

    async fn connect(
        &self,
        config: &aws_config::SdkConfig,
        identity: Identity,
        handler: Arc<dyn Handler>,
    ) -> Result<Parts, StartError> {
        let mut sources = Vec::new();
        for (name_or_url, share) in &self.queues {
            let queue = Sqs::find(sqs_client(config), name_or_url)
                .await
                .map_err(|error| unready(&error, "--queue (WEIR_QUEUE)"))?;
            self.warn_of_redrive(&queue);
            sources.push(Source {
                queue: Arc::new(queue),
                share: *share,
            });
        }
        let dynamo = aws_sdk_dynamodb::Client::new(&with_time_limits(config));
        let jobs = DynamoJobs::new(dynamo.clone(), &self.jobs_table);
        if self.settings.idempotency != Idempotency::Off {
            check_jobs(&jobs).await?;
        }
        let reports = DynamoReports::new(dynamo, &self.state_table);
        // What an earlier process of this instance left is out of date.
        reports
            .delete(&identity.fleet, &identity.instance_id)
            .await
            .map_err(|error| unready(&error, "--state-table (WEIR_STATE_TABLE)"))?;
        Ok(Parts {
            sources,
            control: Control::new(self.settings.slots),
            jobs: Arc::new(jobs),
            reports: Arc::new(reports),
            handler,
            identity,
            settings: self.settings,
            clock: Clock::system(),
            observer: Observer::default(),
        })
    }
}

/// The worker's client of SQS. Its answers are short and its calls bounded as a whole, so that they
/// need not be watched for a stream that stalls.
fn sqs_client(config: &aws_config::SdkConfig) -> aws_sdk_sqs::Client {
    let unwatched = StalledStreamProtectionConfig::disabled();
    let own = aws_sdk_sqs::config::Builder::from(config);
    let own = own.stalled_stream_protection(unwatched).build();
    aws_sdk_sqs::Client::from_conf(own)
}

async fn check_jobs(jobs: &DynamoJobs) -> Result<(), StartError> {
    match jobs.get(NO_JOB).await {
        Ok(_) => Ok(()),
        Err(JobsError::Call(error)) => Err(unready(&error, "--jobs-table (WEIR_JOBS_TABLE)")),
        Err(other) => {
            let what = other.to_string();
            Err(StartError::Unready { what })
        }
    }
}

/// Works, listens for what ends it, and lets the instance go.
async fn live(parts: Parts, signals: Signals, place: Place) -> Summary {
    let queues: Vec<&str> = parts.sources.iter().map(|s| s.queue.name()).collect();
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        handler = parts.handler.describe(),
        queues = queues.join(", "),
        fleet = parts.identity.fleet,
        instance_id = parts.identity.instance_id,
        slots = parts.settings.slots,
        "worker begins"
    );
    let drain = DrainSwitch::new(parts.settings.drain);
    let stop = CancellationToken::new();
    let listening = tokio::spawn(signals.forward(drain.clone(), stop.clone()));
    let mut at_place = place.listen(&drain, &stop);
    at_place.ready(&drain).await;
    let observer = parts.observer.clone();
    let summary = serve(parts, drain).await;
    // Listening ends first, or a task's protection could be renewed after it was taken off.
    stop.cancel();
    let _ = listening.await;
    at_place.end().await;
    place.let_go().await;
    tracing::info!(
        seconds = observer.seconds(),
        completed = summary.completed,
        failed = summary.failed,
        jobs = observer.fates(),
        "worker ends"
    );
    summary
}

/// SIGTERM and Ctrl-C. However many come, they are one wish.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Self, StartError> {
        let listen = |kind| {
            signal(kind).map_err(|error| StartError::Unready {
                what: format!("signals could not be listened for: {error}"),
            })
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn forward(mut self, drain: DrainSwitch, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
            }
            drain.notice(DrainCause::Signal, Clock::system().unix_seconds());
        }
    }
}

/// The SDK's configuration from the environment.
pub(crate) async fn aws_config() -> Result<aws_config::SdkConfig, StartError> {
    let config = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .load()
        .await;
    if config
        .region()
        .is_none_or(|region| region.as_ref().is_empty())
    {
        return Err(StartError::Settings {
            what: "no AWS region is configured: set AWS_REGION, or region in the profile".into(),
        });
    }
    crate::aws::remember_endpoints(&config);
    Ok(config)
}

/// The same, with calls that end: the SDK by itself would wait for an answer for ever. Not for
/// SQS, whose long polls are bounded where they are made.
pub(crate) fn with_time_limits(config: &aws_config::SdkConfig) -> aws_config::SdkConfig {
    let limits = TimeoutConfig::builder()
        .connect_timeout(CONNECT_LIMIT)
        .operation_attempt_timeout(ATTEMPT_LIMIT)
        .build();
    config.clone().into_builder().timeout_config(limits).build()
}

/// A failed start-up check, with the setting to look at.
pub(crate) fn unready(error: &CallError, setting: &str) -> StartError {
    let what = match error {
        CallError::Refused { what } => format!("{what}; check {setting}, region and permissions"),
        CallError::Unavailable { what } => what.clone(),
    };
    StartError::Unready { what }
}

fn host_and_process() -> String {
    let host = nix::unistd::gethostname().map_or_else(
        |_| "localhost".into(),
        |host| host.to_string_lossy().into_owned(),
    );
    format!("{host}-{}", std::process::id())
}
