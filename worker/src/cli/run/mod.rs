//! `weir-worker run`: settings become a [`Builder`].

mod args;

use std::time::Duration;

pub(crate) use self::args::{ProgramArgs, RunArgs};
use super::CliError;
use super::values::Slots;
use crate::builder::{Builder, Worker};
use crate::drain::DrainLimits;
use crate::handler::Handler;
use crate::handler::exec::Exec;
use crate::handler::http::Http;
use crate::observe::Views;
use crate::retry::Backoff;
use crate::service::Settings;

/// How long a handler may take longer to stop than its process: the worker's own last resort.
const CANCEL_MARGIN: Duration = Duration::from_secs(5);

/// The most jobs at a time that `--slots auto` goes up to, for each CPU, unless told.
const AUTO_SLOTS_A_CPU: u32 = 8;

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

impl RunArgs {
    /// The most jobs at a time that there may ever be.
    pub(super) fn slots_max(&self) -> u32 {
        match self.slots {
            Slots::Fixed(slots) => slots,
            Slots::Auto => self.slots_max.unwrap_or(cpus() * AUTO_SLOTS_A_CPU),
        }
    }
}

pub(super) fn builder(args: RunArgs) -> Builder {
    let max = args.slots_max();
    let (slots, slots_max) = match args.slots {
        Slots::Fixed(slots) => (slots, None),
        Slots::Auto => (cpus().min(max), Some(max)),
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
    if let Some(service) = args.ecs_service {
        builder = builder.ecs_service(service);
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
