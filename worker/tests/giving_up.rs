//! Jobs that are given up, and their dead letters.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::{World, no_op, retry};
use weir_protocol::JobState;
use weir_worker::memory::{Call, Fault, MemoryQueue};
use weir_worker::{Context, Job, Outcome};

#[tokio::test(start_paused = true)]
async fn exhausted_job_lands_in_the_dead_letter_queue_with_its_reason() {
    let world = World::new();
    world.send(["job"]).await;
    let working = world.start(|_job: Job, _ctx: Context| async { retry("no luck") });
    world.until_empty().await;
    let summary = working.end().await;
    assert_eq!((summary.completed, summary.failed), (0, 5));
    let record = world.record("job").unwrap();
    assert_eq!((record.state, record.attempt), (JobState::Failed, 5));
    let letters = world.queue.dead_letters();
    assert_eq!(letters.len(), 1);
    let text = |name: &str| letters[0].attributes[name].text().unwrap().to_owned();
    assert_eq!(letters[0].body, "body of job");
    assert_eq!(text("JobId"), "job");
    assert_eq!(text("WeirJobId"), "job");
    assert_eq!(text("WeirAttempts"), "5");
    assert_eq!(text("WeirWorker"), "i-1");
    assert_eq!(
        text("WeirReason"),
        "given up after 5 attempts, the last: no luck"
    );
}

#[tokio::test(start_paused = true)]
async fn poison_is_not_tried_again() {
    let world = World::new();
    world.send(["job"]).await;
    let working = world.start(|_job: Job, _ctx: Context| async {
        Outcome::Poison {
            reason: "not a job\n".into(),
        }
    });
    world.until_empty().await;
    working.end().await;
    assert_eq!(world.jobs.calls(Call::Claim), 1);
    let letters = world.queue.dead_letters();
    assert_eq!(
        letters[0].attributes["WeirReason"].text(),
        Some("not a job")
    );
}

#[tokio::test(start_paused = true)]
async fn without_dead_letter_queue_the_record_keeps_the_reason() {
    let mut world = World::new();
    world.queue = Arc::new(MemoryQueue::without_dead_letter_queue("jobs", world.clock));
    world.send(["job"]).await;
    let working = world.start(|_job: Job, _ctx: Context| async {
        Outcome::Poison {
            reason: "not a job".into(),
        }
    });
    world.until_empty().await;
    working.end().await;
    let record = world.record("job").unwrap();
    assert_eq!(record.state, JobState::Failed);
    assert_eq!(record.reason.as_deref(), Some("not a job"));
}

#[tokio::test(start_paused = true)]
async fn message_goes_only_after_its_dead_letter_is_sent() {
    let world = World::new();
    world.send(["job"]).await;
    world.queue.plan_faults(Call::Bury, [Fault::Unavailable; 6]);
    let working = world.start(|_job: Job, _ctx: Context| async {
        Outcome::Poison {
            reason: "not a job".into(),
        }
    });
    world
        .until("it failed", |w| w.state("job") == Some(JobState::Failed))
        .await;
    assert_eq!(
        (world.queue.len(), world.queue.dead_letters().len()),
        (1, 0)
    );
    world.until_empty().await;
    assert_eq!(world.queue.dead_letters().len(), 1);
    working.end().await;
}

#[tokio::test(start_paused = true)]
async fn body_that_leaves_no_room_for_the_reason_is_buried_as_it_is() {
    let world = World::new();
    world.send(["job"]).await;
    world
        .queue
        .plan_faults(Call::Bury, [Fault::Refused, Fault::Refused]);
    let working = world.start(|_job: Job, _ctx: Context| async {
        Outcome::Poison {
            reason: "not a job".into(),
        }
    });
    world.until_empty().await;
    working.end().await;
    let letters = world.queue.dead_letters();
    let names: Vec<&String> = letters[0].attributes.keys().collect();
    assert_eq!(names, ["JobId"]);
}

#[tokio::test(start_paused = true)]
async fn worker_that_died_before_the_dead_letter_is_made_good() {
    let world = World::new();
    let working = world.start(|_job: Job, _ctx: Context| async {
        Outcome::Poison {
            reason: "not a job".into(),
        }
    });
    world.send(["job"]).await;
    world.until_empty().await;
    // As if that worker's last two calls had never been made.
    world.send(["job"]).await;
    world.until_empty().await;
    working.end().await;
    assert_eq!(world.queue.dead_letters().len(), 2);
    assert_eq!(world.jobs.calls(Call::Finish), 1, "it was not run again");
}

#[tokio::test(start_paused = true)]
async fn crash_loop_ends_in_the_dead_letter_queue() {
    let world = World::new();
    world.send(["crash"]).await;
    let working = world.start(no_op);
    world.until_empty().await;
    working.end().await;
    let mut record = world.record("crash").unwrap();
    record.state = JobState::Running;
    record.attempt = 5;
    record.token = Some("dead".into());
    record.lease_until = Some(world.clock.unix_seconds() - 60.0);
    world.jobs.put(record);
    world.send(["crash"]).await;
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    let working = world.start(move |_job: Job, _ctx: Context| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Outcome::Done(String::new()) }
    });
    world.until_empty().await;
    working.end().await;
    assert_eq!(runs.load(Ordering::SeqCst), 0);
    assert_eq!(world.queue.dead_letters().len(), 1);
}
