//! What users of other SQS consumers complained about for years, each held to a test here or by the
//! test that is named.
//!
//! | where | what | test |
//! | --- | --- | --- |
//! | awspring/spring-cloud-aws#1554, Particular/NServiceBus.AmazonSQS#1003 | no heartbeat | `duplicates::long_jobs_are_kept_by_batched_heartbeats` |
//! | bbc/sqs-consumer#229 | a slow message stalls its batch | `service::one_slow_job_stalls_only_its_slot` |
//! | bbc/sqs-consumer#567 | messages arrive after the stop | `drain::drain_finishes_what_runs_and_hands_back_what_arrives` |
//! | aws/aws-sdk-java-v2#1395, aws/aws-sdk-js#2350 | an aborted poll swallows messages | `open_poll_is_finished_and_not_aborted` |
//! | aws/elastic-beanstalk-roadmap#181 | polls go on after SIGTERM | `no_poll_begins_once_the_worker_leaves` |
//! | aws/elastic-beanstalk-roadmap#190 | the program cannot extend visibility | `long_failing_jobs_meet_their_retry_policy`: the worker extends it |
//! | aws/containers-roadmap#125, buildkite/elastic-ci-stack-for-aws#1399 | busy workers are killed at scale-in | the sandbox's `e2e_drain` |
//! | Particular/NServiceBus.AmazonSQS#1926 | past the visibility no retry policy applies | `long_failing_jobs_meet_their_retry_policy` |
//! | aws/aws-dotnet-messaging#327 | a call for each delete | `service::jobs_are_done_and_messages_deleted_in_batches` |
//! | aws/aws-dotnet-messaging#319 | a throttled delete is not repeated | `throttled_deletes_are_repeated_and_nothing_runs_again` |
//! | aws/aws-dotnet-messaging#323 | no backoff by failures | `backoff_grows_with_failures_and_not_with_deliveries` |
//! | celery/celery#8875, celery/kombu#1819 | fetched at shutdown, stuck for the timeout | `message_that_comes_while_the_worker_leaves_is_anothers_at_once` |
//! | celery/celery#7950 | fetched at shutdown, lost | the same |
//! | celery/celery#4002, #9492 | finished jobs come again after a shutdown | `jobs_that_finish_last_are_deleted_before_the_worker_ends` |
//! | awspring/spring-cloud-aws#925 | acknowledgements lost at shutdown | `deletes_that_fail_last_are_repeated_before_the_worker_ends` |
//! | celery/celery#5840, celery/kombu#1127 | consuming ends for good after an error | `errors_of_the_queue_never_end_the_polling` |
//! | awspring/spring-cloud-aws#1187 | a long job stops the polling | `thousands_flow_past_long_jobs` |
//! | awspring/spring-cloud-aws#1251 | more is fetched than can be worked on | `nothing_is_fetched_without_a_free_slot` |
//! | awspring/spring-cloud-aws#481 | no rate limit | `flow::jobs_begin_no_faster_than_the_rate_limit` |
//! | Particular/NServiceBus.AmazonSQS#240 | no FIFO queues | `flow::fifo_group_keeps_its_order_through_a_retry_while_others_go_on` |
//! | ruby-shoryuken/shoryuken#921 | dead letters say nothing | `letters::letter_tells_first_and_last_error_attempts_worker_and_times` |
//! | aws-powertools/powertools-lambda-python#8386 | a live record is reclaimed | `live_lease_is_not_taken_over_however_often_the_message_comes` |
//! | aws-powertools/powertools-lambda-python#1038 | a dead one is stuck | `lease_of_a_dead_worker_is_taken_over_when_it_ends` |
//! | awslabs/aws-sdk-rust#1094, vectordotdev/vector#20017 | a receive never returns | `receive_that_is_never_answered_is_given_up` |
//! | DataBiosphere/azul#3708, seek-oss/skuba#1408 | deliveries that never ran use up the attempts | `deliveries_that_never_ran_use_up_no_attempts` |
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use support::{SECOND, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use weir_protocol::JobState;
use weir_worker::aws::CallError;
use weir_worker::clock::pause;
use weir_worker::memory::{Call, Fault, MemoryQueue};
use weir_worker::queue::{Buried, Entries, Message, Outgoing, Queue, Visibility};
use weir_worker::retry::Backoff;
use weir_worker::sqs::Sqs;
use weir_worker::{Context, Job, Outcome};

async fn no_op(_job: Job, _ctx: Context) -> Outcome {
    Outcome::Done(String::new())
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

/// A queue that tells receives that were dropped half-way.
struct Watched {
    queue: Arc<MemoryQueue>,
    begun: AtomicUsize,
    aborted: Arc<AtomicUsize>,
}

impl Watched {
    fn over(world: &World) -> Arc<Self> {
        Arc::new(Self {
            queue: world.queue.clone(),
            begun: AtomicUsize::new(0),
            aborted: Arc::default(),
        })
    }
}

/// Counts unless it is defused.
struct Fuse(Option<Arc<AtomicUsize>>);

impl Drop for Fuse {
    fn drop(&mut self) {
        if let Some(aborted) = &self.0 {
            aborted.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[async_trait]
impl Queue for Watched {
    fn name(&self) -> &str {
        self.queue.name()
    }

    async fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Message>, CallError> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let mut fuse = Fuse(Some(self.aborted.clone()));
        let answer = self.queue.receive(max, wait, visibility).await;
        fuse.0 = None;
        answer
    }

    async fn delete(&self, receipts: &[String]) -> Result<Entries<()>, CallError> {
        self.queue.delete(receipts).await
    }

    async fn change_visibility(&self, changes: &[Visibility]) -> Result<Entries<()>, CallError> {
        self.queue.change_visibility(changes).await
    }

    async fn send(&self, messages: &[Outgoing]) -> Result<Entries<String>, CallError> {
        self.queue.send(messages).await
    }

    async fn bury(&self, message: &Outgoing) -> Result<Buried, CallError> {
        self.queue.bury(message).await
    }
}

/// A table that names tests which are no more would promise what nobody holds.
#[test]
fn every_test_that_is_named_is_there() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let table = include_str!("complaints.rs").lines();
    let rows = table.filter_map(|line| line.strip_prefix("//! | ")?.rsplit(" | ").next());
    let named = rows.filter_map(|cell| cell.split('`').nth(1));
    let named = named.filter(|name| *name != "e2e_drain");
    let mut found = 0;
    for name in named {
        let (file, case) = name.split_once("::").unwrap_or(("complaints", name));
        let tests = std::fs::read_to_string(folder.join(format!("{file}.rs"))).unwrap();
        assert!(tests.contains(&format!("fn {case}(")), "{name} is nowhere");
        found += 1;
    }
    assert!(found > 20, "{found} tests are named");
}

#[tokio::test(start_paused = true)]
async fn open_poll_is_finished_and_not_aborted() {
    let world = World::new();
    let queue = Watched::over(&world);
    let working = world.start_with(no_op, "i-1", queue.clone(), world.jobs.clone());
    pause(5 * SECOND).await;
    let began = world.clock.instant();
    working.end().await;
    assert_eq!(queue.aborted.load(Ordering::SeqCst), 0);
    let took = (world.clock.instant() - began).as_secs();
    assert!((14..=20).contains(&took), "the poll had 15 s left: {took}");
}

#[tokio::test(start_paused = true)]
async fn no_poll_begins_once_the_worker_leaves() {
    let mut world = World::new();
    world.settings.slots = 8;
    world.send(["long"]).await;
    let queue = Watched::over(&world);
    let long = |_job: Job, _ctx: Context| async {
        pause(100 * SECOND).await;
        Outcome::Done(String::new())
    };
    let working = world.start_with(long, "i-1", queue.clone(), world.jobs.clone());
    pause(5 * SECOND).await;
    let begun = queue.begun.load(Ordering::SeqCst);
    let summary = working.end().await;
    assert_eq!(queue.begun.load(Ordering::SeqCst), begun);
    assert_eq!(summary.completed, 1, "and the job was finished");
}

#[tokio::test(start_paused = true)]
async fn long_failing_jobs_meet_their_retry_policy() {
    let mut world = World::new();
    world.settings.visibility = 10 * SECOND;
    world.settings.max_attempts = 3;
    world.send(["job"]).await;
    let working = world.start(|_job: Job, _ctx: Context| async {
        pause(65 * SECOND).await;
        retry("too hard")
    });
    world.until_empty().await;
    working.end().await;
    assert_eq!(
        world.jobs.calls(Call::Claim),
        3,
        "no delivery but for a retry"
    );
    let record = world.record("job").unwrap();
    assert_eq!((record.state, record.attempt), (JobState::Failed, 3));
    assert_eq!(world.queue.dead_letters().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn throttled_deletes_are_repeated_and_nothing_runs_again() {
    let world = World::new();
    world.send(ids(4)).await;
    world
        .queue
        .plan_faults(Call::Delete, [Fault::Unavailable; 6]);
    let working = world.start(no_op);
    world.until_empty().await;
    working.end().await;
    assert_eq!(world.jobs.calls(Call::Claim), 4);
    assert_eq!(world.jobs.commits().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn backoff_grows_with_failures_and_not_with_deliveries() {
    let mut world = World::new();
    let base = 8 * SECOND;
    world.settings.retry = Backoff {
        base,
        cap: 3600 * SECOND,
    };
    world.settings.max_attempts = 8;
    world.send(["job"]).await;
    // Deliveries that come to nothing: somebody took the message and gave it back.
    for _ in 0..30 {
        let taken = world.queue.receive(1, SECOND, Duration::ZERO).await;
        assert_eq!(taken.unwrap().len(), 1);
    }
    let times: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let (noted, clock) = (times.clone(), world.clock);
    let working = world.start(move |_job: Job, _ctx: Context| {
        noted.lock().unwrap().push(clock.instant());
        async { retry("no luck") }
    });
    world.until_empty().await;
    working.end().await;
    let times = times.lock().unwrap().clone();
    assert_eq!(times.len(), 8, "thirty deliveries used up no attempt");
    for (failures, pair) in times.windows(2).enumerate() {
        let most = base * (1 << failures) + 2 * SECOND;
        let waited = pair[1] - pair[0];
        assert!(waited <= most, "after {failures} failures more: {waited:?}");
    }
    let all = times[7] - times[0];
    assert!(all > 2 * base, "seven backoffs took {all:?}");
}

#[tokio::test(start_paused = true)]
async fn message_that_comes_while_the_worker_leaves_is_anothers_at_once() {
    let world = World::new();
    let first = world.start(no_op);
    pause(2 * SECOND).await;
    first.leave();
    // The open poll takes it: SQS may have promised it to the poll already.
    world.send(["job"]).await;
    pause(SECOND).await;
    let began = world.clock.instant();
    let second = world.start(no_op);
    world.until_empty().await;
    let waited = world.clock.instant() - began;
    assert!(waited < 2 * SECOND, "not before {waited:?}");
    assert_eq!(first.ended().await.completed, 0);
    assert_eq!(second.end().await.completed, 1);
}

#[tokio::test(start_paused = true)]
async fn jobs_that_finish_last_are_deleted_before_the_worker_ends() {
    let mut world = World::new();
    world.settings.slots = 10;
    world.send(ids(10)).await;
    let working = world.start(|_job: Job, ctx: Context| async move {
        // At the very end: told of the drain, each returns at once.
        ctx.draining().await;
        Outcome::Done(String::new())
    });
    pause(5 * SECOND).await;
    let summary = working.end().await;
    assert_eq!(summary.completed, 10);
    assert!(world.queue.is_empty(), "all their messages are deleted");
}

#[tokio::test(start_paused = true)]
async fn deletes_that_fail_last_are_repeated_before_the_worker_ends() {
    let mut world = World::new();
    world.settings.slots = 10;
    world.send(ids(10)).await;
    let faults = [Fault::Unavailable, Fault::FirstEntry, Fault::AnswerLost];
    world.queue.plan_faults(Call::Delete, faults);
    let working = world.start(|_job: Job, _ctx: Context| async {
        pause(10 * SECOND).await;
        Outcome::Done(String::new())
    });
    pause(5 * SECOND).await;
    let summary = working.end().await;
    assert_eq!(summary.completed, 10);
    assert!(world.queue.is_empty(), "all their messages are deleted");
}

#[tokio::test(start_paused = true)]
async fn errors_of_the_queue_never_end_the_polling() {
    let world = World::new();
    let both = [Fault::Unavailable, Fault::Refused];
    let hours = both.into_iter().cycle().take(1000);
    world.queue.plan_faults(Call::Receive, hours);
    world.send(["job"]).await;
    let working = world.start(no_op);
    world.until_empty().await;
    assert_eq!(working.end().await.completed, 1);
    assert!(world.queue.calls(Call::Receive) > 1000);
}

#[tokio::test(start_paused = true)]
async fn thousands_flow_past_long_jobs() {
    let mut world = World::new();
    world.settings.slots = 4;
    world.send(["long-1", "long-2", "long-3"]).await;
    world.send(ids(2000)).await;
    let working = world.start(|job: Job, _ctx: Context| async move {
        let long = job.id.starts_with("long");
        pause(if long { 550 * SECOND } else { SECOND / 100 }).await;
        Outcome::Done(String::new())
    });
    let began = world.clock.instant();
    world
        .until("the quick ones are done", |w| {
            w.jobs.commits().len() == 2000
        })
        .await;
    assert!(world.clock.instant() - began < 120 * SECOND);
    working.end().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_fetched_without_a_free_slot() {
    let mut world = World::new();
    world.settings.slots = 3;
    world.send(ids(20)).await;
    let working = world.start(|_job: Job, _ctx: Context| async {
        pause(60 * SECOND).await;
        Outcome::Done(String::new())
    });
    pause(30 * SECOND).await;
    assert_eq!(world.queue.visible(), 17, "the rest is for others to take");
    world.until_empty().await;
    working.end().await;
}

#[tokio::test(start_paused = true)]
async fn live_lease_is_not_taken_over_however_often_the_message_comes() {
    let mut world = World::new();
    world.settings.visibility = 10 * SECOND;
    world.send(["job"]).await;
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    let handler = move |_job: Job, _ctx: Context| {
        counted.fetch_add(1, Ordering::SeqCst);
        async {
            pause(200 * SECOND).await;
            Outcome::Done(String::new())
        }
    };
    let holder = world.start(handler.clone());
    pause(SECOND).await;
    let (queue, jobs) = (world.queue.clone(), world.jobs.clone());
    let other = world.start_with(handler, "i-2", queue, jobs);
    for _ in 0..30 {
        pause(5 * SECOND).await;
        world.queue.redeliver_all();
    }
    world.until_empty().await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert_eq!(world.record("job").unwrap().attempt, 1);
    holder.end().await;
    other.end().await;
}

#[tokio::test(start_paused = true)]
async fn lease_of_a_dead_worker_is_taken_over_when_it_ends() {
    let mut world = World::new();
    world.settings.visibility = 30 * SECOND;
    world.send(["job"]).await;
    let dead = world.start(no_op);
    world.until_empty().await;
    dead.end().await;
    let mut record = world.record("job").unwrap();
    record.state = JobState::Running;
    record.token = Some("of the dead".into());
    record.lease_until = Some(world.clock.unix_seconds() + 30.0);
    record.result = None;
    world.jobs.put(record);
    world.send(["job"]).await;
    let began = world.clock.instant();
    let working = world.start(no_op);
    world.until_empty().await;
    let waited = (world.clock.instant() - began).as_secs();
    assert!((30..40).contains(&waited), "after {waited} s");
    working.end().await;
    assert_eq!(world.state("job"), Some(JobState::Succeeded));
}

/// A service that answers every call but `ReceiveMessage`.
async fn silent_service() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(answer_all_but_receives(stream));
        }
    });
    url
}

async fn answer_all_but_receives(mut stream: TcpStream) {
    let mut heard = Vec::new();
    let mut part = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut part).await {
        heard.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&heard).into_owned();
        if text.contains("ReceiveMessage") {
            continue;
        }
        if text.contains("\r\n\r\n{") && text.ends_with('}') {
            heard.clear();
            let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\n\
                          content-length: 2\r\n\r\n{}";
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn receive_that_is_never_answered_is_given_up() {
    let url = silent_service().await;
    let credentials = aws_sdk_sqs::config::Credentials::new("test", "test", None, None, "test");
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version_latest()
        .region(aws_sdk_sqs::config::Region::new("eu-west-1"))
        .credentials_provider(credentials)
        .endpoint_url(&url)
        .build();
    let client = aws_sdk_sqs::Client::from_conf(config);
    let queue_url = format!("{url}/000000000000/jobs");
    let queue = Sqs::find(client, &queue_url).await.unwrap();
    // From here on time passes only while everybody waits.
    tokio::time::pause();
    let receive = queue.receive(10, 20 * SECOND, 60 * SECOND);
    let answer = tokio::time::timeout(3600 * SECOND, receive).await;
    let error = answer.expect("given up within an hour").unwrap_err();
    assert!(matches!(error, CallError::Unavailable { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn deliveries_that_never_ran_use_up_no_attempts() {
    let mut world = World::new();
    world.settings.max_attempts = 3;
    world.settings.visibility = 10 * SECOND;
    world.send(["job"]).await;
    // Worker after worker is throttled by the tables until it leaves.
    for _ in 0..10 {
        world
            .jobs
            .plan_faults(Call::Claim, vec![Fault::Unavailable; 3]);
        let working = world.start(no_op);
        pause(Duration::from_millis(300)).await;
        working.end().await;
    }
    // And others took the message and did nothing.
    for _ in 0..40 {
        let taken = world.queue.receive(1, SECOND, Duration::ZERO).await;
        drop(taken.unwrap());
    }
    let working = world.start(no_op);
    world
        .until("it has ended", |world| {
            world.state("job").is_some_and(JobState::is_final)
        })
        .await;
    working.end().await;
    let record = world.record("job").unwrap();
    assert_eq!((record.state, record.attempt), (JobState::Succeeded, 1));
    assert!(world.queue.dead_letters().is_empty());
}
