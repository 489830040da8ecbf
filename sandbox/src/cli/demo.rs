//! `weir-sandbox demo`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;

use crate::demo::trace::Trace;
use crate::demo::{Demo, DemoConfig, Programs};

use super::{EXIT_CHECK, Failure, asked_to_end};

/// Arguments of `weir-sandbox demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Let arrivals follow a trace, a CSV file: `t_seconds,arrivals[,mean_service_s]`
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// The day, the photographs and all ids come from it
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The day is compressed into this many seconds
    #[arg(long, value_name = "N", default_value_t = 90, value_parser = clap::value_parser!(u32).range(10..=600))]
    seconds: u32,
    /// Messages in the day
    #[arg(long, value_name = "N", default_value_t = 720, value_parser = clap::value_parser!(u32).range(1..=9_999))]
    messages: u32,
    /// Where the figures go; policy and logs are kept beside it
    #[arg(long, value_name = "FILE", default_value = "target/demo/summary.json")]
    summary: PathBuf,
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let trace = args.trace.as_deref().map(Trace::read).transpose();
    let trace = trace.map_err(|error| Failure::Usage(error.into()))?;
    let name = args.trace.as_deref().map(|path| path.display().to_string());
    let folder = args.summary.parent().unwrap_or(Path::new(".")).to_owned();
    let demo = Demo::new(DemoConfig {
        programs: Programs::beside_this_one()?,
        trace: trace.zip(name),
        seed: args.seed,
        seconds: f64::from(args.seconds),
        messages: args.messages,
        folder,
    });
    let end = asked_to_end();
    let summary = Box::pin(demo.run(end)).await?;
    let json = serde_json::to_string_pretty(&summary)? + "\n";
    std::fs::write(&args.summary, json)
        .with_context(|| format!("{} cannot be written", args.summary.display()))?;

    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{}", summary.text())?;
    writeln!(out, "  Figures       {}", args.summary.display())?;
    writeln!(out, "  Logs          {}", demo.logs().display())?;
    let complaints = summary.complaints();
    if complaints.is_empty() {
        writeln!(out, "\n  Nothing lost, nothing done twice, every job done.")?;
        return Ok(ExitCode::SUCCESS);
    }
    out.flush()?;
    let mut err = std::io::stderr().lock();
    writeln!(
        err,
        "error: the demo did not go as it must: {}",
        complaints.join("; ")
    )?;
    writeln!(
        err,
        "The logs of the controller and of each instance are in {}.",
        demo.logs().display()
    )?;
    Ok(ExitCode::from(EXIT_CHECK))
}
