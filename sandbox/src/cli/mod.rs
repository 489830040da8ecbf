//! The command line: one subcommand a file, and what they share.
//!
//! This module parses, chooses the subcommand, watches for Ctrl-C and turns the outcome into an
//! exit code: 0 done, 1 a check failed, 2 runtime error, 64 bad configuration or usage.

mod adopt;
mod demo;
mod serve;

use std::io::{IsTerminal, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// A check failed.
const EXIT_CHECK: u8 = 1;
/// It was tried and failed.
const EXIT_RUNTIME: u8 = 2;
/// Bad configuration or usage (sysexits' `EX_USAGE`).
const EXIT_USAGE: u8 = 64;

/// A small cloud on loopback: SQS, Auto Scaling, EC2, CloudWatch, DynamoDB and S3, with instances
/// that are real processes.
#[derive(Debug, Parser)]
#[command(name = "weir-sandbox", version, propagate_version = true)]
struct Cli {
    /// Say more; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a fleet's cloud until Ctrl-C; prints the environment to source
    Serve(serve::Args),
    /// Play what Terraform made on an emulator: its queues, groups, hooks, tables and roles, with real
    /// workers and the real controller; prove that nothing is lost and no permission is missing or
    /// unused
    Adopt(Box<adopt::Args>),
    /// A day of thumbnails in minutes, with the programs that production runs
    Demo(demo::Args),
}

/// For whom a command prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// People
    Text,
    /// Programs
    Json,
}

/// Why a command did not succeed.
#[derive(Debug)]
enum Failure {
    /// What was asked for cannot be done as asked: 64.
    Usage(anyhow::Error),
    /// It was tried and failed: 2.
    Runtime(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Runtime(error.into())
    }
}

/// Runs the program; the process ends with what this returns.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    log(cli.verbose);
    match run(cli.command) {
        Ok(code) => code,
        Err(Failure::Usage(error)) => failure(&error, EXIT_USAGE),
        Err(Failure::Runtime(error)) => failure(&error, EXIT_RUNTIME),
    }
}

fn run(command: Command) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        match command {
            Command::Serve(args) => serve::run(args).await,
            Command::Adopt(args) => Box::pin(adopt::run(*args)).await,
            Command::Demo(args) => Box::pin(demo::run(args)).await,
        }
    })
}

/// Ends when a person or the system asks the program to end.
async fn asked_to_end() -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
    }
    Ok(())
}

fn log(verbose: u8) {
    let level = match verbose {
        0 => "error,weir_sandbox=warn",
        1 => "warn,weir_sandbox=debug",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
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

fn failure(error: &anyhow::Error, code: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "error: {error:#}");
    ExitCode::from(code)
}
