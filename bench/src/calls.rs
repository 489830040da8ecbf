//! What the worker calls, counted at the wire: under load, and when there is nothing to do.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::bail;
use serde::Serialize;

use crate::clock;
use crate::contender::{Programs, within};
use crate::ground::{self, Ground};
use crate::process::Process;

/// Jobs of the run under load, some ten seconds of work.
const JOBS: usize = 4_000;
/// Slots under load, what a job takes on average, and how long its message is hidden.
const SLOTS: &str = "16";
const JOB_MILLIS: &str = "40";
const VISIBILITY: &str = "10s";
/// One job in a hundred takes so long that its message and its lease have to be renewed.
const LONG_EVERY: &str = "100";
const LONG_MILLIS: &str = "8000";

/// Jobs that the idle worker has done before it is idle.
const JOBS_BEFORE_IDLE: usize = 100;
/// How long it is watched being idle: three long polls.
const IDLE: Duration = Duration::from_mins(1);
/// A long poll of the worker, unless it is told otherwise.
const POLL: Duration = Duration::from_secs(20);

/// The worker under load.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Load {
    /// SQS calls a message, all that the worker does counted: start-up, receives, deletes, heartbeats.
    pub(crate) calls_per_message: f64,
    /// Of the calls, those that renewed messages' visibility.
    pub(crate) heartbeat_calls: u64,
}

/// Jobs of 20 to 60 ms in 16 slots, and one in a hundred of 4 to 12 s, beyond the first renewal.
pub(crate) async fn under_load(
    ground: &Ground,
    programs: &Programs,
    logs: &Path,
) -> anyhow::Result<Load> {
    let queue = ground.queue("load")?;
    ground.send(&queue, (0..JOBS).map(ground::body).collect())?;
    let before = ground.calls();
    let mut command = within(programs.worker(&queue)?, &ground.env());
    command
        .env("WEIR_SLOTS", SLOTS)
        .env("WEIR_VISIBILITY_TIMEOUT", VISIBILITY)
        .env("BENCH_JOB_MILLIS", JOB_MILLIS)
        .env("BENCH_LONG_EVERY", LONG_EVERY)
        .env("BENCH_LONG_MILLIS", LONG_MILLIS);
    let mut worker = Process::start(command, &logs.join("load.log"))?;
    ground.until_deleted(&queue, JOBS, &mut worker).await?;
    let after = ground.calls();
    let all = |calls: &BTreeMap<String, u64>| calls.values().sum::<u64>();
    let renewing = |calls: &BTreeMap<String, u64>| {
        let names = ["ChangeMessageVisibility", "ChangeMessageVisibilityBatch"];
        let counts = names.iter().filter_map(|name| calls.get(*name));
        counts.sum::<u64>()
    };
    let heartbeat_calls = renewing(&after) - renewing(&before);
    if heartbeat_calls == 0 {
        bail!("no message was renewed under load, so that heartbeats were not measured");
    }
    Ok(Load {
        calls_per_message: (all(&after) - all(&before)) as f64 / JOBS as f64,
        heartbeat_calls,
    })
}

/// The worker with nothing to do.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Idle {
    /// Calls of SQS in a minute.
    pub(crate) calls_per_minute: u64,
    /// Long polls open at a time, on average.
    pub(crate) pollers: f64,
    /// Resident memory after that minute, MiB.
    pub(crate) rss_mib: f64,
}

/// The real `weir-worker`, idle for a minute after some work.
pub(crate) async fn idle(
    ground: &Ground,
    programs: &Programs,
    logs: &Path,
) -> anyhow::Result<Idle> {
    let queue = ground.queue("idle")?;
    ground.send(&queue, (0..JOBS_BEFORE_IDLE).map(ground::body).collect())?;
    let mut command = Command::new(programs.own("weir-worker")?);
    command
        .args(["run", "--exec", "cat >/dev/null"])
        .env("WEIR_QUEUE", &queue.name);
    let command = within(command, &ground.env());
    let mut worker = Process::start(command, &logs.join("idle.log"))?;
    ground
        .until_deleted(&queue, JOBS_BEFORE_IDLE, &mut worker)
        .await?;
    // Polls beside the one that stays come back empty within this time.
    clock::pause(POLL).await;
    let before = ground.calls();
    clock::pause(IDLE).await;
    worker.check_alive()?;
    let after = ground.calls();
    let made = |action: &str| {
        let count = |calls: &BTreeMap<String, u64>| calls.get(action).copied().unwrap_or_default();
        count(&after) - count(&before)
    };
    let all: u64 = after.keys().map(|action| made(action)).sum();
    let polled = POLL.as_secs_f64() * made("ReceiveMessage") as f64;
    Ok(Idle {
        calls_per_minute: all,
        pollers: polled / IDLE.as_secs_f64(),
        rss_mib: worker.resident_kib()? as f64 / 1024.0,
    })
}
