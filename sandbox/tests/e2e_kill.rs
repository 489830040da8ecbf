//! A busy worker is killed with SIGKILL on its way.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod common;

use std::time::Duration;

use common::{BUCKET, Ground, thumbnails_worker};
use nix::sys::signal::Signal;
use weir_protocol::JobState;
use weir_sandbox::demo::photos::Photo;

const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_worker_held_is_done_by_another_and_committed_once() {
    let ground = Ground::start(Some(thumbnails_worker())).await;
    let photo = Photo::all(1).pop().unwrap();
    let put = ground.books.s3.put_object().bucket(BUCKET).key(&photo.key);
    put.body(photo.render().unwrap().into())
        .send()
        .await
        .unwrap();
    let jobs = ground.send(24, &photo.key).await;
    ground.set_desired(2).await;

    let mut held = Vec::new();
    let mut victim = String::new();
    ground
        .until("a worker runs a job", PATIENCE, async || {
            held = ground.in_state(JobState::Running).await;
            victim = held
                .first()
                .and_then(|one| one.worker.clone())
                .unwrap_or_default();
            !victim.is_empty()
        })
        .await;
    ground
        .sandbox
        .kill_instance(&victim, Signal::SIGKILL)
        .unwrap();
    held.retain(|record| record.worker.as_deref() == Some(&victim));

    ground.all_succeeded(&jobs, PATIENCE).await;
    ground
        .until("the dead instance is replaced", PATIENCE, async || {
            let running = ground.sandbox.running();
            running.len() == 2 && !running.contains(&victim)
        })
        .await;

    let tally = ground.books.tally().await.unwrap();
    assert_eq!(tally.records.len(), jobs.len());
    assert_eq!(tally.dead_letters.total(), 0);
    let twice: Vec<_> = tally
        .commits
        .iter()
        .filter(|(_, commits)| **commits > 1)
        .collect();
    assert!(twice.is_empty(), "committed more than once: {twice:?}");
    assert_eq!(
        tally.commits.len(),
        jobs.len(),
        "each job has its commit in the ledger"
    );
    let again = held
        .iter()
        .filter(|held| tally.records[&held.job_id].attempt > 1);
    assert!(
        again.count() > 0,
        "no job of the killed worker was taken up by another"
    );
    ground.sandbox.shutdown().await;
}
