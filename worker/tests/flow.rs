//! How a whole worker takes messages: in tens, from several queues, in the order of FIFO groups, no
//! faster than told, and not at all while paused. Over memory, on a paused clock.

mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use weir_protocol::JobState;
use weir_worker::clock::pause;
use weir_worker::flow::Share;
use weir_worker::memory::{Call, MemoryQueue};
use weir_worker::queue::{Attribute, JOB_ID_ATTRIBUTE, Outgoing, Queue};
use weir_worker::service::Source;
use weir_worker::{Context, Job, Outcome};

use crate::support::{SECOND, World};

/// What ran, in order, shared with handlers.
#[derive(Clone, Default)]
struct Ran(Arc<Mutex<Vec<String>>>);

impl Ran {
    fn note(&self, job: &Job) {
        self.0.lock().expect("no panic").push(job.id.clone());
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().expect("no panic").clone()
    }
}

fn named(id: &str, group: Option<&str>) -> Outgoing {
    Outgoing {
        attributes: BTreeMap::from([(JOB_ID_ATTRIBUTE.into(), Attribute::string(id))]),
        group: group.map(Into::into),
        deduplication_id: group.map(|_| id.into()),
        ..Outgoing::new("body")
    }
}

fn takes(time: Duration, ran: &Ran) -> impl weir_worker::Handler + use<> {
    let ran = ran.clone();
    move |job: Job, _ctx: Context| {
        let ran = ran.clone();
        async move {
            ran.note(&job);
            pause(time).await;
            Outcome::Done(String::new())
        }
    }
}

#[tokio::test(start_paused = true)]
async fn short_jobs_cost_two_tenths_of_a_call_each_though_slots_are_few() {
    let mut world = World::new();
    world.settings.slots = 2;
    let jobs = 2000;
    world.send((0..jobs).map(|n| format!("job-{n}"))).await;
    let worker = world.start(takes(SECOND / 1000, &Ran::default()));
    world.until_empty().await;
    let calls: u64 = [Call::Receive, Call::Delete, Call::ChangeVisibility]
        .map(|call| world.queue.calls(call))
        .iter()
        .sum();
    let per_message = calls as f64 / f64::from(jobs);
    assert!(per_message <= 0.22, "{per_message} calls a message");
    assert_eq!(worker.end().await.completed, 2000);
}

#[tokio::test(start_paused = true)]
async fn long_jobs_are_left_to_other_workers_until_a_slot_is_free() {
    let mut world = World::new();
    world.settings.slots = 2;
    world.send((0..12).map(|n| format!("job-{n}"))).await;
    let worker = world.start(takes(600 * SECOND, &Ran::default()));
    pause(30 * SECOND).await;
    assert_eq!(world.queue.visible(), 10);
    worker.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_fetched_ahead_goes_back_when_jobs_turn_out_long() {
    let mut world = World::new();
    world.settings.slots = 2;
    let ran = Ran::default();
    let handler = {
        let ran = ran.clone();
        move |job: Job, _ctx: Context| {
            let ran = ran.clone();
            async move {
                ran.note(&job);
                let long = ran.all().len() > 200;
                pause(if long { 600 * SECOND } else { SECOND / 1000 }).await;
                Outcome::Done(String::new())
            }
        }
    };
    world.send((0..300).map(|n| format!("job-{n}"))).await;
    let worker = world.start(handler);
    world
        .until("the long jobs run", |_| ran.all().len() > 201)
        .await;
    pause(10 * SECOND).await;
    assert_eq!(world.queue.visible(), world.queue.len() - 2);
    // The way back is no attempt: each is begun for the first time when its turn comes.
    worker.end().await;
    let attempts = world.jobs.records();
    assert!(attempts.values().all(|record| record.attempt <= 1));
}

#[tokio::test(start_paused = true)]
async fn paused_worker_begins_nothing_and_finishes_what_runs() {
    let world = World::new();
    let ran = Ran::default();
    world.send(["first"]).await;
    let worker = world.start(takes(60 * SECOND, &ran));
    world.until("it runs", |_| ran.all().len() == 1).await;
    worker.control.pause();
    pause(SECOND).await;
    world.send(["second", "third"]).await;
    pause(300 * SECOND).await;
    assert_eq!(ran.all(), ["first"]);
    assert_eq!(world.state("first"), Some(JobState::Succeeded));
    assert_eq!(world.queue.visible(), 2, "others can have them");
    worker.control.resume();
    world.until_empty().await;
    assert_eq!(ran.all().len(), 3);
    worker.end().await;
}

#[tokio::test(start_paused = true)]
async fn jobs_begin_no_faster_than_the_rate_limit() {
    let mut world = World::new();
    world.settings.slots = 50;
    world.settings.starts_per_second = Some(5.0);
    world.send((0..50).map(|n| format!("job-{n}"))).await;
    let began = world.clock.instant();
    let worker = world.start(takes(Duration::ZERO, &Ran::default()));
    world.until_empty().await;
    let took = world.clock.instant() - began;
    // Five at once, and five a second for the other 45.
    assert!(took >= 89 * SECOND / 10, "{took:?}");
    assert!(took <= 12 * SECOND, "{took:?}");
    worker.end().await;
}

#[tokio::test(start_paused = true)]
async fn slots_grow_by_themselves_for_jobs_that_only_wait() {
    let mut world = World::new();
    world.settings.slots = 2;
    world.settings.slots_max = Some(16);
    let worker = world.start(takes(SECOND, &Ran::default()));
    for minute in 0..10 {
        world
            .send((0..960).map(|n| format!("job-{minute}-{n}")))
            .await;
        pause(60 * SECOND).await;
    }
    let slots = worker.control.slots();
    assert!(slots >= 12, "{slots} slots");
    worker.end().await;
}

/// A worker's world with several queues.
fn sources(world: &World, shares: &[(&str, Share)]) -> (Vec<Arc<MemoryQueue>>, Vec<Source>) {
    let queues: Vec<_> = shares
        .iter()
        .map(|(name, _)| Arc::new(MemoryQueue::new(*name, world.clock)))
        .collect();
    let source = |(queue, (_, share)): (&Arc<MemoryQueue>, &(&str, Share))| Source {
        queue: queue.clone(),
        share: *share,
    };
    let sources = queues.iter().zip(shares).map(source).collect();
    (queues, sources)
}

#[tokio::test(start_paused = true)]
async fn urgent_queue_is_served_first_and_the_other_is_not_starved() {
    let mut world = World::new();
    world.settings.slots = 1;
    let share = |priority| Share {
        weight: 1,
        priority,
    };
    let (queues, sources) = sources(&world, &[("urgent", share(0)), ("other", share(1))]);
    for n in 0..60 {
        queues[0]
            .send(&[named(&format!("urgent-{n}"), None)])
            .await
            .unwrap();
        queues[1]
            .send(&[named(&format!("other-{n}"), None)])
            .await
            .unwrap();
    }
    let ran = Ran::default();
    let worker = world.start_on(sources, takes(10 * SECOND, &ran));
    world
        .until("sixty have begun", |_| ran.all().len() >= 60)
        .await;
    let others = ran.all().iter().filter(|id| id.starts_with('o')).count();
    assert!((4..=10).contains(&others), "{others} of the other queue");
    world
        .until("all are done", |_| queues.iter().all(|q| q.is_empty()))
        .await;
    worker.end().await;
}

#[tokio::test(start_paused = true)]
async fn message_on_a_quiet_queue_beside_a_busy_one_starts_at_the_next_free_slot() {
    let mut world = World::new();
    world.settings.slots = 2;
    let share = |priority| Share {
        weight: 1,
        priority,
    };
    let (queues, sources) = sources(&world, &[("urgent", share(0)), ("bulk", share(1))]);
    for n in 0..100 {
        queues[1]
            .send(&[named(&format!("bulk-{n}"), None)])
            .await
            .unwrap();
    }
    let ran = Ran::default();
    let worker = world.start_on(sources, takes(10 * SECOND, &ran));
    pause(25 * SECOND).await;
    queues[0].send(&[named("now", None)]).await.unwrap();
    pause(11 * SECOND).await;
    assert!(ran.all().contains(&"now".to_owned()), "{:?}", ran.all());
    worker.end().await;
}

#[tokio::test(start_paused = true)]
async fn fifo_group_keeps_its_order_through_a_retry_while_others_go_on() {
    let mut world = World::new();
    world.settings.slots = 4;
    world.queue = Arc::new(MemoryQueue::new("jobs.fifo", world.clock));
    for n in 0..6 {
        let messages = ["a", "b"].map(|group| named(&format!("{group}-{n}"), Some(group)));
        world.queue.send(&messages).await.unwrap();
    }
    let ran = Ran::default();
    let handler = {
        let ran = ran.clone();
        move |job: Job, ctx: Context| {
            let ran = ran.clone();
            async move {
                ran.note(&job);
                pause(SECOND).await;
                if job.id == "a-2" && ctx.attempt() < 3 {
                    return Outcome::Retry {
                        after: Some(20 * SECOND),
                        reason: "not yet".into(),
                    };
                }
                Outcome::Done(String::new())
            }
        }
    };
    let worker = world.start(handler);
    world.until_empty().await;
    let of = |group: char| -> Vec<String> {
        let ran = ran.all().into_iter();
        ran.filter(|id| id.starts_with(group)).collect()
    };
    assert_eq!(
        of('a'),
        ["a-0", "a-1", "a-2", "a-2", "a-2", "a-3", "a-4", "a-5"]
    );
    assert_eq!(of('b'), ["b-0", "b-1", "b-2", "b-3", "b-4", "b-5"]);
    let last_b = ran.all().iter().position(|id| id == "b-5");
    let a_3 = ran.all().iter().position(|id| id == "a-3");
    assert!(last_b < a_3, "the other group waited: {:?}", ran.all());
    worker.end().await;
}

#[tokio::test(start_paused = true)]
async fn last_of_a_fifo_group_is_deleted_at_once() {
    let mut world = World::new();
    world.queue = Arc::new(MemoryQueue::new("jobs.fifo", world.clock));
    let ended = Arc::new(Mutex::new(None));
    let (note, clock) = (ended.clone(), world.clock);
    let worker = world.start(move |_job: Job, _ctx: Context| {
        let note = note.clone();
        async move {
            *note.lock().expect("no panic") = Some(clock.instant());
            Outcome::Done(String::new())
        }
    });
    world.queue.send(&[named("a", Some("a"))]).await.unwrap();
    while !world.queue.is_empty() {
        pause(SECOND / 1000).await;
    }
    let ended = ended.lock().expect("no panic").expect("it ran");
    let took = world.clock.instant() - ended;
    assert!(took < SECOND / 40, "{took:?}");
    worker.end().await;
}

#[tokio::test(start_paused = true)]
async fn message_that_went_elsewhere_while_it_waited_is_not_begun() {
    let mut world = World::new();
    world.settings.visibility = 2 * SECOND;
    world.queue = Arc::new(MemoryQueue::new("jobs.fifo", world.clock));
    let messages = ["a-0", "a-1"].map(|id| named(id, Some("a")));
    world.queue.send(&messages).await.unwrap();
    let ran = Ran::default();
    let worker = world.start(takes(30 * SECOND, &ran));
    world
        .until("the first runs", |_| ran.all().len() == 1)
        .await;
    world.queue.redeliver_all();
    let elsewhere = world.queue.receive(10, SECOND, 600 * SECOND).await.unwrap();
    assert_eq!(elsewhere.len(), 2);
    pause(120 * SECOND).await;
    assert_eq!(ran.all(), ["a-0"]);
    worker.end().await;
}
