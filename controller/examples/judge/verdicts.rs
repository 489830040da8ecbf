//! What each run came to: in time or not, by the rule for its objective, and at what cost.
//!
//! An objective that capacity can be brought up within (boot and 45 s) allows 1 % of the messages
//! to be late. A shorter one allows 1.5 %; and more where no peer at any setting keeps 1.5 % at up
//! to twice our cost, as long as no peer is less late at our cost.

use weir_controller::backtest::sweep::Point;
use weir_controller::sim::Score;
use weir_controller::sim::peers::Peer;

use super::cells::{Cell, Variant};
use super::peers::Tuned;
use super::rules::PEERS;

/// One of our runs.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a> {
    /// Over the bound.
    pub(crate) cost: f64,
    pub(crate) late_share: f64,
    pub(crate) wait_p99_seconds: f64,
    pub(crate) launches: u32,
    pub(crate) standing: Standing<'a>,
}

/// Whether a run kept the objective.
#[derive(Clone, Copy)]
pub(crate) enum Standing<'a> {
    Kept,
    /// Later than 1.5 %, and no peer does better.
    Excused,
    /// Later than allowed.
    Late,
    /// Later than 1.5 %, and this peer does better.
    Beaten(Setting<'a>),
}

/// A peer's setting on a cell.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) tuned: &'a Tuned<'a>,
    pub(crate) target: f64,
    /// Over the bound.
    pub(crate) cost: f64,
    pub(crate) late_share: f64,
}

/// One cell with all its runs.
pub(crate) struct Row<'a> {
    pub(crate) cell: Cell<'a>,
    pub(crate) bound_hours: f64,
    /// By variant.
    pub(crate) ours: Vec<Run<'a>>,
    /// Each peer's cheapest setting that keeps what is allowed.
    pub(crate) peers: Vec<(Peer, Option<Setting<'a>>)>,
    /// (ours − 1) / (best peer − 1) on exact counts, where a peer keeps the objective.
    pub(crate) ratio: Option<f64>,
}

/// Puts each cell's runs, one for each variant, its bound and the peers together.
pub(crate) fn rows<'a, 'b>(
    judged: impl Iterator<Item = (Cell<'a>, &'b [Score], f64)>,
    variants: &[Variant],
    sweeps: &'a [Tuned<'a>],
) -> Vec<Row<'a>> {
    let exact = variants
        .iter()
        .position(|variant| *variant == Variant::Exact);
    judged
        .map(|(cell, scores, bound_hours)| {
            let mut row = row(cell, bound_hours, scores, sweeps);
            let costs = row
                .peers
                .iter()
                .filter_map(|(_, best)| Some(best.as_ref()?.cost));
            let best = costs.min_by(f64::total_cmp);
            let ours = exact.and_then(|exact| row.ours.get(exact));
            row.ratio = ours
                .zip(best)
                .map(|(ours, best)| over(ours.cost) / over(best));
            row
        })
        .collect()
}

fn row<'a>(cell: Cell<'a>, bound_hours: f64, scores: &[Score], sweeps: &'a [Tuned<'a>]) -> Row<'a> {
    let settings = settings(cell, bound_hours, sweeps);
    let ours: Vec<Run<'a>> = scores
        .iter()
        .map(|score| {
            let cost = score.billed_hours / bound_hours;
            let late_share = score.late_share(cell.objective_seconds());
            Run {
                cost,
                late_share,
                wait_p99_seconds: score.wait_percentiles([99])[0],
                launches: score.launches,
                standing: standing(cell, (cost, late_share), &settings),
            }
        })
        .collect();
    let peers = PEERS.map(|peer| (peer, best(cell, peer, &settings)));
    Row {
        cell,
        bound_hours,
        ours,
        peers: peers.to_vec(),
        ratio: None,
    }
}

/// Cost above the bound; a run that is late may come out below it, which says nothing.
fn over(cost: f64) -> f64 {
    (cost - 1.0).max(1e-3)
}

fn settings<'a>(cell: Cell<'a>, bound_hours: f64, sweeps: &'a [Tuned<'a>]) -> Vec<Setting<'a>> {
    sweeps
        .iter()
        .filter(|tuned| std::ptr::eq(tuned.group, cell.group))
        .flat_map(|tuned| {
            let setting = move |point: &Point| Setting {
                tuned,
                target: point.target,
                cost: point.billed_hours / bound_hours,
                late_share: point.late_shares[cell.objective],
            };
            tuned.points.values().map(setting)
        })
        .collect()
}

fn best<'a>(cell: Cell<'a>, peer: Peer, settings: &[Setting<'a>]) -> Option<Setting<'a>> {
    settings
        .iter()
        .filter(|setting| setting.tuned.rule.setting.peer() == peer)
        .filter(|setting| setting.late_share <= cell.late_share_max())
        .min_by(|a, b| a.cost.total_cmp(&b.cost))
        .copied()
}

fn standing<'a>(
    cell: Cell<'a>,
    (cost, late_share): (f64, f64),
    settings: &[Setting<'a>],
) -> Standing<'a> {
    if late_share <= cell.late_share_max() {
        return Standing::Kept;
    }
    if !cell.is_short() || settings.is_empty() {
        return Standing::Late;
    }
    let keeps = |setting: &&Setting<'a>| {
        setting.late_share <= cell.late_share_max() && setting.cost <= 2.0 * cost
    };
    let less_late =
        |setting: &&Setting<'a>| setting.late_share < late_share && setting.cost <= cost;
    let cheapest = |a: &&Setting<'a>, b: &&Setting<'a>| a.cost.total_cmp(&b.cost);
    let least_late = |a: &&Setting<'a>, b: &&Setting<'a>| a.late_share.total_cmp(&b.late_share);
    let rival = settings.iter().filter(keeps).min_by(cheapest);
    let rival = rival.or_else(|| settings.iter().filter(less_late).min_by(least_late));
    rival.map_or(Standing::Excused, |rival| Standing::Beaten(*rival))
}
