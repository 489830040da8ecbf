//! The command line: flags in, exit codes and a person's messages out.
//!
//! One subcommand a file. It must not do any of the work itself.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is the command line"
)]

mod check;
mod generate;
mod logs;
mod redrive;
mod result;
mod run;
mod status;
mod submit;
mod values;
mod words;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use self::logs::LogArgs;
#[cfg(test)]
pub(crate) use self::run::ProgramArgs;
pub(crate) use self::values::{NotAllowed, Slots};
use crate::builder::{Builder, StartError, unready};
use crate::config::{self, ConfigError, Setting};
use crate::handler::Handler;
use crate::jobs::JobsError;
use crate::threads::{Held, Threads, Watched};

/// Bad configuration or usage, as in sysexits.h.
const EXIT_USAGE: u8 = 64;
/// Something failed while running.
const EXIT_RUNTIME: u8 = 2;
/// A check failed: the job did not succeed.
const EXIT_CHECK: u8 = 1;

/// Why a command ended without doing its work.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("{0}")]
    Runtime(String),
}

impl CliError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Start(StartError::Settings { .. }) => EXIT_USAGE,
            Self::Start(StartError::Unready { .. }) | Self::Runtime(_) => EXIT_RUNTIME,
        }
    }
}

/// Pulls jobs from SQS, has a handler do them once, and leaves without losing one.
#[derive(Debug, Parser)]
#[command(name = "weir-worker", version, propagate_version = true)]
struct Program {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    log: LogArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Work: a process or a request for each job
    Run(Box<run::ProgramArgs>),
    /// Check the settings of `run`, and look for what they name, changing nothing: exit 0 if all is
    /// well, 1 if something failed, 64 if settings are wrong
    Check(Box<check::CheckArgs>),
    /// Send jobs and print their ids
    Submit(submit::SubmitArgs),
    /// Print a job's record as JSON: exit 0 if it succeeded, 1 if it failed or is not there in time
    Result(result::ResultArgs),
    /// Show where jobs stand: exit 0 if each has a record, 1 if one has none; or a queue's counts
    Status(status::StatusArgs),
    /// List, show, send back or drop the jobs that were given up
    Redrive(redrive::RedriveArgs),
    /// Print the completions of a shell
    Completions(generate::CompletionsArgs),
    /// Print the manual page, or write one for each subcommand
    Man(generate::ManArgs),
}

/// Work with the built-in handler
#[derive(Debug, Parser)]
struct HandlerProgram {
    #[command(flatten)]
    run: run::RunArgs,
    #[command(flatten)]
    log: LogArgs,
}

/// Check the settings of the built-in handler's worker, changing nothing
#[derive(Debug, Parser)]
struct HandlerCheck {
    #[command(flatten)]
    run: run::RunArgs,
    #[command(flatten)]
    check: check::CheckFlags,
    #[command(flatten)]
    log: LogArgs,
}

/// For whom a command prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// People
    Text,
    /// Programs
    Json,
}

/// The program `weir-worker`.
pub fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let (program, settings) = match parse::<Program>(&words) {
        Ok(program) => program,
        Err(code) => return code,
    };
    let threads = Threads::one();
    run_to_end(threads, program.log, async {
        match program.command {
            Command::Run(args) => run::with_program(*args).await,
            Command::Check(args) => Box::pin(check::with_program(*args, settings)).await,
            Command::Submit(args) => submit::submit(args).await,
            Command::Result(args) => result::result(args).await,
            Command::Status(args) => status::status(args).await,
            Command::Redrive(args) => redrive::redrive(args).await,
            Command::Completions(args) => generate::completions(&args),
            Command::Man(args) => generate::man(&args),
        }
    })
}

/// The `main` of a program that does its jobs with `handler`: the flags of `weir-worker run` but for
/// `--exec` and its like, the same environment, logs and exit codes.
pub fn main_with_handler(handler: impl Handler) -> ExitCode {
    // `program run --queue …` is taken for `program --queue …`, so that a program can stand in for
    // `weir-worker` wherever that is started.
    let mut words: Vec<OsString> = std::env::args_os().collect();
    if words.get(1).is_some_and(|word| word == "run") {
        words.remove(1);
    }
    if words.get(1).is_some_and(|word| word == "check") {
        words.remove(1);
        return match parse::<HandlerCheck>(&words) {
            Ok((HandlerCheck { run, check, log }, settings)) => {
                let check = check::built_in((run, check), settings);
                run_to_end(Threads::one(), log, check)
            }
            Err(code) => code,
        };
    }
    let (program, _) = match parse::<HandlerProgram>(&words) {
        Ok(program) => program,
        Err(code) => return code,
    };
    let held = Held::default();
    let threads = Threads::for_slots(program.run.slots_max(), held.clone());
    let handler = Watched::new(handler, held);
    run_to_end(
        threads,
        program.log,
        run::with_handler(program.run, handler),
    )
}

impl Builder {
    /// The `main` of a program whose settings stand in its code: the logs and exit codes of
    /// `weir-worker run`, but none of its flags.
    pub fn main(self, handler: impl Handler) -> ExitCode {
        let held = Held::default();
        let slots = self.settings.slots_max.unwrap_or(self.settings.slots);
        let threads = Threads::for_slots(slots, held.clone());
        run_to_end(threads, LogArgs::PLAIN, async {
            Box::pin(self.run(Watched::new(handler, held))).await?;
            Ok(0)
        })
    }
}

/// A duration with its unit, such as `90s`, `10m` or `1h 30m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let parsed: Option<jiff::SignedDuration> = text.trim().parse().ok();
    parsed
        .and_then(|signed| Duration::try_from(signed).ok())
        .ok_or_else(|| "a duration needs a unit, such as 500ms, 90s, 10m or 1h 30m".into())
}

/// Works with logs and, if the environment names a collector, with spans, until all is said.
fn run_to_end(
    threads: std::io::Result<Threads>,
    log: LogArgs,
    work: impl Future<Output = Result<u8, CliError>>,
) -> ExitCode {
    conclude(block_on(threads, log, work))
}

fn block_on(
    threads: std::io::Result<Threads>,
    log: LogArgs,
    work: impl Future<Output = Result<u8, CliError>>,
) -> Result<u8, CliError> {
    let threads = threads
        .map_err(|error| CliError::Runtime(format!("the runtime could not start: {error}")))?;
    let runtime = threads.runtime();
    let logs = logs::start(log, runtime.handle().clone())?;
    let ended = runtime.block_on(work);
    logs.end();
    ended
}

fn conclude(ended: Result<u8, CliError>) -> ExitCode {
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

/// Flags, variables and the configuration file; what is wrong with them is said.
fn parse<P: Parser>(words: &[OsString]) -> Result<(P, Vec<Setting>), ExitCode> {
    let read = config::matches(&P::command(), words);
    let parsed = read.and_then(|read| {
        let program = P::from_arg_matches(&read.matches)?;
        Ok((program, read.settings(P::command())))
    });
    parsed.map_err(|error| match error {
        ConfigError::Usage(error) => usage(&error),
        ConfigError::File(problems) => {
            if wants_json(words) {
                println!(
                    "{}",
                    serde_json::json!({ "ok": false, "problems": problems.0 })
                );
            }
            eprintln!("{problems}");
            ExitCode::from(EXIT_USAGE)
        }
    })
}

/// Asked before the settings are known, as they are what is wrong.
fn wants_json(words: &[OsString]) -> bool {
    words.iter().any(|word| word == "--output=json")
        || words
            .windows(2)
            .any(|pair| pair[0] == "--output" && pair[1] == "json")
}

fn usage(error: &clap::Error) -> ExitCode {
    // Help and version come as errors too, for standard output. If that is closed, so be it.
    let _ = error.print();
    if error.use_stderr() {
        ExitCode::from(EXIT_USAGE)
    } else {
        ExitCode::SUCCESS
    }
}

/// The jobs table could not be read.
fn jobs_failed(error: JobsError) -> CliError {
    match error {
        JobsError::Call(error) => unready(&error, "--jobs-table (WEIR_JOBS_TABLE)").into(),
        other => CliError::Runtime(other.to_string()),
    }
}

/// One line of JSON.
fn json(value: &impl serde::Serialize) -> Result<String, CliError> {
    serde_json::to_string(value)
        .map_err(|error| CliError::Runtime(format!("it could not be printed: {error}")))
}

/// A line on standard output, for what a program downstream reads.
fn say(line: &str) {
    println!("{line}");
}

/// A line on standard error, for a person.
fn complain(line: &str) {
    eprintln!("{line}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn command_line_is_consistent() {
        Program::command().debug_assert();
        HandlerProgram::command().debug_assert();
        HandlerCheck::command().debug_assert();
    }

    #[test]
    fn durations_need_units() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h 30m"), Ok(Duration::from_mins(90)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        for bad in ["90", "", "-5s", "soon"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
