//! `weir validate`: policy files checked, every problem with its place.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::{EXIT_USAGE, Global, Output, finish_output};
use crate::policies::Place;
#[cfg(feature = "aws")]
use crate::policies::{Disk, Listed, Shelf};
use crate::policy::{self, Hold, Objective, Policy, PolicyFile, Problems, Queue, StepLimit};

/// Arguments of `weir validate`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Policy files, folders of *.yaml, `s3://BUCKET/PREFIX/` or `s3://BUCKET/KEY.yaml`: the newest
    /// versions
    #[arg(
        value_name = "PATH",
        default_value = "policies",
        value_parser = |text: &str| text.parse::<Place>()
    )]
    places: Vec<Place>,
}

/// One line for each good file, all problems for the others.
pub(super) fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let files = read(&args.places)?;
    match global.output {
        Output::Text => print_text(&files)?,
        Output::Json => print_json(&files)?,
    }
    let failed = files.iter().any(|file| file.policy.is_err());
    Ok(if failed {
        ExitCode::from(EXIT_USAGE)
    } else {
        ExitCode::SUCCESS
    })
}

/// Files on the disk need no AWS, and no build that has it.
fn read(places: &[Place]) -> anyhow::Result<Vec<PolicyFile>> {
    let path = |place: &Place| match place {
        Place::Path(path) => Some(path.clone()),
        Place::Bucket(_) => None,
    };
    match places.iter().map(path).collect::<Option<Vec<PathBuf>>>() {
        Some(paths) => Ok(policy::read(&paths)),
        None => fetch(places),
    }
}

#[cfg(feature = "aws")]
fn fetch(places: &[Place]) -> anyhow::Result<Vec<PolicyFile>> {
    super::block_on(async {
        let config = crate::aws::config().await;
        let mut texts = Vec::new();
        for place in places {
            let shelf: Box<dyn Shelf> = match place {
                Place::Path(path) => Box::new(Disk::new(path.clone())),
                Place::Bucket(address) => {
                    Box::new(crate::aws::Bucket::new(&config, address.clone())?)
                }
            };
            let listed = shelf.list().await?;
            if listed.is_empty() {
                texts.push((place.to_string(), Err("no *.yaml".to_owned())));
            }
            for Listed { file, .. } in listed {
                if let Some(newest) = shelf.newest(&file).await? {
                    texts.push((file, newest.text));
                }
            }
        }
        Ok(policy::read_texts(texts))
    })
}

#[cfg(not(feature = "aws"))]
fn fetch(_: &[Place]) -> anyhow::Result<Vec<PolicyFile>> {
    let what = "this build of weir reads no s3://: it has not the feature aws";
    Err(super::UsageError(what.to_owned()).into())
}

fn print_text(files: &[PolicyFile]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let mut written = Ok(());
    for file in files {
        written = written.and_then(|()| match &file.policy {
            Ok(policy) => writeln!(out, "ok {}: {}", file.file, summary(policy)),
            Err(problems) => writeln!(std::io::stderr(), "{problems}"),
        });
    }
    let broken: usize = files
        .iter()
        .filter_map(|f| f.policy.as_ref().err())
        .map(|p| p.0.len())
        .sum();
    if broken > 0 {
        let what = if broken == 1 { "problem" } else { "problems" };
        written = written.and_then(|()| writeln!(std::io::stderr(), "{broken} {what}"));
    }
    finish_output(written)
}

fn print_json(files: &[PolicyFile]) -> anyhow::Result<()> {
    let files: Vec<_> = files
        .iter()
        .map(|file| match &file.policy {
            Ok(policy) => json!({ "file": file.file, "ok": true, "name": policy.name }),
            Err(problems) => {
                json!({ "file": file.file, "ok": false, "problems": problems_json(problems) })
            }
        })
        .collect();
    let text = serde_json::to_string_pretty(&files)?;
    finish_output(writeln!(std::io::stdout(), "{text}"))
}

/// All problems as data, each with its text.
pub(super) fn problems_json(problems: &Problems) -> serde_json::Value {
    let with_text = |problem: &policy::Problem| {
        let mut value = serde_json::to_value(problem).unwrap_or_default();
        value["text"] = problem.headline().into();
        value
    };
    problems.0.iter().map(with_text).collect()
}

/// A policy in one line: queues, bounds, objective, and what it sets besides.
fn summary(policy: &Policy) -> String {
    let queues: Vec<String> = policy
        .queues
        .iter()
        .map(|queue| queue_summary(queue, policy.objective))
        .collect();
    let plural = if queues.len() == 1 { "queue" } else { "queues" };
    let mut text = format!(
        "{}: {plural} {}, {} to {} of {}, {} % start within {} s",
        policy.name,
        queues.join(" + "),
        policy.fleet.min.0,
        policy.fleet.max.0,
        policy.fleet.scaler,
        policy.objective.percentile,
        policy.objective.start_within.0,
    );
    for (what, limit) in [("out", policy.scale_out), ("in", policy.scale_in)] {
        match limit {
            StepLimit::Unlimited => {}
            StepLimit::Percent(percent) => _ = write!(text, ", {what} by {percent} %"),
            StepLimit::Count(count) => _ = write!(text, ", {what} by {}", count.0),
        }
    }
    if let Hold::For(hold) = policy.hold {
        _ = write!(text, ", spare kept {} s", hold.0);
    }
    for window in &policy.schedule {
        let zone = window.timezone.iana_name().unwrap_or("UTC");
        let cron = window.cron.as_str();
        _ = write!(text, ", at least {} from \"{cron}\" ({zone})", window.min.0);
    }
    if let Some(hours) = policy.instance_hours_per_day {
        _ = write!(text, ", {hours} instance-hours a day");
    }
    text
}

/// A queue's name, and in brackets what it sets.
fn queue_summary(queue: &Queue, fleet: Objective) -> String {
    let mut sets = Vec::new();
    if queue.priority != 0 {
        sets.push(format!("priority {}", queue.priority));
    }
    if (queue.weight - 1.0).abs() > f64::EPSILON {
        sets.push(format!("weight {}", queue.weight));
    }
    if queue.objective != fleet {
        let Objective {
            start_within,
            percentile,
        } = queue.objective;
        sets.push(format!("{percentile} % start within {} s", start_within.0));
    }
    if sets.is_empty() {
        queue.name.clone()
    } else {
        format!("{} ({})", queue.name, sets.join(", "))
    }
}
