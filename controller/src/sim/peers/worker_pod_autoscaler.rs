//! Practo's worker pod autoscaler (WPA), an instance for a pod.

use std::collections::VecDeque;

use super::setting::{Facts, Parameter, Setting, Typed};
use super::{Every, Look, whole};
use crate::model::Observation;
use crate::sim::Scaler;

pub(super) const PARAMETERS: [Parameter; 6] = [
    Parameter {
        name: "targetMessagesPerWorker",
        unit: "messages",
        documented: "none; objective × slots ÷ service time",
        is_swept: true,
    },
    Parameter {
        name: "secondsToProcessOneJob",
        unit: "s",
        documented: "none (0); service time ÷ slots",
        is_swept: false,
    },
    Parameter {
        name: "maxDisruption",
        unit: "%",
        documented: "100",
        is_swept: false,
    },
    Parameter {
        name: "sqs-short-poll-interval",
        unit: "s",
        documented: "20",
        is_swept: false,
    },
    Parameter {
        name: "scale-down-delay-after-last-scale-activity",
        unit: "s",
        documented: "600",
        is_swept: false,
    },
    Parameter {
        name: "tolerance",
        unit: "",
        documented: "0.1",
        is_swept: false,
    },
];

/// Visible and in flight over a target, never below what the measured arrivals keep busy; up at
/// once, down 600 s after the last change.
///
/// The arrivals are the messages sent between ten and five minutes ago, and nobody is idle before
/// nothing was received between twenty and ten minutes ago. An observation tells neither, so they
/// are reckoned from what it tells: what was sent is the backlog's growth and, by Little's law,
/// the in-flight messages' time over a job's; something was received where messages were there.
#[derive(Clone, Debug)]
pub struct WorkerPodAutoscaler {
    /// `targetMessagesPerWorker`: messages, visible and in flight, an instance is meant to carry.
    pub target: f64,
    /// `secondsToProcessOneJob`, of an instance; `None` where it is not typed in, and the floor
    /// with it.
    pub seconds_a_job: Option<f64>,
    /// Jobs an instance runs at a time.
    pub slots: u32,
    /// `maxDisruption`: percent of the instances that may leave at a time.
    pub max_disruption_percent: f64,
    /// `scale-down-delay-after-last-scale-activity`.
    pub down_delay_seconds: f64,
    poll: Every,
    seen: VecDeque<Seen>,
    scaled_at: f64,
}

/// What is remembered of a look.
#[derive(Clone, Copy, Debug)]
struct Seen {
    at: f64,
    backlog: f64,
    /// In-flight messages over time, added up from the first look on, in seconds.
    busy_seconds: f64,
}

impl WorkerPodAutoscaler {
    const POLL_SECONDS: f64 = 20.0;
    const DOWN_DELAY_SECONDS: f64 = 600.0;
    const TOLERANCE: f64 = 0.1;
    /// The arrivals' window, in seconds ago.
    const SENT_SECONDS_AGO: [f64; 2] = [600.0, 300.0];
    /// The window in which nothing must have been received.
    const IDLE_SECONDS_AGO: [f64; 2] = [1200.0, 600.0];

    /// The defaults, without the floor.
    pub fn new(target: f64) -> Self {
        Self {
            target,
            seconds_a_job: None,
            slots: 1,
            max_disruption_percent: 100.0,
            down_delay_seconds: Self::DOWN_DELAY_SECONDS,
            poll: Every::seconds(Self::POLL_SECONDS),
            seen: VecDeque::new(),
            scaled_at: f64::NEG_INFINITY,
        }
    }

    pub(super) fn documented(facts: &Facts) -> Self {
        Self {
            seconds_a_job: Some(facts.seconds_a_job()),
            slots: facts.slots,
            ..Self::new(facts.acceptable_backlog())
        }
    }

    /// With the floor and without it; and with it, down after two minutes in place of ten.
    pub(super) fn rules(facts: &Facts) -> Vec<Self> {
        let prompt = Self {
            down_delay_seconds: 120.0,
            ..Self::documented(facts)
        };
        vec![
            Self::documented(facts),
            Self::new(facts.acceptable_backlog()),
            prompt,
        ]
    }

    fn remember(&mut self, look: &Look) {
        let busy_seconds = self.seen.back().map_or(0.0, |last| {
            last.busy_seconds + look.in_flight * (look.at - last.at)
        });
        self.seen.push_back(Seen {
            at: look.at,
            backlog: look.backlog(),
            busy_seconds,
        });
        let oldest = look.at - Self::IDLE_SECONDS_AGO[0];
        while self.seen.get(1).is_some_and(|second| second.at <= oldest) {
            self.seen.pop_front();
        }
    }

    /// The last look that was so long ago, or the first there is.
    fn ago(&self, now: f64, seconds: f64) -> Option<&Seen> {
        let later = self.seen.partition_point(|seen| seen.at <= now - seconds);
        self.seen.get(later.saturating_sub(1))
    }

    /// Instances that the arrivals keep busy; their rate in messages a minute times
    /// `secondsToProcessOneJob`, over 60.
    fn floor(&self, now: f64) -> Option<u32> {
        let seconds_a_job = self.seconds_a_job?;
        let [from, until] = Self::SENT_SECONDS_AGO.map(|seconds| self.ago(now, seconds));
        let (from, until) = (from?, until?);
        let service_seconds = seconds_a_job * f64::from(self.slots);
        let finished = (until.busy_seconds - from.busy_seconds) / service_seconds.max(1e-9);
        let sent = (until.backlog - from.backlog + finished).max(0.0);
        let minutes = (Self::SENT_SECONDS_AGO[0] - Self::SENT_SECONDS_AGO[1]) / 60.0;
        Some(whole(seconds_a_job * (sent / minutes) / 60.0))
    }

    /// Whether nothing was received for as long as it takes to believe it.
    fn is_idle(&self, now: f64) -> bool {
        let [from, until] = Self::IDLE_SECONDS_AGO.map(|seconds| now - seconds);
        let first = self.seen.front().map_or(now, |first| first.at);
        let mut within = self
            .seen
            .iter()
            .filter(|seen| (from..=until).contains(&seen.at));
        first <= until && within.all(|seen| seen.backlog <= 0.0)
    }

    fn recommended(&self, look: &Look) -> u32 {
        let (have, backlog) = (look.desired, look.backlog());
        let wanted = whole(backlog / self.target);
        if have == 0 {
            return wanted;
        }
        let floor = self.floor(look.at).unwrap_or(0);
        let lift = |wanted: u32| self.disrupting(have, wanted).max(floor);
        if backlog > 0.0 {
            let off = (f64::from(wanted) - f64::from(have)).abs() / f64::from(have);
            return lift(if off <= Self::TOLERANCE { have } else { wanted });
        }
        if floor == 0 && self.is_idle(look.at) {
            return 0;
        }
        lift(floor)
    }

    /// No more leave at a time than may.
    fn disrupting(&self, have: u32, wanted: u32) -> u32 {
        let may_leave = whole(f64::from(have) * self.max_disruption_percent / 100.0);
        wanted.max(have.saturating_sub(may_leave))
    }
}

impl Scaler for WorkerPodAutoscaler {
    fn size(&mut self, seen: &Observation) -> u32 {
        let look = Look::of(seen);
        self.remember(&look);
        let have = look.desired;
        if !self.poll.is_due(look.at) {
            return have;
        }
        let wanted = self.recommended(&look);
        let may_shrink = look.at > self.scaled_at + self.down_delay_seconds;
        if wanted == have || (wanted < have && !may_shrink) {
            return have;
        }
        self.scaled_at = look.at;
        wanted
    }
}

impl Typed for WorkerPodAutoscaler {
    fn values(&self) -> Vec<f64> {
        vec![
            self.target,
            self.seconds_a_job.unwrap_or(0.0),
            self.max_disruption_percent,
            Self::POLL_SECONDS,
            self.down_delay_seconds,
            Self::TOLERANCE,
        ]
    }

    fn with_swept(&self, target: f64) -> Setting {
        Setting::WorkerPodAutoscaler(Self {
            target,
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::seen;
    use super::*;

    #[test]
    fn backlog_over_the_target_with_a_tolerance_of_a_tenth() {
        let size = |backlog: u64, have: u32| {
            WorkerPodAutoscaler::new(2.0).size(&seen(0.0, (backlog, 0), (have, 0)))
        };
        assert_eq!(size(21, 0), 11);
        assert_eq!(size(21, 10), 10, "11 is a tenth more");
        assert_eq!(size(23, 10), 12);
        assert_eq!(size(11, 10), 6);
    }

    #[test]
    fn up_at_once_and_down_600_s_after_the_last_change() {
        let mut peer = WorkerPodAutoscaler::new(2.0);
        assert_eq!(peer.size(&seen(0.0, (20, 0), (0, 0))), 10);
        assert_eq!(peer.size(&seen(20.0, (40, 0), (0, 10))), 20);
        assert_eq!(
            peer.size(&seen(620.0, (4, 0), (20, 0))),
            20,
            "600 s, not more"
        );
        assert_eq!(peer.size(&seen(640.0, (4, 0), (20, 0))), 2);
        assert_eq!(peer.size(&seen(660.0, (8, 0), (2, 0))), 4);
    }

    #[test]
    fn polls_every_20_s() {
        let mut peer = WorkerPodAutoscaler::new(1.0);
        assert_eq!(peer.size(&seen(0.0, (0, 0), (0, 0))), 0);
        assert_eq!(peer.size(&seen(15.0, (9, 0), (0, 0))), 0);
        assert_eq!(peer.size(&seen(30.0, (9, 0), (0, 0))), 9);
    }

    #[test]
    fn arrivals_of_ten_to_five_minutes_ago_are_a_floor() {
        // Three jobs a look are always in flight, 30 s each: 6 messages a minute, 30 s a job on an
        // instance: 6 × 30 / 60 are 3 instances.
        let mut peer = WorkerPodAutoscaler {
            seconds_a_job: Some(30.0),
            ..WorkerPodAutoscaler::new(100.0)
        };
        let mut have = 8;
        for look in 0..80 {
            have = peer.size(&seen(f64::from(look) * 15.0, (0, 3), (have, 0)));
        }
        assert_eq!(have, 3);
        // With nothing there from 1200 s on, the rate of ten to five minutes ago begins to fade at
        // 1500 s, to 4 messages a minute and 2 instances; 600 s later to none.
        let mut changes = Vec::new();
        for look in 80..180 {
            let size = peer.size(&seen(f64::from(look) * 15.0, (0, 0), (have, 0)));
            if size != have {
                changes.push((look * 15, size));
            }
            have = size;
        }
        let [(first, 2), (second, 0)] = changes[..] else {
            panic!("{changes:?}");
        };
        assert!(
            first > 1500 && first < 1600 && second > first + 600,
            "{changes:?}"
        );
    }

    #[test]
    fn nobody_is_idle_until_nothing_was_received_for_long_enough() {
        let mut peer = WorkerPodAutoscaler::new(1.0);
        assert_eq!(peer.size(&seen(0.0, (0, 4), (4, 0))), 4);
        peer.max_disruption_percent = 50.0;
        let mut changes = Vec::new();
        let mut have = 4;
        for look in 1..200 {
            let at = f64::from(look) * 20.0;
            let size = peer.size(&seen(at, (0, 0), (have, 0)));
            if size != have {
                changes.push((look * 20, size));
            }
            have = size;
        }
        // Half of 4, then half of 2, each 600 s after the last; 1220 s after the last message none
        // is left at once.
        assert_eq!(changes, [(20, 2), (640, 1), (1260, 0)]);
    }

    #[test]
    fn a_disruption_limit_holds_while_there_is_work() {
        let mut peer = WorkerPodAutoscaler::new(1.0);
        peer.max_disruption_percent = 25.0;
        // 25 % of 10, rounded up, are 3.
        assert_eq!(peer.size(&seen(0.0, (1, 1), (10, 0))), 7);
    }
}
