//! Holds the judgement against tuned peers on a folder of arrival traces: `make judge TRACES=DIR`.
//!
//! Each trace's first five days are scaled to a mean demand of 5 and of 40 instances (service 30 s
//! exponential, 2 slots, boot 120 s), for objectives of 60, 300 and 600 s. The judgement gets the
//! objective and bounds alone; each peer gets its best target in hindsight.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a table is what this prints"
)]

mod cells;
mod peers;
mod rules;
mod table;
mod verdicts;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use cells::{Cell, Group, Variant};

/// Hold the judgement against tuned peers on a folder of arrival traces
#[derive(Debug, Parser)]
#[command(name = "judge")]
struct Args {
    /// A folder of traces: CSV files, `t_seconds,arrivals`, a header, equal steps
    dir: PathBuf,
    /// Only traces whose names hold this
    #[arg(long, value_name = "SUBSTRING", default_value = "")]
    only: String,
    /// Objectives in seconds
    #[arg(long, value_delimiter = ',', default_values_t = [60.0, 300.0, 600.0])]
    objectives: Vec<f64>,
    /// Mean demands in instances
    #[arg(long, value_delimiter = ',', default_values_t = [5, 40])]
    means: Vec<u32>,
    /// What the judgement is given and shown
    #[arg(long, value_delimiter = ',', default_values_t = Variant::ALL)]
    variants: Vec<Variant>,
    /// Leave the peers out
    #[arg(long)]
    no_peers: bool,
    /// Keep the peers' results in this file: read where they fit, else computed and written
    #[arg(long, value_name = "FILE", conflicts_with = "no_peers")]
    peers: Option<PathBuf>,
    /// Of all chance
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    /// For people
    Text,
    /// For programs
    Json,
}

const EXIT_RUNTIME: u8 = 2;
const EXIT_USAGE: u8 = 64;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { EXIT_USAGE } else { 0 });
        }
    };
    let groups = match cells::read(&args) {
        Ok(groups) => groups,
        Err(problem) => {
            eprintln!("error: {problem}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match judge(&args, &groups) {
        Ok(printed) => {
            println!("{printed}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(EXIT_RUNTIME)
        }
    }
}

fn judge(args: &Args, groups: &[Group]) -> Result<String, String> {
    let cells: Vec<Cell<'_>> = groups
        .iter()
        .flat_map(|group| (0..args.objectives.len()).map(|objective| Cell { group, objective }))
        .collect();
    let runs: Vec<(Cell<'_>, Variant)> = cells
        .iter()
        .flat_map(|cell| args.variants.iter().map(|variant| (*cell, *variant)))
        .collect();
    let ours = work::in_parallel("our runs", &runs, |(cell, variant)| cell.run(*variant));
    let bounds = work::in_parallel("bounds", &cells, Cell::bound_hours);
    let sweeps = if args.no_peers {
        Vec::new()
    } else {
        peers::tuned(args, groups, &ours)?
    };
    let scores = ours.chunks(args.variants.len());
    let judged = cells.into_iter().zip(scores).zip(bounds);
    let judged = judged.map(|((cell, scores), bound_hours)| (cell, scores, bound_hours));
    let rows = verdicts::rows(judged, &args.variants, &sweeps);
    Ok(match args.output {
        Output::Text => table::text(&rows, &args.variants),
        Output::Json => table::json(&rows, args),
    })
}
