//! What a backtest found: the versioned shape that programs read, and the page is drawn from.
//!
//! Owns names, units and the version of the JSON; docs/backtesting.md documents it. Fields are
//! added compatibly; a change of meaning raises [`VERSION`]. It must not compute.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The shape's version.
pub const VERSION: u32 = 1;

/// Everything a backtest found. The same policy, trace, options and seed give the same bytes,
/// but for `speed`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// [`VERSION`].
    pub version: u32,
    /// The policy's name.
    pub policy: String,
    /// What was to be kept.
    pub objective: ObjectiveShape,
    /// What arrived.
    pub trace: TraceShape,
    /// What it ran on.
    pub setup: SetupShape,
    /// What a clairvoyant would have paid.
    pub bound: BoundShape,
    /// A row for each scaler: the policy first, then peers, cheapest last.
    pub rows: Vec<Row>,
    /// Cost against lateness of each scaler, over the settings tried.
    pub frontiers: Vec<Frontier>,
    /// What the charts show.
    pub series: Series,
    /// How fast it was simulated; differs from run to run. Absent in the page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<Speed>,
}

impl Outcome {
    /// A row's scaler as its documentation has it, where it stands here too.
    pub fn documented(&self, row: &Row) -> Option<&Row> {
        (self.rows.iter())
            .find(|other| other.scaler == row.scaler && other.setting == Setting::Documented)
    }
}

impl Row {
    /// What is typed in otherwise than in another row; everything, where there is none.
    pub fn unlike(&self, other: Option<&Self>) -> BTreeMap<String, f64> {
        let is_other = |name: &String, value: &f64| {
            other.is_none_or(|other| other.parameters.get(name) != Some(value))
        };
        (self.parameters.iter())
            .filter(|(name, value)| is_other(name, value))
            .map(|(name, value)| (name.clone(), *value))
            .collect()
    }
}

/// A message should start within this time, at this percentile.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectiveShape {
    /// Seconds.
    pub start_within_seconds: f64,
    /// Above 0, below 100.
    pub percentile: f64,
}

/// The arrivals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraceShape {
    /// The file's name, the generator's text or the queue's name.
    pub name: String,
    /// When it begins, in Unix seconds; schedules go by it.
    pub starts_at: f64,
    /// Its length.
    pub seconds: f64,
    /// A step's length as recorded.
    pub step_seconds: f64,
    /// Messages that arrived.
    pub messages: u64,
    /// What a reader should know: gaps that were filled, scaling, what was cut.
    pub notes: Vec<String>,
}

/// The fleet that was simulated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetupShape {
    /// Jobs an instance runs at a time.
    pub slots: u32,
    /// Mean seconds a job takes.
    pub service_seconds_mean: f64,
    /// How jobs' lengths spread: `exponential`, `lognormal`, `fixed` or `trace`.
    pub service: String,
    /// Mean seconds from launch to the first job.
    pub boot_seconds: f64,
    /// Seconds between looks.
    pub interval_seconds: f64,
    /// The group's bounds.
    pub min: u32,
    /// The group's bounds.
    pub max: u32,
    /// Price of an instance-hour, where one was given.
    pub price_per_hour: Option<f64>,
    /// Of chance; with several, the first.
    pub seed: u64,
    /// How many seeds.
    pub seeds: u32,
    /// What was made hard, in words: noise, shortage, reclaims, failing attempts, drift.
    pub faults: Vec<String>,
}

/// The clairvoyant optimum's bracket, in instance-hours.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoundShape {
    /// All work, with no instance ever idle or booting: no schedule can cost less.
    pub work_hours: f64,
    /// The taut string's, with gaps filled: what a schedule costs that starts everything in time
    /// and may divide messages and instances.
    pub feasible_hours: f64,
    /// The linear program's, a proven lower bound, where it was asked for.
    pub exact_hours: Option<f64>,
    /// Most instances the feasible schedule needs at a time.
    pub peak_instances: f64,
}

/// One scaler at one setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Whose it is, as people call it: `weir`, `KEDA`, `target tracking`, `actual`, …
    pub scaler: String,
    /// Where the setting is from.
    pub setting: Setting,
    /// What is typed in, by the scaler's own names and units.
    pub parameters: BTreeMap<String, f64>,
    /// A choice that is no number, in words: `behavior block`, `visible and in flight`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The figures; of several seeds, their means.
    pub score: ScoreShape,
    /// 95 % confidence intervals over seeds, by the score's field names, where there were several.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub confidence: BTreeMap<String, [f64; 2]>,
}

/// Where a setting is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// The policy as it stands.
    Policy,
    /// As the peer's documentation has it.
    Documented,
    /// The cheapest in hindsight that kept the objective on this very trace.
    Tuned,
    /// The least late in hindsight: none kept the objective.
    LeastLate,
    /// What the fleet did.
    Actual,
}

/// A run's figures. Waits are in seconds, from arrival to first start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScoreShape {
    /// Billed: from launch to end, a minute at least.
    pub instance_hours: f64,
    /// At the price given.
    pub cost: Option<f64>,
    /// Over the feasible bound; over the exact one where that was asked for. `None` where the
    /// bound is nothing.
    pub over_bound: Option<f64>,
    /// Over the work: what share of the bill was of use is its inverse. `None` without work.
    pub over_work: Option<f64>,
    /// The share of messages that started later than the objective, or never; 0 to 1.
    pub late_share: Option<f64>,
    /// Whether `late_share` is within what the percentile allows.
    pub keeps_objective: Option<bool>,
    /// Half waited no longer.
    pub wait_p50_seconds: Option<f64>,
    /// 95 of 100 waited no longer.
    pub wait_p95_seconds: Option<f64>,
    /// 99 of 100 waited no longer.
    pub wait_p99_seconds: Option<f64>,
    /// Nobody waited longer.
    pub wait_max_seconds: Option<f64>,
    /// Most messages waiting at a look.
    pub backlog_max: u64,
    /// Mean messages waiting, over looks.
    pub backlog_mean: f64,
    /// Instances launched.
    pub launches: u32,
    /// Most at a time.
    pub peak_instances: u32,
    /// Mean seconds from an instance's launch to its end.
    pub instance_life_seconds_mean: f64,
    /// Billed while booting.
    pub boot_hours: f64,
    /// Billed while no slot was busy, in parts of an instance: a half-busy one is half idle.
    pub idle_hours: f64,
    /// SPEC's elasticity against the feasible schedule, secondary: needed and not there.
    pub under_provisioned_share: f64,
    /// There and not needed (theta over).
    pub over_provisioned_share: f64,
    /// Share of time with fewer than needed (tau under).
    pub under_provisioned_time: f64,
    /// Share of time with more than needed (tau over).
    pub over_provisioned_time: f64,
    /// Share of time in which the size moved another way than the need (nu).
    pub instability: f64,
}

/// Cost against lateness over a scaler's settings, cheapest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frontier {
    /// As in [`Row::scaler`].
    pub scaler: String,
    /// Settings that no other setting of the scaler beats in both.
    pub points: Vec<FrontierPoint>,
}

/// A setting on a frontier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrontierPoint {
    /// Typed in.
    pub parameters: BTreeMap<String, f64>,
    /// As in [`Row::variant`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Over the bound, as in [`ScoreShape::over_bound`].
    pub over_bound: f64,
    /// 0 to 1.
    pub late_share: f64,
}

/// What happened when, in steps of equal length, at most some two thousand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// A step's length.
    pub step_seconds: f64,
    /// Messages that arrived, a second.
    pub arrivals_per_second: Vec<f64>,
    /// Instances the feasible schedule uses, a step's mean.
    pub needed: Vec<f64>,
    /// One for each row, in the rows' order.
    pub rows: Vec<RowSeries>,
}

/// What one scaler did when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RowSeries {
    /// Instances billed, a step's mean.
    pub instances: Vec<f64>,
    /// Messages waiting, a step's largest.
    pub backlog: Vec<f64>,
    /// Longest wait in seconds of the messages that arrived in the step; `null` where none did or
    /// waits are not known.
    pub wait_seconds: Vec<Option<f64>>,
}

/// How fast it was simulated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Speed {
    /// Messages simulated, over all runs.
    pub messages: u64,
    /// Seconds of simulation, added up over threads.
    pub thread_seconds: f64,
    /// The quotient.
    pub messages_per_thread_second: f64,
}
