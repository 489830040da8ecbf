//! A whole worker over memory, on a paused clock.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use support::{SECOND, World};
use tokio::sync::mpsc;
use weir_protocol::JobState;
use weir_worker::clock::pause;
use weir_worker::drain::DrainCause;
use weir_worker::jobs::Jobs;
use weir_worker::lease::{Held, Idempotency};
use weir_worker::memory::{Call, Fault, MemoryQueue};
use weir_worker::queue::Queue;
use weir_worker::{CancelCause, Context, Job, Outcome};

async fn no_op(_job: Job, _ctx: Context) -> Outcome {
    Outcome::Done("done".into())
}

/// A handler that takes this long.
fn taking(time: Duration) -> impl weir_worker::Handler {
    move |job: Job, _ctx: Context| async move {
        pause(time).await;
        Outcome::Done(job.id)
    }
}

fn retry(reason: &str) -> Outcome {
    Outcome::Retry {
        after: None,
        reason: reason.into(),
    }
}

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("job-{n}")).collect()
}

/// Has retries wait for long enough to be seen, whatever the jitter.
fn seen_waiting(world: &mut World) {
    world.settings.retry.base = 1000 * SECOND;
    world.settings.retry.cap = 1000 * SECOND;
}

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

#[tokio::test(start_paused = true)]
async fn drain_finishes_what_runs_and_hands_back_what_arrives() {
    let world = World::new();
    world.send(["running"]).await;
    let working = world.start(taking(60 * SECOND));
    world
        .until("it runs", |w| w.state("running") == Some(JobState::Running))
        .await;
    pause(5 * SECOND).await;
    working.leave();
    working.leave();
    pause(SECOND).await;
    assert!(world.reports.written().last().unwrap().draining);
    // The open poll takes it, as SQS may have promised it to the poll already.
    world.send(["late"]).await;
    pause(SECOND).await;
    assert_eq!(world.queue.visible(), 1, "handed back at once");
    assert_eq!(world.record("late"), None, "and never begun");
    let summary = working.ended().await;
    assert_eq!(summary.completed, 1);
    assert_eq!(
        world.queue.len(),
        1,
        "the finished one is deleted, the late one left"
    );
    let reports = world.reports.written();
    let last = reports.last().unwrap();
    assert!(
        last.draining && last.busy_slots == 0 && last.completed_total == 1,
        "{last:?}"
    );
    assert!(
        world.reports.present().is_empty(),
        "the report is withdrawn"
    );
}

#[tokio::test(start_paused = true)]
async fn drain_past_its_deadline_hands_back_at_once_and_burns_no_attempt() {
    let mut world = World::new();
    world.settings.drain.signal = 30 * SECOND;
    world.settings.cancel_grace = 5 * SECOND;
    world.send(["job"]).await;
    let working = world.start(taking(500 * SECOND));
    world
        .until("it runs", |w| w.state("job") == Some(JobState::Running))
        .await;
    let began = world.clock.instant();
    working.end().await;
    let took = (world.clock.instant() - began).as_secs();
    assert!((30..=37).contains(&took), "left after {took} s");
    let record = world.record("job").unwrap();
    assert_eq!((record.state, record.attempt), (JobState::Waiting, 0));
    assert_eq!(world.queue.visible(), 1);
}

#[tokio::test(start_paused = true)]
async fn spot_notice_brings_the_deadline_nearer_than_the_lifecycle() {
    let world = World::new();
    world.send(["job"]).await;
    let working = world.start(taking(580 * SECOND));
    world
        .until("it runs", |w| w.state("job") == Some(JobState::Running))
        .await;
    let began = world.clock.instant();
    let now = world.clock.unix_seconds();
    working
        .drain
        .notice(DrainCause::Lifecycle("Terminated".into()), now);
    pause(200 * SECOND).await;
    assert_eq!(world.state("job"), Some(JobState::Running), "a hook waits");
    let now = world.clock.unix_seconds();
    working
        .drain
        .notice(DrainCause::SpotNotice { at: None }, now);
    working.ended().await;
    let took = (world.clock.instant() - began).as_secs();
    assert!((310..=325).contains(&took), "left after {took} s");
    assert_eq!(world.queue.visible(), 1);
}

#[tokio::test(start_paused = true)]
async fn drain_ends_though_the_tables_are_away() {
    let world = World::new();
    world.send(["job"]).await;
    world
        .jobs
        .plan_faults(Call::Claim, vec![Fault::Unavailable; 100_000]);
    let working = world.start(no_op);
    pause(30 * SECOND).await;
    let began = world.clock.instant();
    working.end().await;
    assert!(world.clock.instant() - began < 60 * SECOND);
    assert_eq!(world.queue.visible(), 1, "handed back unstarted");
}

#[tokio::test(start_paused = true)]
async fn reports_come_in_turn_and_on_edges_but_not_in_a_storm() {
    let world = World::new();
    let working = world.start(taking(SECOND / 20));
    pause(60 * SECOND).await;
    let idle = world.reports.written().len();
    assert!((6..=8).contains(&idle), "{idle} reports in an idle minute");
    for round in 0..20 {
        world.send((0..5).map(|n| format!("job-{round}-{n}"))).await;
        pause(SECOND / 4).await;
    }
    world.until_empty().await;
    let busy = world.reports.written().len() - idle;
    assert!(
        (3..=8).contains(&busy),
        "{busy} reports in five busy seconds"
    );
    pause(11 * SECOND).await;
    let last = world.reports.written().last().cloned().unwrap();
    assert_eq!(
        (last.busy_slots, last.completed_total, last.slots),
        (0, 100, 4)
    );
    assert!(
        (last.service_seconds_mean.unwrap() - 0.05).abs() < 0.01,
        "{last:?}"
    );
    working.end().await;
}

#[tokio::test(start_paused = true)]
async fn edge_to_busy_is_reported_within_a_second() {
    let world = World::new();
    let working = world.start(taking(30 * SECOND));
    pause(12 * SECOND).await;
    world.send(["job"]).await;
    pause(SECOND).await;
    assert_eq!(world.reports.written().last().unwrap().busy_slots, 1);
    working.end().await;
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
