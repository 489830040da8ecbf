//! Jobs that were given up, seen and sent back with the program a person uses.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{Ground, QUEUE, complaint, exec_worker, program, run, said};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use weir_protocol::JobState;

const PATIENCE: Duration = Duration::from_secs(90);

type Env = BTreeMap<String, String>;

fn env_of(ground: &Ground) -> Env {
    let mut env = ground.sandbox.env();
    env.extend(ground.sandbox.worker_env(&ground.sandbox.fleets()[0]));
    env
}

/// What `weir-worker redrive list` says of each letter.
async fn listed(env: &Env, more: &[&str]) -> Vec<Value> {
    let args = [&["redrive", "list", "--output", "json"], more].concat();
    let output = run("weir-worker", &args, env).await;
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    let lines = said(&output);
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_given_up_are_listed_with_their_reason_sent_back_and_done() {
    let folder = tempfile::tempdir().unwrap();
    let mended = folder.path().join("mended");
    let command = format!(
        "test -e {} && exec cat; echo 'the disk is full' >&2; exit 65",
        mended.display()
    );
    let ground = Ground::start(Some(exec_worker(&command))).await;
    let env = env_of(&ground);
    let jobs = ground.send(14, "photos/none.png").await;
    ground.set_desired(1).await;
    ground
        .until("every job is given up", PATIENCE, async || {
            ground.in_state(JobState::Failed).await.len() == jobs.len()
                && ground.books.tally().await.unwrap().dead_letters.total() == jobs.len() as u64
        })
        .await;

    let letters = listed(&env, &[]).await;
    let ids = |letters: &[Value]| -> BTreeSet<String> {
        let ids = letters
            .iter()
            .map(|letter| letter["job_id"].as_str().unwrap());
        ids.map(str::to_owned).collect()
    };
    assert_eq!(ids(&letters), jobs);
    for letter in &letters {
        let reason = letter["reason"].as_str().unwrap();
        assert!(reason.contains("the disk is full"), "{letter}");
        assert_eq!(
            (&letter["attempts"], &letter["queue"]),
            (&1.into(), &QUEUE.into())
        );
    }
    assert_eq!(listed(&env, &["--reason", "no such reason"]).await.len(), 0);
    // Looking hides nothing: the second look right after the first sees as much.
    assert_eq!(listed(&env, &["job-003", "job-007"]).await.len(), 2);

    let dry = ["redrive", "return", "--all", "--dry-run"];
    let dry = run("weir-worker", &dry, &env).await;
    assert!(complaint(&dry).contains("14 letters would be sent back"));
    std::fs::write(&mended, "").unwrap();
    let one = ["redrive", "return", "job-003", "--output", "json"];
    let one = run("weir-worker", &one, &env).await;
    assert_eq!(one.status.code(), Some(0), "{}", complaint(&one));
    let tally: Value = serde_json::from_str(&said(&one)).unwrap();
    assert_eq!(tally["done"], 1);
    ground
        .all_succeeded(&["job-003".to_owned()].into(), PATIENCE)
        .await;

    interrupted(&env).await;
    let left = listed(&env, &[]).await;
    assert!((1..13).contains(&left.len()), "{} are left", left.len());
    // The same by way of the dead-letter queue, which finds the queue that has it.
    let dead = ground.books.dead_letter_queue_url.clone();
    let mut env = env;
    env.remove("WEIR_QUEUE");
    let all = ["redrive", "return", "--all", "--dead-letter-queue", &dead];
    let all = run("weir-worker", &all, &env).await;
    assert_eq!(all.status.code(), Some(0), "{}", complaint(&all));
    ground.all_succeeded(&jobs, PATIENCE).await;
    let tally = ground.books.tally().await.unwrap();
    assert_eq!(tally.dead_letters.total(), 0);
    assert_eq!(tally.records.len(), jobs.len(), "no job got another id");
    for record in tally.records.values() {
        assert_eq!(record.attempt, 1, "attempts begin anew: {record:?}");
    }
    ground.sandbox.shutdown().await;
}

/// Sends back slowly, and is told to stop in the middle: it ends what it has begun, and says so.
async fn interrupted(env: &Env) {
    let mut command = Command::new(program("weir-worker"));
    command
        .args(["redrive", "return", "--all", "--rate", "3/s"])
        .envs(env)
        .stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let pid = Pid::from_raw(child.id().try_into().unwrap());
    #[expect(clippy::disallowed_methods, reason = "a real program passes real time")]
    tokio::time::sleep(Duration::from_secs(2)).await;
    kill(pid, Signal::SIGINT).unwrap();
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output());
    let output = ended.await.unwrap().unwrap();
    let said = complaint(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("stopped before the end"), "{said}");
}
