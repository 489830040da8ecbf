//! The peers' best settings and frontiers, and the file that keeps them between runs.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};
use weir_controller::backtest::sweep::{Allowed, Point, Sweep, VERSION};
use weir_controller::sim::Score;

use super::Args;
use super::cells::{Cell, Group};
use super::rules::{self, Rule};
use super::work::in_parallel;

/// Settings tried, by place, by rule, by fingerprint of trace and setup.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    version: u32,
    groups: BTreeMap<String, BTreeMap<String, BTreeMap<u32, Point>>>,
}

/// One rule's settings on one group.
pub(crate) struct Tuned<'a> {
    pub(crate) group: &'a Group,
    pub(crate) rule: Rule,
    /// Every setting tried.
    pub(crate) points: BTreeMap<u32, Point>,
    /// Those that do not depend on our runs.
    kept: BTreeMap<u32, Point>,
}

/// Tunes each rule for each objective; and where one of our runs is later than allowed under a
/// short objective, looks at what the rule's settings of our cost do.
pub(crate) fn tuned<'a>(
    args: &Args,
    groups: &'a [Group],
    ours: &[Score],
) -> Result<Vec<Tuned<'a>>, String> {
    let mut kept = args
        .peers
        .as_deref()
        .map_or_else(|| Ok(Kept::default()), read)?;
    let our_costs = late_costs(args, groups, ours);
    let rules = rules::all();
    let items: Vec<(&Group, &[f64], &Rule)> = groups
        .iter()
        .zip(&our_costs)
        .flat_map(|(group, costs)| {
            rules
                .iter()
                .map(move |rule| (group, costs.as_slice(), rule))
        })
        .collect();
    let tuned = in_parallel("peers", &items, |(group, costs, rule)| {
        let setting = rule.setting.clone();
        let mut sweep = Sweep::new(setting, &group.setup, &group.load, &group.objectives);
        if let Some(points) = kept.points(group, rule) {
            sweep.points = points.clone();
        }
        for objective in 0..group.objectives.len() {
            let late_share_max = Cell { group, objective }.late_share_max();
            sweep.cheapest(Allowed {
                objective,
                late_share_max,
            });
        }
        // What is explored depends on our runs, so it is not kept: the table is the same with
        // the file and without.
        let kept = sweep.points.clone();
        for hours in *costs {
            sweep.explore(*hours);
        }
        Tuned {
            group,
            rule: (*rule).clone(),
            points: sweep.points,
            kept,
        }
    });
    if let Some(path) = &args.peers {
        kept.keep(&tuned);
        write(path, &kept)?;
    }
    Ok(tuned)
}

/// For each group, the hours of our runs that a short objective found too late.
fn late_costs(args: &Args, groups: &[Group], ours: &[Score]) -> Vec<Vec<f64>> {
    let mut runs = ours.chunks(args.variants.len());
    let costs = |group| {
        let mut costs = Vec::new();
        for objective in 0..args.objectives.len() {
            let cell = Cell { group, objective };
            let scores = runs.next().unwrap_or_default();
            let late =
                |score: &&Score| score.late_share(cell.objective_seconds()) > cell.late_share_max();
            if cell.is_short() {
                let late = scores.iter().filter(late);
                costs.extend(late.map(|score| score.billed_hours));
            }
        }
        costs
    };
    groups.iter().map(costs).collect()
}

impl Kept {
    fn points(&self, group: &Group, rule: &Rule) -> Option<&BTreeMap<u32, Point>> {
        self.groups.get(&key(group))?.get(&rule.name)
    }

    fn keep(&mut self, tuned: &[Tuned<'_>]) {
        for one in tuned {
            let rules = self.groups.entry(key(one.group)).or_default();
            rules.insert(one.rule.name.clone(), one.kept.clone());
        }
    }
}

/// Tells groups apart by all that a peer's run depends on: Fowler, Noll and Vo's hash, 64 bits.
fn key(group: &Group) -> String {
    let hash = group
        .fingerprint
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    format!("{}, mean {}, {hash:016x}", group.trace, group.mean)
}

/// Results of another version are set aside; they are computed anew.
fn read(path: &Path) -> Result<Kept, String> {
    let anew = || Kept {
        version: VERSION,
        ..Kept::default()
    };
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(anew()),
        Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
    };
    let kept: Kept = serde_json::from_slice(&text).map_err(|error| {
        format!(
            "{}: found no peers' results ({error}), allowed is what an earlier run wrote; remove \
             the file to begin anew",
            path.display()
        )
    })?;
    Ok(if kept.version == VERSION {
        kept
    } else {
        anew()
    })
}

fn write(path: &Path, kept: &Kept) -> Result<(), String> {
    let json = serde_json::to_string(kept).map_err(|error| error.to_string())?;
    fs::write(path, json).map_err(|error| format!("cannot write {}: {error}", path.display()))
}
