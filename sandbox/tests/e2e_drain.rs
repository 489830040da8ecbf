//! An instance is chosen to leave while its worker is busy.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod common;

use std::time::Duration;

use common::{Ground, exec_worker};
use weir_protocol::JobState;

const PATIENCE: Duration = Duration::from_mins(1);
/// Far below the hook's five minutes: the worker completed it.
const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_worker_that_is_to_leave_finishes_its_job_and_completes_the_hook() {
    let ground = Ground::start(Some(exec_worker("sleep 5; echo done"))).await;
    let jobs = ground.send(1, "any").await;
    ground.set_desired(1).await;
    let mut leaving = String::new();
    ground
        .until("the job runs", PATIENCE, async || {
            let running = ground.in_state(JobState::Running).await;
            leaving = running
                .first()
                .and_then(|one| one.worker.clone())
                .unwrap_or_default();
            !leaving.is_empty()
        })
        .await;

    let call = ground
        .autoscaling()
        .await
        .terminate_instance_in_auto_scaling_group();
    let call = call
        .instance_id(&leaving)
        .should_decrement_desired_capacity(true);
    call.send().await.unwrap();
    assert_eq!(
        ground.sandbox.fleet().terminating,
        1,
        "the hook holds the instance"
    );

    ground
        .until("the instance is gone", SOON, async || {
            ground.sandbox.fleet().is_empty()
        })
        .await;
    ground
        .until("its program has ended", SOON, async || {
            ground.sandbox.running().is_empty()
        })
        .await;
    ground.all_succeeded(&jobs, Duration::from_secs(1)).await;
    let record = &ground.records().await["job-000"];
    assert_eq!(
        (record.attempt, record.worker.as_deref()),
        (1, Some(leaving.as_str()))
    );
    let completed = (
        "autoscaling".to_owned(),
        "CompleteLifecycleAction".to_owned(),
    );
    let calls = ground.sandbox.cloud().calls();
    assert_eq!(calls.get(&completed), Some(&1), "{calls:?}");
    assert_eq!(ground.books.queue().await.unwrap().total(), 0);
    ground.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_leaving_worker_has_not_started_goes_back_at_once() {
    let ground = Ground::start(Some(exec_worker("sleep 4; echo done"))).await;
    let jobs = ground.send(8, "any").await;
    ground.set_desired(1).await;
    let mut leaving = String::new();
    ground
        .until("a job runs", PATIENCE, async || {
            let running = ground.in_state(JobState::Running).await;
            leaving = running
                .first()
                .and_then(|one| one.worker.clone())
                .unwrap_or_default();
            !leaving.is_empty()
        })
        .await;
    // Replaced, not removed: the newcomer does the rest.
    let call = ground
        .autoscaling()
        .await
        .terminate_instance_in_auto_scaling_group();
    let call = call
        .instance_id(&leaving)
        .should_decrement_desired_capacity(false);
    call.send().await.unwrap();
    ground.all_succeeded(&jobs, PATIENCE).await;
    let records = ground.records().await;
    assert!(
        records.values().all(|record| record.attempt == 1),
        "{records:#?}"
    );
    let mut workers: Vec<_> = records
        .values()
        .map(|record| record.worker.clone())
        .collect();
    workers.sort();
    workers.dedup();
    assert!(
        workers.len() > 1,
        "the leaving worker did all the jobs: {workers:?}"
    );
    ground.sandbox.shutdown().await;
}
