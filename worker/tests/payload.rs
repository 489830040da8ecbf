//! Bodies too large for a message, from the client through the worker and back out.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::{SECOND, World};
use weir_protocol::JobState;
use weir_worker::client::{Client, NewJob, Offload, SubmitError};
use weir_worker::memory::{Call, Fault, MemoryPayloads};
use weir_worker::payload::{ClaimCheck, Pointer, SIZE_ATTRIBUTE};
use weir_worker::queue::{Attribute, Outgoing, Queue};
use weir_worker::{Context, Job, Outcome};

const LIMIT: usize = 1000;

fn world() -> (World, Arc<MemoryPayloads>, Client) {
    let mut world = World::new();
    let payloads = Arc::new(MemoryPayloads::new());
    world.claim_check = Some(ClaimCheck::new(payloads.clone(), "bucket"));
    let offload = Offload {
        payloads: payloads.clone(),
        bucket: "bucket".into(),
        limit: LIMIT,
    };
    let queue: Arc<dyn Queue> = world.queue.clone();
    let client = Client::of(Some(queue), world.jobs.clone(), Some(offload), world.clock);
    (world, payloads, client)
}

fn large() -> String {
    "é".repeat(LIMIT)
}

/// Does every job, and gives what each was asked.
async fn do_all(world: &World) -> Vec<Job> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let shown = seen.clone();
    let working = world.start(move |job: Job, _ctx: Context| {
        shown.lock().unwrap().push(job);
        async { Outcome::Done("done".into()) }
    });
    world.until_empty().await;
    working.end().await;
    let seen = seen.lock().unwrap();
    seen.clone()
}

#[tokio::test(start_paused = true)]
async fn large_bodies_travel_by_the_bucket_and_leave_it_with_their_message() {
    let (world, payloads, client) = world();
    let mut job = NewJob::with_id("large", large());
    job.attributes
        .insert("Tenant".into(), Attribute::string("blue"));
    client.submit(job).await.unwrap();
    client.submit(NewJob::with_id("small", "s")).await.unwrap();
    assert_eq!(payloads.len(), 1, "only the large one");
    let sent = world.queue.contents();
    let size = sent[0].attributes[SIZE_ATTRIBUTE].text();
    assert_eq!(size, Some("2000"), "bytes, not characters");
    assert!(
        sent[0]
            .body
            .starts_with(r#"["software.amazon.payloadoffloading"#)
    );

    let mut jobs = do_all(&world).await;
    jobs.sort_by(|one, other| one.id.cmp(&other.id));
    assert_eq!(
        (jobs[0].body.clone(), jobs[1].body.as_str()),
        (large(), "s")
    );
    let names: Vec<&String> = jobs[0].attributes.keys().collect();
    assert_eq!(names, ["JobId", "Tenant"]);
    assert!(payloads.is_empty());
}

#[tokio::test(start_paused = true)]
async fn payload_stays_until_its_message_is_deleted() {
    let (world, payloads, client) = world();
    client
        .submit(NewJob::with_id("job", large()))
        .await
        .unwrap();
    let faults = [Fault::Unavailable; 3];
    world.queue.plan_faults(Call::Delete, faults);
    let working = world.start(|_job: Job, _ctx: Context| async { Outcome::Done("done".into()) });
    world
        .until("the message is deleted", |world| {
            assert!(payloads.len() >= world.queue.len(), "it went too early");
            world.queue.is_empty()
        })
        .await;
    assert_eq!(world.queue.calls(Call::Delete), 4);
    working.end().await;
    assert!(payloads.is_empty());
}

#[tokio::test(start_paused = true)]
async fn outage_of_the_bucket_costs_no_attempt_and_no_delivery() {
    let (world, payloads, client) = world();
    client
        .submit(NewJob::with_id("job", large()))
        .await
        .unwrap();
    payloads.plan_faults(Call::GetPayload, [Fault::Unavailable; 6]);
    let jobs = do_all(&world).await;
    assert_eq!(jobs[0].body, large());
    let record = world.record("job").unwrap();
    assert_eq!((record.state, record.attempt), (JobState::Succeeded, 1));
    assert_eq!(
        world.queue.calls(Call::ChangeVisibility),
        0,
        "never put back"
    );
}

#[tokio::test(start_paused = true)]
async fn long_outage_of_the_bucket_puts_the_message_back_without_counting_an_attempt() {
    let (world, payloads, client) = world();
    client
        .submit(NewJob::with_id("job", large()))
        .await
        .unwrap();
    payloads.plan_faults(Call::GetPayload, [Fault::Refused; 25]);
    let jobs = do_all(&world).await;
    assert_eq!(jobs.len(), 1);
    assert_eq!(world.record("job").unwrap().attempt, 1);
    assert!(payloads.is_empty());
}

#[tokio::test(start_paused = true)]
async fn missing_payloads_other_buckets_and_broken_pointers_are_poison_with_a_reason() {
    let (world, _payloads, _client) = world();
    let pointer = |bucket: &str| Pointer {
        bucket: bucket.into(),
        key: "no/such".into(),
    };
    let bodies = [
        (pointer("bucket").body(), "s3://bucket/no/such is gone"),
        (pointer("secrets").body(), "fetches from bucket only"),
        ("{}".into(), "ExtendedPayloadSize says"),
    ];
    for (body, expected) in bodies {
        let message = Outgoing {
            attributes: [Pointer::attribute(7)].into(),
            ..Outgoing::new(body)
        };
        world.queue.send(&[message]).await.unwrap();
        assert!(do_all(&world).await.is_empty(), "{expected}: it ran");
        let letter = world.queue.dead_letters().pop().unwrap();
        let reason = letter.attributes["WeirReason"].text().unwrap();
        assert!(reason.contains(expected), "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn payload_of_a_dead_letter_is_kept_with_its_pointer() {
    let (world, payloads, client) = world();
    client
        .submit(NewJob::with_id("job", large()))
        .await
        .unwrap();
    let working = world.start(|_job: Job, _ctx: Context| async {
        Outcome::Poison {
            reason: "bad".into(),
        }
    });
    world.until_empty().await;
    working.end().await;
    assert_eq!(payloads.len(), 1);
    let letter = world.queue.dead_letters().remove(0);
    let pointer = Pointer::of(&letter.body, &letter.attributes);
    assert_eq!(pointer.unwrap().unwrap().bucket, "bucket");
    // Moved back, it is done with its payload, which then goes.
    world.queue.send(&[letter]).await.unwrap();
    assert_eq!(do_all(&world).await[0].body, large());
    assert!(payloads.is_empty());
}

/// As a delay beyond what SQS knows is made: the message is sent once more, then deleted.
#[tokio::test(start_paused = true)]
async fn payload_of_a_message_that_is_sent_once_more_goes_with_the_last_copy() {
    let (world, payloads, client) = world();
    client
        .submit(NewJob::with_id("job", large()))
        .await
        .unwrap();
    let queue = world.checked_queue();
    for copies in [1, 0] {
        let taken = queue
            .receive(1, SECOND, 60 * SECOND)
            .await
            .unwrap()
            .remove(0);
        if copies > 0 {
            let again = Outgoing {
                attributes: taken.attributes,
                ..Outgoing::new(taken.body)
            };
            queue.send(&[again]).await.unwrap();
        }
        queue.delete(&[taken.receipt]).await.unwrap();
        assert_eq!(payloads.len(), copies);
    }
}

#[tokio::test(start_paused = true)]
async fn payload_of_a_message_that_was_refused_is_removed() {
    let (world, payloads, client) = world();
    world.queue.plan_faults(Call::Send, [Fault::Refused]);
    let refused = client.submit(NewJob::new(large())).await;
    assert!(matches!(refused, Err(SubmitError::Call(_))), "{refused:?}");
    assert!(payloads.is_empty());
    // Whether these were sent is not known.
    world.queue.plan_faults(Call::Send, [Fault::AnswerLost; 6]);
    let unknown = client.submit(NewJob::new(large())).await;
    assert!(unknown.is_err());
    assert_eq!(payloads.len(), 1);
    assert!(!do_all(&world).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn jobs_that_no_queue_would_take_are_refused_with_what_is_allowed() {
    let (world, _payloads, client) = world();
    let full = |count: usize| {
        let mut job = NewJob::new(large());
        let attributes = (0..count).map(|n| (format!("Own{n}"), Attribute::string("x")));
        job.attributes.extend(attributes);
        job
    };
    let mut reserved = NewJob::new("x");
    reserved
        .attributes
        .insert("WeirReason".into(), Attribute::string("x"));
    let cases = [
        (NewJob::new(""), "empty"),
        (NewJob::with_id("a b", "x"), "visible ASCII"),
        (reserved, "WeirReason"),
        (full(10), "9 are allowed"),
        (full(9), "8 are allowed"),
        (
            NewJob {
                delay: Duration::from_mins(16),
                ..NewJob::new("x")
            },
            "15 minutes",
        ),
        (
            NewJob {
                deduplication_id: Some("x".into()),
                ..NewJob::new("x")
            },
            "FIFO",
        ),
    ];
    let (jobs, expected): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    let answers = client.submit_all(jobs).await;
    for (answer, expected) in answers.into_iter().zip(expected) {
        let error = answer.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(world.queue.is_empty());
    let plain = Client::of(
        Some(world.queue.clone()),
        world.jobs.clone(),
        None,
        world.clock,
    );
    let error = plain.submit(NewJob::new("x".repeat(1 << 20))).await;
    assert!(error.unwrap_err().to_string().contains("--payload-bucket"));
}

#[tokio::test(start_paused = true)]
async fn results_are_waited_for_until_the_job_has_ended() {
    let (world, _payloads, client) = world();
    let id = client.submit(NewJob::new("x")).await.unwrap();
    assert_eq!(client.result(&id, SECOND).await, Ok(None));
    let working = world.start(|_job: Job, _ctx: Context| async {
        weir_worker::clock::pause(20 * SECOND).await;
        Outcome::Done("done".into())
    });
    let early = client.result(&id, SECOND).await.unwrap().unwrap();
    assert_eq!(early.state, JobState::Running);
    let ended = client.result(&id, 60 * SECOND).await.unwrap().unwrap();
    assert_eq!(ended.result.as_deref(), Some("done"));
    working.end().await;
}
