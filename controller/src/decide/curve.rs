//! One queue's arrivals over time, and from them the deadline of every message that waits.
//!
//! Owns the curve of cumulative arrivals: what is in the queue plus what was completed. SQS tells
//! how many wait, not since when; walking this curve back from now gives each waiting message its
//! moment of arrival. Nothing is clipped: noise in a count goes in and comes out again, where a
//! sum of increments cut at zero would grow with it. It must not want anything.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::trust::QueueSeen;

/// A curve reaches back this far at least, whatever the objective: the service time is measured
/// over it too.
const SPAN_MIN: f64 = 900.0;
/// Points a curve is thinned to; at 40 bytes of JSON each about 4 KB a queue.
const POINTS: f64 = 96.0;
/// The present rate is a mean over so many seconds: short enough to follow a burst, long enough
/// that SQS's approximate counts average out.
const RATE_SECONDS: f64 = 60.0;

/// Cumulative arrivals of one queue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Curve {
    points: VecDeque<Point>,
    /// Completed since the curve began, by Little's law.
    completed: f64,
    /// In-flight seconds since the curve began.
    busy_seconds: f64,
    rate: Mean,
}

/// The curve at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Point {
    pub(super) at: f64,
    /// Arrivals since the curve began.
    pub(super) arrived: f64,
    /// Messages that wait.
    pub(super) visible: f64,
    /// In-flight seconds since the curve began.
    pub(super) busy_seconds: f64,
    pub(super) in_flight: f64,
}

/// An exponentially weighted mean that is unbiased from its first sample on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Mean {
    sum: f64,
    weight: f64,
}

impl Mean {
    /// Takes in a rate that held for `elapsed` seconds.
    pub(super) fn add(&mut self, rate: f64, elapsed: f64, over: f64) {
        let keep = (-elapsed / over).exp();
        self.sum = self.sum * keep + rate * (1.0 - keep);
        self.weight = self.weight * keep + (1.0 - keep);
    }

    /// The mean, and zero as long as there is none or where noise has made it negative. The first
    /// half minute is taken as if nothing had come before it, so that one early message is not
    /// taken for a stream.
    pub(super) fn get(&self, over: f64) -> f64 {
        const BEFORE_SECONDS: f64 = 30.0;
        let keep = (-BEFORE_SECONDS / over).exp();
        let weight = self.weight * keep + (1.0 - keep);
        if self.weight > 0.0 {
            (self.sum / weight).max(0.0)
        } else {
            0.0
        }
    }
}

/// Messages that wait and when they came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cohort {
    pub(super) arrived_at: f64,
    pub(super) messages: f64,
}

impl Curve {
    /// Takes in what was seen. `service` is the mean seconds a job takes, `span` how far back
    /// deadlines must be known. Returns what arrived since the last look; negative by noise.
    pub(super) fn observe(
        &mut self,
        at: f64,
        seen: &QueueSeen,
        (service, span): (f64, f64),
    ) -> f64 {
        let in_flight = seen.in_flight as f64;
        let mut arrived = 0.0;
        if let Some(last) = self.points.back().copied() {
            let elapsed = (at - last.at).max(0.0);
            let busy = f64::midpoint(last.in_flight, in_flight) * elapsed;
            self.busy_seconds += busy;
            self.completed += busy / service;
            arrived = seen.present() + self.completed - last.arrived;
            if elapsed > 0.0 {
                self.rate.add(arrived / elapsed, elapsed, RATE_SECONDS);
            }
        }
        self.push(
            Point {
                at,
                arrived: seen.present() + self.completed,
                visible: seen.visible as f64,
                busy_seconds: self.busy_seconds,
                in_flight,
            },
            span.max(SPAN_MIN),
        );
        arrived
    }

    fn push(&mut self, point: Point, span: f64) {
        if let [.., before, last] = self.points.make_contiguous()
            && last.at - before.at < span / POINTS
        {
            self.points.pop_back();
        }
        self.points.push_back(point);
        while self
            .points
            .get(1)
            .is_some_and(|second| second.at < point.at - span)
        {
            self.points.pop_front();
        }
    }

    /// What waited or ran at the last look.
    pub(super) fn last_present(&self) -> Option<f64> {
        let last = self.points.back()?;
        Some(last.visible + last.in_flight)
    }

    /// Arrivals a second of late.
    pub(super) fn rate(&self) -> f64 {
        self.rate.get(RATE_SECONDS)
    }

    /// The curve at `at`, between its points on a line; `None` before its first.
    pub(super) fn at(&self, at: f64) -> Option<Point> {
        let next = self.points.partition_point(|point| point.at < at);
        let after = self.points.get(next)?;
        let Some(before) = next.checked_sub(1).and_then(|i| self.points.get(i)) else {
            return (after.at <= at).then_some(*after);
        };
        let part = (at - before.at) / (after.at - before.at);
        let mix = |a: f64, b: f64| a + (b - a) * part;
        Some(Point {
            at,
            arrived: mix(before.arrived, after.arrived),
            visible: mix(before.visible, after.visible),
            busy_seconds: mix(before.busy_seconds, after.busy_seconds),
            in_flight: mix(before.in_flight, after.in_flight),
        })
    }

    /// The messages that wait, oldest first, by the order in which they came: SQS hands them out
    /// roughly so. No message has waited longer than the oldest's age, where that is known; what
    /// was there before the curve began is as old as that age, or came just before.
    pub(super) fn waiting(&self, now: f64, seen: &QueueSeen) -> Vec<Cohort> {
        let oldest = seen.oldest_age.map(|age| now - age);
        let mut left = seen.visible as f64;
        let mut cohorts = Vec::with_capacity(self.points.len() + 1);
        let mut top = self.points.back().map_or(0.0, |point| point.arrived);
        let pairs = self.points.iter().zip(self.points.iter().skip(1));
        for (before, after) in pairs.rev() {
            if left <= 0.0 {
                break;
            }
            let low = before.arrived.min(top);
            let messages = (top - low).min(left);
            top = low;
            if messages > 0.0 {
                left -= messages;
                let arrived_at = f64::midpoint(before.at, after.at);
                cohorts.push(Cohort {
                    arrived_at: oldest.map_or(arrived_at, |oldest| arrived_at.max(oldest)),
                    messages,
                });
            }
        }
        if left > 0.0 {
            let begin = self.points.front().map_or(now, |point| point.at);
            cohorts.push(Cohort {
                arrived_at: oldest.unwrap_or(begin),
                messages: left,
            });
        }
        cohorts.reverse();
        cohorts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(visible: u64, in_flight: u64, oldest_age: Option<f64>) -> QueueSeen {
        QueueSeen {
            visible,
            in_flight,
            delayed: 0,
            oldest_age,
        }
    }

    #[test]
    fn what_waits_is_the_youngest_of_what_came() {
        let mut curve = Curve::default();
        for (at, visible) in [(0.0, 0), (10.0, 40), (20.0, 100)] {
            curve.observe(at, &seen(visible, 0, None), (30.0, 300.0));
        }
        let all = curve.waiting(20.0, &seen(100, 0, None));
        assert_eq!(
            all,
            [
                Cohort {
                    arrived_at: 5.0,
                    messages: 40.0
                },
                Cohort {
                    arrived_at: 15.0,
                    messages: 60.0
                }
            ]
        );
        let left = curve.waiting(20.0, &seen(30, 0, None));
        assert_eq!(left.len(), 1);
        assert!((left[0].messages - 30.0).abs() < 1e-9);
    }

    #[test]
    fn noise_that_comes_and_goes_leaves_no_arrivals_behind() {
        let mut curve = Curve::default();
        for look in 0_u32..1000 {
            let noise = u64::from(look % 2) * 30;
            curve.observe(
                f64::from(look) * 15.0,
                &seen(1000 + noise, 0, None),
                (30.0, 300.0),
            );
        }
        let arrived = curve.points.back().unwrap().arrived - curve.points.front().unwrap().arrived;
        assert!(arrived.abs() <= 30.0, "{arrived}");
        assert!(curve.rate() <= 1.0, "{}", curve.rate());
    }

    #[test]
    fn a_backlog_found_at_the_first_look_is_as_old_as_its_oldest_message() {
        let mut curve = Curve::default();
        let queue = seen(500, 0, Some(200.0));
        curve.observe(1000.0, &queue, (30.0, 300.0));
        assert_eq!(
            curve.waiting(1000.0, &queue),
            [Cohort {
                arrived_at: 800.0,
                messages: 500.0
            }]
        );
    }

    #[test]
    fn no_message_is_older_than_the_oldest() {
        let mut curve = Curve::default();
        for (at, visible) in [(0.0, 0), (100.0, 50), (200.0, 50)] {
            curve.observe(at, &seen(visible, 0, None), (30.0, 300.0));
        }
        let came_at = |age| curve.waiting(200.0, &seen(50, 0, age))[0].arrived_at;
        assert!((came_at(None) - 50.0).abs() < 1e-9, "by the counts");
        assert!((came_at(Some(20.0)) - 180.0).abs() < 1e-9, "by the age");
    }

    #[test]
    fn a_count_that_dips_and_comes_back_is_not_counted_twice() {
        let mut curve = Curve::default();
        for (at, visible) in [(0.0, 30), (10.0, 130), (20.0, 90), (30.0, 130)] {
            curve.observe(at, &seen(visible, 0, None), (30.0, 300.0));
        }
        let came: Vec<(f64, f64)> = curve
            .waiting(30.0, &seen(130, 0, None))
            .iter()
            .map(|cohort| (cohort.arrived_at, cohort.messages))
            .collect();
        assert_eq!(came, [(0.0, 30.0), (5.0, 60.0), (25.0, 40.0)]);
    }

    #[test]
    fn a_curve_stays_small_whatever_the_objective() {
        for span in [60.0, 600.0, 43_200.0] {
            let mut curve = Curve::default();
            for look in 0_u32..20_000 {
                curve.observe(
                    f64::from(look) * 15.0,
                    &seen(u64::from(look), 0, None),
                    (30.0, span),
                );
            }
            assert!(curve.points.len() <= 110, "{} points", curve.points.len());
            let reach = curve.points.back().unwrap().at - curve.points.front().unwrap().at;
            assert!(reach >= span.max(SPAN_MIN), "{reach} of {span}");
        }
    }

    #[test]
    fn a_mean_is_unbiased_from_the_start() {
        let mut mean = Mean::default();
        assert!(mean.get(600.0) <= 0.0);
        for _ in 0..20 {
            mean.add(3.0, 15.0, 600.0);
        }
        assert!(
            (2.6..=3.0).contains(&mean.get(600.0)),
            "{}",
            mean.get(600.0)
        );
    }
}
