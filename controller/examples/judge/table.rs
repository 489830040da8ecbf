//! The result as a table for people and as JSON for programs.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

use super::Args;
use super::cells::Variant;
use super::verdicts::{Row, Run, Setting, Standing};

/// The table and what it comes to.
pub(crate) fn text(rows: &[Row<'_>], variants: &[Variant]) -> String {
    let mut text = table(rows, variants).to_string();
    text += "\nCost is over the clairvoyant bound; late is the share in % that started after the \
             objective.\n! later than allowed: 1 %, or 1.5 % where the objective is shorter than \
             boot and 45 s; ~ later than 1.5 % there, and no peer does better.\nPeers stand at \
             their cheapest setting that keeps what is allowed, chosen in hindsight; - is none.\n";
    for row in rows {
        text += &beaten(row, variants);
    }
    let (late, runs) = late(rows);
    let _ = writeln!(text, "Later than allowed: {late} of {runs} runs.");
    for (objective, ratios) in by_objective(rows) {
        if let Some(mean) = geometric_mean(&ratios) {
            let _ = writeln!(
                text,
                "Geometric mean of (ours - 1) / (best peer - 1), {objective}: {mean:.3} over {} \
                 cells.",
                ratios.len()
            );
        }
    }
    text
}

fn table(rows: &[Row<'_>], variants: &[Variant]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    let mut head = ["trace", "mean", "objective"].map(String::from).to_vec();
    head.extend(
        variants
            .iter()
            .map(|variant| format!("{variant}\ncost   late")),
    );
    let peers = rows
        .first()
        .map(|row| row.peers.as_slice())
        .unwrap_or_default();
    head.extend(
        peers
            .iter()
            .map(|(peer, _)| format!("{}\ncost   late", peer.name())),
    );
    head.push("ours - 1\n/ best - 1".to_owned());
    table.set_header(head);
    for row in rows {
        let mut line = vec![
            row.cell.group.trace.clone(),
            row.cell.group.mean.to_string(),
            format!("{} s", row.cell.objective_seconds()),
        ];
        line.extend(row.ours.iter().map(run));
        line.extend(row.peers.iter().map(|(_, best)| {
            best.as_ref()
                .map_or("-".to_owned(), |best| figures(best.cost, best.late_share))
        }));
        line.push(
            row.ratio
                .map_or("-".to_owned(), |ratio| format!("{ratio:.2}")),
        );
        table.add_row(line);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// A line on a cell where peers do better on lateness: our runs, and what beats the first.
fn beaten(row: &Row<'_>, variants: &[Variant]) -> String {
    let mut ours = Vec::new();
    let mut first = None;
    for (run, variant) in row.ours.iter().zip(variants) {
        if let Standing::Beaten(rival) = run.standing {
            ours.push(format!("{variant} {}", told(run.late_share, run.cost)));
            first = first.or(Some(rival));
        }
    }
    let Some(rival) = first else {
        return String::new();
    };
    let (ours, rivals) = (ours.join(", "), told(rival.late_share, rival.cost));
    format!("! {}: {ours}; {} {rivals}\n", name(row), setting(&rival))
}

fn told(late_share: f64, cost: f64) -> String {
    format!("{:.2} % at {cost:.3}", late_share * 100.0)
}

fn figures(cost: f64, late_share: f64) -> String {
    format!("{cost:.3} {:5.2}", late_share * 100.0)
}

fn run(run: &Run<'_>) -> String {
    let mark = match run.standing {
        Standing::Kept => ' ',
        Standing::Excused => '~',
        Standing::Late | Standing::Beaten(_) => '!',
    };
    format!("{}{mark}", figures(run.cost, run.late_share))
}

fn name(row: &Row<'_>) -> String {
    let group = row.cell.group;
    let objective = row.cell.objective_seconds();
    format!("{}, mean {}, {objective} s", group.trace, group.mean)
}

fn setting(setting: &Setting<'_>) -> String {
    format!("{}, target {:.2}", setting.tuned.rule.name, setting.target)
}

fn late(rows: &[Row<'_>]) -> (usize, usize) {
    let runs = || rows.iter().flat_map(|row| &row.ours);
    let is_late = |run: &&Run<'_>| matches!(run.standing, Standing::Late | Standing::Beaten(_));
    (runs().filter(is_late).count(), runs().count())
}

/// The ratios of all cells, then of each objective's.
fn by_objective(rows: &[Row<'_>]) -> Vec<(String, Vec<f64>)> {
    let mut all = vec![(
        "all".to_owned(),
        rows.iter().filter_map(|row| row.ratio).collect(),
    )];
    let objectives = rows.first().map(|row| row.cell.group.objectives.as_slice());
    for (index, seconds) in objectives.unwrap_or_default().iter().enumerate() {
        let of_it = rows.iter().filter(|row| row.cell.objective == index);
        let ratios = of_it.filter_map(|row| row.ratio).collect();
        all.push((format!("{seconds} s"), ratios));
    }
    all
}

fn geometric_mean(ratios: &[f64]) -> Option<f64> {
    let logs: f64 = ratios.iter().map(|ratio| ratio.ln()).sum();
    (!ratios.is_empty()).then(|| (logs / ratios.len() as f64).exp())
}

/// One object: the cells, and what they come to.
pub(crate) fn json(rows: &[Row<'_>], args: &Args) -> String {
    let ratios: serde_json::Map<String, Value> = by_objective(rows)
        .into_iter()
        .map(|(objective, ratios)| (objective, json!(geometric_mean(&ratios))))
        .collect();
    let (late, runs) = late(rows);
    let cells: Vec<Value> = rows
        .iter()
        .map(|row| cell_json(row, &args.variants))
        .collect();
    let summary = json!({ "seed": args.seed, "late": late, "runs": runs, "ratios": ratios });
    format!("{:#}", json!({ "summary": summary, "cells": cells }))
}

fn cell_json(row: &Row<'_>, variants: &[Variant]) -> Value {
    let ours: Vec<Value> = row
        .ours
        .iter()
        .zip(variants)
        .map(|(run, variant)| {
            let (standing, rival) = match run.standing {
                Standing::Kept => ("kept", None),
                Standing::Excused => ("excused", None),
                Standing::Late => ("late", None),
                Standing::Beaten(rival) => ("late", Some(setting_json(&rival))),
            };
            json!({
                "variant": variant.to_string(),
                "cost": run.cost,
                "late_share": run.late_share,
                "wait_p99_seconds": run.wait_p99_seconds,
                "launches": run.launches,
                "standing": standing,
                "beaten_by": rival,
            })
        })
        .collect();
    let peers: serde_json::Map<String, Value> = row
        .peers
        .iter()
        .map(|(peer, best)| {
            (
                peer.name().to_owned(),
                json!(best.as_ref().map(setting_json)),
            )
        })
        .collect();
    json!({
        "trace": row.cell.group.trace,
        "mean": row.cell.group.mean,
        "objective_seconds": row.cell.objective_seconds(),
        "bound_hours": row.bound_hours,
        "ours": ours,
        "peers": peers,
        "ratio": row.ratio,
    })
}

fn setting_json(setting: &Setting<'_>) -> Value {
    json!({
        "rule": setting.tuned.rule.name,
        "target": setting.target,
        "cost": setting.cost,
        "late_share": setting.late_share,
    })
}
