//! `weir-worker result`: a job's record, waited for if asked.

use std::time::Duration;

use clap::Args;
use weir_protocol::{JobRecord, JobState};

use super::{CliError, EXIT_CHECK, complain, duration, say};
use crate::builder::{aws_config, unready};
use crate::clock::{Clock, pause};
use crate::jobs::{DynamoJobs, Jobs, JobsError};

/// How often the record is read while waiting.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(super) struct ResultArgs {
    /// The job's id
    job_id: String,
    /// The table of job records
    #[arg(
        long,
        env = "WEIR_JOBS_TABLE",
        value_name = "NAME",
        default_value = "weir-jobs"
    )]
    jobs_table: String,
    /// How long to wait for the job's end
    #[arg(long, value_parser = duration, default_value = "0s")]
    wait: Duration,
}

pub(super) async fn result(args: ResultArgs) -> Result<u8, CliError> {
    let config = aws_config().await?;
    let jobs = DynamoJobs::new(aws_sdk_dynamodb::Client::new(&config), &args.jobs_table);
    let record = wait_for(&jobs, &args.job_id, args.wait).await?;
    let Some(record) = record else {
        complain(&format!(
            "error: job {} has no record in table {}: no worker has begun it, or its record has \
             expired",
            args.job_id, args.jobs_table
        ));
        return Ok(EXIT_CHECK);
    };
    let json = serde_json::to_string(&record)
        .map_err(|error| CliError::Runtime(format!("the record could not be printed: {error}")))?;
    say(&json);
    Ok(match record.state {
        JobState::Succeeded => 0,
        _ => EXIT_CHECK,
    })
}

async fn wait_for(
    jobs: &dyn Jobs,
    job_id: &str,
    wait: Duration,
) -> Result<Option<JobRecord>, CliError> {
    let clock = Clock::system();
    let until = clock.instant() + wait;
    loop {
        let record = jobs.get(job_id).await.map_err(|error| match error {
            JobsError::Call(error) => unready(&error, "--jobs-table (WEIR_JOBS_TABLE)").into(),
            other => CliError::Runtime(other.to_string()),
        })?;
        let ended = record
            .as_ref()
            .is_some_and(|record| record.state.is_final());
        let left = until.saturating_duration_since(clock.instant());
        if ended || left.is_zero() {
            return Ok(record);
        }
        pause(LOOK_EVERY.min(left)).await;
    }
}
