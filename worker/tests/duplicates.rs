//! Who rules a job: leases and heartbeats, duplicates and lost answers.

mod support;

use support::{SECOND, World, ids, no_op, taking};
use tokio::sync::mpsc;
use weir_protocol::JobState;
use weir_worker::clock::pause;
use weir_worker::jobs::Jobs;
use weir_worker::lease::{Held, Idempotency};
use weir_worker::memory::{Call, Fault};
use weir_worker::queue::Queue;
use weir_worker::{CancelCause, Context, Job, Outcome};

#[tokio::test(start_paused = true)]
async fn long_jobs_are_kept_by_batched_heartbeats() {
    let mut world = World::new();
    world.settings.slots = 10;
    world.settings.visibility = 20 * SECOND;
    world.send(ids(10)).await;
    let working = world.start(taking(300 * SECOND));
    world.until_empty().await;
    assert_eq!(world.jobs.commits().len(), 10);
    assert!(
        world
            .jobs
            .records()
            .values()
            .all(|record| record.attempt == 1)
    );
    let renewals = world.queue.calls(Call::ChangeVisibility);
    assert!(
        (15..=35).contains(&renewals),
        "{renewals} calls for ten messages over 300 s"
    );
    working.end().await;
}

#[tokio::test(start_paused = true)]
async fn failed_renewals_are_tried_again_before_the_lease_ends() {
    let mut world = World::new();
    world.settings.visibility = 20 * SECOND;
    world.send(["a", "b"]).await;
    let faults = [Fault::Unavailable, Fault::FirstEntry, Fault::AnswerLost];
    world.queue.plan_faults(Call::ChangeVisibility, faults);
    world
        .jobs
        .plan_faults(Call::Extend, [Fault::Unavailable; 4]);
    let working = world.start(taking(100 * SECOND));
    world.until_empty().await;
    working.end().await;
    assert_eq!(world.jobs.commits().len(), 2);
    assert_eq!(
        world.jobs.calls(Call::Claim),
        2,
        "nothing was delivered twice"
    );
}

#[tokio::test(start_paused = true)]
async fn heartbeats_do_not_overwrite_a_backoff() {
    let mut world = World::new();
    world.settings.visibility = 10 * SECOND;
    world.send(["late", "long"]).await;
    let working = world.start(|job: Job, ctx: Context| async move {
        if job.id == "long" {
            pause(550 * SECOND).await;
        } else if ctx.attempt() == 1 {
            // Right when renewals are due.
            pause(5 * SECOND).await;
            return Outcome::Retry {
                after: Some(300 * SECOND),
                reason: "later".into(),
            };
        }
        Outcome::Done(String::new())
    });
    world
        .until("the job waits", |w| {
            w.state("late") == Some(JobState::Waiting)
        })
        .await;
    let waits_since = world.clock.instant();
    world
        .until("the job is done", |w| {
            w.state("late") == Some(JobState::Succeeded)
        })
        .await;
    let waited = (world.clock.instant() - waits_since).as_secs();
    assert!((299..=302).contains(&waited), "came back after {waited} s");
    working.end().await;
}

#[tokio::test(start_paused = true)]
async fn lost_lease_is_told_and_its_outcome_dropped() {
    let world = World::new();
    world.send(["job"]).await;
    let (told, mut heard) = mpsc::unbounded_channel();
    let working = world.start(move |_job: Job, ctx: Context| {
        let told = told.clone();
        async move {
            told.send(ctx.cancelled().await).unwrap();
            Outcome::Done("too late".into())
        }
    });
    world
        .until("the job runs", |w| {
            w.state("job") == Some(JobState::Running)
        })
        .await;
    let mut record = world.record("job").unwrap();
    record.token = Some("another".into());
    world.jobs.put(record);
    assert_eq!(heard.recv().await, Some(CancelCause::LeaseLost));
    working.end().await;
    assert!(world.jobs.commits().is_empty());
    assert_eq!(world.state("job"), Some(JobState::Running));
    assert_eq!(world.queue.len(), 1, "the message is the other's to delete");
}

#[tokio::test(start_paused = true)]
async fn message_delivered_elsewhere_is_told_without_a_lease_and_the_finished_job_still_counts() {
    let mut world = World::new();
    world.settings.idempotency = Idempotency::Once;
    world.send(["job"]).await;
    let (told, mut heard) = mpsc::unbounded_channel();
    let working = world.start(move |_job: Job, ctx: Context| {
        let told = told.clone();
        async move {
            told.send(ctx.cancelled().await).unwrap();
            Outcome::Done("in time".into())
        }
    });
    pause(SECOND).await;
    // Whoever gets it now, the worker's open poll or this one, the first handle is spent.
    world.queue.redeliver_all();
    let elsewhere = world.queue.receive(1, SECOND, 3600 * SECOND);
    elsewhere.await.unwrap();
    assert_eq!(heard.recv().await, Some(CancelCause::MessageGone));
    world
        .until("done", |w| w.state("job") == Some(JobState::Succeeded))
        .await;
    working.end().await;
    assert_eq!(world.jobs.commits().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn duplicate_of_a_finished_job_is_deleted_without_running() {
    let world = World::new();
    world.send(["job", "job", "job"]).await;
    let mut settings = world.settings;
    settings.slots = 1;
    let world = World { settings, ..world };
    let working = world.start(no_op);
    world.until_empty().await;
    let summary = working.end().await;
    assert_eq!(summary.completed, 1);
    assert_eq!(world.jobs.commits().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn duplicate_of_a_running_job_waits_out_the_lease_and_burns_no_attempt() {
    let world = World::new();
    world.send(["job", "job"]).await;
    let working = world.start(taking(30 * SECOND));
    world.until_empty().await;
    working.end().await;
    assert_eq!(world.jobs.commits().len(), 1);
    assert_eq!(world.record("job").unwrap().attempt, 1);
    assert_eq!(
        world.jobs.calls(Call::Claim),
        3,
        "one claim a lease, not a storm of them"
    );
}

#[tokio::test(start_paused = true)]
async fn lost_answers_are_told_from_contention() {
    let world = World::new();
    world.send(["job"]).await;
    world.jobs.plan_faults(Call::Claim, [Fault::AnswerLost; 2]);
    world.jobs.plan_faults(Call::Finish, [Fault::AnswerLost; 2]);
    world.queue.plan_faults(Call::Delete, [Fault::AnswerLost]);
    let working = world.start(no_op);
    world.until_empty().await;
    let summary = working.end().await;
    assert_eq!((summary.completed, summary.failed), (1, 0));
    assert_eq!(world.jobs.commits().len(), 1);
    assert_eq!(world.record("job").unwrap().attempt, 1);
}

#[tokio::test(start_paused = true)]
async fn extended_lease_outlives_its_first_term() {
    let mut world = World::new();
    world.settings.visibility = 10 * SECOND;
    world.send(["job"]).await;
    let working = world.start(taking(100 * SECOND));
    pause(60 * SECOND).await;
    let record = world.record("job").unwrap();
    assert!(record.lease_until.unwrap() > world.clock.unix_seconds());
    let token = record.token.unwrap();
    assert_eq!(world.jobs.extend("job", &token, 0.0).await, Ok(Held::Yes));
    working.end().await;
}

/// SQS's redrive counts receives: at one for each lease, ten would be used up in a sixth of this hour.
#[tokio::test(start_paused = true)]
async fn duplicate_of_a_long_job_is_not_received_often_enough_to_be_buried() {
    let mut world = World::new();
    world.settings.job_timeout = 3600 * SECOND;
    world.send(["job", "job"]).await;
    let working = world.start(taking(3300 * SECOND));
    world.until_empty().await;
    working.end().await;
    assert_eq!(world.jobs.commits().len(), 1);
    let received = world.jobs.calls(Call::Claim) - 1;
    assert!(received < 10, "the duplicate was received {received} times");
}

#[tokio::test(start_paused = true)]
async fn extensions_back_off_while_the_table_is_away() {
    let world = World::new();
    world.send(["job"]).await;
    let outage = vec![Fault::Unavailable; 10_000];
    world.jobs.plan_faults(Call::Extend, outage);
    let working = world.start(taking(330 * SECOND));
    world.until_empty().await;
    working.end().await;
    assert_eq!(world.jobs.commits().len(), 1, "nobody else took it over");
    let tries = world.jobs.calls(Call::Extend);
    // Every second it would be three hundred.
    assert!((50..=150).contains(&tries), "{tries} tries in 300 s");
}
