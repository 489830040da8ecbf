//! `weir-sandbox adopt`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use crate::adopt::{Adopt, AdoptConfig, Report, Source, SourceError};
use crate::iam::{Policies, read_document};

use super::serve::duration;
use super::{EXIT_CHECK, Failure, Output, asked_to_end};

/// Arguments of `weir-sandbox adopt`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The emulator that Terraform was applied to; loopback addresses only
    #[arg(long, value_name = "URL")]
    from: String,
    /// The region it was applied in
    #[arg(
        long,
        value_name = "NAME",
        env = "AWS_REGION",
        default_value = "eu-west-1"
    )]
    region: String,
    /// Jobs to send, three quarters of them at once
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..))]
    jobs: u16,
    /// Does a job, a shell command; without one a built-in command that also gives up, asks for
    /// another attempt and takes long, so that permissions can be proved
    #[arg(long, value_name = "COMMAND")]
    exec: Option<String>,
    /// How long an instance takes to boot
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration)]
    boot: Duration,
    /// From one of the controller's rounds to the next
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = duration)]
    every: Duration,
    /// The run is ended, and has failed, after this long
    #[arg(long, value_name = "DURATION", default_value = "4m", value_parser = duration)]
    patience: Duration,
    /// The IAM policy of the front end, JSON, as the output `producer_policy`; without one it may do
    /// everything
    #[arg(long, value_name = "FILE")]
    producer_policy: Option<PathBuf>,
    /// The IAM policy of whoever runs the commands by hand, JSON; without one they may do everything
    #[arg(long, value_name = "FILE")]
    operator_policy: Option<PathBuf>,
    /// A table for people, or JSON
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Where the figures go as JSON; logs are kept beside it
    #[arg(long, value_name = "FILE", default_value = "target/adopt/summary.json")]
    summary: PathBuf,
    /// All ids and all noise come from it
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let producer = args.producer_policy.as_deref().map(policies).transpose();
    let operator = args.operator_policy.as_deref().map(policies).transpose();
    let (producer, operator) = producer
        .and_then(|producer| Ok((producer, operator?)))
        .map_err(Failure::Usage)?;
    let (controller, worker) = programs()?;
    let source = Source::new(&args.from, &args.region).map_err(failure)?;
    let deployment = source.read().await.map_err(failure)?;
    let folder = args.summary.parent().unwrap_or(Path::new(".")).to_owned();
    let adopt = Adopt::new(
        AdoptConfig {
            controller,
            worker,
            exec: args.exec,
            jobs: usize::from(args.jobs),
            boot: args.boot,
            every: args.every,
            patience: args.patience,
            seed: args.seed,
            folder,
            producer,
            operator,
        },
        deployment,
    );
    let logs = adopt.logs();
    let report = Box::pin(adopt.run(asked_to_end())).await?;
    let json = serde_json::to_string_pretty(&report)? + "\n";
    std::fs::write(&args.summary, &json)
        .with_context(|| format!("{} cannot be written", args.summary.display()))?;
    let mut out = std::io::stdout().lock();
    match args.output {
        Output::Json => out.write_all(json.as_bytes())?,
        Output::Text => writeln!(out, "{}\nLogs: {}", report.text(), logs.display())?,
    }
    Ok(verdict(&report))
}

fn verdict(report: &Report) -> ExitCode {
    if report.ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(EXIT_CHECK)
    }
}

fn policies(file: &Path) -> anyhow::Result<Policies> {
    let name = file.display().to_string();
    let json = std::fs::read_to_string(file).with_context(|| format!("{name} cannot be read"))?;
    Ok(Policies {
        identity: read_document(&name, &json)?,
        boundary: None,
    })
}

/// `weir` and `weir-worker`, found beside this very program, where cargo puts them.
fn programs() -> anyhow::Result<(PathBuf, PathBuf)> {
    let this = std::env::current_exe().context("this program's place is not known")?;
    let folder = this.parent().unwrap_or(Path::new("."));
    let found = |name: &str| {
        let path = folder.join(name);
        anyhow::ensure!(
            path.is_file(),
            "{} is not there: build it first, with `cargo build --workspace --bins`",
            path.display()
        );
        Ok(path)
    };
    Ok((found("weir")?, found("weir-worker")?))
}

fn failure(error: SourceError) -> Failure {
    match error {
        SourceError::Call(_) => Failure::Runtime(error.into()),
        _ => Failure::Usage(error.into()),
    }
}
