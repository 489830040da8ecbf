//! What becomes of a job that is given up: its letter in the dead-letter queue, and its way back.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use support::{SECOND, World};
use weir_protocol::JobState;
use weir_worker::letters::{self, Letter};
use weir_worker::memory::{Call, Fault, MemoryQueue};
use weir_worker::queue::{Message, Outgoing, Queue};
use weir_worker::{Context, Job, Outcome};

fn dead(world: &World) -> Arc<MemoryQueue> {
    world.queue.dead_letter_queue().unwrap()
}

/// Takes what lies in the dead-letter queue.
async fn taken(world: &World) -> Vec<Message> {
    let dead = dead(world);
    dead.receive(10, Duration::ZERO, SECOND).await.unwrap()
}

/// As SQS's own redrive does: the message as it is, under a new id.
async fn moved_back(world: &World) {
    for message in taken(world).await {
        let moved = Outgoing {
            attributes: message.attributes,
            ..Outgoing::new(message.body)
        };
        world.queue.send(&[moved]).await.unwrap();
        dead(world).delete(&[message.receipt]).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn letter_tells_first_and_last_error_attempts_worker_and_times() {
    let world = World::new();
    world.send(["job"]).await;
    let tries = AtomicUsize::new(0);
    let working = world.start(move |_job: Job, _ctx: Context| {
        let nth = tries.fetch_add(1, Ordering::SeqCst) + 1;
        async move {
            Outcome::Retry {
                after: Some(10 * SECOND),
                reason: format!("failure {nth}"),
            }
        }
    });
    world.until_empty().await;
    working.end().await;
    let message = &taken(&world).await[0];
    let letter = Letter::of(message).unwrap();
    assert_eq!(letter.first_error.as_deref(), Some("failure 1"));
    assert_eq!(letter.last_error.as_deref(), Some("failure 5"));
    assert_eq!(
        letter.reason,
        "given up after 5 attempts, the last: failure 5"
    );
    assert_eq!((letter.attempts, letter.receive_count), (Some(5), Some(5)));
    assert_eq!(letter.worker.as_deref(), Some("i-1"));
    assert_eq!(letter.queue.as_deref(), Some("jobs"));
    let began = [letter.sent_at, letter.started_at, letter.first_failed_at];
    for at in began {
        assert!((at.unwrap() - 1_700_000_000.0).abs() < 1.0, "{letter:?}");
    }
    assert!(letter.failed_at.unwrap() > 1_700_000_039.0, "{letter:?}");
    let record = world.record("job").unwrap();
    assert_eq!(letter.token, record.token);
}

/// Moved as it is, by hand or by SQS's own redrive, the letter finds a record that says failed. It is
/// not buried again: the letter tells of that very failure, so somebody wants it tried again.
#[tokio::test(start_paused = true)]
async fn letter_that_is_moved_back_is_begun_anew() {
    let world = World::new();
    let plain = Outgoing::new("no id of its own");
    let ids = world.queue.send(&[plain]).await.unwrap();
    let job_id = ids[0].clone().unwrap();
    let working = world.start(|_job: Job, _ctx: Context| async {
        Outcome::Poison {
            reason: "the disk is full".into(),
        }
    });
    world.until_empty().await;
    working.end().await;
    moved_back(&world).await;
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let shown = seen.clone();
    let working = world.start(move |job: Job, ctx: Context| {
        shown.lock().unwrap().push((job, ctx.attempt()));
        async { Outcome::Done("done".into()) }
    });
    world.until_empty().await;
    working.end().await;
    let seen = seen.lock().unwrap();
    let [(job, attempt)] = &seen[..] else {
        panic!("{seen:?}");
    };
    assert_eq!((&job.id, *attempt), (&job_id, 1));
    assert!(job.attributes.is_empty(), "{:?}", job.attributes);
    assert_eq!(world.state(&job_id), Some(JobState::Succeeded));
    assert!(dead(&world).is_empty());
}

/// A second copy of a letter tells of a failure that is past: the job failed again since.
#[tokio::test(start_paused = true)]
async fn letter_of_an_earlier_failure_is_not_begun_anew() {
    let world = World::new();
    world.send(["job"]).await;
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    let working = world.start(move |_job: Job, _ctx: Context| {
        counted.fetch_add(1, Ordering::SeqCst);
        async {
            Outcome::Poison {
                reason: "bad".into(),
            }
        }
    });
    world.until_empty().await;
    let first = world.queue.dead_letters().remove(0);
    moved_back(&world).await;
    world
        .until("it ran again", |_| runs.load(Ordering::SeqCst) == 2)
        .await;
    world.until_empty().await;
    world.queue.send(&[first]).await.unwrap();
    world.until_empty().await;
    working.end().await;
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    assert_eq!(world.queue.dead_letters().len(), 2, "each copy is kept");
}

#[tokio::test(start_paused = true)]
async fn queue_that_refuses_the_letter_as_too_large_gets_a_smaller_one() {
    let world = World::new();
    world.send(["job"]).await;
    world.queue.plan_faults(Call::Bury, [Fault::Refused]);
    let working = world.start(|_job: Job, _ctx: Context| async {
        Outcome::Poison {
            reason: "bad".into(),
        }
    });
    world.until_empty().await;
    working.end().await;
    let attributes = world.queue.dead_letters().remove(0).attributes;
    let names: Vec<&str> = attributes.keys().map(String::as_str).collect();
    assert_eq!(names, ["JobId", letters::REASON]);
}
