//! What is not as one would wish.

use proptest::prelude::*;

use super::super::testing::{bursty, policy, setup};
use super::super::{Conditions, Judged, Load, Score, Setup, Shortage, World, run};
use super::Fixed;
use crate::sim::Scaler;

fn under(conditions: Conditions) -> Setup {
    Setup {
        conditions,
        ..setup()
    }
}

/// Messages a minute apart, each a job of a minute.
fn steady(messages: u32) -> Load {
    Load {
        seconds: f64::from(messages) * 60.0,
        arrivals: (0..messages).map(|n| f64::from(n) * 60.0).collect(),
        service_seconds: vec![60.0; messages as usize],
    }
}

/// A run that looks at every tally; the last one with it.
fn watched(setup: &Setup, load: &Load, scaler: &mut dyn Scaler) -> Result<Score, TestCaseError> {
    let mut world = World::new(setup, load);
    let mut now = 0.0;
    let mut finished = 0;
    while now < load.seconds + 7200.0 {
        world.advance(now);
        let tally = world.tally(now);
        let accounted = tally.waiting + tally.running + tally.finished;
        prop_assert_eq!(tally.arrived, accounted, "at {}: {:?}", now, tally);
        prop_assert!(tally.finished >= finished, "at {}: {:?}", now, tally);
        finished = tally.finished;
        let size = scaler.size(&world.observe(now));
        world.resize(now, size);
        now += setup.interval_seconds;
    }
    prop_assert_eq!(finished, load.arrivals.len() as u64);
    Ok(world.finish(now))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_message_is_lost_whatever_goes_wrong(
        seed in 0..1000_u64,
        failing_share in prop_oneof![Just(0.0), 0.0..0.5],
        reclaims_per_hour in prop_oneof![Just(0.0), 0.0..2.0],
        delay_seconds in prop_oneof![Just(0.0), 0.0..100.0],
        boot_spread in prop_oneof![Just(0.0), 0.0..1.0],
        counts_late_seconds in prop_oneof![Just(0.0), 0.0..60.0],
        short in any::<bool>(),
    ) {
        let shortage = Shortage { from_seconds: 3600.0, until_seconds: 7200.0, instances: 3 };
        let conditions = Conditions {
            boot_spread,
            counts_late_seconds,
            delay_seconds,
            failing_share,
            reclaims_per_hour,
            shortage: short.then_some(shortage),
            ..Conditions::default()
        };
        let policy = policy(300.0);
        let load = bursty(seed);
        let setup = Setup { seed, ..under(conditions) };
        let first = watched(&setup, &load, &mut Judged::new(&policy))?;
        let again = watched(&setup, &load, &mut Judged::new(&policy))?;
        prop_assert_eq!(first, again, "the same seed, another run");
    }
}

#[test]
fn a_delayed_message_is_neither_visible_nor_waited_for_before_its_time() {
    let load = steady(100);
    let setup = under(Conditions {
        delay_seconds: 300.0,
        ..Conditions::default()
    });
    let mut world = World::new(&setup, &load);
    world.resize(0.0, 1);
    world.advance(290.0);
    let seen = world.observe(290.0).queues.remove(0);
    assert_eq!(seen.delayed.map(|n| n.0), Some(5));
    assert_eq!(seen.visible.map(|n| n.0), Some(0));
    assert_eq!(seen.oldest_age_seconds, Some(0.0));
    let score = run(&setup, &load, &mut Fixed(2));
    assert!(score.late_share(0.0) <= 0.0, "all start when they show");
}

#[test]
fn a_failed_attempt_hides_its_message_until_the_visibility_timeout_is_over() {
    let load = Load {
        seconds: 10.0,
        arrivals: vec![0.0; 1000],
        service_seconds: vec![10.0; 1000],
    };
    let setup = Setup {
        boot_seconds: 0.0,
        max: 500,
        ..under(Conditions {
            failing_share: 0.3,
            visibility_seconds: 100.0,
            ..Conditions::default()
        })
    };
    let mut world = World::new(&setup, &load);
    world.resize(0.0, 500);
    world.advance(60.0);
    let (tally, seen) = (world.tally(60.0), world.observe(60.0).queues.remove(0));
    assert!((250..350).contains(&tally.waiting), "{tally:?}");
    assert_eq!(seen.visible.map(|n| n.0), Some(0), "hidden");
    assert_eq!(seen.in_flight.map(|n| n.0), Some(tally.waiting));
    world.advance(115.0);
    let second = world.tally(115.0);
    assert_eq!(second.running, tally.waiting, "all are tried again");
}

#[test]
fn reclaimed_instances_hand_back_what_they_cannot_finish_and_are_replaced() {
    let load = steady(2000);
    let calm = run(&setup(), &load, &mut Fixed(1));
    let setup = under(Conditions {
        reclaims_per_hour: 1.0,
        ..Conditions::default()
    });
    let score = run(&setup, &load, &mut Fixed(1));
    assert_eq!(calm.launches, 1);
    // 33 hours at one an hour, four standard deviations of a Poisson count either way.
    assert!((11..=57).contains(&score.launches), "{}", score.launches);
    assert!(score.late_share(60.0) > calm.late_share(60.0));
}

#[test]
fn a_shortage_lets_nobody_be_launched_and_the_wish_stands() {
    let load = steady(100);
    let setup = under(Conditions {
        shortage: Some(Shortage {
            from_seconds: 0.0,
            until_seconds: 1000.0,
            instances: 2,
        }),
        ..Conditions::default()
    });
    let mut world = World::new(&setup, &load);
    let mut there = |now: f64| {
        world.advance(now);
        world.resize(now, 5);
        let fleet = world.observe(now).fleet;
        assert_eq!(fleet.desired.map(|n| n.0), Some(5));
        fleet.in_service.unwrap_or_default().0 + fleet.pending.unwrap_or_default().0
    };
    assert_eq!((there(0.0), there(990.0), there(1005.0)), (2, 2, 5));
}

#[test]
fn late_counts_are_those_of_the_past() {
    let load = steady(100);
    let setup = under(Conditions {
        counts_late_seconds: 60.0,
        ..Conditions::default()
    });
    let mut world = World::new(&setup, &load);
    let seen: Vec<u64> = (0..20)
        .map(|look| {
            let now = f64::from(look) * 15.0;
            world.advance(now);
            let counts = world.observe(now).queues.remove(0);
            counts.visible.expect("counted").0
        })
        .collect();
    // Nobody serves: a message a minute, seen a minute later.
    let expected: Vec<u64> = (0..20)
        .map(|look| if look < 4 { 0 } else { look / 4 })
        .collect();
    assert_eq!(seen, expected);
}

#[test]
fn boots_spread_around_their_mean() {
    let load = steady(10);
    let setup = under(Conditions {
        boot_spread: 0.5,
        ..Conditions::default()
    });
    let mut world = World::new(&setup, &load);
    world.resize(0.0, 200);
    world.advance(60.0);
    let early = world.observe(60.0).fleet.in_service.unwrap_or_default().0;
    world.advance(3600.0);
    let workers = world.observe(3600.0).workers.expect("reports");
    let mean = workers.boot_seconds_mean.expect("a mean");
    // Of a lognormal with that spread, 9.6 % are below half of the mean.
    assert!((6..=40).contains(&early), "{early} of 200 within a minute");
    assert!((110.0..130.0).contains(&mean), "{mean}");
}
