//! What tuning found: the versioned shape that programs read and people are told from.
//!
//! Owns names, units and the version of the JSON; docs/tuning.md documents it. Fields are added
//! compatibly; a change of meaning raises [`VERSION`]. It must not compute.

use std::ops::Range;

use serde::Serialize;

use super::settings::Settings;
use super::standing::{Lateness, Standing};
use super::table::{Sums, Unit};
use super::verdict::Verdict;
use crate::backtest::outcome::{ObjectiveShape, TraceShape};

/// The shape's version.
pub const VERSION: u32 = 1;

/// Everything tuning found. The same policy, arrivals, options and seed give the same bytes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tuned {
    /// [`VERSION`].
    pub version: u32,
    /// The policy's name.
    pub policy: String,
    /// What was to be kept.
    pub objective: ObjectiveShape,
    /// What arrived.
    pub trace: TraceShape,
    /// Of chance.
    pub seed: u64,
    /// How the trace was parted.
    pub parted: Parted,
    /// Whether to change the policy, and why.
    pub verdict: Verdict,
    /// The best on all days; the policy's own where nothing is better. To be used only where the
    /// verdict says so.
    pub best: Settings,
    /// How `best` differs from the policy.
    pub changes: Vec<Change>,
    /// So many times the policy's cost a change may cost of itself to keep an objective that is
    /// missed; `None` for any.
    pub cost_times_max: Option<f64>,
    /// The cheapest that keeps an objective that the policy misses, where what is recommended does
    /// not clearly keep it.
    pub cure: Option<Cure>,
    /// What `best` saves against the policy.
    pub saving: Saving,
    /// The policy as it stands, on all days.
    pub as_it_stands: Figures,
    /// The defaults for all settings but the minimum, on all days.
    pub defaults: Figures,
    /// `best`, on all days: days that had a say in choosing it.
    pub tuned: Figures,
    /// Each block by what was chosen without it: what to expect of days to come.
    pub held_out: Figures,
    /// The blocks that were held out, in the order of time.
    pub folds: Vec<Fold>,
    /// Everything that was tried, cheapest first.
    pub candidates: Vec<Candidate>,
}

/// How a trace was parted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Parted {
    /// Into what.
    pub unit: Unit,
    /// How many.
    pub count: usize,
    /// How many blocks of them were held out, one after the other.
    pub blocks: usize,
}

/// One setting that changes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Its path in the policy, such as `scale_in.hold`.
    pub key: String,
    /// What stands there, or the default.
    pub from: String,
    /// What is to stand there.
    pub to: String,
    /// The policy with this change alone, on all days.
    pub alone: Figures,
    /// The share of the policy's instance-hours that this change alone saves; negative where it
    /// costs more.
    pub alone_saves_share: f64,
}

/// What keeps an objective that is missed, at its price.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cure {
    /// All five of them.
    pub settings: Settings,
    /// Those that differ from the policy, as they are written there: `fleet.min: 20`.
    pub differs: Vec<String>,
    /// So many times the policy's instance-hours.
    pub cost_times: f64,
    /// On all days.
    pub figures: Figures,
    /// Each block by the cure that was chosen without it.
    pub held_out: Figures,
}

/// What is saved, and how sure that is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Saving {
    /// Over all days; negative where it costs more.
    pub instance_hours: f64,
    /// Of the policy's instance-hours.
    pub share: f64,
    /// From the 5th to the 95th of a hundred, over days drawn anew: 90 % sure.
    pub share_interval: [f64; 2],
    /// The share of the policy's instance-hours that choosing without the day saved on it.
    pub share_held_out: f64,
    /// How often, at most, the best of so many would look as good by luck; 0 to 1.
    pub luck: f64,
    /// In money, where a price was given.
    pub cost: Option<f64>,
}

/// A run's sums.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Billed.
    pub instance_hours: f64,
    /// At the price given.
    pub cost: Option<f64>,
    /// That arrived.
    pub messages: u64,
    /// Of those, that started later than the objective, or never.
    pub late: u64,
    /// The share of them, 0 to 1.
    pub late_share: f64,
    /// The standard error of that share over days, or pieces.
    pub late_share_error: f64,
    /// Whether the share is within what the percentile allows, whatever its error.
    pub keeps_objective: bool,
    /// Whether that is sure.
    pub standing: Standing,
}

/// A block that was held out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fold {
    /// Its days or pieces, from 0: `start` is the first, `end` is behind the last.
    pub held_out: Range<usize>,
    /// What was chosen on all others.
    pub chosen: Settings,
}

/// Settings that were tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// All five of them.
    pub settings: Settings,
    /// On all days.
    pub figures: Figures,
    /// How many blocks' others chose it.
    pub chosen_in_folds: usize,
}

impl Figures {
    pub(super) fn of(days: &[Sums], (late_share_max, price): (f64, Option<f64>)) -> Self {
        let (sums, lateness) = (Sums::of(days), Lateness::of(days.iter()));
        Self {
            instance_hours: sums.instance_hours,
            cost: price.map(|price| price * sums.instance_hours),
            messages: sums.messages,
            late: sums.late,
            late_share: lateness.share,
            late_share_error: lateness.error,
            keeps_objective: lateness.keeps(late_share_max),
            standing: lateness.standing(late_share_max),
        }
    }
}

impl Tuned {
    /// How many blocks' others chose the best.
    pub fn folds_that_agree(&self) -> usize {
        let agrees = |fold: &&Fold| fold.chosen == self.best;
        self.folds.iter().filter(agrees).count()
    }
}
