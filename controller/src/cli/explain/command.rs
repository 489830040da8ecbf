//! The command's arguments, and its way to the state table.

use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::process::ExitCode;

use super::super::run::StateArgs;
use super::super::{EXIT_RUNTIME, Global, Output, PolicyArgs, UsageError, finish_output};
use super::moment;
use super::stretches::Extent;
use super::{Ask, Question, Rounds, Task, answer};
use crate::aws::{self, Aws};
use crate::clock::{Clock, timestamp};
use crate::model::{Seconds, UnixSeconds};

/// Stretches shown where nothing else is asked for.
const STRETCHES: usize = 10;

/// How far back is read for them: a day of rounds is about 15 MB.
const LOOKED_BACK: Seconds = Seconds(86_400.0);

const JSON_SHAPE: &str = "\
With --output json, one object a round and line, newest first: the verdict as `weir decide` prints
it (at, fleet, action, desired, backlog_per_instance, backlog_per_instance_target, trail; without a
verdict at and fleet alone), how the round ended (outcome: done, failed, intended or stood_by;
changes; step and error where it failed; until where it stood by; notes), and time, version,
policy_hash, observation, roster and plan.

With --replay, one object a round, oldest first: at, fleet, version, policy_hash, replay (same,
other_verdict, other_history, not_compared), recorded and now where the verdicts differ, why
(undecided, other_version, other_policy, history_unknown) and text where they were not compared.
Ends with 1 where this program judges otherwise than the one of the same version did under the same
policy, and with 2 where no round could be compared.

Rounds are kept for two weeks.";

/// Arguments of `weir explain`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = JSON_SHAPE)]
pub(in super::super) struct Args {
    #[command(flatten)]
    policies: PolicyArgs,
    #[command(flatten)]
    state: StateArgs,
    /// The round in force at this time, in full: 2026-03-01T09:12:00Z, "2026-03-01 09:12", 09:12
    /// today, or "10m ago"
    #[arg(long, value_name = "TIME", conflicts_with_all = ["since", "limit"])]
    at: Option<String>,
    /// No rounds from before this: a time as with --at, or how long ago, such as 2h or 7d
    /// [default: 24h]
    #[arg(long, value_name = "DURATION")]
    since: Option<String>,
    /// At most so many changes of size or reason [default: 10; all with --since]
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroUsize>,
    /// Decide these rounds anew, with this program and policy, and compare the verdicts
    #[arg(long, visible_alias = "check")]
    replay: bool,
    /// Where times are told, and meant where they name no zone, such as Europe/Berlin or UTC
    /// [default: the machine's]
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
}

impl Args {
    fn ask(&self, global: &Global, now: UnixSeconds) -> anyhow::Result<Ask> {
        let wrong = |argument: &'static str| {
            move |error: String| UsageError(format!("--{argument}: {error}"))
        };
        let zone = moment::zone(self.timezone.as_deref()).map_err(wrong("timezone"))?;
        let now = timestamp(now).to_zoned(zone);
        let rounds = match (&self.at, &self.since) {
            (Some(at), _) => Rounds::At(moment::parse(at, &now).map_err(wrong("at"))?),
            (None, Some(since)) => Rounds::Back(Extent {
                since: moment::parse(since, &now).map_err(wrong("since"))?,
                limit: self.limit.map_or(usize::MAX, NonZeroUsize::get),
            }),
            (None, None) => Rounds::Back(Extent {
                since: UnixSeconds(now.timestamp().as_duration().as_secs_f64() - LOOKED_BACK.0),
                limit: self.limit.map_or(STRETCHES, NonZeroUsize::get),
            }),
        };
        Ok(Ask {
            rounds,
            task: if self.replay {
                Task::Replay
            } else {
                Task::Tell
            },
            output: global.output,
            now,
        })
    }
}

pub(in super::super) async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = aws::config().await;
    let policies = args.policies.in_force(&config).await?;
    let ask = args.ask(global, Clock::System.now())?;
    let aws = Aws::with(&config, &policies, &args.state.state_table)?;
    let ledger = aws.state_table();
    let mut code = 0;
    for (nth, policy) in policies.iter().enumerate() {
        if nth > 0 && global.output == Output::Text {
            finish_output(writeln!(io::stdout()))?;
        }
        let question = Question {
            policy,
            ledger: &ledger,
            ask: &ask,
        };
        code = code.max(match answer(&question, &mut io::stdout()).await {
            Ok(answered) => answered,
            Err(error) => complain(&policy.name, error)?,
        });
    }
    Ok(ExitCode::from(code))
}

/// One fleet's failure is no other's; a reader that went away is none.
fn complain(fleet: &str, error: anyhow::Error) -> anyhow::Result<u8> {
    match error.downcast::<io::Error>() {
        Ok(unwritten) => finish_output(Err(unwritten)).map(|()| 0),
        Err(error) => {
            writeln!(io::stderr(), "error: fleet {fleet}: {error:#}")?;
            Ok(EXIT_RUNTIME)
        }
    }
}
