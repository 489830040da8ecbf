//! What is asked of the programs cannot be done: one clear message, the right exit code, no change.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod common;

use std::collections::BTreeMap;
use std::process::Output;

use common::{Ground, changes, complaint, run, shown};

type Env = BTreeMap<String, String>;

/// Runs it, and checks that it ends with `code`, names each of `words`, and is brief.
async fn refused(name: &str, args: &[&str], env: &Env, code: i32, words: &[&str]) -> Output {
    let output = run(name, args, env).await;
    let said = complaint(&output);
    assert_eq!(output.status.code(), Some(code), "{name} {args:?}: {said}");
    for word in words {
        assert!(
            said.contains(word),
            "{name} {args:?}: no {word:?} in: {said}"
        );
    }
    assert!(!said.contains("panicked"), "{name} {args:?}: {said}");
    let lines = said.lines().filter(|line| !line.trim().is_empty()).count();
    assert!(
        lines <= 5,
        "{name} {args:?}: one clear message expected: {said}"
    );
    output
}

fn with(env: &Env, changes: &[(&str, &str)]) -> Env {
    let mut env = env.clone();
    for (name, value) in changes {
        env.insert((*name).into(), (*value).into());
    }
    env
}

/// A policy that differs from the ground's in one text.
fn policy(ground: &Ground, from: &str, to: &str) -> String {
    let text = std::fs::read_to_string(&ground.policy).unwrap();
    assert!(text.contains(from), "{text}");
    let path = ground.folder.path().join("other.yaml");
    std::fs::write(&path, text.replace(from, to)).unwrap();
    shown(&path)
}

/// An endpoint where nobody listens: the port was had a moment ago, and given back.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_controller_refuses_what_is_not_there() {
    let ground = Ground::start(None).await;
    let env = ground.sandbox.env();
    let no_group = policy(&ground, "e2e-workers", "nowhere-workers");
    for command in [&["plan"][..], &["run", "--once"]] {
        let args = [command, &["--policy", &no_group]].concat();
        let output = run("weir", &args, &env).await;
        let all = complaint(&output) + &common::said(&output);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {all}");
        assert!(all.contains("nowhere-workers"), "{args:?}: {all}");
    }
    let no_queue = policy(&ground, "- name: e2e", "- name: nowhere");
    let args = ["plan", "--policy", &no_queue];
    refused("weir", &args, &env, 2, &["queue", "nowhere"]).await;

    let bad = policy(&ground, "max: 3", "max: -3");
    let args = ["run", "--once", "--policy", &bad];
    refused("weir", &args, &env, 64, &["other.yaml", "max"]).await;
    // That a policy was taken is told before what it names is looked for.
    let told = BTreeMap::from([("monitoring:PutMetricData".into(), 1)]);
    assert_eq!(changes(&ground.sandbox), told);
    ground.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_controller_says_who_does_not_answer_and_what_credentials_are_missing() {
    let ground = Ground::start(None).await;
    let env = ground.sandbox.env();
    let policy = shown(&ground.policy);
    let args = ["plan", "--policy", &policy];
    let nobody = nobody();
    let down = with(&env, &[("AWS_ENDPOINT_URL", &nobody)]);
    refused("weir", &args, &down, 2, &[&nobody]).await;
    let nameless = with(
        &env,
        &[("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")],
    );
    refused("weir", &args, &nameless, 2, &["credentials"]).await;
    assert_eq!(changes(&ground.sandbox), BTreeMap::new());
    ground.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worker_refuses_what_is_not_there() {
    let ground = Ground::start(None).await;
    let fleet = ground.sandbox.fleets()[0].clone();
    let mut env = ground.sandbox.env();
    env.extend(ground.sandbox.worker_env(&fleet));
    let args = ["run", "--exec", "cat"];
    let nowhere = with(&env, &[("WEIR_QUEUE", "nowhere")]);
    refused("weir-worker", &args, &nowhere, 2, &["queue", "nowhere"]).await;
    let nowhere = with(&env, &[("WEIR_JOBS_TABLE", "nowhere")]);
    refused("weir-worker", &args, &nowhere, 2, &["table", "nowhere"]).await;
    let nobody = nobody();
    let down = with(&env, &[("AWS_ENDPOINT_URL", &nobody)]);
    refused(
        "weir-worker",
        &args,
        &down,
        2,
        &["endpoint", &nobody, "AWS_ENDPOINT_URL"],
    )
    .await;
    let nameless = with(
        &env,
        &[("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")],
    );
    refused("weir-worker", &args, &nameless, 2, &["credentials"]).await;
    let wrong = with(&env, &[("WEIR_SLOTS", "many")]);
    refused("weir-worker", &args, &wrong, 64, &["slots", "many"]).await;
    assert_eq!(changes(&ground.sandbox), BTreeMap::new());
    ground.sandbox.shutdown().await;
}
