//! What CloudWatch would have recorded of a simulated fleet.

use std::collections::BTreeMap;

use super::super::{Metric, Points, Recording, Subject, Window};
use crate::sim::testing::{bursty, policy, setup};
use crate::sim::{Judged, Load, Score, run};

/// When tests' windows begin: 2026-11-02, 00:00 UTC.
pub(super) const BEGIN: i64 = 1_793_577_600;

/// So many minutes from [`BEGIN`] on.
pub(super) fn minutes(count: i64) -> Window {
    Window {
        from: BEGIN,
        until: BEGIN + count * 60,
        period: 60,
    }
}

pub(super) fn subject() -> Subject {
    Subject {
        queue: "thumbnails".to_owned(),
        group: "thumbnails-workers".to_owned(),
    }
}

/// A recording with these values minute by minute; a negative one is not recorded.
pub(super) fn recording(columns: &[(Metric, &[f64])]) -> Recording {
    let length = columns
        .iter()
        .map(|(_, values)| values.len())
        .max()
        .unwrap_or(0);
    let points = |values: &[f64]| -> Points {
        let at = (BEGIN..).step_by(60);
        let points = at.zip(values.iter().copied());
        points.filter(|(_, value)| *value >= 0.0).collect()
    };
    Recording {
        subject: subject(),
        window: minutes(i64::try_from(length).unwrap()),
        points: columns
            .iter()
            .map(|(metric, values)| (*metric, points(values)))
            .collect(),
        notes: Vec::new(),
    }
}

/// Six hours of bursts on a fleet that is judged, and the truth about them.
pub(super) fn six_hours(seed: u64, objective_seconds: f64) -> (Load, Score) {
    let load = bursty(seed);
    let policy = policy(objective_seconds);
    let score = run(&setup(), &load, &mut Judged::new(&policy));
    (load, score)
}

/// What CloudWatch would have recorded, with counts taken at a part of each minute, 0 to 1.
pub(super) fn recorded(load: &Load, score: &Score, sampled_at: f64) -> Recording {
    let starts: Vec<f64> = (load.arrivals.iter().zip(score.waits()))
        .map(|(at, wait)| at + f64::from(*wait))
        .collect();
    let ends: Vec<f64> = (starts.iter().zip(&load.service_seconds))
        .map(|(start, seconds)| start + f64::from(*seconds))
        .collect();
    let deleted = {
        let mut deleted = ends.clone();
        deleted.sort_by(f64::total_cmp);
        deleted
    };
    let minutes = (load.seconds / 60.0) as i64;
    let window = self::minutes(minutes);
    let mut points: BTreeMap<Metric, Points> = BTreeMap::new();
    for minute in 0..minutes {
        let (begin, end) = (minute as f64 * 60.0, (minute + 1) as f64 * 60.0);
        let sample = begin + sampled_at * 60.0;
        let before = |times: &[f64], at: f64| times.partition_point(|time| *time < at) as f64;
        let within = |times: &[f64]| before(times, end) - before(times, begin);
        let until = |times: &[f64]| times.partition_point(|time| *time <= sample) as f64;
        let visible = until(&load.arrivals) - until(&starts);
        let in_flight = until(&starts) - until(&deleted);
        let mut left = load
            .arrivals
            .iter()
            .zip(&ends)
            .skip_while(|(_, end)| **end <= sample);
        let age = left.next().map_or(0.0, |(at, _)| (sample - at).max(0.0));
        let looks = &score.looks[(minute * 4) as usize..((minute + 1) * 4) as usize];
        let mean = |of: fn(&crate::sim::Look) -> u32| {
            looks.iter().map(|look| f64::from(of(look))).sum::<f64>() / 4.0
        };
        let most = looks.iter().map(|look| look.billed).max().unwrap();
        let mut put = |metric, value: f64| {
            points
                .entry(metric)
                .or_default()
                .insert(BEGIN + minute * 60, value);
        };
        put(Metric::Sent, within(&load.arrivals));
        put(Metric::Received, within(&starts));
        put(Metric::Deleted, within(&deleted));
        put(Metric::Visible, visible);
        put(Metric::VisibleMax, visible);
        put(Metric::Total, mean(|look| look.billed));
        put(Metric::TotalMax, f64::from(most));
        put(Metric::InService, mean(|look| look.in_service));
        // SQS leaves these out where there is nothing to tell.
        if in_flight > 0.0 {
            put(Metric::NotVisible, in_flight);
            put(Metric::OldestAge, age);
        }
    }
    Recording {
        subject: subject(),
        window,
        points,
        notes: Vec::new(),
    }
}
