//! `weir-worker result`: a job's record, waited for if asked.

use std::time::Duration;

use clap::Args;
use weir_protocol::JobState;

use super::{CliError, EXIT_CHECK, complain, duration, jobs_failed, json, say};
use crate::client::{Client, ClientSettings};

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
    /// Print the result alone, as the handler returned it, if the job succeeded
    #[arg(long)]
    raw: bool,
}

pub(super) async fn result(args: ResultArgs) -> Result<u8, CliError> {
    let settings = ClientSettings {
        jobs_table: args.jobs_table.clone(),
        ..ClientSettings::default()
    };
    let client = Client::connect(&settings).await?;
    let record = client.result(&args.job_id, args.wait).await;
    let Some(record) = record.map_err(jobs_failed)? else {
        complain(&format!(
            "error: job {} has no record in table {}: no worker has begun it, or its record has \
             expired",
            args.job_id, args.jobs_table
        ));
        return Ok(EXIT_CHECK);
    };
    let succeeded = record.state == JobState::Succeeded;
    if succeeded && args.raw {
        say(record.result.as_deref().unwrap_or_default());
    } else {
        say(&json(&record)?);
    }
    Ok(if succeeded { 0 } else { EXIT_CHECK })
}
