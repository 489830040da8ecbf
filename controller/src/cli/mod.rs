//! The command line: one subcommand a file, and what they share.
//!
//! This module parses, chooses the subcommand and turns its outcome into an exit code. Reading
//! the environment is clap's affair; nothing here decides about a fleet.

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

mod policies;

#[cfg(feature = "aws")]
mod plan;
#[cfg(feature = "aws")]
mod run;

pub use policies::PolicyArgs;

/// Bad configuration or usage (sysexits' `EX_USAGE`).
pub const EXIT_USAGE: u8 = 64;
/// It was tried and failed.
pub const EXIT_RUNTIME: u8 = 2;

/// Keeps a fleet of EC2 workers the right size for its SQS backlog.
#[derive(Debug, Parser)]
#[command(name = "weir", version, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every subcommand understands.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// How results are printed
    #[arg(long, global = true, value_enum, default_value_t = Output::Text, env = "WEIR_OUTPUT")]
    pub output: Output,
    /// How log lines are written to standard error
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, env = "WEIR_LOG_FORMAT")]
    pub log_format: LogFormat,
    /// Say more; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run rounds: observe, decide, check, journal, act
    #[cfg(feature = "aws")]
    Run(run::Args),
    /// Observe and print what would be done and why; change nothing
    #[cfg(feature = "aws")]
    Plan(plan::Args),
}

/// Runs the program; the process ends with what this returns.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match dispatch(cli) {
        Ok(code) => code,
        Err(error) => failure(&error),
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let global = cli.global;
    match cli.command {
        #[cfg(feature = "aws")]
        Command::Run(args) => block_on(run::run(args, &global)),
        #[cfg(feature = "aws")]
        Command::Plan(args) => block_on(plan::run(args, &global)),
    }
}

#[cfg(feature = "aws")]
fn block_on(work: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

/// Help and version go to standard output and succeed; anything else is bad usage.
fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() {
        ExitCode::from(EXIT_USAGE)
    } else {
        ExitCode::SUCCESS
    }
}

fn failure(error: &anyhow::Error) -> ExitCode {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "error: {error:#}");
    ExitCode::from(EXIT_RUNTIME)
}
