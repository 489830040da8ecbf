//! The job record's state machine under every interleaving: workers that race, die between any two
//! steps, stand still past their leases and go on, with clocks that differ, calls that are lost on
//! the way there or back, are sent twice, or arrive when nobody waits for them any more.
//!
//! Whatever the schedule: at most one completion is committed, an ended job stays as it ended, what
//! a worker is told is so, and no message is deleted before its job's end is durable; and once the
//! faults stop, the job ends. Without records only the last two hold, and nothing else is promised.

mod calls;
mod check;
mod model;
mod program;

use std::collections::BTreeMap;

use check::Checked;
use model::{Event, Fate, Flaw, Outcome, WORKERS, World};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestCaseError, TestRng, TestRunner};
use weir_worker::Idempotency;

const CASES: u32 = 4000;

/// A job's life: what happens, in order, to how many messages that ask for it.
#[derive(Clone, Debug)]
struct Schedule {
    messages: usize,
    skews: [f64; WORKERS],
    events: Vec<Event>,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Answered),
        1 => Just(Fate::Failed),
        1 => Just(Fate::AnswerLost),
        1 => Just(Fate::SentTwice),
        1 => Just(Fate::Late),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let outcome = prop::sample::select(vec![Outcome::Retry, Outcome::Poison, Outcome::HandBack]);
    // Short ones, and about as long as a lease.
    let seconds = prop_oneof![1_u16..10, 55_u16..70, 59_u16..63];
    prop_oneof![
        12 => (0..WORKERS, fate()).prop_map(|(who, fate)| Event::Go(who, fate)),
        2 => (0..WORKERS, outcome).prop_map(|(who, outcome)| Event::Ends(who, outcome)),
        2 => (0..WORKERS, fate()).prop_map(|(who, fate)| Event::Extends(who, fate)),
        1 => (0..WORKERS, fate()).prop_map(|(who, fate)| Event::Renews(who, fate)),
        1 => (0..WORKERS).prop_map(Event::Crashes),
        1 => (0..WORKERS).prop_map(Event::Leaves),
        1 => Just(Event::Arrives),
        1 => (0..2_usize, any::<bool>())
            .prop_map(|(message, count_known)| Event::Redelivers { message, count_known }),
        4 => seconds.prop_map(Event::Passes),
    ]
}

/// Any two clocks differ by at most [`weir_worker::lease::SKEW_SECONDS`].
fn schedule() -> impl Strategy<Value = Schedule> {
    let skew = prop_oneof![Just(0.0), Just(-1.0), Just(1.0), -1.0_f64..=1.0];
    let events = prop::collection::vec(event(), 0..90);
    (1..=2_usize, [skew.clone(), skew.clone(), skew], events).prop_map(
        |(messages, skews, events)| Schedule {
            messages,
            skews,
            events,
        },
    )
}

fn live(mode: Idempotency, flaw: Flaw, schedule: &Schedule) -> Checked {
    let world = || World::new(mode, flaw, schedule.messages, schedule.skews);
    play(&mut world(), schedule).map_err(|what| {
        // Once more, to tell the story.
        let mut world = world().remembering();
        let _ = play(&mut world, schedule);
        format!("{what}\n{}\n", world.history())
    })
}

fn play(world: &mut World, schedule: &Schedule) -> Checked {
    let mut events = schedule.events.iter();
    events.try_for_each(|event| world.play(*event))?;
    world.settle()
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: CASES,
        // Nearly all the time of an unoptimised build would go to ChaCha.
        rng_algorithm: RngAlgorithm::XorShift,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn leased_jobs_commit_once_and_none_is_lost(schedule in schedule()) {
        live(Idempotency::Lease, Flaw::None, &schedule).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn jobs_under_once_commit_once_and_none_is_lost(schedule in schedule()) {
        live(Idempotency::Once, Flaw::None, &schedule).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn jobs_without_records_are_never_lost(schedule in schedule()) {
        live(Idempotency::Off, Flaw::None, &schedule).map_err(TestCaseError::fail)?;
    }
}

/// Leaving any one rule out is seen within the cases that the properties above are given, and not
/// by a single one of them only.
#[test]
fn every_rule_is_missed_when_it_is_left_out() {
    let flaws = [
        (Idempotency::Lease, Flaw::TokenIgnored),
        (Idempotency::Once, Flaw::TokenIgnored),
        (Idempotency::Once, Flaw::PutUnconditional),
        (Idempotency::Lease, Flaw::OwnWriteUnknown),
        (Idempotency::Once, Flaw::OwnWriteUnknown),
        (Idempotency::Lease, Flaw::SkewIgnored),
        (Idempotency::Lease, Flaw::DeletesFirst),
        (Idempotency::Once, Flaw::DeletesFirst),
        (Idempotency::Off, Flaw::DeletesFirst),
    ];
    let schedules = schedules();
    for (mode, flaw) in flaws {
        let seen = schedules.iter().filter(|schedule| {
            let mut world = World::new(mode, flaw, schedule.messages, schedule.skews);
            play(&mut world, schedule).is_err()
        });
        let seen = seen.take(10).count();
        assert_eq!(seen, 10, "{mode:?} without its rule ({flaw:?}) passes");
    }
}

/// The same ones at every run.
fn schedules() -> Vec<Schedule> {
    let rng = TestRng::deterministic_rng(RngAlgorithm::XorShift);
    let mut runner = TestRunner::new_with_rng(config(), rng);
    let one = |_| {
        schedule()
            .new_tree(&mut runner)
            .expect("a schedule")
            .current()
    };
    (0..CASES).map(one).collect()
}

/// The schedules reach what they are there for.
#[test]
fn schedules_hold_every_kind_of_trouble() {
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    for schedule in schedules() {
        for mode in [Idempotency::Lease, Idempotency::Once] {
            let mut world = World::new(mode, Flaw::None, schedule.messages, schedule.skews);
            assert_eq!(play(&mut world, &schedule), Ok(()));
            for (what, times) in world.seen() {
                *seen.entry(what).or_default() += times;
            }
        }
    }
    assert_eq!(seen.len(), 11, "{seen:?}");
    assert!(seen.values().all(|times| *times >= 50), "{seen:?}");
}
