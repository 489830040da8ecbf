//! The simulator against queueing theory, against itself, and against its bound.

mod conditions;
mod queueing;
mod rounds;

use super::testing::{bursty, policy, setup};
use super::*;
use crate::model::Observation;

/// A fleet of a size that never changes.
struct Fixed(u32);

impl Scaler for Fixed {
    fn size(&mut self, _: &Observation) -> u32 {
        self.0
    }
}

#[test]
fn every_message_waits_runs_or_is_finished_at_each_look() {
    let (setup, load, policy) = (setup(), bursty(2), policy(300.0));
    let mut scaler = Judged::new(&policy);
    let mut world = World::new(&setup, &load);
    let mut now = 0.0;
    let (mut finished, mut shrank) = (0, 0);
    while now < load.seconds + 3600.0 {
        world.advance(now);
        let tally = world.tally(now);
        assert_eq!(
            tally.arrived,
            tally.waiting + tally.running + tally.finished,
            "at {now}: {tally:?}"
        );
        assert!(tally.finished >= finished, "at {now}: {tally:?}");
        finished = tally.finished;
        let seen = world.observe(now);
        assert_eq!(seen.queues[0].visible.map(|n| n.0), Some(tally.waiting));
        assert_eq!(seen.queues[0].in_flight.map(|n| n.0), Some(tally.running));
        let size = scaler.size(&seen);
        shrank += u32::from(seen.fleet.desired.is_some_and(|desired| size < desired.0));
        world.resize(now, size);
        now += setup.interval_seconds;
    }
    assert_eq!(finished, load.arrivals.len() as u64);
    assert!(shrank > 3, "nothing was tested");
}

#[test]
fn what_workers_finished_runs_backward_when_one_leaves() {
    let (setup, load) = (setup(), bursty(2));
    let mut world = World::new(&setup, &load);
    let look = |world: &mut World<'_>, now: f64, size: u32| {
        world.advance(now);
        let seen = world.observe(now);
        world.resize(now, size);
        seen.workers
    };
    assert_eq!(look(&mut world, 0.0, 4), None);
    assert_eq!(look(&mut world, 105.0, 4), None, "they boot");
    let all = look(&mut world, 3600.0, 1).expect("reports");
    let tally = world.tally(3600.0);
    assert_eq!(all.completed_total, Some(tally.finished));
    assert_eq!(all.busy_slots.map(u64::from), Some(tally.running));
    assert_eq!((all.reporting, all.slots), (Some(4), Some(8)));
    assert_eq!(all.boot_seconds_mean, Some(120.0));
    let mean = all.service_seconds_mean.expect("a mean");
    assert!((15.0..60.0).contains(&mean), "{mean}");
    let one = look(&mut world, 3900.0, 1).expect("reports");
    assert_eq!((one.reporting, one.slots), (Some(1), Some(2)));
    assert!(one.completed_total < all.completed_total);
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_one_another() {
    let policy = policy(60.0);
    let noisy = |seed| {
        let setup = Setup {
            count_noise: 0.03,
            seed,
            ..setup()
        };
        run(&setup, &bursty(seed), &mut Judged::new(&policy))
    };
    assert_eq!(noisy(5), noisy(5));
    assert_ne!(noisy(5), noisy(6));
}

#[test]
fn counts_are_off_by_no_more_than_asked_and_never_wake_an_empty_queue() {
    let setup = Setup {
        count_noise: 0.03,
        ..setup()
    };
    let load = bursty(2);
    let mut world = World::new(&setup, &load);
    let mut off = Vec::new();
    for look in 0_u32..1440 {
        let now = f64::from(look) * 15.0;
        world.advance(now);
        let tally = world.tally(now);
        let visible = world.observe(now).queues[0].visible.expect("counted").0 as f64;
        let waiting = tally.waiting as f64;
        assert!(waiting > 0.0 || visible <= 0.0);
        if waiting > 1000.0 {
            off.push(visible / waiting - 1.0);
        }
    }
    let deviation = (off.iter().map(|x| x * x).sum::<f64>() / off.len() as f64).sqrt();
    assert!((0.025..0.035).contains(&deviation), "{deviation}");
}

/// Four for half an hour, then one.
struct Shrinking;

impl Scaler for Shrinking {
    fn size(&mut self, seen: &Observation) -> u32 {
        if seen.at.0 < 1800.0 { 4 } else { 1 }
    }
}

#[test]
fn busy_instances_drain_where_jobs_are_short_and_are_waited_for_where_they_are_long() {
    // All slots are busy all the time: eight jobs of each round wait for the eight before them.
    let instances_at = |job_seconds: f32, minute: usize| {
        let load = Load {
            seconds: 7200.0,
            arrivals: vec![0.0; 2000],
            service_seconds: vec![job_seconds; 2000],
        };
        let score = run(&setup(), &load, &mut Shrinking);
        score.looks[minute * 4].billed
    };
    assert_eq!((instances_at(60.0, 29), instances_at(60.0, 33)), (4, 1));
    assert_eq!((instances_at(301.0, 29), instances_at(301.0, 60)), (4, 4));
}
