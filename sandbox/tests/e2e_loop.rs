//! The whole loop with the real programs: messages, workers, records, controller, group, instances.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::{Ground, exec_worker};

const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn the_fleet_grows_with_the_backlog_does_every_job_once_and_goes() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    let command = format!("sleep 0.7; echo $WEIR_JOB_ID >> {}; cat", runs.display());
    let ground = Ground::start(Some(exec_worker(&command))).await;
    let jobs = ground.send(60, "any").await;
    let (_rounds, seen) = ground.rounds();

    let mut peak = 0;
    ground
        .until(
            "every job is done and the fleet is gone",
            PATIENCE,
            async || {
                let fleet = ground.sandbox.fleet();
                peak = peak.max(fleet.in_service);
                let done = ground.books.final_jobs().await.unwrap();
                done == jobs.len() as u64 && fleet.is_empty()
            },
        )
        .await;
    assert!(
        peak >= 2,
        "the fleet never had more than {peak} instances in service"
    );
    assert!(seen.borrow().failed == 0, "{:?}", *seen.borrow());

    let tally = ground.books.tally().await.unwrap();
    ground.all_succeeded(&jobs, Duration::from_secs(1)).await;
    assert_eq!(tally.queue.total() + tally.dead_letters.total(), 0);
    let mut times = BTreeMap::new();
    for job in std::fs::read_to_string(&runs).unwrap().lines() {
        *times.entry(job.to_owned()).or_insert(0) += 1;
    }
    assert_eq!(times.len(), jobs.len(), "each job ran");
    assert!(times.values().all(|times| *times == 1), "{times:?}");
    let result = tally.records["job-007"].result.as_deref();
    assert_eq!(result.map(str::trim), Some(r#"{"image":"any","width":64}"#));
    ground.sandbox.shutdown().await;
}
