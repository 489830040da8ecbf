//! `weir-worker submit`: sends jobs and prints their ids, in order.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use super::{CliError, EXIT_RUNTIME, Output, complain, duration, json, say};
use crate::builder::StartError;
use crate::chance;
use crate::client::{Client, ClientSettings, NewJob, SubmitError};
use crate::queue::{Attribute, BATCH_MAX, FIFO_SUFFIX, JOB_ID_ATTRIBUTE, is_job_id};

/// So many batches are under way at once.
const BATCHES: usize = 4;

#[derive(Debug, Args)]
pub(super) struct SubmitArgs {
    /// The queue's name or URL
    #[arg(long, env = "WEIR_QUEUE", value_name = "NAME|URL")]
    queue: String,
    #[command(flatten)]
    body: BodyArgs,
    /// A message attribute; repeatable
    #[arg(long = "attr", value_name = "KEY=VALUE", value_parser = attribute)]
    attributes: Vec<(String, String)>,
    /// The job's id [default: a new UUID for each]
    #[arg(long, conflicts_with = "lines", value_parser = job_id)]
    job_id: Option<String>,
    /// Not to be begun before this has passed, at most 15m; not on a FIFO queue
    #[arg(long, value_parser = duration, value_name = "DURATION", default_value = "0s")]
    delay: Duration,
    /// The group: what a FIFO queue keeps in order; on a standard queue the tenant, for fair shares
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// On a FIFO queue: of two jobs with the same within five minutes, one is taken [default: the
    /// job's id]
    #[arg(long, conflicts_with = "lines", value_name = "ID")]
    deduplication_id: Option<String>,
    /// Bodies too large for a message go through this bucket
    #[cfg(feature = "s3")]
    #[arg(long, env = "WEIR_PAYLOAD_BUCKET", value_name = "NAME")]
    payload_bucket: Option<String>,
    /// The largest message that does not, attributes included
    #[cfg(feature = "s3")]
    #[arg(
        long,
        env = "WEIR_PAYLOAD_LIMIT",
        value_name = "BYTES",
        default_value_t = crate::queue::MESSAGE_MAX_BYTES
    )]
    payload_limit: usize,
    /// An id a line, or one JSON object a line
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// What is to be done: one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct BodyArgs {
    /// The job's body
    body: Option<String>,
    /// Read bodies from standard input, one a line; empty lines are passed over
    #[arg(long)]
    lines: bool,
    /// Read the job's body from a file, or from standard input if it is -
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
}

/// One job's fate, as programs read it.
#[derive(Debug, Serialize)]
struct Fate<'a> {
    job_id: &'a str,
    sent: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub(super) async fn submit(args: SubmitArgs) -> Result<u8, CliError> {
    let id = args.job_id.clone().unwrap_or_else(chance::token);
    let only = if args.body.lines {
        None
    } else {
        Some(job(&args, id.clone(), body(&args.body).await?))
    };
    // What is wrong with every job is said once, and before anything is sent.
    let any = only.clone();
    let any = any.unwrap_or_else(|| job(&args, id, "a line".into()));
    any.check(args.queue.ends_with(FIFO_SUFFIX))
        .map_err(|error| StartError::Settings {
            what: error.to_string(),
        })?;
    let client = Client::connect(&settings(&args)).await?;
    let fates = match only {
        Some(job) => send(&client, vec![job], args.output).await?,
        None => submit_lines(&client, &args).await?,
    };
    if fates.invalid {
        return Err(StartError::Settings {
            what: "jobs that no queue would take were not sent; see above".into(),
        }
        .into());
    }
    Ok(if fates.unsent == 0 { 0 } else { EXIT_RUNTIME })
}

fn settings(args: &SubmitArgs) -> ClientSettings {
    ClientSettings {
        queue: Some(args.queue.clone()),
        #[cfg(feature = "s3")]
        payload_bucket: args.payload_bucket.clone(),
        #[cfg(feature = "s3")]
        payload_limit: args.payload_limit,
        ..ClientSettings::default()
    }
}

fn job(args: &SubmitArgs, id: String, body: String) -> NewJob {
    let attributes = args.attributes.iter().cloned();
    NewJob {
        attributes: attributes
            .map(|(name, value)| (name, Attribute::string(value)))
            .collect(),
        delay: args.delay,
        group: args.group.clone(),
        deduplication_id: args.deduplication_id.clone(),
        ..NewJob::with_id(id, body)
    }
}

async fn body(args: &BodyArgs) -> Result<String, CliError> {
    let Some(path) = &args.file else {
        return Ok(args.body.clone().unwrap_or_default());
    };
    let mut body = String::new();
    let read = if path.as_os_str() == "-" {
        tokio::io::stdin().read_to_string(&mut body).await.map(drop)
    } else {
        let text = tokio::fs::read_to_string(path).await;
        text.map(|text| body = text)
    };
    read.map_err(|error| StartError::Settings {
        what: format!("--file {}: {error}", path.display()),
    })?;
    Ok(body)
}

/// What became of all jobs.
#[derive(Default)]
struct Fates {
    unsent: u64,
    /// Some could not have been sent.
    invalid: bool,
}

async fn submit_lines(client: &Client, args: &SubmitArgs) -> Result<Fates, CliError> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut jobs = Vec::new();
    let mut fates = Fates::default();
    loop {
        let line = lines.next_line().await;
        let line = line.map_err(|error| CliError::Runtime(format!("standard input: {error}")))?;
        let ended = line.is_none();
        if let Some(line) = line.filter(|line| !line.trim().is_empty()) {
            jobs.push(job(args, chance::token(), line));
        }
        if ended || jobs.len() == BATCHES * BATCH_MAX {
            let more = send(client, std::mem::take(&mut jobs), args.output).await?;
            fates.unsent += more.unsent;
            fates.invalid |= more.invalid;
        }
        if ended {
            return Ok(fates);
        }
    }
}

/// Sends jobs, prints the id of each that was sent, and says which were not.
async fn send(client: &Client, jobs: Vec<NewJob>, output: Output) -> Result<Fates, CliError> {
    let ids: Vec<String> = jobs.iter().map(|job| job.id.clone()).collect();
    let mut fates = Fates::default();
    for (id, answer) in ids.iter().zip(client.submit_all(jobs).await) {
        let error = answer.err();
        if let Some(error) = &error {
            fates.unsent += 1;
            fates.invalid |= matches!(error, SubmitError::Invalid { .. });
            complain(&format!("error: job {id} was not sent: {error}"));
        }
        match output {
            Output::Json => say(&json(&Fate {
                job_id: id,
                sent: error.is_none(),
                error: error.map(|error| error.to_string()),
            })?),
            Output::Text if error.is_none() => say(id),
            Output::Text => {}
        }
    }
    Ok(fates)
}

fn attribute(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((JOB_ID_ATTRIBUTE, _)) => Err("the job's id is given with --job-id".into()),
        Some((key, value)) if !key.is_empty() && !value.is_empty() => {
            Ok((key.to_owned(), value.to_owned()))
        }
        _ => Err("KEY=VALUE is expected, neither of them empty".into()),
    }
}

fn job_id(text: &str) -> Result<String, String> {
    if is_job_id(text) {
        Ok(text.to_owned())
    } else {
        Err("a job's id has 1 to 256 visible ASCII characters".into())
    }
}
