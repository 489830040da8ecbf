//! A fleet that is an ECS service: it grows from nothing, shrinks around a job that runs long, and
//! comes to rest, with nobody interrupted, nothing lost and no task replaced.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::{Ground, changes, exec_worker};
use weir_protocol::JobState;
use weir_sandbox::demo::front_end::{FrontEnd, Request};
use weir_sandbox::fleet::Provisioning;
use weir_sandbox::sandbox::SandboxConfig;

const PATIENCE: Duration = Duration::from_mins(2);
const POLICY: &str = "
version: 1
name: e2e
queues:
  - name: e2e
fleet: { ecs_service: media/e2e-workers, min: 0, max: 3 }
objective: { start_within: 10s, percentile: 95 }
worker: { slots: 2, service_time: 1s, boot_time: 1s }
scale_in: { hold: 15s }
forecast: off
";
/// A job with an image called `long` takes its time; the others a second.
const COMMAND: &str = "case \"$(cat)\" in *long*) sleep 45;; *) sleep 1;; esac; echo done";

async fn start() -> Ground {
    let config = SandboxConfig {
        program: Some(exec_worker(COMMAND)),
        provisioning: Provisioning {
            visibility_timeout: Duration::from_secs(10),
            ..Provisioning::default()
        },
        ..SandboxConfig::default()
    };
    Ground::start_with(POLICY, config).await
}

async fn send_long(ground: &Ground) -> String {
    let request = Request {
        job_id: "long".into(),
        at: 0.0,
        image: "long".into(),
        width: 64,
    };
    let front_end = FrontEnd::new(ground.books.sqs.clone(), ground.books.queue_url.clone());
    let sent = [request];
    front_end.send(&sent, &0.into()).await.unwrap();
    "long".into()
}

/// The logs of tasks that were not asked to leave, but ended otherwise.
fn left_unasked(ground: &Ground) -> Vec<String> {
    let logs = std::fs::read_dir(ground.sandbox.logs()).unwrap();
    let logs = logs.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    logs.filter(|log| !log.contains("draining cause=a request to leave"))
        .collect()
}

fn tasks_started(ground: &Ground) -> usize {
    ground.sandbox.cloud().look(|cloud, _| cloud.ecs.started())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_shrinks_around_a_long_job_and_replaces_nobody() {
    let ground = start().await;
    let long = send_long(&ground).await;
    let mut jobs: BTreeSet<String> = ground.send(60, "any").await;
    jobs.insert(long.clone());
    let (rounds, _seen) = ground.rounds();
    let mut most = 0;
    ground
        .until("only the long job is left", PATIENCE, async || {
            most = most.max(ground.sandbox.fleet().in_service);
            ground.in_state(JobState::Succeeded).await.len() >= 60
        })
        .await;
    assert_eq!(most, 3, "it grew from nothing to its maximum");
    let running = ground.in_state(JobState::Running).await;
    let on = running.first().and_then(|one| one.worker.clone()).unwrap();
    ground
        .until("the others have left", PATIENCE, async || {
            ground.sandbox.running() == [on.clone()]
        })
        .await;
    let states = ground.records().await;
    assert_eq!(states[&long].state, JobState::Running, "and it still runs");

    ground.all_succeeded(&jobs, PATIENCE).await;
    ground
        .until("the service is at rest", PATIENCE, async || {
            ground.sandbox.fleet().is_empty() && ground.sandbox.running().is_empty()
        })
        .await;
    drop(rounds);
    let record = &ground.records().await[&long];
    assert_eq!((record.attempt, record.worker.as_deref()), (1, Some(&*on)));
    assert_eq!(tasks_started(&ground), 3, "no task was replaced");
    let unasked = left_unasked(&ground);
    assert!(unasked.is_empty(), "ECS stopped none: {unasked:#?}");
    assert_eq!(ground.books.queue().await.unwrap().total(), 0);
    let calls = changes(&ground.sandbox);
    assert!(calls.contains_key("ecs:UpdateTaskProtection"), "{calls:?}");
    assert!(
        !calls.keys().any(|call| call.starts_with("autoscaling:")),
        "{calls:?}"
    );
    ground.sandbox.shutdown().await;
}
