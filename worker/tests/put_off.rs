//! Retries asked for after longer than SQS can hide a message. Over memory, on a paused clock.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use weir_protocol::JobState;
use weir_worker::clock::pause;
use weir_worker::jobs::Jobs;
use weir_worker::lease::{Claim, Ending, Finish, Over};
use weir_worker::memory::{Call, Fault};
use weir_worker::queue::Queue;
use weir_worker::{Context, Handler, Job, Outcome};

use crate::support::World;

const HOUR: Duration = Duration::from_hours(1);

/// A handler that puts its job off once, and when it ran.
fn puts_off(world: &World, after: Duration) -> (impl Handler + use<>, Arc<Mutex<Vec<f64>>>) {
    let ran = Arc::new(Mutex::new(Vec::new()));
    let (clock, seen) = (world.clock, ran.clone());
    let handler = move |_job: Job, ctx: Context| {
        let seen = seen.clone();
        async move {
            seen.lock().expect("no panic").push(clock.unix_seconds());
            match ctx.attempt() {
                1 => Outcome::Retry {
                    after: Some(after),
                    reason: "not yet".into(),
                },
                _ => Outcome::Done("at last".into()),
            }
        }
    };
    (handler, ran)
}

/// Looks every few minutes, for at most two weeks.
async fn until_done(world: &World) {
    for _ in 0..14 * 24 * 20 {
        if world.queue.is_empty() {
            return;
        }
        pause(HOUR / 20).await;
    }
    panic!("never done: {:?}", world.jobs.records());
}

fn hours_between(ran: &Mutex<Vec<f64>>) -> f64 {
    let ran = ran.lock().expect("no panic");
    assert_eq!(ran.len(), 2, "one attempt and one more: {ran:?}");
    (ran[1] - ran[0]) / 3600.0
}

#[tokio::test(start_paused = true)]
async fn retry_after_days_comes_after_days_and_not_before() {
    let world = World::new();
    let (handler, ran) = puts_off(&world, 30 * HOUR);
    world.send(["job"]).await;
    let worker = world.start(handler);
    until_done(&world).await;
    let hours = hours_between(&ran);
    assert!((30.0..30.1).contains(&hours), "{hours} h");
    let record = world.record("job").expect("a record");
    assert_eq!((record.state, record.attempt), (JobState::Succeeded, 2));
    worker.end().await;
}

#[tokio::test(start_paused = true)]
async fn crash_or_lost_answer_anywhere_on_the_way_neither_loses_nor_doubles_it() {
    // The original's deletion fails for good; the new message's sending seems to fail; both.
    let cases: [&[(Call, Fault)]; 3] = [
        &[(Call::Delete, Fault::Refused)],
        &[(Call::Send, Fault::AnswerLost)],
        &[
            (Call::Send, Fault::AnswerLost),
            (Call::Delete, Fault::Refused),
        ],
    ];
    for faults in cases {
        let world = World::new();
        let (handler, ran) = puts_off(&world, 20 * HOUR);
        world.send(["job"]).await;
        for (call, fault) in faults {
            let times = if *call == Call::Delete { 8 } else { 1 };
            world
                .queue
                .plan_faults(*call, std::iter::repeat_n(*fault, times));
        }
        let worker = world.start(handler);
        until_done(&world).await;
        let hours = hours_between(&ran);
        assert!((20.0..20.1).contains(&hours), "{faults:?}: {hours} h");
        assert_eq!(world.jobs.commits().len(), 1, "{faults:?}");
        worker.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn worker_that_dies_between_record_and_sending_is_made_good() {
    let world = World::new();
    world.send(["job"]).await;
    let message = world.queue.receive(1, HOUR, HOUR).await.expect("received");
    let now = world.clock.unix_seconds();
    let claim = Claim {
        job_id: "job".into(),
        token: "dead".into(),
        worker: "i-dead".into(),
        queue: "jobs".into(),
        message_id: message[0].id.clone(),
        ticket: None,
        sent_at: None,
        now,
        lease_seconds: 60.0,
        expires_at: 9_999_999_999,
    };
    world.jobs.claim(&claim).await.expect("claimed");
    let finish = Finish {
        job_id: "job".into(),
        token: "dead".into(),
        over: Over::Lease,
        at: now,
        expires_at: 9_999_999_999,
        ending: Ending::PutOff {
            reason: "not yet".into(),
            ticket: "ticket".into(),
            until: now + 20.0 * 3600.0,
        },
    };
    world.jobs.finish(&finish, &[]).await.expect("put off");
    let (handler, ran) = puts_off(&world, 20 * HOUR);
    let worker = world.start(handler);
    until_done(&world).await;
    let ran = ran.lock().expect("no panic").clone();
    assert_eq!(ran.len(), 1, "{ran:?}");
    let hours = (ran[0] - now) / 3600.0;
    assert!((20.0..20.1).contains(&hours), "{hours} h");
    worker.end().await;
}

#[tokio::test(start_paused = true)]
async fn delay_within_twelve_hours_keeps_the_message() {
    let world = World::new();
    let (handler, ran) = puts_off(&world, 11 * HOUR);
    world.send(["job"]).await;
    let sent = world.queue.calls(Call::Send);
    let worker = world.start(handler);
    until_done(&world).await;
    assert_eq!(world.queue.calls(Call::Send), sent);
    let hours = hours_between(&ran);
    assert!((11.0..11.01).contains(&hours), "{hours} h");
    worker.end().await;
}

#[tokio::test(start_paused = true)]
async fn second_message_with_the_ticket_is_kept_until_the_job_has_ended() {
    let world = World::new();
    let clock = world.clock;
    let began = clock.unix_seconds();
    let handler = move |_job: Job, ctx: Context| async move {
        if ctx.attempt() == 1 {
            return Outcome::Retry {
                after: Some(20 * HOUR),
                reason: "not yet".into(),
            };
        }
        pause(HOUR / 10).await;
        Outcome::Done("at last".into())
    };
    world.send(["job"]).await;
    world.queue.plan_faults(Call::Send, [Fault::AnswerLost]);
    let worker = world.start(handler);
    pause(20 * HOUR + HOUR / 20).await;
    assert_eq!(world.state("job"), Some(JobState::Running));
    assert_eq!(world.queue.len(), 2, "the one that runs, and its twin");
    until_done(&world).await;
    let hours = (clock.unix_seconds() - began) / 3600.0;
    assert!(hours > 30.0, "the twin came again: {hours} h");
    assert_eq!(world.jobs.commits().len(), 1);
    worker.end().await;
}
