//! `weir-worker redrive`: dead letters listed, shown, sent back, dropped.

mod shape;

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{
    CliError, EXIT_CHECK, EXIT_RUNTIME, Output, complain, duration, jobs_failed, json, say,
};
use crate::builder::{StartError, aws_config, unready};
use crate::clock::Clock;
use crate::jobs::{DynamoJobs, Jobs};
use crate::queue::Queue;
use crate::redrive::{Filter, Found, Pace, Redrive, Tally};
use crate::sqs::Sqs;

#[derive(Debug, Args)]
pub(super) struct RedriveArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List dead letters, oldest first: job, age, attempts, reason
    List(ListArgs),
    /// Show all that is known of letters: errors, times, attributes, body, the job's record
    Show(ShowArgs),
    /// Send letters back to the queue they came from; every job begins anew, with all its attempts.
    /// Interrupted or killed, it can be run again: no letter is lost
    Return(ReturnArgs),
    /// Delete letters for good
    Drop(DropArgs),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct WhichArgs {
    /// The queue whose dead letters are meant: its redrive policy names the dead-letter queue
    #[arg(long, env = "WEIR_QUEUE", value_name = "NAME|URL")]
    queue: Option<String>,
    /// The dead-letter queue itself, for the letters of every queue that has it
    #[arg(long, value_name = "NAME|URL")]
    dead_letter_queue: Option<String>,
}

#[derive(Debug, Args)]
struct QueueArgs {
    #[command(flatten)]
    which: WhichArgs,
    /// The table of job records
    #[arg(
        long,
        env = "WEIR_JOBS_TABLE",
        value_name = "NAME",
        default_value = "weir-jobs"
    )]
    jobs_table: String,
    /// The workers keep no job records (idempotency off)
    #[arg(long)]
    without_records: bool,
}

#[derive(Debug, Args)]
struct FilterArgs {
    /// Letters with these ids, or of jobs with these ids
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// Letters with this in their reason, whatever its case
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Letters at least this old
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    older_than: Option<Duration>,
    /// Letters at most this old
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    younger_than: Option<Duration>,
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    queue: QueueArgs,
    #[command(flatten)]
    filter: FilterArgs,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: usize,
    /// A table, or one JSON object a line
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Debug, Args)]
struct ShowArgs {
    #[command(flatten)]
    queue: QueueArgs,
    /// Letters' ids, or jobs'
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// For people, or one JSON object a line
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Debug, Args)]
struct ReturnArgs {
    #[command(flatten)]
    queue: QueueArgs,
    #[command(flatten)]
    filter: FilterArgs,
    /// All letters; else ids or a filter are needed
    #[arg(long)]
    all: bool,
    /// At most so many a time, such as 10/s or 600/m [default: as fast as it goes]
    #[arg(long, value_parser = rate, value_name = "N/s")]
    rate: Option<f64>,
    /// Say what would be sent back, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// How long the records are kept from now on; not shorter than the queue keeps messages
    #[arg(long, env = "WEIR_KEEP_RECORDS", value_parser = duration, default_value = "336h")]
    keep_records: Duration,
    /// For people, or one JSON object at the end
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Debug, Args)]
struct DropArgs {
    #[command(flatten)]
    queue: QueueArgs,
    /// Letters' ids, or jobs'
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// Yes, they are to be lost
    #[arg(long)]
    yes: bool,
    /// For people, or one JSON object at the end
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(super) async fn redrive(args: RedriveArgs) -> Result<u8, CliError> {
    match args.command {
        Command::List(args) => list(args).await,
        Command::Show(args) => show(args).await,
        Command::Return(args) => send_back(args).await,
        Command::Drop(args) => drop_letters(args).await,
    }
}

async fn list(args: ListArgs) -> Result<u8, CliError> {
    let redrive = connect(&args.queue, Duration::ZERO).await?;
    let stop = until_signal()?;
    let found = look(&redrive, &args.filter.into(), args.limit, &stop).await?;
    print(&redrive, &found, args.output)?;
    Ok(0)
}

fn print(redrive: &Redrive, found: &[Found], output: Output) -> Result<(), CliError> {
    if output == Output::Json {
        for found in found {
            say(&json(&shape::Line::of(found))?);
        }
    } else if found.is_empty() {
        complain("no dead letters");
    } else {
        let now = redrive.clock.unix_seconds();
        say(&shape::table(found, now).to_string());
    }
    Ok(())
}

async fn show(args: ShowArgs) -> Result<u8, CliError> {
    let redrive = connect(&args.queue, Duration::ZERO).await?;
    let stop = until_signal()?;
    let filter = Filter {
        ids: args.ids.into_iter().collect(),
        ..Filter::default()
    };
    let found = look(&redrive, &filter, usize::MAX, &stop).await?;
    for found in &found {
        let record = match &redrive.jobs {
            Some(jobs) => jobs.get(found.job_id()).await.map_err(jobs_failed)?,
            None => None,
        };
        let whole = shape::Whole::of(found, record);
        match args.output {
            Output::Json => say(&json(&whole)?),
            Output::Text => say(&whole.text()),
        }
    }
    if found.is_empty() {
        complain("error: no such dead letter");
        return Ok(EXIT_CHECK);
    }
    Ok(0)
}

async fn send_back(args: ReturnArgs) -> Result<u8, CliError> {
    let filter = Filter::from(args.filter);
    if filter == Filter::default() && !args.all {
        return Err(usage(
            "which letters? give ids, --reason, --older-than or --younger-than, or --all",
        ));
    }
    let redrive = connect(&args.queue, args.keep_records).await?;
    if redrive.sources.is_empty() {
        return Err(usage(
            "no queue has this as its dead-letter queue: name the one to send to with --queue",
        ));
    }
    let stop = until_signal()?;
    if args.dry_run {
        let found = look(&redrive, &filter, usize::MAX, &stop).await?;
        print(&redrive, &found, args.output)?;
        complain(&format!("{} would be sent back", letters(found.len())));
        return Ok(0);
    }
    let pace = Pace {
        per_second: args.rate,
        stop,
    };
    let bar = bar("sent back");
    let mut show = |tally: &Tally| bar.set_position(tally.done);
    let tally = redrive.send_back(&filter, &pace, &mut show).await;
    bar.finish_and_clear();
    conclude(
        &tally.map_err(|error| unready(&error.0, FLAGS))?,
        "sent back",
        args.output,
    )
}

async fn drop_letters(args: DropArgs) -> Result<u8, CliError> {
    if !args.yes {
        return Err(usage("what is dropped is lost: say --yes if that is meant"));
    }
    let redrive = connect(&args.queue, Duration::ZERO).await?;
    let filter = Filter {
        ids: args.ids.into_iter().collect(),
        ..Filter::default()
    };
    let pace = Pace {
        per_second: None,
        stop: until_signal()?,
    };
    let tally = redrive.drop_letters(&filter, &pace, &mut |_| {}).await;
    conclude(
        &tally.map_err(|error| unready(&error.0, FLAGS))?,
        "dropped",
        args.output,
    )
}

/// The flags to look at when the queue cannot be had.
const FLAGS: &str = "--queue (WEIR_QUEUE) and --dead-letter-queue";

async fn look(
    redrive: &Redrive,
    filter: &Filter,
    limit: usize,
    stop: &CancellationToken,
) -> Result<Vec<Found>, CliError> {
    let found = redrive.list(filter, limit, stop).await;
    Ok(found.map_err(|error| unready(&error.0, FLAGS))?)
}

/// Says what came of it; 2 if something is left that was meant.
fn conclude(tally: &Tally, done: &str, output: Output) -> Result<u8, CliError> {
    if output == Output::Json {
        say(&json(tally)?);
    } else {
        complain(&shape::summary(tally, done));
    }
    for (id, why) in &tally.failed {
        complain(&format!("error: letter {id} is left where it was: {why}"));
    }
    let whole = tally.failed.is_empty() && !tally.stopped;
    Ok(if whole { 0 } else { EXIT_RUNTIME })
}

/// Finds the queues at both ends.
async fn connect(args: &QueueArgs, keep_records: Duration) -> Result<Redrive, CliError> {
    let config = aws_config().await?;
    let client = aws_sdk_sqs::Client::new(&config);
    let find = async |name: &str| {
        let found = Sqs::find(client.clone(), name).await;
        found.map_err(|error| unready(&error, FLAGS))
    };
    let source = match &args.which.queue {
        Some(name) => Some(find(name).await?),
        None => None,
    };
    let dead = match (&args.which.dead_letter_queue, &source) {
        (Some(name), _) => find(name).await?,
        (None, Some(source)) => {
            let dead = source.dead_letter_queue().await;
            let dead = dead.map_err(|error| unready(&error, FLAGS))?;
            dead.ok_or_else(|| {
                let name = source.name();
                usage(&format!(
                    "queue {name} has no redrive policy: name its dead letters with \
                     --dead-letter-queue"
                ))
            })?
        }
        (None, None) => return Err(usage("--queue or --dead-letter-queue is needed")),
    };
    if dead.has_dead_letter_queue() {
        complain(
            "warning: the dead-letter queue has a dead-letter queue itself: looking at letters \
             counts as receiving them, and may move them on",
        );
    }
    let sources = match source {
        Some(source) => vec![source],
        None => dead
            .sources()
            .await
            .map_err(|error| unready(&error, FLAGS))?,
    };
    let named = |source: Sqs| (source.name().to_owned(), Arc::new(source) as Arc<dyn Queue>);
    let dynamo = aws_sdk_dynamodb::Client::new(&config);
    let jobs: Arc<dyn Jobs> = Arc::new(DynamoJobs::new(dynamo, &args.jobs_table));
    Ok(Redrive {
        dead: Arc::new(dead),
        sources: sources.into_iter().map(named).collect::<BTreeMap<_, _>>(),
        jobs: (!args.without_records).then_some(jobs),
        keep_records,
        clock: Clock::system(),
    })
}

/// Cancelled by SIGTERM or Ctrl-C: the batch at hand is ended first.
fn until_signal() -> Result<CancellationToken, CliError> {
    let listen =
        |kind| signal(kind).map_err(|error| CliError::Runtime(format!("signals: {error}")));
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stopped.cancel();
    });
    Ok(stop)
}

/// How many so far, on a terminal; nothing elsewhere.
fn bar(done: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = format!("{{spinner}} {{pos}} {done} ({{elapsed}})");
    let style = ProgressStyle::with_template(&template);
    let bar = ProgressBar::no_length();
    bar.with_style(style.expect("invariant: the template is well formed"))
}

fn usage(what: &str) -> CliError {
    StartError::Settings { what: what.into() }.into()
}

fn letters(count: usize) -> String {
    match count {
        1 => "1 letter".into(),
        count => format!("{count} letters"),
    }
}

/// Letters a second.
fn rate(text: &str) -> Result<f64, String> {
    let (count, per) = text.split_once('/').unwrap_or((text, "s"));
    let seconds = match per.trim() {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => 0.0,
    };
    let count: f64 = count.trim().parse().unwrap_or(0.0);
    let rate = count / seconds;
    if rate.is_finite() && rate > 0.0 {
        Ok(rate)
    } else {
        Err("a rate is a number a second, minute or hour, such as 10/s, 600/m or 100/h".into())
    }
}

impl From<FilterArgs> for Filter {
    fn from(args: FilterArgs) -> Self {
        Self {
            ids: args.ids.into_iter().collect(),
            reason: args.reason,
            older_than: args.older_than,
            younger_than: args.younger_than,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_a_unit_of_time() {
        assert_eq!(rate("10/s"), Ok(10.0));
        assert_eq!(rate("10"), Ok(10.0));
        assert_eq!(rate("30/m"), Ok(0.5));
        assert_eq!(rate("36/h"), Ok(0.01));
        for bad in ["", "0/s", "-1/s", "x/s", "1/d", "inf/s"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }
}
