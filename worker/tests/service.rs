//! A whole worker over memory, on a paused clock.

mod support;

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use std::time::Duration;
use support::{SECOND, World, ids, no_op, retry, seen_waiting};
use weir_protocol::JobState;
use weir_worker::clock::pause;
use weir_worker::memory::{Call, Fault};
use weir_worker::{Context, Job, Outcome};

#[tokio::test(start_paused = true)]
async fn jobs_are_done_and_messages_deleted_in_batches() {
    let world = World::new();
    world.send(ids(100)).await;
    let mut settings = world.settings;
    settings.slots = 10;
    let world = World { settings, ..world };
    let working = world.start(no_op);
    world.until_empty().await;
    let summary = working.end().await;
    assert_eq!((summary.completed, summary.failed), (100, 0));
    assert_eq!(world.jobs.commits().len(), 100);
    let deletes = world.queue.calls(Call::Delete);
    assert!(deletes <= 20, "{deletes} delete calls for 100 messages");
    assert_eq!(
        world.jobs.calls(Call::Claim) + world.jobs.calls(Call::Finish),
        200
    );
}

#[tokio::test(start_paused = true)]
async fn one_slow_job_stalls_only_its_slot() {
    let world = World::new();
    world.send(["slow"]).await;
    world.send(ids(50)).await;
    let working = world.start(|job: Job, _ctx: Context| async move {
        if job.id == "slow" {
            pause(500 * SECOND).await;
        }
        Outcome::Done(String::new())
    });
    let began = world.clock.instant();
    world
        .until("the quick ones are done", |w| w.jobs.commits().len() == 50)
        .await;
    assert!(world.clock.instant() - began < 10 * SECOND);
    working.leave();
    world
        .until("the slow one ended", |w| w.jobs.calls(Call::Finish) > 50)
        .await;
}

#[tokio::test(start_paused = true)]
async fn panic_is_a_retry_with_its_text() {
    let mut world = World::new();
    seen_waiting(&mut world);
    world.send(["job"]).await;
    let working = world.start(|_job: Job, ctx: Context| async move {
        assert!(ctx.attempt() > 1, "first time {}", "unlucky");
        Outcome::Done(String::new())
    });
    world
        .until("it waits", |w| w.state("job") == Some(JobState::Waiting))
        .await;
    let reason = world.record("job").unwrap().reason.unwrap();
    assert_eq!(reason, "the handler panicked: first time unlucky");
    world.until_empty().await;
    working.end().await;
    let record = world.record("job").unwrap();
    assert_eq!((record.state, record.attempt), (JobState::Succeeded, 2));
    assert_eq!(record.reason, None);
}

#[tokio::test(start_paused = true)]
async fn attempt_that_takes_too_long_is_cut_and_tried_again() {
    let mut world = World::new();
    seen_waiting(&mut world);
    world.settings.job_timeout = 30 * SECOND;
    world.settings.cancel_grace = 5 * SECOND;
    world.send(["deaf"]).await;
    let working = world.start(|_job: Job, ctx: Context| async move {
        if ctx.attempt() == 1 {
            std::future::pending::<()>().await;
        }
        Outcome::Done(String::new())
    });
    let began = world.clock.instant();
    world
        .until("it waits", |w| w.state("deaf") == Some(JobState::Waiting))
        .await;
    assert_eq!((world.clock.instant() - began).as_secs(), 35);
    let reason = world.record("deaf").unwrap().reason.unwrap();
    assert_eq!(reason, "cut short: it ran into the job timeout");
    world.until_empty().await;
    working.end().await;
}

#[tokio::test(start_paused = true)]
async fn refused_completion_is_a_failed_attempt() {
    let mut world = World::new();
    seen_waiting(&mut world);
    world.send(["job"]).await;
    world.jobs.plan_faults(Call::Finish, [Fault::Refused]);
    let working = world.start(no_op);
    world
        .until("it waits", |w| w.state("job") == Some(JobState::Waiting))
        .await;
    let reason = world.record("job").unwrap().reason.unwrap();
    assert!(reason.starts_with("the completion was refused"), "{reason}");
    world.until_empty().await;
    working.end().await;
    assert_eq!(world.record("job").unwrap().attempt, 2);
}

#[tokio::test(start_paused = true)]
async fn failed_delete_entries_are_tried_again() {
    let world = World::new();
    world.send(ids(8)).await;
    world
        .queue
        .plan_faults(Call::Delete, [Fault::FirstEntry; 4]);
    let working = world.start(no_op);
    world.until_empty().await;
    let summary = working.end().await;
    assert_eq!(summary.completed, 8);
    assert_eq!(world.jobs.calls(Call::Claim), 8, "none came again");
}

#[tokio::test(start_paused = true)]
async fn deletes_wait_for_company_up_to_fifty_milliseconds() {
    let mut world = World::new();
    world.settings.slots = 10;
    world.send(ids(9)).await;
    let working = world.start(|job: Job, _ctx: Context| async move {
        let number = job.id.trim_start_matches("job-").parse().unwrap_or(0);
        pause(Duration::from_millis(5 * number)).await;
        Outcome::Done(String::new())
    });
    world.until_empty().await;
    working.end().await;
    assert_eq!(world.queue.calls(Call::Delete), 1);
}

#[tokio::test(start_paused = true)]
async fn outage_is_waited_out() {
    let world = World::new();
    world.send(ids(3)).await;
    world
        .queue
        .plan_faults(Call::Receive, [Fault::Unavailable; 40]);
    world
        .jobs
        .plan_faults(Call::Claim, [Fault::Unavailable; 40]);
    world
        .jobs
        .plan_faults(Call::Finish, [Fault::Unavailable; 40]);
    let working = world.start(no_op);
    world.until_empty().await;
    working.end().await;
    let records = world.jobs.records();
    assert_eq!(world.jobs.commits().len(), 3);
    assert!(
        records.values().all(|record| record.attempt == 1),
        "{records:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn handlers_writes_go_with_the_completion_only() {
    let world = World::new();
    world.send(["job"]).await;
    let working = world.start(|job: Job, ctx: Context| async move {
        let text = AttributeValue::S(format!("{}#{}", job.id, ctx.attempt()));
        let put = Put::builder().table_name("ledger").item("commit_id", text);
        let put = put.build().unwrap();
        ctx.write_on_completion(TransactWriteItem::builder().put(put).build());
        if ctx.attempt() == 1 {
            return retry("first");
        }
        Outcome::Done(String::new())
    });
    world.until_empty().await;
    working.end().await;
    let writes = world.jobs.writes();
    let ids: Vec<_> = writes
        .iter()
        .map(|w| &w.put().unwrap().item()["commit_id"])
        .collect();
    assert_eq!(ids, [&AttributeValue::S("job#2".into())]);
}
