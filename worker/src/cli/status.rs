//! `weir-worker status`: where jobs stand, and how full a queue is.

use clap::Args;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use futures::StreamExt;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use weir_protocol::{JobRecord, JobState};

use super::{CliError, EXIT_CHECK, Output, complain, jobs_failed, json, say, words};
use crate::builder::{StartError, aws_config, check_queue, unready};
use crate::client::{Client, ClientSettings};
use crate::clock::Clock;
use crate::sqs::{QueueCounts, Sqs};

/// So many records are read at once.
const READS: usize = 16;

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// The jobs' ids; - reads them from standard input, one a line
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// How many messages wait, run and are delayed in this queue, and lie in its dead-letter queue
    #[arg(long, value_name = "NAME|URL")]
    queue: Option<String>,
    /// The table of job records
    #[arg(
        long,
        env = "WEIR_JOBS_TABLE",
        value_name = "NAME",
        default_value = "weir-jobs"
    )]
    jobs_table: String,
    /// A table, or one JSON object a line
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// Where a job stands: its record, or that there is none.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Standing {
    Known(Box<JobRecord>),
    /// No worker has begun it, or its record has expired, or it was never sent.
    Unknown {
        job_id: String,
        state: &'static str,
    },
}

/// A queue's approximate counts, as programs read them.
#[derive(Debug, Serialize)]
struct QueueLine {
    queue: String,
    #[serde(flatten)]
    counts: QueueCounts,
    dead_letters: Option<u64>,
}

pub(super) async fn status(args: StatusArgs) -> Result<u8, CliError> {
    if args.ids.is_empty() && args.queue.is_none() {
        let what = "of what? give jobs' ids, - to read them, or --queue".into();
        return Err(StartError::Settings { what }.into());
    }
    if let Some(queue) = &args.queue {
        show_queue(queue, args.output).await?;
    }
    if args.ids.is_empty() {
        return Ok(0);
    }
    let settings = ClientSettings {
        jobs_table: args.jobs_table.clone(),
        ..ClientSettings::default()
    };
    let client = Client::connect(&settings).await?;
    let ids = ids(args.ids).await?;
    let mut standings =
        futures::stream::iter(ids.into_iter().map(|id| look(&client, id))).buffered(READS);
    let mut known = Vec::new();
    let mut all_there = true;
    while let Some(standing) = standings.next().await {
        let standing = standing?;
        all_there &= matches!(standing, Standing::Known(_));
        match args.output {
            Output::Json => say(&json(&standing)?),
            Output::Text => known.push(standing),
        }
    }
    if args.output == Output::Text && !known.is_empty() {
        let now = Clock::system().unix_seconds();
        say(&table(&known, now).to_string());
    }
    Ok(if all_there { 0 } else { EXIT_CHECK })
}

async fn look(client: &Client, job_id: String) -> Result<Standing, CliError> {
    let record = client.status(&job_id).await.map_err(jobs_failed)?;
    let state = "unknown";
    Ok(
        record.map_or(Standing::Unknown { job_id, state }, |record| {
            Standing::Known(Box::new(record))
        }),
    )
}

/// The ids that were given, and in the place of a dash those on standard input.
async fn ids(given: Vec<String>) -> Result<Vec<String>, CliError> {
    let mut ids = Vec::new();
    for id in given {
        if id != "-" {
            ids.push(id);
            continue;
        }
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        let failed = |error| CliError::Runtime(format!("standard input: {error}"));
        while let Some(line) = lines.next_line().await.map_err(failed)? {
            ids.extend(Some(line.trim().to_owned()).filter(|id| !id.is_empty()));
        }
    }
    Ok(ids)
}

async fn show_queue(name: &str, output: Output) -> Result<(), CliError> {
    check_queue(name)?;
    let config = aws_config().await?;
    let failed = |error| unready(&error, "--queue");
    let queue = Sqs::find(aws_sdk_sqs::Client::new(&config), name).await;
    let queue = queue.map_err(failed)?;
    let counts = queue.counts().await.map_err(failed)?;
    let dead_letters = match queue.dead_letter_queue().await.map_err(failed)? {
        Some(dead) => dead.counts().await.map_err(failed)?.visible,
        None => None,
    };
    let queue = name.rsplit('/').next().unwrap_or(name).to_owned();
    if output == Output::Json {
        say(&json(&QueueLine {
            queue,
            counts,
            dead_letters,
        })?);
    } else {
        let shown = |count: Option<u64>| count.map_or("?".to_owned(), |count| count.to_string());
        complain(&format!(
            "queue {queue}, about: {} waiting, {} in flight, {} delayed, {} given up",
            shown(counts.visible),
            shown(counts.in_flight),
            shown(counts.delayed),
            shown(dead_letters)
        ));
    }
    Ok(())
}

fn table(standings: &[Standing], now: f64) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(["job", "state", "attempt", "worker", "what"]);
    for standing in standings {
        table.add_row(match standing {
            Standing::Known(record) => [
                record.job_id.clone(),
                record.state.as_str().to_owned(),
                record.attempt.to_string(),
                record.worker.clone().unwrap_or_default(),
                what(record, now),
            ],
            Standing::Unknown { job_id, state } => [
                job_id.clone(),
                (*state).to_owned(),
                String::new(),
                String::new(),
                "not begun, or never sent, or its record has expired".to_owned(),
            ],
        });
    }
    table
}

/// What there is to say of a job besides.
fn what(record: &JobRecord, now: f64) -> String {
    let ago = |at: Option<f64>| at.map_or("?".into(), |at| words::span(now - at));
    let reason = record.reason.as_deref();
    match record.state {
        JobState::Running => {
            let left = record.lease_until.unwrap_or(now) - now;
            if left < 0.0 {
                format!(
                    "its lease ended {} ago: another worker may begin it",
                    words::span(-left)
                )
            } else {
                format!("begun, lease for {} more", words::span(left))
            }
        }
        JobState::Waiting => reason.map_or_else(String::new, |reason| format!("last: {reason}")),
        JobState::Succeeded => format!("{} ago", ago(record.finished_at)),
        JobState::Failed => {
            let reason = reason.unwrap_or("no reason is on record");
            format!("{} ago: {reason}", ago(record.finished_at))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(state: JobState) -> JobRecord {
        JobRecord {
            job_id: "job-1".into(),
            state,
            token: None,
            attempt: 2,
            lease_until: Some(150.0),
            worker: Some("i-1".into()),
            queue: None,
            sent_at: None,
            started_at: None,
            finished_at: Some(40.0),
            result: None,
            reason: Some("the disk is full".into()),
            first_reason: None,
            first_failed_at: None,
            not_before: None,
            ticket: None,
            carrier: None,
            expires_at: None,
        }
    }

    #[test]
    fn every_state_is_told_in_words() {
        let words = |state| what(&record(state), 100.0);
        assert_eq!(words(JobState::Running), "begun, lease for 50s more");
        assert_eq!(
            what(&record(JobState::Running), 160.0),
            "its lease ended 10s ago: another worker may begin it"
        );
        assert_eq!(words(JobState::Waiting), "last: the disk is full");
        assert_eq!(words(JobState::Succeeded), "1m 0s ago");
        assert_eq!(words(JobState::Failed), "1m 0s ago: the disk is full");
    }

    #[test]
    fn unknown_jobs_have_the_same_first_fields_as_known_ones() {
        let unknown = Standing::Unknown {
            job_id: "job-9".into(),
            state: "unknown",
        };
        let json = json(&unknown).unwrap();
        assert_eq!(json, r#"{"job_id":"job-9","state":"unknown"}"#);
    }
}
