//! `weir backtest`: what a policy would have cost, and how long messages would have waited.
//!
//! Parses, calls, prints, writes the page whole or not at all. What is computed is
//! [`crate::backtest`]'s affair.

use std::fmt::Write as _;
use std::fs::Permissions;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;

use super::progress::Bars;
use super::simulation::SimulationArgs;
use super::spans::positive;
use super::{Global, Output, UsageError, backtest_text, finish_output};
use crate::backtest::compare::{Questions, Sharpness, Tuning, compare};
use crate::backtest::outcome::Outcome;
use crate::backtest::report;
use crate::backtest::sweep::Peer;

/// Arguments of `weir backtest`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    simulation: SimulationArgs,
    #[command(flatten)]
    questions: QuestionArgs,
    /// Write a page of charts, in one file that needs no network
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
}

/// What is asked.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Comparison")]
struct QuestionArgs {
    /// Whom to compare with: `all`, `none`, or names such as `keda,target-tracking`
    #[arg(
        long,
        value_name = "PEERS",
        value_delimiter = ',',
        default_value = "none"
    )]
    compare: Vec<String>,
    /// Also show each peer at its cheapest setting that keeps the objective, found in hindsight on
    /// these very arrivals, and everyone's cost against lateness
    #[arg(long)]
    tune_peers: bool,
    /// Also compute the exact lower bound by a linear program; takes seconds to minutes
    #[arg(long)]
    exact: bool,
    /// Price of an instance-hour, to show cost in money
    #[arg(long, value_name = "PRICE", value_parser = positive)]
    price: Option<f64>,
    /// Repeat with so many seeds, and show 95 % intervals
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    seeds: u32,
}

pub(super) fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let mut questions = args.questions.read()?;
    if let Some(page) = &args.report {
        check_folder(page)?;
    }
    let (scenario, actual) = args.simulation.scenario_and_actual()?;
    questions.actual = actual;
    let bars = Bars::new();
    let outcome = compare(&scenario, &questions, &|progress| bars.tell(progress));
    bars.finish();
    if let Some(page) = &args.report {
        write_page(page, &outcome)?;
    }
    print(&outcome, global, args.report.as_deref())
}

impl QuestionArgs {
    fn read(&self) -> anyhow::Result<Questions> {
        Ok(Questions {
            peers: peers(&self.compare)?,
            tuning: if self.tune_peers {
                Tuning::InHindsight
            } else {
                Tuning::Documented
            },
            sharpness: if self.exact {
                Sharpness::Exact
            } else {
                Sharpness::Feasible
            },
            price_per_hour: self.price,
            seeds: self.seeds,
            actual: None,
        })
    }
}

/// `target-tracking` for what a table calls `target tracking`.
fn peers(named: &[String]) -> anyhow::Result<Vec<Peer>> {
    let key = |peer: Peer| peer.name().to_lowercase().replace(' ', "-");
    match named {
        [one] if one == "all" => return Ok(Peer::ALL.to_vec()),
        [one] if one == "none" => return Ok(Vec::new()),
        _ => {}
    }
    let mut chosen = Vec::new();
    for name in named {
        let Some(peer) = Peer::ALL.into_iter().find(|peer| key(*peer) == *name) else {
            let known: Vec<String> = Peer::ALL.into_iter().map(key).collect();
            let known = known.join(", ");
            let what = format!("--compare: found {name:?}, allowed are all, none, {known}");
            return Err(UsageError(what).into());
        };
        if !chosen.contains(&peer) {
            chosen.push(peer);
        }
    }
    Ok(chosen)
}

/// Before the work, not after it.
fn check_folder(page: &Path) -> anyhow::Result<()> {
    // A device or a folder would be replaced by the page.
    let is_free = !page.exists() || page.is_file();
    if folder(page).is_dir() && is_free {
        return Ok(());
    }
    let what = format!(
        "--report: found {}, allowed is a file, new or not, in a folder that is there",
        page.display()
    );
    Err(UsageError(what).into())
}

fn folder(page: &Path) -> &Path {
    match page.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Into a file beside it first, so that a page is whole or not there.
fn write_page(page: &Path, outcome: &Outcome) -> anyhow::Result<()> {
    let wrote = || -> io::Result<()> {
        let mut file = tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o666)) // and the umask
            .tempfile_in(folder(page))?;
        file.write_all(report::page(outcome).as_bytes())?;
        file.persist(page)?;
        Ok(())
    };
    wrote().with_context(|| format!("cannot write the page {}", page.display()))
}

fn print(outcome: &Outcome, global: &Global, page: Option<&Path>) -> anyhow::Result<ExitCode> {
    let mut text = match global.output {
        Output::Text => backtest_text::text(outcome),
        Output::Json => serde_json::to_string_pretty(outcome)? + "\n",
    };
    if let (Output::Text, Some(page)) = (global.output, page) {
        let _ = writeln!(text, "The page is {}.", page.display());
    }
    finish_output(io::stdout().lock().write_all(text.as_bytes()))?;
    Ok(ExitCode::SUCCESS)
}
