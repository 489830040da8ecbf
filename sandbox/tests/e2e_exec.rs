//! What becomes of a job's processes when its worker is killed.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
#![allow(
    clippy::disallowed_methods,
    reason = "real programs pass real time; every wait has a deadline"
)]

mod common;

use std::path::Path;
use std::time::Duration;

use common::{Ground, program, shown};
use tokio::process::Command;

const PATIENCE: Duration = Duration::from_mins(1);

/// The processes named in a file, of those that live.
fn living(pids: &Path) -> usize {
    let pids = std::fs::read_to_string(pids).unwrap_or_default();
    let lives = |pid: &&str| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    };
    pids.split_whitespace().filter(lives).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_of_a_job_end_with_a_worker_that_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let file = shown(&pids);
    // Neither hears SIGTERM, nor knows of the worker.
    let command = format!(
        "trap '' TERM; (sleep 600; sleep 600) & echo $! >>{file}; echo $$ >>{file}; wait; sleep 600"
    );
    let ground = Ground::start(None).await;
    ground.send(1, "any").await;
    // Not on an instance, of which the sandbox would end everything.
    let mut worker = Command::new(program("weir-worker"))
        .args(["run", "--kill-grace", "1s", "--exec", &command])
        .envs(ground.sandbox.own_env())
        .envs(ground.sandbox.worker_env(&ground.sandbox.fleets()[0]))
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let runs = async || living(&pids) == 2;
    ground.until("the job runs", PATIENCE, runs).await;
    // SIGKILL.
    worker.kill().await.unwrap();
    let none = async || living(&pids) == 0;
    ground
        .until("its processes have ended", PATIENCE, none)
        .await;
    ground.sandbox.shutdown().await;
}
