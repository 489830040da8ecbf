//! `weir-worker run`: flags and environment become a [`Builder`].

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;

use super::{CliError, duration};
use crate::builder::{Builder, Worker};
use crate::drain::DrainLimits;
use crate::flow::Share;
use crate::handler::Handler;
use crate::handler::exec::{Exec, RESULT_MAX_BYTES};
use crate::handler::http::{Http, Service};
use crate::lease::Idempotency;
use crate::observe::{EmfTo, Views};
use crate::retry::Backoff;
use crate::service::Settings;

/// How long a handler may take longer to stop than its process: the worker's own last resort.
const CANCEL_MARGIN: Duration = Duration::from_secs(5);

/// The most jobs at a time that `--slots auto` goes up to, for each CPU, unless told.
const AUTO_SLOTS_A_CPU: u32 = 8;

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// A queue's name or URL; repeat it to serve several (in the variable, part them by `;`). Of
    /// those, `NAME,priority=1` is served after priority 0, and `NAME,weight=3` gets three times the
    /// slots of `NAME`
    #[arg(
        long = "queue",
        env = "WEIR_QUEUE",
        value_name = "NAME|URL",
        required = true,
        value_delimiter = ';',
        value_parser = queue_share
    )]
    queues: Vec<(String, Share)>,
    /// The fleet, by its policy's name [default: the first queue's name]
    #[arg(long, env = "WEIR_FLEET", value_name = "NAME")]
    fleet: Option<String>,
    /// The Auto Scaling group the instance belongs to
    #[arg(long, env = "WEIR_AUTO_SCALING_GROUP", value_name = "NAME")]
    auto_scaling_group: Option<String>,
    /// The group's terminating lifecycle hook, completed after the drain
    #[arg(
        long,
        env = "WEIR_LIFECYCLE_HOOK",
        value_name = "NAME",
        default_value = "weir-drain"
    )]
    lifecycle_hook: String,
    /// The table of job records
    #[arg(
        long,
        env = "WEIR_JOBS_TABLE",
        value_name = "NAME",
        default_value = "weir-jobs"
    )]
    jobs_table: String,
    /// The table of reports
    #[arg(
        long,
        env = "WEIR_STATE_TABLE",
        value_name = "NAME",
        default_value = "weir-state"
    )]
    state_table: String,
    /// Jobs at a time; `auto` finds out how many do the most
    #[arg(long, env = "WEIR_SLOTS", value_name = "N|auto", value_parser = slots, default_value = "4")]
    slots: Slots,
    /// With `--slots auto`, the most jobs at a time [default: eight for each CPU]
    #[arg(long, env = "WEIR_SLOTS_MAX", value_name = "N")]
    slots_max: Option<u32>,
    /// Begin at most so many jobs a second
    #[arg(long, env = "WEIR_RATE_LIMIT", value_name = "JOBS")]
    rate_limit: Option<f64>,
    /// How long an attempt may take
    #[arg(long, env = "WEIR_JOB_TIMEOUT", value_parser = duration, default_value = "10m")]
    job_timeout: Duration,
    /// How long messages are hidden and leases last; renewed at half of it
    #[arg(long, env = "WEIR_VISIBILITY_TIMEOUT", value_parser = duration, default_value = "60s")]
    visibility_timeout: Duration,
    /// How long a poll waits for messages; a drain waits for the open poll
    #[arg(long, env = "WEIR_POLL_WAIT", value_parser = duration, default_value = "20s")]
    poll_wait: Duration,
    /// How jobs are kept from being done twice
    #[arg(long, env = "WEIR_IDEMPOTENCY", value_enum, default_value_t = Idempotency::Lease)]
    idempotency: Idempotency,
    /// Attempts before a job is given up
    #[arg(long, env = "WEIR_MAX_ATTEMPTS", value_name = "N", default_value_t = 5)]
    max_attempts: u32,
    /// The first retry comes within this time; each further one within twice the time before
    #[arg(long, env = "WEIR_RETRY_BASE", value_parser = duration, default_value = "5s")]
    retry_base: Duration,
    /// No retry of the backoff waits longer than this
    #[arg(long, env = "WEIR_RETRY_MAX", value_parser = duration, default_value = "15m")]
    retry_max: Duration,
    /// How long running jobs may go on after SIGTERM or Ctrl-C
    #[arg(long, env = "WEIR_DRAIN_TIMEOUT", value_parser = duration, default_value = "110s")]
    drain_timeout: Duration,
    /// The same after a spot notice or a rebalance recommendation
    #[arg(long, env = "WEIR_SPOT_DRAIN_TIMEOUT", value_parser = duration, default_value = "110s")]
    spot_drain_timeout: Duration,
    /// The same when the group takes the instance out [default: as long as it takes]
    #[arg(long, env = "WEIR_LIFECYCLE_DRAIN_TIMEOUT", value_parser = duration)]
    lifecycle_drain_timeout: Option<Duration>,
    /// How long a job that is told to stop is waited for before it is killed
    #[arg(long, env = "WEIR_KILL_GRACE", value_parser = duration, default_value = "5s")]
    kill_grace: Duration,
    /// How long job records are kept; not shorter than the queue keeps messages
    #[arg(long, env = "WEIR_KEEP_RECORDS", value_parser = duration, default_value = "336h")]
    keep_records: Duration,
    /// The worker's id [default: the EC2 instance's, else host name and process id]
    #[arg(long, env = "WEIR_INSTANCE_ID", value_name = "ID")]
    instance_id: Option<String>,
    /// Do not look for EC2 instance metadata
    #[arg(long, env = "AWS_EC2_METADATA_DISABLED", value_parser = clap::builder::FalseyValueParser::new())]
    no_metadata: bool,
    /// The bucket with the bodies that are too large for a message; without it, a body that points
    /// to S3 is handed to the handler as it is
    #[cfg(feature = "s3")]
    #[arg(long, env = "WEIR_PAYLOAD_BUCKET", value_name = "NAME")]
    payload_bucket: Option<String>,
    /// Answer /metrics, /healthz, /readyz and /status on this address, and from this machine take
    /// POST /pause and /resume [such as: 127.0.0.1:9464]
    #[arg(long, env = "WEIR_LISTEN", value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Write metrics for CloudWatch (Embedded Metric Format), a line a minute and queue, to standard
    /// output (`-`, or no value) or to a file
    #[arg(
        long,
        env = "WEIR_EMF",
        value_name = "FILE",
        value_parser = emf_to,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "-"
    )]
    emf: Option<EmfTo>,
}

#[derive(Debug, Args)]
pub(super) struct ProgramArgs {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    handler: HandlerArgs,
    /// Longest result, bytes
    #[arg(long, env = "WEIR_RESULT_LIMIT", value_name = "BYTES", default_value_t = RESULT_MAX_BYTES)]
    result_limit: usize,
}

/// Who does the work: one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct HandlerArgs {
    /// The command line that does a job, run by `sh -c`: body on standard input, result from
    /// standard output; exit 0 done, 75 try again, 65 never
    #[arg(long, env = "WEIR_EXEC", value_name = "COMMAND")]
    exec: Option<String>,
    /// The service that does a job: body posted to it, result from the response; 2xx done, 422
    /// never, else try again
    #[arg(long, env = "WEIR_HTTP", value_name = "URL")]
    http: Option<Service>,
}

/// Jobs at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slots {
    Fixed(u32),
    Auto,
}

fn slots(text: &str) -> Result<Slots, String> {
    if text == "auto" {
        return Ok(Slots::Auto);
    }
    let fixed = text.parse().map(Slots::Fixed);
    fixed.map_err(|_| "slots are a whole number of at least 1, or `auto`".into())
}

/// Where metrics for CloudWatch go.
fn emf_to(text: &str) -> Result<EmfTo, String> {
    match text {
        "" => Err("a file's path, or - for standard output, is needed".into()),
        "-" => Ok(EmfTo::Stdout),
        path => Ok(EmfTo::File(path.into())),
    }
}

/// A queue and, after commas, its claim to the slots.
fn queue_share(text: &str) -> Result<(String, Share), String> {
    let mut parts = text.split(',').map(str::trim);
    let queue = parts.next().unwrap_or_default().to_owned();
    let mut share = Share::default();
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let number = value.parse::<u32>().ok();
        match (key, number) {
            ("weight", Some(weight)) if weight > 0 => share.weight = weight,
            ("priority", Some(priority)) => share.priority = priority,
            _ => {
                return Err(format!(
                    "`{part}` is not allowed after a queue: `weight=N` (1 or more) and \
                     `priority=N` (0 is first) are"
                ));
            }
        }
    }
    Ok((queue, share))
}

fn cpus() -> u32 {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u32::try_from(cpus).unwrap_or(1)
}

pub(super) async fn with_program(args: ProgramArgs) -> Result<u8, CliError> {
    if let Some(service) = args.handler.http {
        let http = Http::new(service).result_max_bytes(args.result_limit);
        return Box::pin(with_handler(args.run, http)).await;
    }
    let mut exec = Exec::new(args.handler.exec.unwrap_or_default());
    exec.result_max_bytes = args.result_limit;
    exec.grace = args.run.kill_grace;
    Box::pin(with_handler(args.run, exec)).await
}

pub(super) async fn with_handler(args: RunArgs, handler: impl Handler) -> Result<u8, CliError> {
    builder(args).run(handler).await?;
    Ok(0)
}

fn builder(args: RunArgs) -> Builder {
    let (slots, slots_max) = match args.slots {
        Slots::Fixed(slots) => (slots, None),
        Slots::Auto => (
            cpus(),
            Some(args.slots_max.unwrap_or(cpus() * AUTO_SLOTS_A_CPU)),
        ),
    };
    let settings = Settings {
        slots,
        slots_max,
        starts_per_second: args.rate_limit,
        poll_wait: args.poll_wait,
        visibility: args.visibility_timeout,
        job_timeout: args.job_timeout,
        idempotency: args.idempotency,
        max_attempts: args.max_attempts,
        retry: Backoff {
            base: args.retry_base,
            cap: args.retry_max,
        },
        cancel_grace: args.kill_grace + CANCEL_MARGIN,
        keep_records: args.keep_records,
        drain: DrainLimits {
            signal: args.drain_timeout,
            spot: args.spot_drain_timeout,
            lifecycle: args.lifecycle_drain_timeout,
        },
    };
    let mut builder = Worker::builder();
    for (queue, share) in args.queues {
        builder = builder.queue_with(queue, share);
    }
    builder = builder
        .lifecycle_hook(args.lifecycle_hook)
        .jobs_table(args.jobs_table)
        .state_table(args.state_table)
        .settings(settings);
    if let Some(fleet) = args.fleet {
        builder = builder.fleet(fleet);
    }
    if let Some(group) = args.auto_scaling_group {
        builder = builder.auto_scaling_group(group);
    }
    if let Some(id) = args.instance_id {
        builder = builder.instance_id(id);
    }
    builder = builder.views(Views {
        listen: args.listen,
        emf: args.emf,
    });
    if args.no_metadata {
        builder = builder.without_metadata();
    }
    #[cfg(feature = "s3")]
    if let Some(bucket) = args.payload_bucket {
        builder = builder.payload_bucket(bucket);
    }
    builder
}
