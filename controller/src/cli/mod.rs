//! The command line: one subcommand a file, and what they share.
//!
//! This module parses, chooses the subcommand and turns its outcome into an exit code. Reading
//! the environment is clap's affair; nothing here decides about a fleet.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::policy::Problems;
use crate::telemetry;

#[cfg(feature = "aws")]
mod controller;
#[cfg(feature = "aws")]
mod past;
mod policies;
mod progress;
mod simulation;
mod spans;

mod backtest;
mod backtest_text;
mod decide;
#[cfg(any(feature = "aws", test))]
mod explain;
mod generate;
#[cfg(any(feature = "aws", test))]
mod judged_text;
#[cfg(feature = "lambda")]
mod lambda;
#[cfg(feature = "aws")]
mod plan;
#[cfg(any(feature = "aws", test))]
mod rounds_text;
#[cfg(feature = "aws")]
mod run;
mod schema;
mod tune;
mod tune_advice;
mod tune_text;
mod validate;

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

impl From<LogFormat> for telemetry::Format {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Text => Self::Text,
            LogFormat::Json => Self::Json,
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run rounds: observe, decide, check, journal, act
    #[cfg(feature = "aws")]
    Run(run::Args),
    /// Observe and print what would be done and why; change nothing
    #[cfg(feature = "aws")]
    Plan(plan::Args),
    /// Tell from the journal why the fleet has its size
    #[cfg(feature = "aws")]
    Explain(explain::Args),
    /// Read observations, one JSON object a line, and print a verdict for each
    Decide(decide::Args),
    /// Find the cheapest settings that keep the objective on given arrivals
    Tune(Box<tune::Args>),
    /// Check policy files and print all that is wrong, with places
    Validate(validate::Args),
    /// Tell what a policy would have cost on recorded or made-up arrivals, and how long messages
    /// would have waited, beside what others do
    Backtest(Box<backtest::Args>),
    /// Print the policies' JSON Schema
    Schema,
    /// Print a shell's completions
    Completions(generate::CompletionsArgs),
    /// Print the manual page
    Man(generate::ManArgs),
}

/// Bad usage that clap cannot see; ends the process with 64.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// Runs the program; the process ends with what this returns.
pub fn main() -> ExitCode {
    #[cfg(feature = "lambda")]
    if lambda::is_called() {
        return run(["weir", "run"], dispatch_lambda);
    }
    run(std::env::args_os(), dispatch)
}

fn run<Arg: Into<OsString> + Clone>(
    args: impl IntoIterator<Item = Arg>,
    dispatch: impl FnOnce(Command, &Global) -> anyhow::Result<ExitCode>,
) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let global = cli.global;
    telemetry::start(global.log_format.into(), global.verbose);
    match dispatch(cli.command, &global) {
        Ok(code) => code,
        Err(error) => failure(&error, &global),
    }
}

fn dispatch(command: Command, global: &Global) -> anyhow::Result<ExitCode> {
    match command {
        #[cfg(feature = "aws")]
        Command::Run(args) => block_on(run::run(args, global)),
        #[cfg(feature = "aws")]
        Command::Plan(args) => block_on(plan::run(args, global)),
        #[cfg(feature = "aws")]
        Command::Explain(args) => block_on(explain::run(args, global)),
        Command::Decide(args) => decide::run(&args),
        Command::Tune(args) => tune::run(&args, global),
        Command::Validate(args) => validate::run(&args, global),
        Command::Backtest(args) => backtest::run(&args, global),
        Command::Schema => schema::run(),
        Command::Completions(args) => generate::completions(&args),
        Command::Man(args) => generate::man(&args),
    }
}

/// A Lambda function takes what `weir run` takes, all of it from the environment.
#[cfg(feature = "lambda")]
fn dispatch_lambda(command: Command, global: &Global) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(args) => block_on(lambda::serve(args, global)),
        other => dispatch(other, global),
    }
}

#[cfg(feature = "aws")]
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
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

/// Says what went wrong, on standard error, and chooses the exit code.
fn failure(error: &anyhow::Error, global: &Global) -> ExitCode {
    let mut out = io::stderr().lock();
    if let Some(problems) = error.downcast_ref::<Problems>() {
        let _ = match global.output {
            Output::Text => writeln!(out, "{problems}"),
            Output::Json => writeln!(out, "{}", validate::problems_json(problems)),
        };
        return ExitCode::from(EXIT_USAGE);
    }
    let _ = writeln!(out, "error: {error:#}");
    ExitCode::from(if error.is::<UsageError>() {
        EXIT_USAGE
    } else {
        EXIT_RUNTIME
    })
}

/// A reader that went away (`weir … | head`) is no failure; other write errors are.
fn finish_output(written: io::Result<()>) -> anyhow::Result<()> {
    match written.and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}
