//! `weir run`: rounds on AWS.
//!
//! Chooses the pace, prints a line a round, and has policies read again while rounds go on. What a round does is
//! [`crate::drive`]'s affair, when it runs [`crate::rounds`]'.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::controller::{Controller, Deeds};
use super::spans::duration;
use super::{EXIT_RUNTIME, Global, Output, PolicyArgs, rounds_text};
use crate::journal::Round;
use crate::rounds::{self, Course, Pace, Tally};

/// Between rounds where nothing else is asked for: SQS's counts settle within a minute, and a
/// quarter of that sees a rush while it is young.
pub(super) const INTERVAL: Duration = Duration::from_secs(15);

/// Arguments of `weir run`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) policies: PolicyArgs,
    #[command(flatten)]
    pub(super) state: StateArgs,
    /// One round for each policy, whatever --every and --for say
    #[arg(long)]
    once: bool,
    /// From one round's beginning to the next's [default: 15s]
    #[arg(long, value_name = "DURATION", value_parser = duration, env = "WEIR_EVERY")]
    pub(super) every: Option<Duration>,
    /// Begin no round later than this; for ever where not given
    #[arg(
        long = "for",
        id = "during",
        value_name = "DURATION",
        value_parser = duration,
        env = "WEIR_FOR"
    )]
    pub(super) during: Option<Duration>,
    /// Observe and decide, but change nothing, publish nothing and keep nothing
    #[arg(long)]
    dry_run: bool,
}

/// Where the controller keeps its state.
#[derive(Clone, Debug, clap::Args)]
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
    let deeds = if args.dry_run {
        Deeds::None
    } else {
        Deeds::Real
    };
    let mut controller = Controller::open(&args.policies, &args.state, deeds).await?;
    controller.reread().await?;
    let output = global.output;
    let course = Course {
        pace: pace(&args),
        stop: stopped_by_signals()?,
        told: &|round| tell(round, output),
    };
    let (fleets, ports) = (controller.fleets(), controller.ports.clone());
    let tally = tokio::select! {
        tally = rounds::keep(&fleets, &ports, &course) => tally,
        never = controller.keep_reading() => match never {},
    };
    Ok(exit_code(course.pace, tally))
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
pub(super) fn stopped_by_signals() -> io::Result<CancellationToken> {
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
pub(super) fn tell(round: &Round, output: Output) {
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
