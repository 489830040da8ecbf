//! Handlers in Rust: bodies with types, errors that `?` passes on, and what a handler may say and
//! hear besides, by a whole worker over memory on a paused clock.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use support::{SECOND, World};
use weir_protocol::{JobRecord, JobState};
use weir_worker::clock::pause;
use weir_worker::memory::Call;
use weir_worker::queue::{Attribute, JOB_ID_ATTRIBUTE, Outgoing, Queue};
use weir_worker::{CancelCause, Context, Failure, Handler, Job, Outcome, json};

#[derive(Deserialize)]
struct Order {
    width: u32,
}

#[derive(Serialize)]
struct Made {
    name: String,
    area: u32,
}

impl World {
    async fn send_body(&self, body: &str) {
        let id = Attribute::string("job-1");
        let message = Outgoing {
            body: body.into(),
            attributes: [(JOB_ID_ATTRIBUTE.to_owned(), id)].into(),
            ..Outgoing::default()
        };
        self.queue.send(&[message]).await.unwrap();
    }

    /// The record of the one job with this body, once it has ended.
    async fn ended(self, body: &str, handler: impl Handler) -> JobRecord {
        self.send_body(body).await;
        let working = self.start(handler);
        let ended = |world: &Self| world.state("job-1").is_some_and(JobState::is_final);
        self.until("the job has ended", ended).await;
        working.end().await;
        self.record("job-1").unwrap()
    }
}

/// The record of a job that ends badly.
async fn reason_of(body: &str, handler: impl Handler) -> String {
    let mut world = World::new();
    world.settings.max_attempts = 1;
    let record = world.ended(body, handler).await;
    assert_eq!(record.state, JobState::Failed);
    record.reason.unwrap()
}

#[tokio::test(start_paused = true)]
async fn body_is_read_and_result_written_as_json() {
    let handler = json(|job: Job<Order>, _ctx| async move {
        let area = job.body.width * job.body.width;
        Ok(Made { name: job.id, area })
    });
    let record = World::new().ended(r#"{"width":3}"#, handler).await;
    assert_eq!(record.state, JobState::Succeeded);
    assert_eq!(record.result.unwrap(), r#"{"name":"job-1","area":9}"#);
}

#[tokio::test(start_paused = true)]
async fn body_that_does_not_parse_is_given_up_at_once_with_its_place() {
    let handler = || json(|job: Job<Order>, _ctx| async move { Ok(job.body.width) });
    let record = World::new()
        .ended("{\"width\":\n\"wide\"}", handler())
        .await;
    assert_eq!((record.state, record.attempt), (JobState::Failed, 1));
    insta::assert_snapshot!(record.reason.unwrap(), @r#"the body is not what is expected: invalid type: string "wide", expected u32 at line 2 column 6"#);
    let cut_off = reason_of("{\"width\":", handler()).await;
    insta::assert_snapshot!(cut_off, @"the body is not what is expected: EOF while parsing a value at line 1 column 9");
}

#[derive(Debug, thiserror::Error)]
#[error("the picture could not be fetched")]
struct FetchError(#[source] std::io::Error);

fn fetch() -> Result<u32, FetchError> {
    let source = std::io::Error::other("the disk is full");
    Err(FetchError(source))
}

#[tokio::test(start_paused = true)]
async fn question_mark_is_a_retry_with_all_causes() {
    let handler = json(|_job: Job<Order>, ctx: Context| async move {
        if ctx.attempt() == 1 {
            fetch()?;
        }
        Ok(ctx.attempt())
    });
    let record = World::new().ended(r#"{"width":3}"#, handler).await;
    assert_eq!(record.result.as_deref(), Some("2"));
    let always = json(|_job: Job<Order>, _ctx| async move { Ok(fetch()?) });
    let reason = reason_of(r#"{"width":3}"#, always).await;
    assert!(
        reason.ends_with("the picture could not be fetched: the disk is full"),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn errors_of_every_common_kind_pass() {
    fn boxed() -> Result<(), Box<dyn Error + Send + Sync>> {
        Err("boxed".into())
    }
    fn any() -> anyhow::Result<()> {
        Err(anyhow::anyhow!("below").context("above"))
    }
    let handler = json(|job: Job<u32>, _ctx| async move {
        match job.body {
            0 => boxed()?,
            1 => any()?,
            2 => Err("a text")?,
            _ => Err(format!("a text of {}", job.id))?,
        }
        Ok(())
    });
    let handler = Arc::new(handler);
    for (body, words) in [
        ("0", "boxed"),
        ("1", "above: below"),
        ("2", "a text"),
        ("3", "a text of job-1"),
    ] {
        let handler = Arc::clone(&handler);
        let shared = move |job: Job, ctx: Context| {
            let handler = Arc::clone(&handler);
            async move { handler.handle(job, ctx).await }
        };
        let reason = reason_of(body, shared).await;
        assert!(reason.ends_with(words), "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn failure_says_when_and_whether_to_try_again() {
    let poison = json(|_job: Job<Order>, _ctx| async move {
        Err::<(), _>(Failure::poison(FetchError(std::io::Error::other("no"))).context("job"))
    });
    let record = World::new().ended(r#"{"width":3}"#, poison).await;
    assert_eq!((record.state, record.attempt), (JobState::Failed, 1));
    let reason = record.reason.unwrap();
    assert_eq!(reason, "job: the picture could not be fetched: no");

    let world = World::new();
    let began = world.clock.instant();
    let later = json(|_job: Job<Order>, ctx: Context| async move {
        match ctx.attempt() {
            1 => Err(Failure::retry_after(1000 * SECOND, "not yet")),
            attempt => Ok(attempt),
        }
    });
    let record = world.clone().ended(r#"{"width":3}"#, later).await;
    assert_eq!(record.state, JobState::Succeeded);
    let took = world.clock.instant() - began;
    assert!((1000 * SECOND..1100 * SECOND).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn sender_may_ask_for_less_time() {
    let world = World::new();
    let began = world.clock.instant();
    let attributes = [
        (JOB_ID_ATTRIBUTE, Attribute::string("job-1")),
        ("WeirTimeout", Attribute::string("20s")),
    ];
    let message = Outgoing {
        body: "body".into(),
        attributes: attributes
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        ..Outgoing::default()
    };
    world.queue.send(&[message]).await.unwrap();
    let told = Arc::new(AtomicBool::new(false));
    let heard = Arc::clone(&told);
    let working = world.start(move |_job: Job, ctx: Context| {
        let heard = Arc::clone(&heard);
        async move {
            assert_eq!(ctx.cancelled().await, CancelCause::Timeout);
            heard.store(true, Ordering::SeqCst);
            Outcome::Done(String::new())
        }
    });
    let is_told = |_: &World| told.load(Ordering::SeqCst);
    world.until("the job is told to stop", is_told).await;
    let took = world.clock.instant() - began;
    assert!((20 * SECOND..25 * SECOND).contains(&took), "{took:?}");
    working.end().await;
}

async fn shout(job: Job, _ctx: Context) -> Result<String, Failure> {
    if job.body.is_empty() {
        fetch()?;
    }
    Ok(job.body.to_uppercase())
}

#[tokio::test(start_paused = true)]
async fn plain_function_may_return_a_result() {
    let record = World::new().ended("hello", shout).await;
    assert_eq!(record.result.as_deref(), Some("HELLO"));
}

#[tokio::test(start_paused = true)]
async fn job_handed_back_does_not_use_up_attempts() {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let record = World::new()
        .ended("", move |_job: Job, ctx: Context| {
            let call = counted.fetch_add(1, Ordering::SeqCst);
            async move {
                assert_eq!(ctx.attempt(), 1);
                let reason = "the licence server is away".to_owned();
                let after = 2 * SECOND;
                if call < 20 {
                    Outcome::HandBack { after, reason }
                } else {
                    Outcome::Done(String::new())
                }
            }
        })
        .await;
    assert_eq!(calls.load(Ordering::SeqCst), 21);
    assert_eq!((record.state, record.attempt), (JobState::Succeeded, 1));
}

/// Ready when it is told.
struct Eventually(Arc<AtomicBool>);

#[async_trait]
impl Handler for Eventually {
    async fn handle(&self, job: Job, _ctx: Context) -> Outcome {
        Outcome::Done(job.body)
    }

    async fn ready(&self) {
        while !self.0.load(Ordering::SeqCst) {
            pause(SECOND).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_fetched_before_the_handler_is_ready() {
    let world = World::new();
    world.send(["job-1"]).await;
    let ready = Arc::new(AtomicBool::new(false));
    let working = world.start(Eventually(Arc::clone(&ready)));
    pause(300 * SECOND).await;
    assert_eq!(world.queue.calls(Call::Receive), 0);
    ready.store(true, Ordering::SeqCst);
    world.until_empty().await;
    assert_eq!(world.record("job-1").unwrap().attempt, 1);
    working.end().await;

    world.send(["job-2"]).await;
    let receives = world.queue.calls(Call::Receive);
    let never = world.start(Eventually(Arc::default()));
    pause(30 * SECOND).await;
    let asked = world.clock.instant();
    never.end().await;
    assert_eq!(world.queue.calls(Call::Receive), receives);
    assert!(world.clock.instant() - asked < 5 * SECOND, "it just leaves");
}

#[tokio::test(start_paused = true)]
async fn handler_hears_of_the_drain_and_may_hand_its_job_back() {
    let world = World::new();
    world.send(["job-1"]).await;
    let working = world.start(|_job: Job, ctx: Context| async move {
        assert!(!ctx.is_draining());
        ctx.draining().await;
        assert!(ctx.is_draining() && !ctx.is_cancelled());
        Outcome::HandBack {
            after: SECOND,
            reason: "saved up to page 7".into(),
        }
    });
    let runs = |world: &World| world.state("job-1") == Some(JobState::Running);
    world.until("the job runs", runs).await;
    let asked = world.clock.instant();
    working.end().await;
    assert!(world.clock.instant() - asked < 30 * SECOND);
    let record = world.record("job-1").unwrap();
    assert_eq!((record.state, record.attempt), (JobState::Waiting, 0));
    assert_eq!(record.reason.as_deref(), Some("saved up to page 7"));
}
