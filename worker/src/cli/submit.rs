//! `weir-worker submit`: sends jobs in batches of ten and prints their ids, in order.

use std::collections::BTreeMap;

use clap::Args;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::{CliError, EXIT_RUNTIME, complain, say};
use crate::aws::CallError;
use crate::builder::{StartError, aws_config, check_queue, unready};
use crate::chance;
use crate::clock::pause;
use crate::queue::{
    ATTRIBUTES_MAX, Attribute, BATCH_MAX, EntryError, JOB_ID_ATTRIBUTE, Outgoing, Queue, is_job_id,
};
use crate::retry::Backoff;
use crate::sqs::Sqs;

/// SQS takes a mebibyte a batch, attributes included; the rest is left for those.
const BATCH_MAX_BYTES: usize = 1024 * 1024 - 16 * 1024;

/// How often a message is tried before it is reported as not sent.
const TRIES: u32 = 6;

#[derive(Debug, Args)]
pub(super) struct SubmitArgs {
    /// The queue's name or URL
    #[arg(long, env = "WEIR_QUEUE", value_name = "NAME|URL")]
    queue: String,
    /// The job's body
    #[arg(required_unless_present = "lines", conflicts_with = "lines")]
    body: Option<String>,
    /// Read bodies from standard input, one a line; empty lines are passed over
    #[arg(long)]
    lines: bool,
    /// A message attribute; repeatable
    #[arg(long = "attr", value_name = "KEY=VALUE", value_parser = attribute)]
    attributes: Vec<(String, String)>,
    /// The job's id [default: a new UUID for each]
    #[arg(long, conflicts_with = "lines", value_parser = job_id)]
    job_id: Option<String>,
}

/// A message and the id of the job it asks for.
#[derive(Clone, Debug)]
struct Submission {
    job_id: String,
    message: Outgoing,
}

pub(super) async fn submit(args: SubmitArgs) -> Result<u8, CliError> {
    check_queue(&args.queue)?;
    let attributes = attributes(&args.attributes)?;
    if args.body.as_deref() == Some("") {
        let what = "the body is empty, which SQS does not take".into();
        return Err(StartError::Settings { what }.into());
    }
    let config = aws_config().await?;
    let queue = Sqs::find(aws_sdk_sqs::Client::new(&config), &args.queue)
        .await
        .map_err(|error| unready(&error, "--queue (WEIR_QUEUE)"))?;
    let mut unsent = 0;
    if let Some(body) = args.body {
        let id = args.job_id.unwrap_or_else(chance::token);
        unsent += send(&queue, vec![submission(body, id, &attributes)]).await;
    } else {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        let mut batch = Vec::new();
        let mut bytes = 0;
        while let Some(line) = lines
            .next_line()
            .await
            .map_err(|error| CliError::Runtime(format!("standard input: {error}")))?
        {
            if line.trim().is_empty() {
                continue;
            }
            if batch.len() == BATCH_MAX || bytes + line.len() > BATCH_MAX_BYTES {
                unsent += send(&queue, std::mem::take(&mut batch)).await;
                bytes = 0;
            }
            bytes += line.len();
            batch.push(submission(line, chance::token(), &attributes));
        }
        unsent += send(&queue, batch).await;
    }
    Ok(if unsent == 0 { 0 } else { EXIT_RUNTIME })
}

fn submission(
    body: String,
    job_id: String,
    attributes: &BTreeMap<String, Attribute>,
) -> Submission {
    let mut attributes = attributes.clone();
    attributes.insert(JOB_ID_ATTRIBUTE.into(), Attribute::string(job_id.clone()));
    let message = Outgoing {
        attributes,
        ..Outgoing::new(body)
    };
    Submission { job_id, message }
}

/// Sends a batch, what failed again and again with backoff; prints the id of each job that was sent
/// and says which were not. Returns how many those were.
async fn send(queue: &dyn Queue, batch: Vec<Submission>) -> usize {
    let mut problems: Vec<Option<Problem>> = vec![Some(Problem::Unsent); batch.len()];
    for failures in 0..TRIES {
        let open = problems.iter().enumerate();
        let open = open.filter(|(_, problem)| problem.as_ref().is_some_and(Problem::may_pass));
        let open: Vec<usize> = open.map(|(index, _)| index).collect();
        if open.is_empty() {
            break;
        }
        if failures > 0 {
            pause(Backoff::CALLS.delay(failures, chance::unit())).await;
        }
        let messages: Vec<Outgoing> = open.iter().map(|i| batch[*i].message.clone()).collect();
        match queue.send(&messages).await {
            Ok(entries) => {
                for (index, entry) in open.into_iter().zip(entries) {
                    problems[index] = entry.err().map(Problem::of_entry);
                }
            }
            Err(error) => {
                for index in open {
                    problems[index] = Some(Problem::of_call(&error));
                }
            }
        }
    }
    for (submission, problem) in batch.iter().zip(&problems) {
        match problem {
            None => say(&submission.job_id),
            Some(problem) => complain(&format!(
                "error: job {} was not sent: {}",
                submission.job_id,
                problem.detail()
            )),
        }
    }
    problems.iter().flatten().count()
}

/// Why a message is not sent.
#[derive(Clone, Debug)]
enum Problem {
    Unsent,
    MayPass(String),
    Stays(String),
}

impl Problem {
    fn of_entry(error: EntryError) -> Self {
        match error {
            EntryError::Unavailable { detail } => Self::MayPass(detail),
            EntryError::Refused { detail } | EntryError::Gone { detail } => Self::Stays(detail),
        }
    }

    fn of_call(error: &CallError) -> Self {
        match error {
            CallError::Unavailable { what } => Self::MayPass(what.clone()),
            CallError::Refused { what } => Self::Stays(what.clone()),
        }
    }

    fn may_pass(&self) -> bool {
        !matches!(self, Self::Stays(_))
    }

    fn detail(&self) -> &str {
        match self {
            Self::Unsent => "not tried",
            Self::MayPass(detail) | Self::Stays(detail) => detail,
        }
    }
}

fn attributes(given: &[(String, String)]) -> Result<BTreeMap<String, Attribute>, StartError> {
    let attributes: BTreeMap<_, _> = given
        .iter()
        .map(|(name, value)| (name.clone(), Attribute::string(value.clone())))
        .collect();
    if attributes.len() >= ATTRIBUTES_MAX {
        let what = format!(
            "{} attributes: {} are allowed beside {JOB_ID_ATTRIBUTE}",
            attributes.len(),
            ATTRIBUTES_MAX - 1
        );
        return Err(StartError::Settings { what });
    }
    Ok(attributes)
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
