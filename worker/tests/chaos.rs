//! Whole workers over hostile ports, on a paused clock, by seed: nothing is lost, nothing committed
//! twice.
//!
//! `CHAOS_SEED=N cargo test -p weir-worker --test chaos` repeats one life: to the letter, unless two
//! things were ready at once, of which tokio chooses the first by chance of its own.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use support::hostile::{Counts, Dice, Hostile, Process};
use support::{SECOND, World};
use weir_protocol::JobState;
use weir_worker::clock::pause;
use weir_worker::lease::Idempotency;
use weir_worker::{Context, Handler, Job, Outcome};

/// How many lives are lived through.
const SEEDS: u64 = 400;

/// Jobs of one life.
const JOBS: u32 = 24;

/// Workers at a time.
const WORKERS: u32 = 3;

/// A life's troubles begin within this time; what is left then is lived in peace from the outside,
/// over ports as hostile as before.
const TROUBLED: u32 = 90;

#[test]
fn nothing_is_lost_or_committed_twice_over_hostile_ports() {
    let mut all = Counts::new();
    for seed in seeds() {
        let life = AssertUnwindSafe(|| paused().block_on(Box::pin(live(seed))));
        let counts = std::panic::catch_unwind(life).unwrap_or_else(|cause| {
            let again = format!("CHAOS_SEED={seed} cargo test -p weir-worker --test chaos");
            let _ = writeln!(std::io::stdout(), "\nseed {seed} failed; again by: {again}");
            std::panic::resume_unwind(cause)
        });
        for (fault, count) in counts {
            *all.entry(fault).or_default() += count;
        }
    }
    print(&all);
    for fault in EVERY_FAULT {
        assert!(
            all.contains_key(fault) || seeds().count() == 1,
            "no {fault} was injected"
        );
    }
}

const EVERY_FAULT: [&str; 11] = [
    "unavailable",
    "answer lost",
    "slow",
    "entry failed",
    "hung",
    "away",
    "reordered",
    "duplicated",
    "killed",
    "stood still",
    "drained",
];

#[expect(clippy::disallowed_methods, reason = "a person repeats a seed")]
fn seeds() -> std::ops::Range<u64> {
    let asked = std::env::var("CHAOS_SEED").ok();
    let asked = asked.map(|seed| seed.parse().expect("CHAOS_SEED is a number"));
    asked.map_or(0..SEEDS, |seed: u64| seed..seed + 1)
}

fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
}

/// Past the test harness, which keeps a passing test's output to itself.
fn print(counts: &Counts) {
    let told: Vec<String> = counts
        .iter()
        .map(|(fault, count)| format!("{fault} {count}"))
        .collect();
    let _ = writeln!(
        std::io::stdout(),
        "\nchaos on a paused clock: {} lives of {JOBS} jobs; {}; LOST 0 · COMMITTED TWICE 0",
        seeds().count(),
        told.join(" · ")
    );
}

/// One life of a queue and its workers; gives what was injected.
async fn live(seed: u64) -> Counts {
    let mut world = World::new();
    world.settings.slots = 3;
    world.settings.visibility = 10 * SECOND;
    world.settings.poll_wait = 5 * SECOND;
    world.settings.max_attempts = 100_000;
    world.settings.idempotency = match seed % 2 {
        0 => Idempotency::Lease,
        _ => Idempotency::Once,
    };
    weir_worker::chance::seed_this_thread(seed);
    let dice = Dice::new(seed, world.clock);
    let names: Vec<String> = (0..JOBS).map(|n| format!("{}-{n}", kind(&dice))).collect();
    world.send(names.clone()).await;
    let mut workers = BTreeMap::new();
    for slot in 0..WORKERS {
        workers.insert(slot, begin(&world, &dice, slot));
    }
    for _ in 0..dice.range(0..8) {
        pause(SECOND * dice.range(0..TROUBLED / 4)).await;
        trouble(&world, &dice, &mut workers, &names).await;
    }
    world.until_empty().await;
    audit(&world, &names);
    dice.counts()
}

fn kind(dice: &Dice) -> &'static str {
    match dice.range(0..10) {
        0..5 => "quick",
        5..7 => "long",
        7..9 => "again",
        _ => "poison",
    }
}

struct Living {
    process: Arc<Process>,
    working: support::Working,
}

fn begin(world: &World, dice: &Dice, slot: u32) -> Living {
    let process = Arc::new(Process::default());
    let ports = Arc::new(Hostile {
        queue: world.queue.clone(),
        jobs: world.jobs.clone(),
        dice: dice.clone(),
        process: process.clone(),
    });
    let name = format!("i-{slot}");
    Living {
        working: world.start_with(handler(), &name, ports.clone(), ports),
        process,
    }
}

/// The result is the token, and the commit leaves a mark in its own transaction.
fn handler() -> impl Handler {
    |job: Job, ctx: Context| async move {
        let kind = job.id.split('-').next().unwrap_or_default();
        let millis = if kind == "long" { 25_000 } else { 300 };
        pause(Duration::from_millis(millis)).await;
        let mark = AttributeValue::S(job.id.clone());
        let mark = Put::builder().table_name("marks").item("job_id", mark);
        let mark = mark.build().expect("a table and an item");
        ctx.write_on_completion(TransactWriteItem::builder().put(mark).build());
        match kind {
            "poison" => Outcome::Poison {
                reason: "told to be poison".into(),
            },
            "again" if ctx.attempt() == 1 => Outcome::Retry {
                after: None,
                reason: "told to fail once".into(),
            },
            _ => Outcome::Done(ctx.token().to_owned()),
        }
    }
}

/// Something befalls a worker, or the messages.
async fn trouble(
    world: &World,
    dice: &Dice,
    workers: &mut BTreeMap<u32, Living>,
    names: &[String],
) {
    let slot = dice.range(0..WORKERS);
    match dice.range(0..6) {
        0 => {
            dice.happened("killed");
            workers[&slot].process.kill();
            workers.insert(slot, begin(world, dice, slot));
        }
        1 => {
            dice.happened("stood still");
            let span = SECOND * dice.range(1..40);
            workers[&slot]
                .process
                .stand_still(world.clock.instant() + span);
        }
        2 => {
            dice.happened("drained");
            workers[&slot].working.leave();
            workers.insert(slot, begin(world, dice, slot));
        }
        3 => {
            dice.happened("duplicated");
            let name = &names[dice.range(0..JOBS) as usize];
            world.send([name.clone()]).await;
        }
        _ => {
            dice.happened("duplicated");
            world.queue.redeliver_all();
        }
    }
}

/// What must hold at the end of every life.
fn audit(world: &World, names: &[String]) {
    let is_poison = |name: &&String| name.starts_with("poison");
    let commits = world.jobs.commits();
    let mut committed: Vec<&String> = commits.iter().map(|(id, _)| id).collect();
    committed.sort();
    let mut wanted: Vec<&String> = names.iter().filter(|name| !is_poison(name)).collect();
    wanted.sort();
    assert_eq!(committed, wanted, "each job is committed once");
    assert_eq!(world.jobs.writes().len(), wanted.len(), "and its mark too");
    for (id, token) in &commits {
        let record = world.record(id).expect("a committed job has a record");
        assert_eq!(record.state, JobState::Succeeded);
        let by = (record.token.as_ref(), record.result.as_ref());
        assert_eq!(by, (Some(token), Some(token)), "{id}: a fenced worker's");
    }
    let letters = world.queue.dead_letters();
    let reasons = letters.iter().map(|letter| {
        let text = |name: &str| letter.attributes[name].text().unwrap_or_default();
        assert_eq!(text("WeirReason"), "told to be poison");
        text("JobId").to_owned()
    });
    let buried: BTreeSet<String> = reasons.collect();
    let poison: BTreeSet<String> = names.iter().filter(is_poison).cloned().collect();
    assert_eq!(buried, poison, "each poisonous job is a dead letter");
}
