//! The program behind `make bench`, its part about the worker: what delivery costs in calls,
//! processor time and memory, beside other consumers of SQS on the very same sandbox.
//!
//! It asserts nothing: it ends with 2 only when something could not be measured.
#![expect(clippy::print_stdout, reason = "this is a command")]

mod bare;
mod calls;
mod clock;
mod contender;
mod envelope;
mod ground;
mod process;
mod race;
mod report;
mod rivals;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand};

use crate::contender::{Contender, Programs, within};
use crate::envelope::Envelope;
use crate::ground::Ground;
use crate::race::Size;
use crate::report::{Machine, Report};

/// Measures the worker beside other consumers of SQS.
#[derive(Debug, Parser)]
#[command(name = "weir-bench", version)]
struct Program {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    measure: Measure,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Consume a queue without an SDK, until ended (a contender, started by the benchmark)
    #[command(hide = true)]
    Bare {
        /// The queue's URL
        queue_url: String,
    },
}

#[derive(Debug, Args)]
struct Measure {
    /// Messages counted in each run
    #[arg(long, default_value_t = 20_000)]
    messages: usize,
    /// Runs of each consumer
    #[arg(long, default_value_t = 3)]
    repeats: usize,
    /// Measure the processor time of these alone and write no figures
    #[arg(long, value_delimiter = ',', value_name = "CONSUMER")]
    only: Vec<Contender>,
    /// Where the rivals' sources and locks are
    #[arg(long, value_name = "FOLDER", default_value = "bench/rivals")]
    rivals: PathBuf,
    /// Where the rivals are installed, logs are kept and bench.json is written
    #[arg(long, value_name = "FOLDER", default_value = "target/bench")]
    out: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let program = Program::parse();
    let ended = match program.part {
        Some(Part::Bare { queue_url }) => bare::consume(&queue_url).await,
        None => measure(&program.measure).await,
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn measure(args: &Measure) -> anyhow::Result<()> {
    let machine = Machine::read();
    fs::create_dir_all(args.out.join("logs")).context("the output's folder was not made")?;
    let out = args.out.canonicalize()?;
    let logs = out.join("logs");
    println!("installing the rivals at their locked versions");
    let mut programs = Programs {
        ours: contender::beside_this_program()?,
        rivals: rivals::install(&args.rivals, &out)?,
        envelope: None,
    };
    let ground = Ground::start().await?;
    programs.envelope = Some(celery_task(&ground, &programs)?);
    println!("measuring: some minutes");
    let size = Size {
        messages: args.messages,
        repeats: args.repeats,
    };
    if !args.only.is_empty() {
        let runs = race::race(&ground, &programs, &logs, size, &args.only).await?;
        println!("{}", report::table(&runs, &titles(&programs)?));
        return Ok(());
    }
    let runs = race::race(&ground, &programs, &logs, size, &Contender::ALL).await?;
    let report = Report {
        machine,
        titles: titles(&programs)?,
        runs,
        under_load: calls::under_load(&ground, &programs, &logs).await?,
        idle: calls::idle(&ground, &programs, &logs).await?,
    };
    ground.end().await;
    let json = out.join("bench.json");
    report.write(&json)?;
    println!("{}\nwritten: {}", report.text(), json.display());
    Ok(())
}

/// Has Celery send a task, to see what one looks like.
fn celery_task(ground: &Ground, programs: &Programs) -> anyhow::Result<Envelope> {
    let queue = ground.queue("celery-sample")?;
    let sender = within(programs.celery_sender(&queue), &ground.env()).output();
    let sender = sender.context("Celery did not start")?;
    if !sender.status.success() {
        bail!(
            "Celery sent no task:\n{}",
            String::from_utf8_lossy(&sender.stderr)
        );
    }
    Envelope::read(&ground.take_one(&queue)?)
}

/// What each contender is, with versions.
fn titles(programs: &Programs) -> anyhow::Result<BTreeMap<Contender, String>> {
    let folder: &Path = &programs.rivals;
    let pinned = |package| rivals::pinned(folder, package);
    let locked = |package| rivals::locked(folder, package);
    let said = |command: &Path| -> anyhow::Result<String> {
        let output = std::process::Command::new(command)
            .arg("--version")
            .output()?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let node = said(&programs.node())?;
    let python = said(&folder.join("venv/bin/python"))?;
    Ok(BTreeMap::from([
        (Contender::Bare, "bare HTTP client".into()),
        (
            Contender::Weir,
            format!("weir-worker {}", env!("CARGO_PKG_VERSION")),
        ),
        (
            Contender::SqsConsumer,
            format!("sqs-consumer {} (Node {node})", locked("sqs-consumer")?),
        ),
        (
            Contender::Boto3,
            format!("boto3 {} loop ({python})", pinned("boto3")?),
        ),
        (
            Contender::Celery,
            format!("Celery {}, solo pool ({python})", pinned("celery")?),
        ),
    ]))
}
