//! What a run cost and how long messages waited.

/// One run's figures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Score {
    /// Instance-hours billed: from launch to end, a minute at least.
    pub billed_hours: f64,
    /// Instance-hours of work: what a fleet that is never idle would have billed.
    pub work_hours: f64,
    /// Of those billed, from launch to the first job.
    pub boot_hours: f64,
    /// Instance-hours from launch to end, without the minute that is billed at least.
    pub lived_hours: f64,
    /// Messages that arrived.
    pub messages: usize,
    /// Instances launched.
    pub launches: u32,
    /// Most instances at a time.
    pub peak_instances: u32,
    /// Between looks.
    pub interval_seconds: f64,
    /// What was there at each look.
    pub looks: Vec<Look>,
    /// Seconds each message waited, in order of arrival; those that never started are not there.
    pub(super) waits: Vec<f32>,
}

/// What was there at a look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Instances that are paid for: those in service, booting and leaving.
    pub billed: u32,
    /// Instances that take jobs.
    pub in_service: u32,
    /// Messages visible in the queue.
    pub waiting: u64,
}

impl Score {
    /// The share of messages that started later than the objective, or never.
    pub fn late_share(&self, objective_seconds: f64) -> f64 {
        let in_time = |wait: &&f32| f64::from(**wait) <= objective_seconds;
        let in_time = self.waits.iter().filter(in_time).count();
        (self.messages - in_time) as f64 / self.messages.max(1) as f64
    }

    /// The waits, in seconds, that each of these percents of the messages that started did not
    /// exceed, percents ascending; the nearest rank. Zero where nothing started.
    pub fn wait_percentiles<const N: usize>(&self, percents: [usize; N]) -> [f64; N] {
        nearest_ranks(self.waits.clone(), percents)
    }

    /// The same, at half the memory.
    pub fn into_wait_percentiles<const N: usize>(self, percents: [usize; N]) -> [f64; N] {
        nearest_ranks(self.waits, percents)
    }

    /// Seconds each message waited, in order of arrival; those that never started are not there.
    pub fn waits(&self) -> &[f32] {
        &self.waits
    }
}

fn nearest_ranks<const N: usize>(mut waits: Vec<f32>, percents: [usize; N]) -> [f64; N] {
    let all = waits.len();
    let mut parted = 0;
    percents.map(|percent| {
        let rank = (all * percent.min(100)).div_ceil(100).max(1) - 1;
        if rank >= all {
            return 0.0;
        }
        // What is before the last rank is smaller; only the rest is parted again.
        let (_, wait, _) = waits[parted..].select_nth_unstable_by(rank - parted, f32::total_cmp);
        parted = rank;
        f64::from(*wait)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_started_is_late() {
        let score = Score {
            messages: 4,
            waits: vec![70.0, 0.0, 60.0],
            ..Score::default()
        };
        assert_eq!(score.late_share(60.0).to_bits(), 0.5_f64.to_bits());
        assert_eq!(
            score.wait_percentiles([50])[0].to_bits(),
            60.0_f64.to_bits()
        );
        assert_eq!(
            score.wait_percentiles([99])[0].to_bits(),
            70.0_f64.to_bits()
        );
        assert_eq!(Score::default().wait_percentiles([99])[0].to_bits(), 0);
    }
}
