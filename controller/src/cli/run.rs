//! `weir run`: rounds on AWS.
//!
//! Builds the ports, chooses the pace, prints a line a round. What a round does is
//! [`crate::drive`]'s affair, when it runs [`crate::rounds`]'.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::spans::duration;
use super::{EXIT_RUNTIME, Global, Output, PolicyArgs, rounds_text};
use crate::aws::Aws;
use crate::clock::Clock;
use crate::drive::Ports;
use crate::journal::{Ledger, MemoryLedger, Round};
use crate::policy::Policy;
use crate::ports::{Act, DryRun};
use crate::rounds::{self, Course, Pace, Tally};

/// Between rounds where nothing else is asked for: SQS's counts settle within a minute, and a
/// quarter of that sees a rush while it is young.
const INTERVAL: Duration = Duration::from_secs(15);

/// Arguments of `weir run`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    policies: PolicyArgs,
    #[command(flatten)]
    state: StateArgs,
    /// One round for each policy
    #[arg(long, conflicts_with_all = ["every", "during"])]
    once: bool,
    /// From one round's beginning to the next's [default: 15s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    every: Option<Duration>,
    /// Begin no round later than this; for ever where not given
    #[arg(long = "for", id = "during", value_name = "DURATION", value_parser = duration)]
    during: Option<Duration>,
    /// Observe and decide, but change nothing, publish nothing and keep nothing
    #[arg(long)]
    dry_run: bool,
}

/// Where the controller keeps its state.
#[derive(Debug, clap::Args)]
pub(super) struct StateArgs {
    /// The DynamoDB table with leases, histories, rounds and reports
    #[arg(
        long,
        value_name = "NAME",
        env = "WEIR_STATE_TABLE",
        default_value = "weir-state"
    )]
    pub state_table: String,
}

pub(super) async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let policies = args.policies.load()?;
    let aws = Arc::new(Aws::connect(&policies, &args.state.state_table).await?);
    let policies: Vec<Arc<Policy>> = policies.into_iter().map(Arc::new).collect();
    let ports = if args.dry_run {
        let ledger = remembered(&aws.state_table(), &policies).await;
        ports(&aws, Arc::new(DryRun), Arc::new(ledger))
    } else {
        let act: Arc<Aws> = Arc::clone(&aws);
        ports(&aws, act, Arc::new(aws.state_table()))
    };
    let output = global.output;
    let course = Course {
        pace: pace(&args),
        stop: stopped_by_signals()?,
        told: &|round| tell(round, output),
    };
    let tally = rounds::keep(&policies, &ports, &course).await;
    Ok(exit_code(course.pace, tally))
}

pub(super) fn ports(aws: &Arc<Aws>, act: Arc<dyn Act>, ledger: Arc<dyn Ledger>) -> Ports {
    let observe: Arc<Aws> = Arc::clone(aws);
    Ports {
        observe,
        act,
        ledger,
        clock: Clock::System,
        token: new_token(),
    }
}

/// No two controller processes ever share one.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the controller makes tokens"
)]
fn new_token() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// A dry run starts from the history there is, and keeps what follows to itself.
async fn remembered(kept: &dyn Ledger, policies: &[Arc<Policy>]) -> MemoryLedger {
    let ledger = MemoryLedger::default();
    for policy in policies {
        match kept.carried(&policy.name).await {
            Ok(carried) => ledger.start_from(&policy.name, carried),
            Err(error) => tracing::warn!(
                fleet = policy.name,
                "the dry run starts without history: {}",
                error.story()
            ),
        }
    }
    ledger
}

fn pace(args: &Args) -> Pace {
    if args.once {
        Pace::Once
    } else {
        Pace::Every {
            interval: args.every.unwrap_or(INTERVAL),
            during: args.during,
        }
    }
}

/// Cancelled by SIGTERM, as ECS and systemd send it, and by Ctrl-C. The rounds in progress end
/// as usual: a round cut short could leave a change half made.
fn stopped_by_signals() -> io::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stopping.cancel();
    });
    Ok(stop)
}

/// A reader that went away does not stop a controller.
fn tell(round: &Round, output: Output) {
    let line = match output {
        Output::Text => rounds_text::line(round),
        Output::Json => rounds_text::json(round).to_string(),
    };
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// One failed round of `--once` fails the command; a schedule fails where no round went well.
fn exit_code(pace: Pace, tally: Tally) -> ExitCode {
    let failed = match pace {
        Pace::Once => tally.failed > 0,
        Pace::Every { .. } => tally.ran > 0 && tally.failed == tally.ran,
    };
    if failed {
        ExitCode::from(EXIT_RUNTIME)
    } else {
        ExitCode::SUCCESS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_carry_units_and_are_above_zero() {
        assert_eq!(duration("15s"), Ok(Duration::from_secs(15)));
        assert_eq!(duration("2m"), Ok(Duration::from_mins(2)));
        for wrong in ["15", "0s", "-3s", "soon", ""] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn once_fails_on_any_failed_round_and_a_schedule_on_all() {
        let every = Pace::Every {
            interval: INTERVAL,
            during: None,
        };
        let code = |pace, ran, failed| format!("{:?}", exit_code(pace, Tally { ran, failed }));
        let (good, bad) = (
            format!("{:?}", ExitCode::SUCCESS),
            format!("{:?}", ExitCode::from(EXIT_RUNTIME)),
        );
        assert_eq!(code(Pace::Once, 3, 1), bad);
        assert_eq!(code(Pace::Once, 3, 0), good);
        assert_eq!(code(every, 3, 1), good);
        assert_eq!(code(every, 3, 3), bad);
        assert_eq!(code(every, 0, 0), good);
    }
}
