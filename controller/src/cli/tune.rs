//! `weir tune`: the cheapest settings that keep the objective, and the change of the policy's file.
//!
//! Parses, calls, prints, and with `--write` puts the changed file in the old one's place. What is
//! computed is [`crate::backtest::tune`]'s affair.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use serde::Serialize;

use super::progress::Bars;
use super::simulation::SimulationArgs;
use super::spans::positive;
use super::{Global, Output, UsageError, finish_output, tune_text};
use crate::backtest::tune::outcome::Tuned;
use crate::backtest::tune::{CURE_COST_TIMES_MAX, Edit, NotEdited, Prices, Staged, tune};
use crate::policy;

/// Arguments of `weir tune`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    simulation: SimulationArgs,
    /// Price of an instance-hour, to show savings in money
    #[arg(long, value_name = "PRICE", value_parser = positive)]
    price: Option<f64>,
    /// Keep the objective whatever it costs; else a change costs twice as much at most, and nothing
    /// where a miss is too close to call
    #[arg(long)]
    at_any_cost: bool,
    /// Change the policy file; everything else in it stays as it stands
    #[arg(long)]
    write: bool,
}

/// What was found, and what became of the policy's text.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    /// What was found.
    #[serde(flatten)]
    pub(super) tuned: Tuned,
    /// The change as a unified diff, where there is one to be made.
    pub(super) diff: Option<String>,
    /// The file that was changed.
    pub(super) written: Option<PathBuf>,
}

pub(super) fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    if args.write && args.simulation.policies.policy_yaml.is_some() {
        let what = "--write changes a file; give the policy with --policy FILE";
        return Err(UsageError(what.to_owned()).into());
    }
    let scenario = args.simulation.scenario()?;
    let bars = Bars::new();
    let prices = Prices {
        per_hour: args.price,
        cure_cost_times_max: (!args.at_any_cost).then_some(CURE_COST_TIMES_MAX),
    };
    let tuned = tune(&scenario, prices, &|progress| bars.tell(progress));
    bars.finish();
    let mut told = Told {
        tuned,
        diff: None,
        written: None,
    };
    let unchanged = apply(args, &mut told).err();
    print(&told, global)?;
    unchanged.map_or(Ok(ExitCode::SUCCESS), Err)
}

/// Makes the change that is recommended, if one is: as a diff, and in the file where that is asked.
fn apply(args: &Args, told: &mut Told) -> anyhow::Result<()> {
    if !told.tuned.verdict.is_change() {
        return Ok(());
    }
    let (file, text) = policy_text(args)?;
    let name = file.display().to_string();
    let edit = Edit::new(&name, &text, &told.tuned.best).map_err(|error| match error {
        NotEdited::Unread(problems) => anyhow::Error::from(problems),
        other => other.into(),
    })?;
    told.diff = Some(edit.diff(&name));
    if args.write {
        Staged::new(&file, &edit)?.put()?;
        told.written = Some(file);
    }
    Ok(())
}

/// The policy's text and where it is from.
fn policy_text(args: &Args) -> anyhow::Result<(PathBuf, String)> {
    let policies = &args.simulation.policies;
    if let Some(text) = &policies.policy_yaml {
        return Ok(("--policy-yaml".into(), text.clone()));
    }
    let files = policy::read(&policies.paths()?);
    let first = files.first().context("the policy's file is gone")?;
    let file = PathBuf::from(&first.file);
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", first.file))?;
    Ok((file, text))
}

fn print(told: &Told, global: &Global) -> anyhow::Result<()> {
    let text = match global.output {
        Output::Text => tune_text::text(told),
        Output::Json => serde_json::to_string_pretty(told)? + "\n",
    };
    finish_output(io::stdout().lock().write_all(text.as_bytes()))
}
