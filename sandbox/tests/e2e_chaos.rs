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
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokio::time::{sleep, sleep_until};
use weir_sandbox::faults::Service;

const SEED: u64 = 20_261_124;

/// Of every kind, and of most kinds so many that they come through the SDK's own retries.
const PLAN: &str = r#"{
  "seed": 20261124,
  "spell": "500ms",
  "rates": {
    "sqs": {"throttled": 0.02, "server_error": 0.02, "entries_failed": 0.1, "duplicated": 0.08,
            "early_again": 0.05, "reordered": 0.2, "hung": 0.01, "unreached": 0.02,
            "answer_lost": 0.03},
    "dynamodb": {"throttled": 0.01, "server_error": 0.01, "conflict": 0.03, "unreached": 0.02,
                 "answer_lost": 0.03, "hung": 0.002},
    "s3": {"throttled": 0.02, "server_error": 0.02, "unreached": 0.02, "answer_lost": 0.02},
    "metadata": {"server_error": 0.05, "token_refused": 0.05, "unreached": 0.05}
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
    storm.send("early", 200, &mut rng).await;
    storm.ground.set_desired(3).await;
    storm.until_running(3).await;
    storm.faults.take_away(Service::S3, AWAY);
    sleep(SECOND).await;
    storm.strike(Deed::StandStill, &mut rng);
    sleep(STANDSTILL).await;
    storm.go_on();
    storm.strike(Deed::Kill, &mut rng);

    storm.faults.take_away(Service::DynamoDb, AWAY);
    let back = Instant::now() + AWAY;
    storm.send("late", 200, &mut rng).await;
    for deed in [Deed::Kill, Deed::TermTwice, Deed::StandStill] {
        storm.strike(deed, &mut rng);
        sleep(3 * SECOND).await;
    }
    sleep_until(back.into()).await;
    storm.go_on();

    for deed in [Deed::StandStill, Deed::Kill, Deed::TermTwice, Deed::Kill] {
        storm.strike(deed, &mut rng);
        sleep(STANDSTILL / 3).await;
    }
    storm.go_on();
    storm.until_settled(PATIENCE).await;
    let audit = storm.audit().await;
    storm.print("chaos: every kind of fault at once", &audit);
    assert!(audit.lost.is_empty(), "lost: {:?}", audit.lost);
    assert!(audit.twice.is_empty(), "twice: {:?}", audit.twice);
    assert_eq!(audit.succeeded + audit.buried, audit.jobs);
    assert_eq!(audit.commits, audit.succeeded);
    storm.ground.sandbox.shutdown().await;
}
