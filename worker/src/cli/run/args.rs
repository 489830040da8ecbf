//! The settings of a worker as the command line takes them: a field each, which is a flag, a variable
//! and, by the field's name, a key of the configuration file.
//!
//! What a value may be is said by its parser, so that the three of them refuse the same with the same
//! words.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::builder::{RATE_MAX, RATE_MIN};
use crate::cli::values::{self, Slots};
use crate::flow::Share;
use crate::handler::exec::RESULT_MAX_BYTES;
use crate::handler::http::Service;
use crate::lease::Idempotency;
use crate::observe::EmfTo;
use crate::retry::HIDDEN_MAX;

const HOUR: Duration = Duration::from_hours(1);

/// An attempt ends before its message could not be hidden any longer.
const JOB_TIME: RangeInclusive<Duration> = Duration::from_millis(1)..=HIDDEN_MAX;

/// Renewed at half of it, a message needs two whole seconds; SQS hides for twelve hours at the most.
const HIDDEN: RangeInclusive<Duration> = Duration::from_secs(2)..=HIDDEN_MAX;

/// SQS's longest poll (SQS API Reference, `ReceiveMessage`).
const POLL: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(20);

/// No delay outlives the message: SQS keeps one for fourteen days at the most.
const RETRY: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_hours(14 * 24);

/// A lifecycle hook holds an instance for two days at the most (Auto Scaling User Guide, "Lifecycle
/// hooks").
const LEAVING: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_hours(48);

const GRACE: RangeInclusive<Duration> = Duration::ZERO..=HOUR;

/// Up to ten years.
const KEPT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(87_600);

/// The most that SQS itself counts (SQS Developer Guide, "maxReceiveCount").
const ATTEMPTS_MAX: u32 = 1000;

/// What a record holds beside the result must fit into DynamoDB's 400 KB too.
const RESULT_LIMIT_MAX: usize = 384 * 1024;

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// A YAML file with settings, by the flags' names with _ for -; flags and variables go before it
    #[arg(long, env = "WEIR_CONFIG", value_name = "FILE")]
    pub(in crate::cli) config: Option<PathBuf>,
    /// A queue's name or URL; repeat it to serve several (in the variable, part them by `;`). Of
    /// those, `NAME,priority=1` is served after priority 0, and `NAME,weight=3` gets three times the
    /// slots of `NAME`
    #[arg(
        long = "queue",
        env = "WEIR_QUEUE",
        value_name = "NAME|URL",
        required = true,
        value_delimiter = ';',
        value_parser = values::queue
    )]
    pub(in crate::cli) queues: Vec<(String, Share)>,
    /// The fleet, by its policy's name [default: the first queue's name]
    #[arg(long, env = "WEIR_FLEET", value_name = "NAME", value_parser = values::text)]
    pub(in crate::cli) fleet: Option<String>,
    /// The Auto Scaling group the instance belongs to
    #[arg(long, env = "WEIR_AUTO_SCALING_GROUP", value_name = "NAME", value_parser = values::text)]
    pub(in crate::cli) auto_scaling_group: Option<String>,
    /// The ECS service the task belongs to, CLUSTER/SERVICE; the container's environment tells a
    /// task as well
    #[arg(long, env = "WEIR_ECS_SERVICE", value_name = "CLUSTER/SERVICE", value_parser = values::text)]
    pub(in crate::cli) ecs_service: Option<String>,
    /// The group's terminating lifecycle hook, completed after the drain
    #[arg(
        long,
        env = "WEIR_LIFECYCLE_HOOK",
        value_name = "NAME", value_parser = values::text,
        default_value = "weir-drain"
    )]
    pub(in crate::cli) lifecycle_hook: String,
    /// The table of job records
    #[arg(
        long,
        env = "WEIR_JOBS_TABLE",
        value_name = "NAME", value_parser = values::text,
        default_value = "weir-jobs"
    )]
    pub(in crate::cli) jobs_table: String,
    /// The table of reports
    #[arg(
        long,
        env = "WEIR_STATE_TABLE",
        value_name = "NAME", value_parser = values::text,
        default_value = "weir-state"
    )]
    pub(in crate::cli) state_table: String,
    /// Jobs at a time; `auto` finds out how many do the most
    #[arg(long, env = "WEIR_SLOTS", value_name = "N|auto", value_parser = values::slots, default_value = "4")]
    pub(in crate::cli) slots: Slots,
    /// With `--slots auto`, the most jobs at a time [default: eight for each CPU]
    #[arg(long, env = "WEIR_SLOTS_MAX", value_name = "N", value_parser = values::slots_max)]
    pub(in crate::cli) slots_max: Option<u32>,
    /// Begin at most so many jobs a second
    #[arg(long, env = "WEIR_RATE_LIMIT", value_name = "JOBS", value_parser = values::number(RATE_MIN..=RATE_MAX))]
    pub(in crate::cli) rate_limit: Option<f64>,
    /// How long an attempt may take
    #[arg(long, env = "WEIR_JOB_TIMEOUT", value_name = "DURATION", value_parser = values::lasting(JOB_TIME), default_value = "10m")]
    pub(in crate::cli) job_timeout: Duration,
    /// How long messages are hidden and leases last; renewed at half of it
    #[arg(long, env = "WEIR_VISIBILITY_TIMEOUT", value_name = "DURATION", value_parser = values::lasting(HIDDEN), default_value = "60s")]
    pub(in crate::cli) visibility_timeout: Duration,
    /// How long a poll waits for messages; a drain waits for the open poll
    #[arg(long, env = "WEIR_POLL_WAIT", value_name = "DURATION", value_parser = values::lasting(POLL), default_value = "20s")]
    pub(in crate::cli) poll_wait: Duration,
    /// How jobs are kept from being done twice
    #[arg(long, env = "WEIR_IDEMPOTENCY", value_enum, default_value_t = Idempotency::Lease)]
    pub(in crate::cli) idempotency: Idempotency,
    /// Attempts before a job is given up
    #[arg(long, env = "WEIR_MAX_ATTEMPTS", value_name = "N", value_parser = values::whole(1..=ATTEMPTS_MAX), default_value_t = 5)]
    pub(in crate::cli) max_attempts: u32,
    /// The first retry comes within this time; each further one within twice the time before
    #[arg(long, env = "WEIR_RETRY_BASE", value_name = "DURATION", value_parser = values::lasting(RETRY), default_value = "5s")]
    pub(in crate::cli) retry_base: Duration,
    /// No retry of the backoff waits longer than this
    #[arg(long, env = "WEIR_RETRY_MAX", value_name = "DURATION", value_parser = values::lasting(RETRY), default_value = "15m")]
    pub(in crate::cli) retry_max: Duration,
    /// How long running jobs may go on after SIGTERM or Ctrl-C
    #[arg(long, env = "WEIR_DRAIN_TIMEOUT", value_name = "DURATION", value_parser = values::lasting(LEAVING), default_value = "110s")]
    pub(in crate::cli) drain_timeout: Duration,
    /// The same after a spot notice or a rebalance recommendation
    #[arg(long, env = "WEIR_SPOT_DRAIN_TIMEOUT", value_name = "DURATION", value_parser = values::lasting(LEAVING), default_value = "110s")]
    pub(in crate::cli) spot_drain_timeout: Duration,
    /// The same when the group takes the instance out [default: as long as it takes]
    #[arg(long, env = "WEIR_LIFECYCLE_DRAIN_TIMEOUT", value_name = "DURATION", value_parser = values::lasting(LEAVING))]
    pub(in crate::cli) lifecycle_drain_timeout: Option<Duration>,
    /// How long a job that is told to stop is waited for before it is killed
    #[arg(long, env = "WEIR_KILL_GRACE", value_name = "DURATION", value_parser = values::lasting(GRACE), default_value = "5s")]
    pub(in crate::cli) kill_grace: Duration,
    /// How long job records are kept; not shorter than the queue keeps messages
    #[arg(long, env = "WEIR_KEEP_RECORDS", value_name = "DURATION", value_parser = values::lasting(KEPT), default_value = "336h")]
    pub(in crate::cli) keep_records: Duration,
    /// The worker's id [default: the EC2 instance's or the ECS task's, else host name and process id]
    #[arg(long, env = "WEIR_INSTANCE_ID", value_name = "ID", value_parser = values::text)]
    pub(in crate::cli) instance_id: Option<String>,
    /// Do not look for EC2 instance metadata
    #[arg(long, env = "AWS_EC2_METADATA_DISABLED", value_parser = clap::builder::FalseyValueParser::new())]
    pub(in crate::cli) no_metadata: bool,
    /// The bucket with the bodies that are too large for a message; without it, a body that points
    /// to S3 is handed to the handler as it is
    #[cfg(feature = "s3")]
    #[arg(long, env = "WEIR_PAYLOAD_BUCKET", value_name = "NAME", value_parser = values::text)]
    pub(in crate::cli) payload_bucket: Option<String>,
    /// Answer /metrics, /healthz, /readyz and /status on this address, and from this machine take
    /// POST /pause and /resume [such as: 127.0.0.1:9464]
    #[arg(long, env = "WEIR_LISTEN", value_name = "ADDRESS:PORT", value_parser = values::address)]
    pub(in crate::cli) listen: Option<SocketAddr>,
    /// Write metrics for CloudWatch (Embedded Metric Format), a line a minute and queue, to standard
    /// output (`-`, or no value) or to a file
    #[arg(
        long,
        env = "WEIR_EMF",
        value_name = "FILE",
        value_parser = values::emf_to,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "-"
    )]
    pub(in crate::cli) emf: Option<EmfTo>,
}

#[derive(Debug, Args)]
pub(crate) struct ProgramArgs {
    #[command(flatten)]
    pub(in crate::cli) run: RunArgs,
    #[command(flatten)]
    pub(in crate::cli) handler: HandlerArgs,
    /// Longest result, bytes
    #[arg(long, env = "WEIR_RESULT_LIMIT", value_name = "BYTES", value_parser = values::whole(1..=RESULT_LIMIT_MAX), default_value_t = RESULT_MAX_BYTES)]
    pub(in crate::cli) result_limit: usize,
}

/// Who does the work: one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(in crate::cli) struct HandlerArgs {
    /// The command line that does a job, run by `sh -c`: body on standard input, result from
    /// standard output; exit 0 done, 75 try again, 65 never
    #[arg(long, env = "WEIR_EXEC", value_name = "COMMAND", value_parser = values::text)]
    pub(in crate::cli) exec: Option<String>,
    /// The service that does a job: body posted to it, result from the response; 2xx done, 422
    /// never, else try again
    #[arg(long, env = "WEIR_HTTP", value_name = "URL", value_parser = values::service)]
    pub(in crate::cli) http: Option<Service>,
}
