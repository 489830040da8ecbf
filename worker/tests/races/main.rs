//! Whole workers over memory, killed and stopped between any two calls: a job is committed at most once
//! and never lost, in each of the three kinds of idempotency.

mod mortal;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mortal::{Health, Process};
use proptest::prelude::*;
use proptest::test_runner::RngAlgorithm;
use support::{SECOND, World};
use weir_protocol::JobState;
use weir_worker::clock::pause;
use weir_worker::memory::{Call, Fault};
use weir_worker::{Context, Handler, Idempotency, Job, Outcome};

const JOBS: [&str; 7] = ["a", "b", "c", "d", "e", "poison", "second-time"];

fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
}

/// A troubled life of a queue and its workers. Times are milliseconds after one another.
#[derive(Clone, Debug)]
struct Trouble {
    faults: Vec<(Call, Fault)>,
    /// What becomes of one of the two workers, after which time.
    blows: Vec<(u32, Blow)>,
    duplicates: Vec<(u32, Duplicate)>,
    job_millis: u64,
}

#[derive(Clone, Copy, Debug)]
enum Blow {
    /// Another takes its place.
    Killed,
    /// The same once it has made so many steps, each the beginning or the end of a call.
    KilledAfter(u32),
    /// It goes on after this time, ms.
    Stopped(u32),
}

#[derive(Clone, Copy, Debug)]
enum Duplicate {
    /// Every message is delivered once more.
    Delivered,
    /// Every job is asked for by another message, which nobody has had before.
    Sent,
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let call = prop::sample::select(vec![
        Call::Receive,
        Call::Delete,
        Call::ChangeVisibility,
        Call::Bury,
        Call::Claim,
        Call::Extend,
        Call::Finish,
    ]);
    let fault = prop::sample::select(vec![
        Fault::Unavailable,
        Fault::AnswerLost,
        Fault::FirstEntry,
    ]);
    // Past the visibility timeout of ten seconds, and not.
    let blow = prop_oneof![
        Just(Blow::Killed),
        (0_u32..30).prop_map(Blow::KilledAfter),
        (1_u32..30_000).prop_map(Blow::Stopped),
    ];
    let duplicate = prop::sample::select(vec![Duplicate::Delivered, Duplicate::Sent]);
    (
        prop::collection::vec((call, fault), 0..30),
        prop::collection::vec((0_u32..20_000, blow), 0..5),
        prop::collection::vec((1_u32..20_000, duplicate), 0..4),
        prop_oneof![Just(0_u64), 1_u64..15_000],
    )
        .prop_map(|(faults, blows, duplicates, job_millis)| Trouble {
            faults,
            blows,
            duplicates,
            job_millis,
        })
}

/// How often each job was done, whether or not it counted.
type Done = Arc<Mutex<BTreeMap<String, u32>>>;

fn handler(millis: u64, done: Done) -> impl Handler {
    move |job: Job, ctx: Context| {
        let done = Arc::clone(&done);
        async move {
            pause(Duration::from_millis(millis)).await;
            match job.id.as_str() {
                "poison" => Outcome::Poison {
                    reason: "poison".into(),
                },
                "second-time" if ctx.attempt() == 1 => Outcome::Retry {
                    after: None,
                    reason: "first".into(),
                },
                id => {
                    *done.lock().expect("no panic").entry(id.into()).or_default() += 1;
                    Outcome::Done(ctx.token().to_owned())
                }
            }
        }
    }
}

/// Lives through it until nothing is left in the queue.
async fn live_through(trouble: Trouble, idempotency: Idempotency) -> (World, Done) {
    let mut world = World::new();
    world.settings.idempotency = idempotency;
    world.settings.slots = 3;
    world.settings.visibility = 10 * SECOND;
    world.settings.max_attempts = 1000;
    world.send(JOBS).await;
    for (call, fault) in &trouble.faults {
        world.queue.plan_faults(*call, [*fault]);
        world.jobs.plan_faults(*call, [*fault]);
    }
    let done = Done::default();
    let start = |name: &str| {
        let process = Process::new();
        let queue = process.port(world.queue.clone());
        let jobs = process.port(world.jobs.clone());
        let handler = handler(trouble.job_millis, Arc::clone(&done));
        let _working = world.start_with(handler, name, queue, jobs);
        process
    };
    start("survivor");
    let mut second = start("second");
    let duplicating = duplicate(&world, &trouble.duplicates);
    let striking = async {
        for (millis, blow) in &trouble.blows {
            pause(Duration::from_millis((*millis).into())).await;
            match blow {
                Blow::Killed => {
                    second.becomes(Health::Dead);
                    second = start("second");
                }
                Blow::KilledAfter(steps) => {
                    second.dies_after(*steps);
                    // An idle worker may live for ever.
                    if tokio::time::timeout(60 * SECOND, second.died())
                        .await
                        .is_ok()
                    {
                        second = start("second");
                    }
                }
                Blow::Stopped(millis) => {
                    second.becomes(Health::Stopped);
                    pause(Duration::from_millis((*millis).into())).await;
                    second.becomes(Health::Running);
                }
            }
        }
    };
    tokio::join!(duplicating, striking);
    world.until_empty().await;
    (world, done)
}

async fn duplicate(world: &World, duplicates: &[(u32, Duplicate)]) {
    for (millis, duplicate) in duplicates {
        pause(Duration::from_millis((*millis).into())).await;
        match duplicate {
            Duplicate::Delivered => world.queue.redeliver_all(),
            Duplicate::Sent => world.send(JOBS).await,
        }
    }
}

/// The poison is known as such: nothing else lies in the dead-letter queue.
fn check_letters(world: &World) -> Result<(), TestCaseError> {
    let letters = world.queue.dead_letters();
    prop_assert!(!letters.is_empty(), "the poison is nowhere");
    for letter in letters {
        prop_assert_eq!(letter.body, "body of poison");
    }
    Ok(())
}

fn check_committed_once(world: &World) -> Result<(), TestCaseError> {
    let mut commits: Vec<String> = world.jobs.commits().into_iter().map(|(id, _)| id).collect();
    commits.sort();
    prop_assert_eq!(commits, ["a", "b", "c", "d", "e", "second-time"]);
    for (id, token) in world.jobs.commits() {
        let record = world.record(&id).expect("a commit has its record");
        prop_assert_eq!(record.result.as_ref(), Some(&token), "another's result");
        prop_assert_eq!(
            record.token,
            Some(token),
            "an attempt that had lost its lease"
        );
    }
    prop_assert_eq!(world.state("poison"), Some(JobState::Failed));
    check_letters(world)
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 800,
        // Nearly half the time of an unoptimised build would go to ChaCha.
        rng_algorithm: RngAlgorithm::XorShift,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn workers_with_leases_lose_nothing_and_commit_once(trouble in trouble()) {
        let (world, _) = paused().block_on(live_through(trouble, Idempotency::Lease));
        check_committed_once(&world)?;
    }

    #[test]
    fn workers_under_once_lose_nothing_and_commit_once(trouble in trouble()) {
        let (world, _) = paused().block_on(live_through(trouble, Idempotency::Once));
        check_committed_once(&world)?;
    }

    #[test]
    fn workers_without_records_lose_nothing(trouble in trouble()) {
        let (world, done) = paused().block_on(live_through(trouble, Idempotency::Off));
        prop_assert!(world.jobs.records().is_empty());
        let done = done.lock().expect("no panic").clone();
        for id in JOBS.iter().filter(|id| **id != "poison") {
            prop_assert!(done.contains_key(*id), "{} was never done: {:?}", id, done);
        }
        check_letters(&world)?;
    }
}
