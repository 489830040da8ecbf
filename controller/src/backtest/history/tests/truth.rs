//! Estimates against what a simulation knows. The documented error: waits to half a period, late
//! shares to two points.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::super::{Actual, Metric, Past, Recording, Terms};
use super::recorded::{recorded, six_hours};
use crate::sim::{Load, Score};

const HALF_A_PERIOD: f64 = 30.0;

fn past(recording: &Recording, objective_seconds: f64) -> Past {
    Past::of(
        recording,
        &Terms {
            objective_seconds,
            slots: 2,
        },
    )
}

/// Each fleet's truth beside what is made of its recording, with counts taken at each minute's
/// begin, middle and end.
fn each(objective_seconds: f64, mut judge: impl FnMut(&str, &Load, &Score, Past)) {
    for seed in [1, 3, 5] {
        let (load, score) = six_hours(seed, objective_seconds);
        for sampled_at in [0.0, 0.5, 1.0] {
            let name =
                format!("seed {seed}, objective {objective_seconds}, counted at {sampled_at}");
            let past = past(&recorded(&load, &score, sampled_at), objective_seconds);
            judge(&name, &load, &score, past);
        }
    }
}

fn assert_waits_are_true(name: &str, score: &Score, actual: &Actual, objective_seconds: f64) {
    let waits = actual.waits.as_ref().unwrap();
    let late = score.late_share(objective_seconds);
    assert!(
        (waits.late_share - late).abs() < 0.02,
        "{name}: {} for {late}",
        waits.late_share
    );
    let [low, high] = waits.late_share_range;
    assert!(
        low <= late && late <= high,
        "{name}: {late} in {low} to {high}"
    );
    let truth = score.wait_percentiles([50, 95, 99]);
    for (truth, estimate) in truth.into_iter().zip(waits.percentiles) {
        let off = (truth - estimate).abs();
        assert!(off < HALF_A_PERIOD, "{name}: {estimate} for {truth}");
    }
}

#[test]
fn waits_are_known_to_half_a_period_and_late_shares_to_two_points() {
    for objective in [60.0, 300.0] {
        each(objective, |name, _, score, past| {
            assert_waits_are_true(name, score, &past.actual.unwrap(), objective);
        });
    }
}

#[test]
fn counts_that_are_five_percent_off_do_not_matter() {
    let (load, score) = six_hours(3, 300.0);
    let mut recording = recorded(&load, &score, 0.5);
    let mut chance = ChaCha8Rng::seed_from_u64(1);
    for visible in recording
        .points
        .get_mut(&Metric::Visible)
        .unwrap()
        .values_mut()
    {
        let off: f64 = StandardNormal.sample(&mut chance);
        *visible = (*visible * (1.0 + 0.05 * off)).round();
    }
    let actual = past(&recording, 300.0).actual.unwrap();
    assert_waits_are_true("noise", &score, &actual, 300.0);
}

#[test]
fn messages_received_twice_do_not_shorten_waits() {
    let (load, score) = six_hours(3, 300.0);
    let mut recording = recorded(&load, &score, 0.5);
    for received in recording
        .points
        .get_mut(&Metric::Received)
        .unwrap()
        .values_mut()
    {
        *received *= 1.3;
    }
    let actual = past(&recording, 300.0).actual.unwrap();
    assert_waits_are_true("received twice", &score, &actual, 300.0);
}

#[test]
fn the_bill_is_the_groups_sizes_added_up() {
    each(300.0, |name, load, score, past| {
        let actual = past.actual.unwrap();
        // The recording ends with the load, the bill when the queue is empty.
        let after = (load.seconds / score.interval_seconds) as usize;
        let after = score.looks[after..]
            .iter()
            .map(|look| f64::from(look.billed));
        let hours = score.billed_hours - after.sum::<f64>() * score.interval_seconds / 3600.0;
        let off = (actual.instance_hours / hours - 1.0).abs();
        assert!(off < 0.01, "{name}: {} for {hours}", actual.instance_hours);
        assert_eq!(actual.peak_instances, score.peak_instances, "{name}");
        // Rises inside a minute are not seen.
        assert!(actual.launches <= score.launches, "{name}");
        assert!(
            f64::from(actual.launches) > 0.8 * f64::from(score.launches),
            "{name}"
        );
        let work = (actual.work_hours / score.work_hours - 1.0).abs();
        assert!(
            work < 0.06,
            "{name}: {} for {}",
            actual.work_hours,
            score.work_hours
        );
    });
}

#[test]
fn a_jobs_length_follows_from_what_is_in_flight_and_what_is_deleted() {
    each(60.0, |name, load, _, past| {
        let truth = load.work_seconds() / load.arrivals.len() as f64;
        let estimate = past.service_seconds.unwrap();
        assert!(
            (estimate / truth - 1.0).abs() < 0.05,
            "{name}: {estimate} for {truth}"
        );
    });
}

#[test]
fn the_reader_is_told_how_far_waits_may_be_off() {
    let (load, score) = six_hours(3, 300.0);
    let recording = recorded(&load, &score, 0.5);
    let told = |objective: f64| past(&recording, objective).arrivals.notes.join("\n");
    let note = told(300.0);
    assert!(note.contains("to 30 s either way, so 0.00 to "), "{note}");
    assert!(note.contains("no message was older than "), "{note}");
    assert!(!note.contains("too short"), "{note}");
    assert!(told(20.0).contains("the objective is too short to be judged"));
}

#[test]
fn every_message_sent_is_replayed_in_its_minute() {
    let (load, score) = six_hours(1, 60.0);
    let past = past(&recorded(&load, &score, 0.5), 60.0);
    let trace = &past.arrivals.trace;
    assert_eq!(
        trace.counts.iter().sum::<f64>() as usize,
        load.arrivals.len()
    );
    let first = load.arrivals.iter().filter(|at| **at < 60.0).count();
    assert_eq!(trace.counts[0] as usize, first);
    assert_eq!(past.arrivals.starts_at.0 as i64, super::recorded::BEGIN);
}
