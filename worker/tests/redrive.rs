//! Dead letters listed and sent back over memory, killed between any two steps.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::TransactWriteItem;
use support::{SECOND, World};
use tokio_util::sync::CancellationToken;
use weir_protocol::{JobRecord, JobState};
use weir_worker::aws::CallError;
use weir_worker::clock::pause;
use weir_worker::jobs::{Jobs, JobsError};
use weir_worker::lease::{Claim, Claimed, Finish, Held, Reopen, Reopened};
use weir_worker::memory::{Call, Fault, MemoryQueue};
use weir_worker::queue::{Buried, Entries, Message, Outgoing, Queue, Visibility};
use weir_worker::redrive::{Filter, Found, Pace, Redrive, Tally};
use weir_worker::{Context, Job, Outcome};

fn dead(world: &World) -> Arc<MemoryQueue> {
    world.queue.dead_letter_queue().unwrap()
}

fn redrive(world: &World) -> Redrive {
    let source: Arc<dyn Queue> = world.queue.clone();
    Redrive {
        dead: dead(world),
        sources: BTreeMap::from([("jobs".to_owned(), source)]),
        jobs: Some(world.jobs.clone()),
        keep_records: Duration::from_hours(1),
        clock: world.clock,
    }
}

async fn list(world: &World, filter: &Filter) -> Vec<Found> {
    let never = CancellationToken::new();
    let listed = redrive(world).list(filter, 1000, &never).await;
    listed.unwrap()
}

async fn send_back(world: &World, filter: &Filter) -> Tally {
    let (redrive, pace) = (redrive(world), Pace::default());
    redrive.send_back(filter, &pace, &mut |_| {}).await.unwrap()
}

/// Lets every job fail, for a reason that names it.
async fn fail_all(world: &World) {
    let working = world.start(|job: Job, _ctx: Context| async move {
        Outcome::Poison {
            reason: format!("{} met a full disk", job.id),
        }
    });
    world.until_empty().await;
    working.end().await;
}

/// Does every job, and gives how often each ran.
async fn do_all(world: &World) -> BTreeMap<String, u32> {
    let runs = Arc::new(std::sync::Mutex::new(BTreeMap::new()));
    let counted = runs.clone();
    let working = world.start(move |job: Job, _ctx: Context| {
        *counted.lock().unwrap().entry(job.id).or_insert(0) += 1;
        async { Outcome::Done("done".into()) }
    });
    world.until_empty().await;
    working.end().await;
    let runs = runs.lock().unwrap();
    runs.clone()
}

/// A message as SQS's own redrive moves it: no word of ours, and its record as a crash left it.
async fn moved_by_sqs(world: &World, job_id: &str) {
    world.send([job_id]).await;
    let taken = world.queue.receive(1, Duration::ZERO, SECOND).await;
    let message = taken.unwrap().remove(0);
    let moved = Outgoing {
        attributes: message.attributes,
        ..Outgoing::new(message.body)
    };
    dead(world).send(&[moved]).await.unwrap();
    world.queue.delete(&[message.receipt]).await.unwrap();
    let claim = Claim {
        job_id: job_id.into(),
        token: "crashed".into(),
        worker: "i-9".into(),
        queue: "jobs".into(),
        message_id: "message".into(),
        ticket: None,
        sent_at: None,
        now: world.clock.unix_seconds() - 600.0,
        lease_seconds: 60.0,
        expires_at: i64::MAX,
    };
    let Claimed::Mine(mut record) = world.jobs.claim(&claim).await.unwrap() else {
        panic!("the job was there before");
    };
    record.attempt = 20;
    world.jobs.put(*record);
}

#[tokio::test(start_paused = true)]
async fn listing_shows_letters_oldest_first_and_leaves_them_visible() {
    let world = World::new();
    for id in ["one", "two"] {
        world.send([id]).await;
        fail_all(&world).await;
    }
    moved_by_sqs(&world, "silent").await;
    let found = list(&world, &Filter::default()).await;
    let jobs: Vec<&str> = found.iter().map(Found::job_id).collect();
    assert_eq!(jobs, ["one", "two", "silent"]);
    assert_eq!(found[0].reason(), Some("one met a full disk"));
    assert_eq!(found[2].reason(), None);
    assert_eq!(dead(&world).visible(), 3);
    let filter = Filter {
        reason: Some("TWO MET".into()),
        ..Filter::default()
    };
    let found = list(&world, &filter).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].queue(), Some("jobs"));
}

#[tokio::test(start_paused = true)]
async fn letters_sent_back_run_anew_and_only_those_that_were_meant() {
    let world = World::new();
    world.send((0..25).map(|n| format!("job-{n}"))).await;
    fail_all(&world).await;
    moved_by_sqs(&world, "silent").await;
    let filter = Filter {
        ids: ["job-3".to_owned(), "silent".to_owned()].into(),
        ..Filter::default()
    };
    let tally = send_back(&world, &filter).await;
    assert_eq!((tally.seen, tally.done), (26, 2), "{tally:?}");
    assert_eq!(dead(&world).visible(), 24);
    assert_eq!(world.record("silent").unwrap().attempt, 0);
    let runs = do_all(&world).await;
    assert_eq!(
        runs,
        BTreeMap::from([("job-3".into(), 1), ("silent".into(), 1)])
    );
    let tally = send_back(&world, &Filter::default()).await;
    assert_eq!((tally.seen, tally.done), (24, 24), "{tally:?}");
    assert!(dead(&world).is_empty());
    assert_eq!(do_all(&world).await.len(), 24);
    assert_eq!(world.jobs.commits().len(), 26);
}

#[tokio::test(start_paused = true)]
async fn jobs_that_succeeded_since_are_not_sent_and_running_ones_are_left() {
    let world = World::new();
    world.send(["again", "running"]).await;
    fail_all(&world).await;
    let letters = dead(&world).contents();
    world.send(["again"]).await;
    let mut record = world.record("again").unwrap();
    record.state = JobState::Succeeded;
    world.jobs.put(record);
    let mut record = world.record("running").unwrap();
    record.state = JobState::Running;
    record.lease_until = Some(world.clock.unix_seconds() + 60.0);
    world.jobs.put(record);
    let before = world.queue.len();
    let tally = send_back(&world, &Filter::default()).await;
    assert_eq!(
        (tally.done, tally.succeeded, tally.running),
        (0, 1, 1),
        "{tally:?}"
    );
    assert_eq!(world.queue.len(), before);
    assert_eq!(dead(&world).contents(), letters[1..]);
    assert_eq!(dead(&world).visible(), 1);
}

#[tokio::test(start_paused = true)]
async fn letters_of_other_queues_are_passed_over() {
    let world = World::new();
    world.send(["job"]).await;
    fail_all(&world).await;
    let mut redrive = redrive(&world);
    let source = redrive.sources.remove("jobs").unwrap();
    redrive.sources.insert("others".into(), source);
    let pace = Pace::default();
    let filter = Filter::default();
    let tally = redrive
        .send_back(&filter, &pace, &mut |_| {})
        .await
        .unwrap();
    assert_eq!((tally.seen, tally.done), (1, 0));
    assert_eq!(dead(&world).visible(), 1);
}

#[tokio::test(start_paused = true)]
async fn rate_is_kept_and_stopping_leaves_the_rest() {
    let world = World::new();
    world.send((0..30).map(|n| format!("job-{n}"))).await;
    fail_all(&world).await;
    let began = world.clock.instant();
    let stop = CancellationToken::new();
    let pace = Pace {
        per_second: Some(2.0),
        stop: stop.clone(),
    };
    let mut done = Vec::new();
    let mut progress = |tally: &Tally| {
        done.push(tally.done);
        if tally.done >= 10 {
            stop.cancel();
        }
    };
    let (redrive, filter) = (redrive(&world), Filter::default());
    let sent = redrive.send_back(&filter, &pace, &mut progress);
    let tally = sent.await.unwrap();
    assert!(tally.stopped);
    assert_eq!(done, [2, 4, 6, 8, 10]);
    assert_eq!((world.clock.instant() - began).as_secs(), 4);
    assert_eq!(dead(&world).visible(), 20);
}

#[tokio::test(start_paused = true)]
async fn calls_that_fail_are_tried_again_and_what_stays_refused_is_left_and_named() {
    let world = World::new();
    world.send(["job"]).await;
    fail_all(&world).await;
    world.jobs.plan_faults(Call::Reopen, [Fault::AnswerLost]);
    world.queue.plan_faults(Call::Send, [Fault::Refused]);
    let tally = send_back(&world, &Filter::default()).await;
    assert_eq!((tally.done, tally.failed.len()), (0, 1), "{tally:?}");
    assert_eq!(dead(&world).visible(), 1);
    world.queue.plan_faults(Call::Send, [Fault::Unavailable]);
    dead(&world).plan_faults(Call::Delete, [Fault::FirstEntry]);
    dead(&world).plan_faults(Call::Receive, [Fault::Unavailable]);
    let tally = send_back(&world, &Filter::default()).await;
    assert_eq!((tally.done, tally.doubled), (1, 0), "{tally:?}");
    assert_eq!(do_all(&world).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn dropped_letters_are_gone_and_others_stay() {
    let world = World::new();
    world.send(["one", "two"]).await;
    fail_all(&world).await;
    let filter = Filter {
        ids: ["one".to_owned()].into(),
        ..Filter::default()
    };
    let (redrive, pace) = (redrive(&world), Pace::default());
    let tally = redrive.drop_letters(&filter, &pace, &mut |_| {}).await;
    assert_eq!(tally.unwrap().done, 1);
    assert_eq!(list(&world, &Filter::default()).await[0].job_id(), "two");
    assert_eq!(world.state("one"), Some(JobState::Failed));
}

// ---- Killed between any two steps --------------------------------------------------------------

/// Ends the life of a redrive at one of its calls: before it has its effect, or after.
struct Fuse {
    calls: AtomicU64,
    at: u64,
    after: bool,
    blown: CancellationToken,
}

impl Fuse {
    async fn around<T>(&self, call: impl Future<Output = T>) -> T {
        let nth = self.calls.fetch_add(1, Ordering::SeqCst);
        if nth == self.at && self.after {
            call.await;
        } else if nth < self.at {
            return call.await;
        }
        self.blown.cancel();
        std::future::pending().await
    }
}

struct Fused<T> {
    port: Arc<T>,
    fuse: Arc<Fuse>,
}

#[async_trait]
impl<T: Queue> Queue for Fused<T> {
    fn name(&self) -> &str {
        self.port.name()
    }

    async fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Message>, CallError> {
        self.fuse
            .around(self.port.receive(max, wait, visibility))
            .await
    }

    async fn delete(&self, receipts: &[String]) -> Result<Entries<()>, CallError> {
        self.fuse.around(self.port.delete(receipts)).await
    }

    async fn change_visibility(&self, changes: &[Visibility]) -> Result<Entries<()>, CallError> {
        self.fuse.around(self.port.change_visibility(changes)).await
    }

    async fn send(&self, messages: &[Outgoing]) -> Result<Entries<String>, CallError> {
        self.fuse.around(self.port.send(messages)).await
    }

    async fn bury(&self, message: &Outgoing) -> Result<Buried, CallError> {
        self.fuse.around(self.port.bury(message)).await
    }
}

#[async_trait]
impl<T: Jobs> Jobs for Fused<T> {
    async fn claim(&self, claim: &Claim) -> Result<Claimed, JobsError> {
        self.port.claim(claim).await
    }

    async fn extend(&self, job_id: &str, token: &str, lease_until: f64) -> Result<Held, JobsError> {
        self.port.extend(job_id, token, lease_until).await
    }

    async fn finish(
        &self,
        finish: &Finish,
        writes: &[TransactWriteItem],
    ) -> Result<Held, JobsError> {
        self.port.finish(finish, writes).await
    }

    async fn reopen(&self, reopen: &Reopen) -> Result<Reopened, JobsError> {
        self.fuse.around(self.port.reopen(reopen)).await
    }

    async fn write(&self, token: &str, writes: &[TransactWriteItem]) -> Result<(), JobsError> {
        self.port.write(token, writes).await
    }

    async fn get(&self, job_id: &str) -> Result<Option<JobRecord>, JobsError> {
        self.fuse.around(self.port.get(job_id)).await
    }
}

/// Whether the redrive lived through it.
async fn send_back_with_fuse(world: &World, at: u64, after: bool) -> bool {
    let fuse = Arc::new(Fuse {
        calls: AtomicU64::new(0),
        at,
        after,
        blown: CancellationToken::new(),
    });
    let fused = |port| Fused {
        port,
        fuse: fuse.clone(),
    };
    let source: Arc<dyn Queue> = Arc::new(fused(world.queue.clone()));
    let mortal = Redrive {
        dead: Arc::new(fused(dead(world))),
        sources: BTreeMap::from([("jobs".to_owned(), source)]),
        jobs: Some(Arc::new(Fused {
            port: world.jobs.clone(),
            fuse: fuse.clone(),
        })),
        ..redrive(world)
    };
    let (filter, pace) = (Filter::default(), Pace::default());
    let mut progress = |_: &Tally| {};
    tokio::select! {
        biased;
        () = fuse.blown.cancelled() => false,
        sent = mortal.send_back(&filter, &pace, &mut progress) => sent.is_ok(),
    }
}

/// A worker may be at work all the while, or only once all letters are back.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Worker {
    Throughout,
    Afterwards,
}

async fn survives_a_crash(at: u64, after: bool, worker: Worker) -> bool {
    let world = World::new();
    world.send(["failed-1", "failed-2"]).await;
    fail_all(&world).await;
    moved_by_sqs(&world, "silent").await;
    let working = (worker == Worker::Throughout)
        .then(|| world.start(|_: Job, _: Context| async { Outcome::Done("done".into()) }));
    let lived = send_back_with_fuse(&world, at, after).await;
    // What the dead one held shows itself again.
    pause(61 * SECOND).await;
    send_back(&world, &Filter::default()).await;
    if let Some(working) = working {
        world.until_empty().await;
        working.end().await;
    }
    do_all(&world).await;
    let what = format!("killed at call {at}, after its effect: {after}, worker {worker:?}");
    assert!(dead(&world).is_empty(), "{what}: a letter is left");
    assert!(world.queue.is_empty(), "{what}: a message is left");
    for id in ["failed-1", "failed-2", "silent"] {
        assert_eq!(world.state(id), Some(JobState::Succeeded), "{what}: {id}");
        let commits = world.jobs.commits();
        let commits = commits.iter().filter(|(job, _)| job == id).count();
        assert_eq!(commits, 1, "{what}: {id}");
    }
    lived
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_or_done_twice_when_it_is_killed_between_any_two_steps() {
    for worker in [Worker::Throughout, Worker::Afterwards] {
        for after in [false, true] {
            let mut deaths = 0;
            while !survives_a_crash(deaths, after, worker).await {
                deaths += 1;
            }
            // At least: receive, three reopenings, a sending, a deletion.
            assert!(deaths >= 6, "only {deaths} steps were cut");
        }
    }
}
