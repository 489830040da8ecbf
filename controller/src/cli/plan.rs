//! `weir plan`: each fleet's numbers, the verdict, its trail and what would be changed.
//!
//! Takes no lease, writes nothing, publishes nothing, makes no call that changes anything.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use futures::future::join_all;

use super::controller::ports;
use super::run::StateArgs;
use super::{EXIT_RUNTIME, Global, Output, PolicyArgs, finish_output, judged_text};
use crate::aws::{self, Aws};
use crate::drive::{Judged, Stopped, preview};
use crate::policy::{Objective, Policy, Scaler};
use crate::ports::DryRun;

/// A plan differs, where `--detailed-exitcode` asks.
const EXIT_DIFFERS: u8 = 1;

/// Arguments of `weir plan`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    policies: PolicyArgs,
    #[command(flatten)]
    state: StateArgs,
    /// End with 1 where a change is due
    #[arg(long)]
    detailed_exitcode: bool,
}

pub(super) async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = aws::config().await;
    let policies = args.policies.in_force(&config).await?;
    let aws = Arc::new(Aws::with(&config, &policies, &args.state.state_table)?);
    let ports = ports(&aws, Arc::new(DryRun), Arc::new(aws.state_table()));
    let looks = policies.iter().map(|policy| preview(policy, &ports));
    let looks = join_all(looks).await;
    let mut code = 0;
    for (policy, look) in policies.iter().zip(looks) {
        let written = match &look {
            Ok(judged) => tell(policy, judged, global.output),
            Err(stopped) => tell_failure(policy, stopped),
        };
        finish_output(written)?;
        code = code.max(match look {
            Err(_) => EXIT_RUNTIME,
            Ok(judged) if args.detailed_exitcode && !judged.plan.is_empty() => EXIT_DIFFERS,
            Ok(_) => 0,
        });
    }
    Ok(ExitCode::from(code))
}

fn tell(policy: &Policy, judged: &Judged, output: Output) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match output {
        Output::Text => writeln!(out, "{}", text(policy, judged)?),
        Output::Json => writeln!(out, "{}", json(judged)?),
    }
}

fn tell_failure(policy: &Policy, stopped: &Stopped) -> io::Result<()> {
    writeln!(
        io::stderr().lock(),
        "error: fleet {}: {stopped}",
        policy.name
    )
}

/// The verdict as `weir decide` prints it, and under `plan` what would be changed.
fn json(judged: &Judged) -> serde_json::Result<serde_json::Value> {
    let mut line = serde_json::to_value(&judged.verdict)?;
    if let Some(line) = line.as_object_mut() {
        line.insert("plan".to_owned(), serde_json::to_value(&judged.plan)?);
    }
    Ok(line)
}

fn text(policy: &Policy, judged: &Judged) -> serde_json::Result<String> {
    let verdict = serde_json::to_value(&judged.verdict)?;
    let mut text = heading(policy);
    text += &judged_text::numbers(Some(&judged.sighting.observation), &verdict);
    text += "\n";
    text += &judged_text::decision(&verdict);
    if judged.plan.is_empty() {
        text += "Nothing would be changed.\n";
    }
    for change in &judged.plan {
        let _ = writeln!(text, "  would {change}");
    }
    Ok(text)
}

fn heading(policy: &Policy) -> String {
    format!(
        "{}: {}, {} to {} instances, {} % of messages to start within {} s\n",
        policy.name,
        scaler(policy),
        policy.fleet.min.0,
        policy.fleet.max.0,
        policy.objective.percentile,
        policy.objective.start_within.0,
    ) + &own_objectives(policy)
}

fn scaler(policy: &Policy) -> String {
    let kind = match policy.fleet.scaler {
        Scaler::AutoScalingGroup(_) => "group",
        Scaler::EcsService(_) => "service",
    };
    format!("{kind} {}", policy.fleet.scaler)
}

/// The queues that ask for something else than the fleet, a line each.
fn own_objectives(policy: &Policy) -> String {
    let others = policy
        .queues
        .iter()
        .filter(|queue| queue.objective != policy.objective);
    others.fold(String::new(), |mut text, queue| {
        let Objective {
            start_within,
            percentile,
        } = queue.objective;
        let _ = writeln!(
            text,
            "  of queue {}: {percentile} % within {} s",
            queue.name, start_within.0
        );
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Action, Instances, Stage, Step, Verdict};
    use crate::ports::Change;
    use crate::reason::Limit;
    use crate::testing;

    fn judged() -> Judged {
        let roster = vec![testing::worker("i-1", 3), testing::worker("i-2", 0)];
        let mut sighting = testing::sighting("thumbnails", 12, roster);
        sighting.observation.queues[0].in_flight = None;
        Judged {
            verdict: Verdict {
                at: testing::START,
                fleet: "thumbnails".to_owned(),
                action: Action::Shrink,
                desired: Some(Instances(1)),
                backlog_per_instance: None,
                backlog_per_instance_target: 28.5,
                trail: vec![Step {
                    step: Stage::Limit,
                    reason: Limit::StepLimited {
                        wanted: Instances(0),
                        allowed: Instances(1),
                    }
                    .into(),
                }],
            },
            plan: vec![Change::Release {
                instance: "i-2".to_owned(),
            }],
            history: crate::decide::History::default(),
            sighting,
        }
    }

    #[test]
    fn shows_the_numbers_the_verdict_and_who_would_leave() {
        let policy = testing::policy("thumbnails");
        insta::assert_snapshot!(text(&policy, &judged()).unwrap(), @r"
        thumbnails: group thumbnails-workers, 0 to 40 instances, 99 % of messages to start within 60 s
        ┌────────────┬─────────┬───────────┬─────────┬─────────┐
        │ queue      ┆ visible ┆ in flight ┆ delayed ┆  oldest │
        ╞════════════╪═════════╪═══════════╪═════════╪═════════╡
        │ thumbnails ┆      12 ┆   unknown ┆       0 ┆ unknown │
        └────────────┴─────────┴───────────┴─────────┴─────────┘
        ┌───────────┬────────────┬─────────┬─────────────┬──────────────┬─────────────┐
        │ instances ┆ in service ┆ pending ┆ terminating ┆ backlog each ┆ target each │
        ╞═══════════╪════════════╪═════════╪═════════════╪══════════════╪═════════════╡
        │ 2 desired ┆          2 ┆       0 ┆           0 ┆      unknown ┆        28.5 │
        └───────────┴────────────┴─────────┴─────────────┴──────────────┴─────────────┘
        ┌─────────────┬────────────┬───────┬───────────┬─────────────┬────────────┐
        │ workers     ┆ busy slots ┆ slots ┆ completed ┆ a job takes ┆ boot takes │
        ╞═════════════╪════════════╪═══════╪═══════════╪═════════════╪════════════╡
        │ 2 reporting ┆          3 ┆     8 ┆         0 ┆     unknown ┆    100.0 s │
        └─────────────┴────────────┴───────┴───────────┴─────────────┴────────────┘

        Shrink to 1:
          limit     1 on the way to 0: the step limit of one round
          would end i-2
        ");
    }

    #[test]
    fn a_queue_with_an_objective_of_its_own_is_named() {
        let mut policy = testing::policy("thumbnails");
        assert_eq!(heading(&policy).lines().count(), 1);
        policy.queues[0].objective.start_within.0 = 5.0;
        let heading = heading(&policy);
        let own = heading.lines().nth(1);
        assert_eq!(own, Some("  of queue thumbnails: 99 % within 5 s"));
    }

    #[test]
    fn as_json_it_is_the_verdict_and_the_plan() {
        let line = json(&judged()).unwrap();
        assert_eq!(line["fleet"], "thumbnails");
        assert_eq!(line["action"], "shrink");
        assert_eq!(line["desired"], 1);
        assert_eq!(line["backlog_per_instance_target"], 28.5);
        assert_eq!(line["plan"][0]["instance"], "i-2");
    }
}
