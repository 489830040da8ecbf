//! Whole workers that are killed between any two calls: a job is committed at most once and never
//! lost.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::TransactWriteItem;
use proptest::prelude::*;
use support::{SECOND, World};
use weir_protocol::{JobRecord, JobState};
use weir_worker::aws::CallError;
use weir_worker::clock::pause;
use weir_worker::jobs::{Jobs, JobsError};
use weir_worker::lease::{Claim, Claimed, Finish, Held, Reopen, Reopened};
use weir_worker::memory::{Call, Fault};
use weir_worker::queue::{Buried, Entries, Message, Outgoing, Queue, Visibility};
use weir_worker::{Context, Handler, Job, Outcome};

fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
}

/// A port whose process may die: after that its calls never return and have no effect.
struct Mortal<T> {
    port: Arc<T>,
    dead: Arc<AtomicBool>,
}

impl<T> Mortal<T> {
    async fn breath(&self) {
        if self.dead.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl<T: Queue> Queue for Mortal<T> {
    fn name(&self) -> &str {
        self.port.name()
    }

    async fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Message>, CallError> {
        self.breath().await;
        self.port.receive(max, wait, visibility).await
    }

    async fn delete(&self, receipts: &[String]) -> Result<Entries<()>, CallError> {
        self.breath().await;
        self.port.delete(receipts).await
    }

    async fn change_visibility(&self, changes: &[Visibility]) -> Result<Entries<()>, CallError> {
        self.breath().await;
        self.port.change_visibility(changes).await
    }

    async fn send(&self, messages: &[Outgoing]) -> Result<Entries<String>, CallError> {
        self.breath().await;
        self.port.send(messages).await
    }

    async fn bury(&self, message: &Outgoing) -> Result<Buried, CallError> {
        self.breath().await;
        self.port.bury(message).await
    }
}

#[async_trait]
impl<T: Jobs> Jobs for Mortal<T> {
    async fn claim(&self, claim: &Claim) -> Result<Claimed, JobsError> {
        self.breath().await;
        self.port.claim(claim).await
    }

    async fn extend(&self, job_id: &str, token: &str, lease_until: f64) -> Result<Held, JobsError> {
        self.breath().await;
        self.port.extend(job_id, token, lease_until).await
    }

    async fn finish(
        &self,
        finish: &Finish,
        writes: &[TransactWriteItem],
    ) -> Result<Held, JobsError> {
        self.breath().await;
        self.port.finish(finish, writes).await
    }

    async fn reopen(&self, reopen: &Reopen) -> Result<Reopened, JobsError> {
        self.breath().await;
        self.port.reopen(reopen).await
    }

    async fn write(&self, token: &str, writes: &[TransactWriteItem]) -> Result<(), JobsError> {
        self.breath().await;
        self.port.write(token, writes).await
    }

    async fn get(&self, job_id: &str) -> Result<Option<JobRecord>, JobsError> {
        self.breath().await;
        self.port.get(job_id).await
    }
}

/// A troubled life of a queue and its workers.
#[derive(Clone, Debug)]
struct Trouble {
    faults: Vec<(Call, Fault)>,
    /// When workers are killed, ms after one another.
    kills: Vec<u32>,
    /// When every message is delivered twice, ms.
    duplicates: Vec<u32>,
    job_millis: u64,
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let call = prop::sample::select(vec![
        Call::Receive,
        Call::Delete,
        Call::ChangeVisibility,
        Call::Bury,
        Call::Claim,
        Call::Extend,
        Call::Finish,
    ]);
    let fault = prop::sample::select(vec![
        Fault::Unavailable,
        Fault::AnswerLost,
        Fault::FirstEntry,
    ]);
    (
        prop::collection::vec((call, fault), 0..30),
        prop::collection::vec(1_u32..20_000, 0..5),
        prop::collection::vec(1_u32..20_000, 0..4),
        prop_oneof![Just(0_u64), 1_u64..15_000],
    )
        .prop_map(|(faults, kills, duplicates, job_millis)| Trouble {
            faults,
            kills,
            duplicates,
            job_millis,
        })
}

fn handler(millis: u64) -> impl Handler {
    move |job: Job, ctx: Context| async move {
        pause(Duration::from_millis(millis)).await;
        match job.id.as_str() {
            "poison" => Outcome::Poison {
                reason: "poison".into(),
            },
            "second-time" if ctx.attempt() == 1 => Outcome::Retry {
                after: None,
                reason: "first".into(),
            },
            _ => Outcome::Done(ctx.token().to_owned()),
        }
    }
}

async fn live_through(trouble: Trouble) -> Result<(), TestCaseError> {
    let mut world = World::new();
    world.settings.slots = 3;
    world.settings.visibility = 10 * SECOND;
    world.settings.max_attempts = 1000;
    let jobs = ["a", "b", "c", "d", "e", "poison", "second-time"];
    world.send(jobs).await;
    for (call, fault) in &trouble.faults {
        world.queue.plan_faults(*call, [*fault]);
        world.jobs.plan_faults(*call, [*fault]);
    }
    let start = |name: &str| {
        let dead = Arc::new(AtomicBool::new(false));
        let (queue, jobs) = (world.queue.clone(), world.jobs.clone());
        let queue = Arc::new(Mortal {
            port: queue,
            dead: dead.clone(),
        });
        let jobs = Arc::new(Mortal {
            port: jobs,
            dead: dead.clone(),
        });
        (
            world.start_with(handler(trouble.job_millis), name, queue, jobs),
            dead,
        )
    };
    let queue = world.queue.clone();
    let duplicates = trouble.duplicates.clone();
    tokio::spawn(async move {
        for millis in duplicates {
            pause(Duration::from_millis(millis.into())).await;
            queue.redeliver_all();
        }
    });
    let (_survivor, _) = start("survivor");
    let (mut _second, mut dead) = start("second");
    for millis in &trouble.kills {
        pause(Duration::from_millis((*millis).into())).await;
        dead.store(true, Ordering::SeqCst);
        (_second, dead) = start("second");
    }
    world.until_empty().await;
    let mut commits: Vec<String> = world.jobs.commits().into_iter().map(|(id, _)| id).collect();
    commits.sort();
    prop_assert_eq!(commits, ["a", "b", "c", "d", "e", "second-time"]);
    for (id, token) in world.jobs.commits() {
        let result = world.record(&id).and_then(|record| record.result);
        prop_assert_eq!(result, Some(token), "the result is another attempt's");
    }
    prop_assert_eq!(world.state("poison"), Some(JobState::Failed));
    let letters = world.queue.dead_letters();
    prop_assert!(!letters.is_empty(), "the poison is nowhere");
    for letter in letters {
        prop_assert_eq!(letter.body, "body of poison");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn workers_lose_nothing_and_commit_once(trouble in trouble()) {
        paused().block_on(live_through(trouble))?;
    }
}
