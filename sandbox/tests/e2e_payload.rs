//! Bodies too large for a message, and the front end's commands, with the real programs.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod common;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{BUCKET, Ground, complaint, exec_worker, program, run, said};
use serde_json::Value;
use weir_protocol::JobState;
use weir_sandbox::instances::InstanceProgram;

const PATIENCE: Duration = Duration::from_secs(90);

/// A megabyte and a half of text: more than SQS takes.
const LARGE_BYTES: usize = 1_500_000;

fn worker(command: &str) -> InstanceProgram {
    let mut worker = exec_worker(command);
    let bucket = ("WEIR_PAYLOAD_BUCKET".to_owned(), BUCKET.to_owned());
    worker.env.extend([bucket]);
    worker
}

fn env_of(ground: &Ground) -> BTreeMap<String, String> {
    let mut env = ground.sandbox.env();
    env.extend(ground.sandbox.worker_env(&ground.sandbox.fleets()[0]));
    env.insert("WEIR_PAYLOAD_BUCKET".into(), BUCKET.into());
    env
}

/// The keys in the bucket now.
async fn objects(ground: &Ground) -> Vec<String> {
    let listed = ground.books.s3.list_objects_v2().bucket(BUCKET).send();
    let listed = listed.await.unwrap();
    let keys = listed.contents().iter().filter_map(|object| object.key());
    keys.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_reach_the_handler_and_their_payloads_go_after_the_message() {
    let ground = Ground::start(Some(worker("wc -c"))).await;
    let env = env_of(&ground);
    let file = ground.folder.path().join("large.txt");
    std::fs::write(&file, "x".repeat(LARGE_BYTES)).unwrap();
    let path = file.display().to_string();
    let submit = [
        "submit", "--job-id", "large", "--file", &path, "--output", "json",
    ];
    let sent = run("weir-worker", &submit, &env).await;
    assert_eq!(sent.status.code(), Some(0), "{}", complaint(&sent));
    assert_eq!(said(&sent).trim(), r#"{"job_id":"large","sent":true}"#);
    let keys = objects(&ground).await;
    assert_eq!(keys.len(), 1, "{keys:?}");
    assert!(keys[0].starts_with("weir-payloads/e2e/"), "{keys:?}");

    let unknown = run(
        "weir-worker",
        &["status", "large", "--output", "json"],
        &env,
    )
    .await;
    assert_eq!(unknown.status.code(), Some(1));
    assert_eq!(
        said(&unknown).trim(),
        r#"{"job_id":"large","state":"unknown"}"#
    );
    let counts = ["status", "--queue", "e2e", "--output", "json"];
    let counts: Value =
        serde_json::from_str(&said(&run("weir-worker", &counts, &env).await)).unwrap();
    assert_eq!(
        (&counts["visible"], &counts["dead_letters"]),
        (&1.into(), &0.into())
    );

    ground.set_desired(1).await;
    let result = ["result", "large", "--wait", "90s", "--raw"];
    let result = run("weir-worker", &result, &env).await;
    assert_eq!(result.status.code(), Some(0), "{}", complaint(&result));
    assert_eq!(said(&result).trim(), LARGE_BYTES.to_string());
    ground
        .until("the payload is removed", PATIENCE, async || {
            objects(&ground).await.is_empty()
        })
        .await;
    let status = run("weir-worker", &["status", "large"], &env).await;
    assert_eq!(status.status.code(), Some(0));
    assert!(said(&status).contains("succeeded"), "{}", said(&status));
    ground.sandbox.shutdown().await;
}

/// As AWS's extended client for Java sends it; and the same with a payload that is gone.
#[tokio::test(flavor = "multi_thread")]
async fn pointers_of_the_extended_client_are_followed_and_dead_letters_keep_their_payload() {
    let ground = Ground::start(Some(worker("grep -q poison && exit 65; echo done"))).await;
    let env = env_of(&ground);
    for (key, body) in [("java-1", "hello"), ("java-2", "poison")] {
        let put = ground.books.s3.put_object().bucket(BUCKET).key(key);
        put.body(body.as_bytes().to_vec().into())
            .send()
            .await
            .unwrap();
    }
    let number = |value: &str| {
        aws_sdk_sqs::types::MessageAttributeValue::builder()
            .data_type("Number")
            .string_value(value)
            .build()
            .unwrap()
    };
    for (key, size) in [
        ("java-1", "ExtendedPayloadSize"),
        ("java-2", "SQSLargePayloadSize"),
        ("java-3", "ExtendedPayloadSize"),
    ] {
        let class = "software.amazon.payloadoffloading.PayloadS3Pointer";
        let body = format!(r#"["{class}",{{"s3BucketName":"{BUCKET}","s3Key":"{key}"}}]"#);
        let id = aws_sdk_sqs::types::MessageAttributeValue::builder();
        let id = id.data_type("String").string_value(key).build().unwrap();
        ground
            .books
            .sqs
            .send_message()
            .queue_url(&ground.books.queue_url)
            .message_body(body)
            .message_attributes(size, number("6"))
            .message_attributes("JobId", id)
            .send()
            .await
            .unwrap();
    }
    ground.set_desired(1).await;
    ground
        .until("all three have ended", PATIENCE, async || {
            ground.in_state(JobState::Succeeded).await.len() == 1
                && ground.books.tally().await.unwrap().dead_letters.total() == 2
        })
        .await;
    assert_eq!(objects(&ground).await, ["java-2"]);
    let list = ["redrive", "list", "--output", "json"];
    let listed = said(&run("weir-worker", &list, &env).await);
    assert!(
        listed.contains("s3://e2e-photos/java-3 is gone"),
        "{listed}"
    );
    // The letter is the message as it was: once its job is no longer poison, it is done.
    let put = ground.books.s3.put_object().bucket(BUCKET).key("java-2");
    put.body(b"mended".to_vec().into()).send().await.unwrap();
    let back = run("weir-worker", &["redrive", "return", "java-2"], &env).await;
    assert_eq!(back.status.code(), Some(0), "{}", complaint(&back));
    ground
        .until("it is done, its payload gone", PATIENCE, async || {
            ground.in_state(JobState::Succeeded).await.len() == 2
                && objects(&ground).await.is_empty()
        })
        .await;
    ground.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_lines_are_submitted_in_batches_and_looked_up_by_their_ids() {
    let ground = Ground::start(Some(worker("cat"))).await;
    let env = env_of(&ground);
    let lines: Vec<String> = (0..95).map(|n| format!("line {n}")).collect();
    let lines = lines.join("\n");
    let submitted = piped(&["submit", "--lines", "--attr", "Kind=x"], &lines, &env).await;
    let ids = said(&submitted);
    assert_eq!(ids.lines().count(), 95, "{}", complaint(&submitted));
    let calls = ground.sandbox.cloud().calls();
    let sends = calls
        .iter()
        .find(|((_, action), _)| action == "SendMessageBatch");
    assert_eq!(sends.map(|(_, count)| *count), Some(10));
    ground.set_desired(1).await;
    ground
        .until("all are done", PATIENCE, async || {
            ground.in_state(JobState::Succeeded).await.len() == 95
        })
        .await;
    let looked_up = piped(&["status", "-", "--output", "json"], &ids, &env).await;
    assert_eq!(looked_up.status.code(), Some(0));
    let results = said(&looked_up);
    let results: Vec<Value> = results
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        results[94]["result"].as_str().map(str::trim),
        Some("line 94")
    );
    assert!(results.iter().all(|one| one["state"] == "succeeded"));
    ground.sandbox.shutdown().await;
}

/// Runs the worker's program with this on standard input.
async fn piped(args: &[&str], input: &str, env: &BTreeMap<String, String>) -> std::process::Output {
    use std::io::Write as _;
    let mut command = Command::new(program("weir-worker"));
    command.args(args).envs(env).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_owned());
    let writing = tokio::task::spawn_blocking(move || stdin.write_all(input.as_bytes()));
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output());
    writing.await.unwrap().unwrap();
    ended.await.unwrap().unwrap()
}
