//! How long a job takes: from reports, or without them by Little's law, forgetting the past.
//!
//! Owns what is known of the service time and how sure that is. The policy's guess stands in until
//! there is something to measure. How reports are believed is `reported`'s, what counts alone tell
//! `counted`'s.

use serde::{Deserialize, Serialize};

use super::counted::Counted;
use super::curve::Curve;
use super::reported::{FIRST_JOBS_MAX, Known, Report, Reported};
use super::trust::{QueueSeen, Seen};

/// SQS hides a message for 12 hours at most.
const SECONDS_MAX: f64 = 43_200.0;
/// What a job takes at least, against division by next to nothing.
const SECONDS_MIN: f64 = 0.001;
/// Jobs after which a mean from ages is as sure as it gets: their windows overlap.
const JOBS_MAX: f64 = 200.0;
/// What a first guess counts for, in jobs.
const GUESS_JOBS: f64 = 3.0;
/// The coefficient of variation that a first guess is given.
const GUESS_DOUBT: f64 = 0.7;
/// As long as no job has been measured, a guess is planned with as much more, and twice it in all.
const COLD_DOUBT: f64 = 0.65;
/// Fewer starts than these say nothing of a mean.
const STARTS_MIN: f64 = 5.0;

/// What is known of the service time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Service {
    /// Mean seconds a job takes; `None` until something was measured.
    mean: Option<f64>,
    /// Jobs that the mean rests on.
    jobs: f64,
    /// The reports' window, and the evidence that they have changed.
    reported: Reported,
    /// What counts alone tell, where neither reports nor ages are to be had.
    counted: Option<Counted>,
}

impl Service {
    /// Mean seconds a job takes.
    pub(super) fn mean(&self, guess: f64) -> f64 {
        let counted = self.counted.map(|counted| counted.service_seconds());
        self.mean
            .or(counted)
            .filter(|mean| mean.is_finite())
            .unwrap_or(guess)
            .clamp(SECONDS_MIN, SECONDS_MAX)
    }

    /// Half a standard error above the mean: too slow a guess costs the objective, too fast a one
    /// an instance for a while. With a few dozen jobs seen it is the mean.
    pub(super) fn careful(&self, guess: f64) -> f64 {
        if self.is_from_counts() {
            return self.mean(guess);
        }
        let doubt = (1.0 / (self.jobs + 2.0).sqrt()).min(GUESS_DOUBT);
        let unmeasured = COLD_DOUBT / (1.0 + self.jobs);
        self.mean(guess) * (1.0 + 0.5 * doubt + unmeasured)
    }

    /// Whether there was nothing better than counts to learn from.
    pub(super) fn is_from_counts(&self) -> bool {
        self.mean.is_none() && self.counted.is_some()
    }

    /// Takes in what the workers report: see [`Reported`].
    pub(super) fn learn_from_reports(&mut self, seen: &Seen, elapsed: f64, guess: f64) {
        let reported = seen.workers.service_seconds_mean;
        let Some(reported) = reported.filter(|mean| mean.is_finite() && *mean > 0.0) else {
            return;
        };
        let mean = self.mean(guess);
        // The first report of workers that were there before is a mean of all they did.
        let before = seen.workers.completed_total.filter(|_| self.mean.is_none());
        let before = (before.unwrap_or(0) as f64).min(FIRST_JOBS_MAX);
        let report = Report {
            mean: reported,
            ended: (seen.in_flight as f64 * elapsed / mean).max(before),
            elapsed,
        };
        let jobs = self.jobs;
        let known = self.reported.learn(Known { mean, jobs }, report);
        self.mean = Some(known.mean);
        self.jobs = known.jobs;
    }

    /// Little's law on the oldest message's wait: all that was visible when it came has started
    /// since, and what of that is not in flight has ended. The in-flight seconds since then over
    /// the number that ended are the mean service time.
    pub(super) fn learn_from_age(
        &mut self,
        at: f64,
        (queue, curve): (&QueueSeen, &Curve),
        (elapsed, guess): (f64, f64),
    ) {
        let Some(age) = queue.oldest_age.filter(|age| *age > 2.0 * elapsed) else {
            return;
        };
        // With nothing waiting, the oldest message is one that runs.
        if (queue.visible as f64) < STARTS_MIN {
            return;
        }
        let (Some(then), Some(now)) = (curve.at(at - age), curve.at(at)) else {
            return;
        };
        let ended = then.visible + then.in_flight - now.in_flight;
        if ended < STARTS_MIN {
            return;
        }
        let measured = (now.busy_seconds - then.busy_seconds) / ended;
        if measured <= 0.0 {
            return;
        }
        // Windows overlap: each look adds what is new in its window.
        let new = ended * elapsed / age;
        let part = (new / (self.jobs + GUESS_JOBS)).clamp(0.005, 0.5);
        self.jobs = (self.jobs + new).min(JOBS_MAX);
        let mean = self.mean(guess);
        // A factor at a time: one odd look must not throw the mean far.
        let factor = (measured / mean).clamp(0.5, 2.0).powf(part);
        self.mean = Some(mean * factor);
    }

    /// Counts alone: see [`Counted`]. Once anything better was to be had, that stands.
    pub(super) fn learn_from_counts(&mut self, seen: &Seen, elapsed: f64, guess: f64) {
        if self.mean.is_some() {
            return;
        }
        let begin = || Counted::begin(seen, guess);
        self.counted.get_or_insert_with(begin).learn(seen, elapsed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::WorkersObservation;

    fn reported(mean: f64, in_flight: u64) -> Seen {
        Seen {
            in_flight,
            workers: WorkersObservation {
                service_seconds_mean: Some(mean),
                ..WorkersObservation::default()
            },
            ..Seen::default()
        }
    }

    #[test]
    fn a_wrong_guess_is_unlearned_within_a_minute_of_a_busy_fleet() {
        for guess in [10.0, 90.0] {
            let mut service = Service::default();
            for _ in 0..4 {
                service.learn_from_reports(&reported(30.0, 80), 15.0, guess);
            }
            let mean = service.mean(guess);
            assert!((27.0..36.0).contains(&mean), "{mean} from {guess}");
        }
    }

    #[test]
    fn a_deploy_that_makes_jobs_four_times_slower_is_learned_in_minutes() {
        let mut service = Service::default();
        for _ in 0..400 {
            service.learn_from_reports(&reported(10.0, 20), 15.0, 10.0);
        }
        for _ in 0..20 {
            service.learn_from_reports(&reported(40.0, 20), 15.0, 10.0);
        }
        assert!(service.mean(10.0) > 36.0, "{}", service.mean(10.0));
    }

    #[test]
    fn little_s_law_finds_the_service_time_without_reports() {
        for guess in [10.0, 90.0] {
            let (mut service, mut curve) = (Service::default(), Curve::default());
            // 20 slots, 30 s a job: two in three of a message a second start, a third waits more
            // each second.
            for look in 0_u32..80 {
                let at = f64::from(look) * 15.0;
                let waiting = at * (1.0 - 20.0 / 30.0);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "small"
                )]
                let queue = QueueSeen {
                    visible: waiting.round() as u64,
                    in_flight: 20,
                    delayed: 0,
                    oldest_age: Some(waiting),
                };
                curve.observe(at, &queue, (service.mean(guess), 300.0));
                service.learn_from_age(at, (&queue, &curve), (15.0, guess));
            }
            let mean = service.mean(guess);
            assert!((24.0..37.0).contains(&mean), "{mean} from {guess}");
        }
    }

    #[test]
    fn a_guess_is_planned_with_care_and_a_measurement_is_not() {
        let mut service = Service::default();
        assert!(service.careful(30.0) > 40.0);
        for _ in 0..200 {
            service.learn_from_reports(&reported(30.0, 100), 15.0, 30.0);
        }
        assert!(service.careful(30.0) < 31.0);
    }
}
