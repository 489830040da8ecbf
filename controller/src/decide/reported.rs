//! How long a job takes, from the workers' reports: a long memory, and a test for change.
//!
//! Owns how fast reports are believed. A report is a mean over its worker's last minutes, so those
//! of a burst's beginning hold only its short jobs, and a few jobs at night scatter: the mean is
//! remembered over many jobs. A deploy changes it for good: whether one has is decided by how
//! unlikely the reports have become, and then the memory is dropped.

use serde::{Deserialize, Serialize};

/// Reports are means over five minutes (`weir-worker`).
const WINDOW_SECONDS: f64 = 300.0;
/// Jobs long ago count less: half after half an hour.
const MEMORY_SECONDS: f64 = 1800.0 / std::f64::consts::LN_2;
/// So many jobs are remembered however long ago they were: 5 % of a mean whose deviation is as
/// large as itself.
const MEMORY_JOBS: f64 = 400.0;
/// What a first guess counts for, in jobs.
const GUESS_JOBS: f64 = 3.0;
/// After a change, a mean of so many jobs is half believed.
const CHANGE_JOBS: f64 = 10.0;
/// A change is one by half, either way, for the test.
const CHANGE: f64 = 1.5;
/// Odds of e^10 that a change has come. Reports overlap, so it takes less to be misled than for
/// independent jobs.
const EVIDENCE: f64 = 10.0;
/// A fall has stood for so many of the former service times and for so long before it is believed:
/// of a burst's jobs as good as all have ended by then, the long ones too.
const FALL_TIMES: f64 = 3.0;
const FALL_SECONDS: f64 = 120.0;
/// Where nothing was known before, the first report of workers that were there counts for so many
/// jobs at most: it covers the last minutes only.
pub(super) const FIRST_JOBS_MAX: f64 = 100.0;

/// A mean, and how many jobs it rests on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) mean: f64,
    pub(super) jobs: f64,
}

/// What the workers say now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Report {
    /// Mean seconds a job took.
    pub(super) mean: f64,
    /// Jobs that ended since the last look.
    pub(super) ended: f64,
    /// Seconds since the last look.
    pub(super) elapsed: f64,
}

/// The evidence so far: two of Page's cumulative sums (CUSUM, 1954).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Reported {
    /// Jobs in the reports' window.
    window_jobs: f64,
    /// That jobs take longer than is known, and that they take less.
    longer: f64,
    shorter: f64,
    /// Seconds for which reports have been shorter without a break.
    shorter_seconds: f64,
}

impl Reported {
    /// What is known with the report taken in.
    pub(super) fn learn(&mut self, known: Known, report: Report) -> Known {
        let Report {
            mean: reported,
            ended,
            elapsed,
        } = report;
        let kept = known.jobs * (-elapsed / MEMORY_SECONDS).exp();
        let jobs = kept.max(known.jobs.min(MEMORY_JOBS)) + ended;
        let faded = self.window_jobs * (-elapsed / WINDOW_SECONDS).exp();
        self.window_jobs = faded + ended;
        let toward = |part: f64| known.mean + (reported - known.mean) * part;
        if self.has_changed(known.mean, report) {
            return Known {
                mean: toward(ended / (ended + CHANGE_JOBS)),
                jobs: jobs.min(2.0 * ended),
            };
        }
        // As long as the report covers nearly all the jobs there were, it is what is known.
        let part = if jobs <= CHANGE * self.window_jobs {
            self.window_jobs / (self.window_jobs + GUESS_JOBS)
        } else {
            ended / (jobs + GUESS_JOBS)
        };
        Known {
            mean: toward(part),
            jobs,
        }
    }

    /// Each job that ends weighs the likelihood of a mean half as long again, and of one shorter
    /// by as much, against the known one's; service times are taken to be exponential, so that
    /// scatter as large as the mean is no change. A rise is believed at once: being late is
    /// dearer than an instance for a while.
    fn has_changed(&mut self, mean: f64, report: Report) -> bool {
        let of_known = report.mean / mean;
        let odds = CHANGE.ln();
        self.longer += report.ended * (of_known * (1.0 - 1.0 / CHANGE) - odds);
        self.shorter += report.ended * (odds - of_known * (CHANGE - 1.0));
        self.longer = self.longer.max(0.0);
        self.shorter = self.shorter.max(0.0);
        // Where a job speaks for neither.
        let even = odds / (CHANGE - 1.0);
        self.shorter_seconds = if of_known < even {
            self.shorter_seconds + report.elapsed
        } else {
            0.0
        };
        let stood = self.shorter_seconds > (FALL_TIMES * mean).max(FALL_SECONDS);
        let changed = self.longer > EVIDENCE || (self.shorter > EVIDENCE && stood);
        if changed {
            (self.longer, self.shorter, self.shorter_seconds) = (0.0, 0.0, 0.0);
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, Exp};

    /// A look every 15 s.
    const LOOK: f64 = 15.0;

    fn report(mean: f64, ended: f64) -> Report {
        Report {
            mean,
            ended,
            elapsed: LOOK,
        }
    }

    /// A fleet that has ended ten jobs of 20 s each look for two hours.
    fn settled() -> (Reported, Known) {
        let mut reported = Reported::default();
        let mut known = Known {
            mean: 20.0,
            jobs: 0.0,
        };
        for _ in 0..480 {
            known = reported.learn(known, report(20.0, 10.0));
        }
        (reported, known)
    }

    fn after(looks: u32, of: Report) -> f64 {
        let (mut reported, mut known) = settled();
        for _ in 0..looks {
            known = reported.learn(known, of);
        }
        known.mean
    }

    #[test]
    fn a_rise_is_believed_within_a_minute_and_a_fall_after_it_has_stood() {
        let rise = after(4, report(80.0, 10.0));
        assert!(rise > 50.0, "{rise}");
        let early = after(8, report(5.0, 10.0));
        assert!(early > 17.0, "two minutes of short jobs: {early}");
        let fall = after(24, report(5.0, 10.0));
        assert!(fall < 8.0, "six minutes: {fall}");
    }

    #[test]
    fn a_burst_s_first_short_jobs_do_not_fool_it() {
        // Of jobs of 20 s, what has ended within 15, 30, 45 s took 6, 9, 12 s.
        let (mut reported, mut known) = settled();
        for mean in [6.0, 9.0, 12.0, 14.0, 16.0, 18.0, 19.0, 20.0] {
            known = reported.learn(known, report(mean, 40.0));
            assert!(known.mean > 18.0, "{}", known.mean);
        }
    }

    #[test]
    fn one_long_job_at_night_is_no_change() {
        let night = after(20, report(150.0, 0.1));
        assert!(night < 22.0, "{night}");
    }

    #[test]
    fn the_mean_is_surer_than_the_reports_it_is_made_of() {
        let (mut reported, mut known) = settled();
        let mut chance = ChaCha8Rng::seed_from_u64(5);
        let jobs = Exp::new(1.0 / 20.0).expect("positive");
        let (mut off, mut reports_off) = (0.0_f64, 0.0_f64);
        for _ in 0..2000 {
            let sum: f64 = (0..10).map(|_| jobs.sample(&mut chance)).sum();
            known = reported.learn(known, report(sum / 10.0, 10.0));
            off = off.max((known.mean / 20.0).ln().abs());
            reports_off = reports_off.max((sum / 200.0).ln().abs());
        }
        assert!(off < 0.2 && reports_off > 0.7, "{off} {reports_off}");
    }

    #[test]
    fn memory_is_of_half_an_hour_and_of_hundreds_of_jobs_at_least() {
        let (mut reported, busy) = settled();
        let fair = 10.0 * MEMORY_SECONDS / LOOK;
        assert!((0.9..1.05).contains(&(busy.jobs / fair)), "{}", busy.jobs);
        let mut known = busy;
        for _ in 0..5000 {
            known = reported.learn(known, report(20.0, 0.0));
        }
        assert!((known.jobs - MEMORY_JOBS).abs() < 1.0, "{}", known.jobs);
    }
}
