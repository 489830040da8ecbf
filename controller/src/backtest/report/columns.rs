//! The columns of the page's tables: what stands over them, what they mean, which figure they show.
//!
//! Owns that list alone; table.rs lays it out.

use crate::backtest::outcome::ScoreShape;
use crate::backtest::words;

/// A column of a table of rows.
pub(super) struct Column {
    /// What stands over it.
    pub head: &'static str,
    /// That in a sentence.
    pub meaning: &'static str,
    /// The score's field, by which a confidence interval is found.
    pub field: &'static str,
    /// The figure; `None` is unknown.
    pub value: fn(&ScoreShape) -> Option<f64>,
    /// The figure in words.
    pub word: fn(f64) -> String,
}

/// Cost, lateness, waits and size.
pub(super) const MAIN: [Column; 11] = [
    Column {
        head: "instance-hours",
        meaning: "Billed, from launch to end, a minute at least",
        field: "instance_hours",
        value: |score| Some(score.instance_hours),
        word: words::number,
    },
    Column {
        head: "cost",
        meaning: "Instance-hours at the price given",
        field: "cost",
        value: |score| score.cost,
        word: words::number,
    },
    Column {
        head: "over bound",
        meaning: "Instance-hours over those of the bound",
        field: "over_bound",
        value: |score| score.over_bound,
        word: words::times,
    },
    Column {
        head: "late",
        meaning: "Messages that started later than the objective, or never",
        field: "late_share",
        value: |score| score.late_share,
        word: words::share,
    },
    Column {
        head: "p50 wait",
        meaning: "Half of the messages waited no longer",
        field: "wait_p50_seconds",
        value: |score| score.wait_p50_seconds,
        word: words::duration,
    },
    Column {
        head: "p95 wait",
        meaning: "95 of 100 messages waited no longer",
        field: "wait_p95_seconds",
        value: |score| score.wait_p95_seconds,
        word: words::duration,
    },
    Column {
        head: "p99 wait",
        meaning: "99 of 100 messages waited no longer",
        field: "wait_p99_seconds",
        value: |score| score.wait_p99_seconds,
        word: words::duration,
    },
    Column {
        head: "longest wait",
        meaning: "No message waited longer",
        field: "wait_max_seconds",
        value: |score| score.wait_max_seconds,
        word: words::duration,
    },
    Column {
        head: "most waiting",
        meaning: "Most messages waiting at a time",
        field: "backlog_max",
        value: |score| Some(score.backlog_max as f64),
        word: words::whole,
    },
    Column {
        head: "most instances",
        meaning: "Most instances at a time",
        field: "peak_instances",
        value: |score| Some(score.peak_instances.into()),
        word: words::whole,
    },
    Column {
        head: "launches",
        meaning: "Instances launched",
        field: "launches",
        value: |score| Some(score.launches.into()),
        word: words::whole,
    },
];

/// Where the hours went, and SPEC's elasticity.
pub(super) const MORE: [Column; 10] = [
    Column {
        head: "instance life",
        meaning: "Mean time from an instance's launch to its end",
        field: "instance_life_seconds_mean",
        value: |score| Some(score.instance_life_seconds_mean),
        word: words::duration,
    },
    Column {
        head: "over work",
        meaning: "Instance-hours over those of the work alone; its inverse is the share that was of use",
        field: "over_work",
        value: |score| score.over_work,
        word: words::times,
    },
    Column {
        head: "booting",
        meaning: "Instance-hours billed while booting",
        field: "boot_hours",
        value: |score| Some(score.boot_hours),
        word: words::hours,
    },
    Column {
        head: "idle",
        meaning: "Instance-hours billed for free slots; a half-busy instance is half idle",
        field: "idle_hours",
        value: |score| Some(score.idle_hours),
        word: words::hours,
    },
    Column {
        head: "mean waiting",
        meaning: "Mean messages waiting, over looks",
        field: "backlog_mean",
        value: |score| Some(score.backlog_mean),
        word: words::number,
    },
    Column {
        head: "too few",
        meaning: "Capacity that the bound's schedule has and this had not, over its own (SPEC's theta under)",
        field: "under_provisioned_share",
        value: |score| Some(score.under_provisioned_share),
        word: words::share,
    },
    Column {
        head: "too many",
        meaning: "Capacity that was there beyond the bound's schedule, over its own (SPEC's theta over)",
        field: "over_provisioned_share",
        value: |score| Some(score.over_provisioned_share),
        word: words::share,
    },
    Column {
        head: "time too few",
        meaning: "Share of time with fewer than the bound's schedule has (SPEC's tau under)",
        field: "under_provisioned_time",
        value: |score| Some(score.under_provisioned_time),
        word: words::share,
    },
    Column {
        head: "time too many",
        meaning: "Share of time with more than the bound's schedule has (SPEC's tau over)",
        field: "over_provisioned_time",
        value: |score| Some(score.over_provisioned_time),
        word: words::share,
    },
    Column {
        head: "instability",
        meaning: "Share of time in which the size moved another way than the need (SPEC's nu)",
        field: "instability",
        value: |score| Some(score.instability),
        word: words::share,
    },
];
