//! Everything goes wrong at once, with the real worker, and nothing is lost or committed twice.
//!
//! Faults are drawn from a seed and counted; the audit leans on the database's own history and on
//! marks that completions leave, not on what workers say. The summary is printed.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
#![allow(
    clippy::disallowed_methods,
    reason = "real programs pass real time; every wait has a deadline"
)]

mod common;

use std::time::{Duration, Instant};

use common::chaos::{Deed, STANDSTILL, Storm};
use common::exec_worker;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokio::time::{sleep, sleep_until};
use weir_sandbox::faults::{Fault, FaultPlan, Service};

const SEED: u64 = 20_261_124;

/// Of every kind, and of most kinds so many that they come through the SDK's own retries.
const PLAN: &str = r#"{
  "seed": 20261124,
  "spell": "500ms",
  "rates": {
    "sqs": {"throttled": 0.02, "server_error": 0.02, "entries_failed": 0.1, "duplicated": 0.08,
            "early_again": 0.05, "reordered": 0.2, "hung": 0.006, "unreached": 0.02,
            "answer_lost": 0.03},
    "dynamodb": {"throttled": 0.01, "server_error": 0.01, "conflict": 0.03, "unreached": 0.02,
                 "answer_lost": 0.03, "hung": 0.002},
    "s3": {"throttled": 0.02, "server_error": 0.02, "unreached": 0.02, "answer_lost": 0.02},
    "metadata": {"server_error": 0.1, "token_refused": 0.1, "unreached": 0.05}
  }
}"#;

/// How long services are away.
const AWAY: Duration = Duration::from_secs(30);

/// From the end of the outages: half a minute does on an idle machine.
const PATIENCE: Duration = Duration::from_mins(4);

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_committed_twice_whatever_goes_wrong() {
    let storm = Storm::start(PLAN.parse().unwrap()).await;
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    storm.send("early", 180, &mut rng).await;
    storm.ground.set_desired(3).await;
    storm.until_running(3).await;
    storm.faults.take_away(Service::S3, AWAY);
    sleep(SECOND).await;
    storm.strike(Deed::StandStill, &mut rng).await;
    sleep(STANDSTILL).await;
    storm.go_on();
    storm.strike(Deed::Kill, &mut rng).await;

    storm.faults.take_away(Service::DynamoDb, AWAY);
    let back = Instant::now() + AWAY;
    storm.send("late", 70, &mut rng).await;
    for deed in [Deed::Kill, Deed::TermTwice, Deed::StandStill] {
        storm.strike(deed, &mut rng).await;
        sleep(3 * SECOND).await;
    }
    sleep_until(back.into()).await;
    storm.go_on();
    storm.send("last", 70, &mut rng).await;

    for deed in [Deed::StandStill, Deed::Kill, Deed::TermTwice, Deed::Kill] {
        storm.strike(deed, &mut rng).await;
        sleep(STANDSTILL / 3).await;
    }
    storm.go_on();
    storm.until_settled(PATIENCE).await;
    let audit = storm.audit().await;
    storm.print("chaos: every kind of fault at once", &audit);
    audit.assert_good();
    for (service, fault) in EVERY_FAULT {
        let counts = storm.faults.counts();
        assert!(
            counts.contains_key(&(service, fault)),
            "no {service} {fault}"
        );
    }
    storm.ground.sandbox.shutdown().await;
}

/// What must have been injected, or the test shows less than it says.
const EVERY_FAULT: [(Service, Fault); 16] = [
    (Service::Sqs, Fault::Throttled),
    (Service::Sqs, Fault::ServerError),
    (Service::Sqs, Fault::EntriesFailed),
    (Service::Sqs, Fault::Duplicated),
    (Service::Sqs, Fault::EarlyAgain),
    (Service::Sqs, Fault::Reordered),
    (Service::Sqs, Fault::Unreached),
    (Service::Sqs, Fault::AnswerLost),
    (Service::DynamoDb, Fault::Throttled),
    (Service::DynamoDb, Fault::ServerError),
    (Service::DynamoDb, Fault::Unreached),
    (Service::DynamoDb, Fault::AnswerLost),
    (Service::DynamoDb, Fault::Away),
    (Service::S3, Fault::Away),
    (Service::Metadata, Fault::ServerError),
    (Service::Metadata, Fault::TokenRefused),
];

/// One job, its worker stopped until another has taken over: back again, it cannot end the job.
async fn zombie(storm: Storm, title: &str) {
    storm.ground.set_desired(2).await;
    storm.until_running(2).await;
    storm.send_one("job", 2500).await;
    let first = storm.runs("job", "").await;
    let zombie = first.worker.unwrap_or_default();
    storm.strike_at(&zombie, Deed::StandStill);
    let token = first.token.unwrap_or_default();
    let second = storm.runs("job", &token).await;
    storm.go_on();
    storm.until_settled(PATIENCE).await;
    let refused = "another attempt took the job over";
    storm
        .ground
        .until("the zombie is refused", 20 * SECOND, async || {
            storm.logged(refused) > 0
        })
        .await;
    let audit = storm.audit().await;
    storm.print(title, &audit);
    audit.assert_good();
    assert_eq!((audit.attempts, audit.commits), (2, 1));
    let record = &storm.ground.records().await["job"];
    assert_ne!(second.worker.as_deref(), Some(zombie.as_str()));
    assert_eq!(
        (&record.worker, &record.token),
        (&second.worker, &second.token)
    );
    storm.ground.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn zombie_that_comes_back_is_refused() {
    let storm = Storm::start(FaultPlan::default()).await;
    zombie(
        storm,
        "chaos: a worker stopped past its lease, then let go on",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn zombie_whose_command_went_on_is_refused() {
    // The command is in a process group of its own: it ends while its worker stands still.
    let worker = exec_worker("sleep 2.5; echo \"$WEIR_TOKEN\"");
    let storm = Storm::start_with(worker, FaultPlan::default()).await;
    zombie(storm, "chaos: the same with a command for a handler").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn second_sigterm_changes_nothing() {
    let storm = Storm::start(FaultPlan::default()).await;
    storm.ground.set_desired(1).await;
    storm.until_running(1).await;
    storm.send_one("job", 4000).await;
    let worker = storm.runs("job", "").await.worker.unwrap_or_default();
    storm.strike_at(&worker, Deed::TermTwice);
    sleep(SECOND).await;
    storm.strike_at(&worker, Deed::TermTwice);
    storm.until_settled(PATIENCE).await;
    let record = &storm.ground.records().await["job"];
    assert_eq!(
        (record.worker.as_deref(), record.attempt),
        (Some(worker.as_str()), 1)
    );
    storm
        .ground
        .until("it has left in good order", 20 * SECOND, async || {
            storm.logged("worker ends") > 0
        })
        .await;
    storm.audit().await.assert_good();
    storm.ground.sandbox.shutdown().await;
}
