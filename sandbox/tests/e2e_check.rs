//! `weir-worker check` on a small cloud: each thing that may be missing is found, and nothing is changed.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod common;

use std::collections::BTreeMap;

use aws_sdk_sqs::types::QueueAttributeName;
use common::{Ground, changes, complaint, run, said};
use serde_json::Value;

type Env = BTreeMap<String, String>;

/// The exit code, and of each finding its outcome and all its words.
async fn check(env: &Env, args: &[&str]) -> (i32, Vec<(String, String)>) {
    let args = [&["check", "--output", "json"], args].concat();
    let output = run("weir-worker", &args, env).await;
    let report: Value = serde_json::from_str(&said(&output))
        .unwrap_or_else(|error| panic!("{error}: {}", complaint(&output)));
    let findings = report["findings"].as_array().unwrap().iter();
    let findings = findings.map(|finding| {
        let word = |key: &str| finding[key].as_str().unwrap();
        let words = ["thing", "found", "next"].map(word).join(" | ");
        (word("outcome").to_owned(), words)
    });
    let code = output.status.code().unwrap();
    assert_eq!(report["ok"], code == 0);
    (code, findings.collect())
}

fn has(findings: &[(String, String)], outcome: &str, words: &[&str]) {
    let found = findings
        .iter()
        .any(|(is, said)| is == outcome && words.iter().all(|word| said.contains(word)));
    assert!(found, "no {outcome} with {words:?} in {findings:#?}");
}

async fn redrive(ground: &Ground, policy: &str) {
    let call = ground.books.sqs.set_queue_attributes();
    let call = call
        .queue_url(&ground.books.queue_url)
        .attributes(QueueAttributeName::RedrivePolicy, policy);
    call.send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn check_finds_what_is_missing_and_changes_nothing() {
    let ground = Ground::start(None).await;
    let fleet = ground.sandbox.fleets()[0].clone();
    let mut env = ground.sandbox.env();
    env.extend(ground.sandbox.worker_env(&fleet));
    let exec = ["--exec", "cat"];
    let with = |name: &str, value: &str| {
        let mut env = env.clone();
        env.insert(name.into(), value.into());
        env
    };

    let bucket = with("WEIR_PAYLOAD_BUCKET", common::BUCKET);
    let (code, all) = check(&bucket, &exec).await;
    assert_eq!(code, 0, "{all:#?}");
    for thing in [
        "credentials",
        "queue e2e",
        "dead-letter queue",
        "jobs table",
        "state table",
    ] {
        has(&all, "ok", &[thing]);
    }
    has(&all, "ok", &["expires_at"]);
    has(&all, "ok", &["lifecycle hook", common::GROUP]);
    has(&all, "ok", &["payload bucket"]);
    has(&all, "ok", &["handler (exec)", "cat"]);

    for (name, thing) in [
        ("WEIR_QUEUE", "queue nowhere"),
        ("WEIR_JOBS_TABLE", "jobs table nowhere"),
        ("WEIR_STATE_TABLE", "state table nowhere"),
        ("WEIR_LIFECYCLE_HOOK", "lifecycle hook nowhere"),
        ("WEIR_PAYLOAD_BUCKET", "payload bucket nowhere"),
    ] {
        let (code, found) = check(&with(name, "nowhere"), &exec).await;
        assert_eq!(code, 1, "{found:#?}");
        has(&found, "failed", &[thing, name]);
    }
    // The state table has other keys than the jobs table.
    let (code, found) = check(
        &with("WEIR_JOBS_TABLE", weir_sandbox::sandbox::STATE_TABLE),
        &exec,
    )
    .await;
    assert_eq!(code, 1);
    has(&found, "failed", &["jobs table", "job_id"]);
    let (code, found) = check(&env, &["--exec", "./nowhere.sh"]).await;
    assert_eq!(code, 1);
    has(&found, "failed", &["handler (exec)", "./nowhere.sh"]);

    assert_eq!(changes(&ground.sandbox), BTreeMap::new());
    ground.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn check_holds_the_queue_against_the_settings() {
    let ground = Ground::start(None).await;
    let fleet = ground.sandbox.fleets()[0].clone();
    let mut env = ground.sandbox.env();
    env.extend(ground.sandbox.worker_env(&fleet));

    let (code, found) = check(&env, &["--exec", "cat", "--max-attempts", "1000"]).await;
    assert_eq!(code, 0);
    has(&found, "note", &["maxReceiveCount", "1000 attempts"]);
    let (code, found) = check(&env, &["--exec", "cat", "--keep-records", "1h"]).await;
    assert_eq!(code, 0);
    has(
        &found,
        "note",
        &["job records only 3600 s", "--keep-records"],
    );
    redrive(&ground, "").await;
    let (code, found) = check(&env, &["--exec", "cat"]).await;
    assert_eq!(code, 0);
    has(&found, "note", &["no dead-letter queue"]);
    ground.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn check_names_the_endpoint_and_the_service_that_do_not_answer() {
    let ground = Ground::start(None).await;
    let fleet = ground.sandbox.fleets()[0].clone();
    let mut env = ground.sandbox.env();
    env.extend(ground.sandbox.worker_env(&fleet));
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);

    env.insert("AWS_ENDPOINT_URL".into(), nobody.clone());
    let (code, found) = check(&env, &["--http", &nobody]).await;
    assert_eq!(code, 1);
    has(
        &found,
        "failed",
        &["queue e2e", &nobody, "AWS_ENDPOINT_URL"],
    );
    has(&found, "ok", &["jobs table"]);
    has(&found, "failed", &["handler (http)", "nothing listens"]);
    ground.sandbox.shutdown().await;
}
