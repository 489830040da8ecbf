//! What each kind of idempotency writes about a job, and what it makes of duplicates and failures.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use support::{SECOND, World};
use weir_protocol::JobState;
use weir_worker::clock::pause;
use weir_worker::lease::RESULT_MAX_BYTES;
use weir_worker::memory::{Call, Fault};
use weir_worker::{Context, Handler, Idempotency, Job, Outcome};

const ALL: [Idempotency; 3] = [Idempotency::Lease, Idempotency::Once, Idempotency::Off];
const JOBS_CALLS: [Call; 4] = [Call::Claim, Call::Extend, Call::Finish, Call::Write];

fn world(idempotency: Idempotency) -> World {
    let mut world = World::new();
    world.settings.idempotency = idempotency;
    world
}

fn calls(world: &World) -> u64 {
    JOBS_CALLS.iter().map(|call| world.jobs.calls(*call)).sum()
}

fn retry(reason: &str) -> Outcome {
    Outcome::Retry {
        after: None,
        reason: reason.into(),
    }
}

async fn no_op(_job: Job, _ctx: Context) -> Outcome {
    Outcome::Done("done".into())
}

/// A handler that counts its runs and answers the nth with what `answer` says.
fn counting(
    answer: impl Fn(u32) -> Outcome + Send + Sync + 'static,
) -> (Arc<AtomicU32>, impl Handler) {
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let answer = Arc::new(answer);
    let handler = move |_job: Job, _ctx: Context| {
        let run = counted.fetch_add(1, Ordering::SeqCst) + 1;
        let answer = Arc::clone(&answer);
        async move { answer(run) }
    };
    (runs, handler)
}

fn attribute(letter: &weir_worker::queue::Outgoing, name: &str) -> String {
    let attribute = letter.attributes.get(name);
    attribute
        .and_then(|value| value.text())
        .unwrap_or_default()
        .to_owned()
}

fn ledger(id: &str) -> TransactWriteItem {
    let put = Put::builder()
        .table_name("ledger")
        .item("commit_id", AttributeValue::S(id.into()))
        .build();
    TransactWriteItem::builder()
        .put(put.expect("table and item are set"))
        .build()
}

#[tokio::test(start_paused = true)]
async fn writes_a_job_are_two_with_a_lease_one_with_once_and_none_without() {
    for (idempotency, writes) in ALL.into_iter().zip([2, 1, 0]) {
        let world = world(idempotency);
        world.send((0..30).map(|n| format!("job-{n}"))).await;
        let working = world.start(no_op);
        world.until_empty().await;
        let summary = working.end().await;
        assert_eq!(summary.completed, 30, "{idempotency:?}");
        assert_eq!(calls(&world), 30 * writes, "{idempotency:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn long_first_attempt_under_once_still_is_one_write() {
    let world = world(Idempotency::Once);
    world.send(["job"]).await;
    let working = world.start(|_job: Job, _ctx: Context| async {
        pause(500 * SECOND).await;
        Outcome::Done(String::new())
    });
    world.until_empty().await;
    working.end().await;
    assert_eq!((calls(&world), world.jobs.calls(Call::Finish)), (1, 1));
    assert_eq!(world.record("job").unwrap().attempt, 1);
}

#[tokio::test(start_paused = true)]
async fn poison_is_buried_with_its_reason_whatever_is_recorded() {
    for idempotency in ALL {
        let world = world(idempotency);
        world.send(["job"]).await;
        let (runs, handler) = counting(|_| Outcome::Poison {
            reason: "no picture".into(),
        });
        let working = world.start(handler);
        world.until_empty().await;
        working.end().await;
        let letters = world.queue.dead_letters();
        assert_eq!(letters.len(), 1, "{idempotency:?}");
        assert_eq!(attribute(&letters[0], "WeirReason"), "no picture");
        assert_eq!(attribute(&letters[0], "WeirAttempts"), "1");
        assert_eq!(runs.load(Ordering::SeqCst), 1, "{idempotency:?}");
        let state = (idempotency != Idempotency::Off).then_some(JobState::Failed);
        assert_eq!(world.state("job"), state, "{idempotency:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn exhausted_jobs_are_buried_after_as_many_attempts_whatever_is_recorded() {
    for idempotency in ALL {
        let mut world = world(idempotency);
        world.settings.max_attempts = 3;
        world.send(["job"]).await;
        let (runs, handler) = counting(|run| retry(&format!("failure {run}")));
        let working = world.start(handler);
        world.until_empty().await;
        let summary = working.end().await;
        assert_eq!(runs.load(Ordering::SeqCst), 3, "{idempotency:?}");
        assert_eq!(summary.failed, 3);
        let letters = world.queue.dead_letters();
        assert_eq!(letters.len(), 1, "{idempotency:?}");
        assert_eq!(
            attribute(&letters[0], "WeirReason"),
            "given up after 3 attempts, the last: failure 3"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn retried_job_under_once_is_claimed_and_its_attempts_are_counted() {
    let world = world(Idempotency::Once);
    world.send(["job"]).await;
    let (_, handler) = counting(|run| match run {
        1 => retry("first"),
        _ => Outcome::Done("second".into()),
    });
    let working = world.start(handler);
    world.until_empty().await;
    working.end().await;
    let record = world.record("job").unwrap();
    assert_eq!((record.state, record.attempt), (JobState::Succeeded, 2));
    assert_eq!(world.jobs.calls(Call::Claim), 1);
    assert_eq!(world.jobs.calls(Call::Finish), 2);
}

#[tokio::test(start_paused = true)]
async fn two_first_deliveries_under_once_may_both_run_but_one_commits() {
    let world = world(Idempotency::Once);
    world.send(["job", "job"]).await;
    let (runs, handler) = counting(|run| Outcome::Done(format!("run {run}")));
    let working = world.start(handler);
    world.until_empty().await;
    let summary = working.end().await;
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    assert_eq!(summary.completed, 1);
    assert_eq!(world.jobs.commits().len(), 1);
    assert_eq!(
        world.jobs.calls(Call::Claim),
        1,
        "the loser's message came again"
    );
}

#[tokio::test(start_paused = true)]
async fn redelivered_duplicate_of_a_finished_job_is_deleted_without_running() {
    for idempotency in [Idempotency::Lease, Idempotency::Once] {
        let world = world(idempotency);
        world.send(["job"]).await;
        world
            .queue
            .plan_faults(Call::Delete, [Fault::Unavailable; 8]);
        let (runs, handler) = counting(|_| Outcome::Done(String::new()));
        let working = world.start(handler);
        world.until_empty().await;
        working.end().await;
        assert!(world.queue.calls(Call::Receive) > 1, "it came again");
        assert_eq!(runs.load(Ordering::SeqCst), 1, "{idempotency:?}");
        assert_eq!(world.jobs.commits().len(), 1, "{idempotency:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn lost_answers_under_once_are_told_from_contention() {
    let world = world(Idempotency::Once);
    world.send(["job"]).await;
    world.jobs.plan_faults(Call::Finish, [Fault::AnswerLost; 3]);
    let (runs, handler) = counting(|_| Outcome::Done(String::new()));
    let working = world.start(handler);
    world.until_empty().await;
    let summary = working.end().await;
    assert_eq!((summary.completed, runs.load(Ordering::SeqCst)), (1, 1));
    assert_eq!(
        world.jobs.calls(Call::Claim),
        0,
        "its own write is no contention"
    );
}

#[tokio::test(start_paused = true)]
async fn first_attempt_under_once_that_is_handed_back_leaves_no_record() {
    let mut world = world(Idempotency::Once);
    world.settings.drain.signal = 10 * SECOND;
    world.send(["job"]).await;
    let working = world.start(|_job: Job, _ctx: Context| async {
        pause(500 * SECOND).await;
        Outcome::Done(String::new())
    });
    pause(5 * SECOND).await;
    working.end().await;
    assert_eq!(calls(&world), 0);
    assert_eq!(world.queue.visible(), 1);
    let next = world.start(no_op);
    world.until_empty().await;
    next.end().await;
    assert_eq!(world.record("job").unwrap().attempt, 1);
}

#[tokio::test(start_paused = true)]
async fn handlers_writes_go_with_a_completion_of_every_kind_and_only_once() {
    for idempotency in ALL {
        let world = world(idempotency);
        world.send(["job"]).await;
        for call in [Call::Finish, Call::Write] {
            world.jobs.plan_faults(call, [Fault::Unavailable]);
        }
        let working = world.start(|job: Job, ctx: Context| async move {
            ctx.write_on_completion(ledger(&job.id));
            Outcome::Done(String::new())
        });
        world.until_empty().await;
        working.end().await;
        assert_eq!(world.jobs.writes(), [ledger("job")], "{idempotency:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn result_too_long_for_a_record_fails_at_once_and_says_so() {
    for idempotency in ALL {
        let world = world(idempotency);
        world.send(["job"]).await;
        let (runs, handler) = counting(|_| Outcome::Done("x".repeat(RESULT_MAX_BYTES + 1)));
        let working = world.start(handler);
        world.until_empty().await;
        working.end().await;
        assert_eq!(runs.load(Ordering::SeqCst), 1, "{idempotency:?}");
        if idempotency == Idempotency::Off {
            assert_eq!(world.queue.dead_letters().len(), 0, "nothing keeps it");
            continue;
        }
        let letters = world.queue.dead_letters();
        assert_eq!(
            attribute(&letters[0], "WeirReason"),
            "the result has 405505 bytes, and a job record holds at most 405504: keep it \
             elsewhere, such as in S3, and return where it is"
        );
        assert_eq!(world.state("job"), Some(JobState::Failed));
    }
}
