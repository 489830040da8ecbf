//! What a run cost and how long messages waited.

/// One run's figures.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Instance-hours billed: from launch to end, a minute at least.
    pub billed_hours: f64,
    /// Instance-hours of work: what a fleet that is never idle would have billed.
    pub work_hours: f64,
    /// Messages that arrived.
    pub messages: usize,
    /// Share that started later than the objective, or never.
    pub late_share: f64,
    /// Median wait, in seconds.
    pub wait_p50_seconds: f64,
    /// 99th percentile of the wait, in seconds.
    pub wait_p99_seconds: f64,
    /// Instances launched.
    pub launches: u32,
    /// Most instances at a time.
    pub peak_instances: u32,
}

impl Score {
    /// The figures of waits, in seconds, of `messages` that arrived.
    pub(super) fn of_waits(mut waits: Vec<f32>, messages: usize, objective_seconds: f64) -> Self {
        waits.sort_by(f32::total_cmp);
        let in_time = waits.partition_point(|wait| f64::from(*wait) <= objective_seconds);
        let at = |part: usize| {
            let index = (waits.len() * part / 100).min(waits.len().saturating_sub(1));
            waits.get(index).map_or(0.0, |wait| f64::from(*wait))
        };
        Self {
            messages,
            late_share: (messages - in_time) as f64 / messages.max(1) as f64,
            wait_p50_seconds: at(50),
            wait_p99_seconds: at(99),
            ..Self::default()
        }
    }
}
