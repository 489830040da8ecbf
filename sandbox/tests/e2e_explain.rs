//! `weir explain` against the sandbox: rounds of the real program, told and replayed from the
//! state table.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod common;

use std::process::Output;

use common::{Ground, changes, complaint, run, said, shown};
use serde_json::Value;

/// Runs `weir explain` for this policy.
async fn explain(ground: &Ground, policy: &str, args: &[&str]) -> Output {
    let asked = ["explain", "--policy", policy];
    run("weir", &[&asked, args].concat(), &ground.sandbox.env()).await
}

/// One round of the real program; its JSON line.
async fn round(ground: &Ground) -> Value {
    let policy = shown(&ground.policy);
    let args = ["run", "--once", "--policy", &policy, "--output", "json"];
    let output = run("weir", &args, &ground.sandbox.env()).await;
    assert!(output.status.success(), "{}", complaint(&output));
    serde_json::from_str(&said(&output)).unwrap()
}

/// A round to which SQS does not answer.
async fn failed_round(ground: &Ground) {
    let mut env = ground.sandbox.env();
    env.insert("AWS_ENDPOINT_URL_SQS".into(), "http://127.0.0.1:9".into());
    let policy = shown(&ground.policy);
    let output = run("weir", &["run", "--once", "--policy", &policy], &env).await;
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
}

fn lines(output: &Output) -> Vec<Value> {
    let lines = said(output);
    let lines = lines.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

/// An empty queue, a failure, a rush that grows the fleet, and two rounds that hold it.
async fn some_rounds(ground: &Ground) -> Vec<Value> {
    let mut rounds = vec![round(ground).await];
    failed_round(ground).await;
    ground.send(40, "any").await;
    for _ in 0..3 {
        rounds.push(round(ground).await);
    }
    assert_eq!(rounds[1]["action"], "grow", "{}", rounds[1]);
    rounds
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journal_tells_why_the_fleet_has_its_size() {
    let ground = Ground::start(None).await;
    let policy = shown(&ground.policy);
    let none = explain(&ground, &policy, &[]).await;
    assert_eq!(none.status.code(), Some(2));
    assert!(complaint(&none).contains("no round is recorded yet"));

    let rounds = some_rounds(&ground).await;
    let before = changes(&ground.sandbox);
    let told = explain(&ground, &policy, &[]).await;
    assert!(told.status.success(), "{}", complaint(&told));
    let text = said(&told);
    let places = ["grew from 0 to 3", "failed at observe", "held at 0"].map(|heading| {
        let place = text.find(heading);
        place.unwrap_or_else(|| panic!("no {heading:?} in\n{text}"))
    });
    assert!(places.is_sorted(), "newest first:\n{text}");
    for step in rounds[1]["trail"].as_array().unwrap() {
        let said = step["text"].as_str().unwrap();
        assert!(text.contains(said), "no {said:?} in\n{text}");
    }

    let told = explain(&ground, &policy, &["--output", "json"]).await;
    let told = lines(&told);
    assert_eq!(told.len(), rounds.len() + 1, "with the failed one");
    assert_eq!(told[3]["step"], "observe");
    let decided = told.iter().rev().filter(|line| line["trail"].is_array());
    for (line, round) in decided.zip(&rounds) {
        for key in ["at", "action", "desired", "trail", "outcome", "changes"] {
            assert_eq!(line[key], round[key], "{key}");
        }
        assert!(line["observation"]["queues"][0]["visible"].is_u64());
    }

    let moment = told[2]["time"].as_str().unwrap();
    let at = explain(&ground, &policy, &["--at", moment]).await;
    let text = said(&at);
    assert!(text.contains("grew from 0 to 3"), "{text}");
    assert!(text.contains("│ 0 desired "), "{text}");
    assert_eq!(changes(&ground.sandbox), before, "it only reads");
    ground.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_told_is_refused_with_what_can() {
    let ground = Ground::start(None).await;
    let policy = shown(&ground.policy);
    round(&ground).await;
    let cases: [(&[&str], i32, &str); 5] = [
        (&["--at", "1 day ago"], 2, "begins at"),
        (&["--at", "2999-01-01"], 64, "in the future"),
        (&["--since", "soon"], 64, "10m ago"),
        (&["--timezone", "Mars/Olympus"], 64, "Europe/Berlin"),
        (&["--state-table", "nowhere"], 2, "table nowhere"),
    ];
    for (args, code, expected) in cases {
        let refused = explain(&ground, &policy, args).await;
        let complaint = complaint(&refused);
        assert_eq!(refused.status.code(), Some(code), "{args:?}: {complaint}");
        assert!(complaint.contains(expected), "{args:?}: {complaint}");
    }
    ground.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_rounds_replay_to_the_same_verdicts() {
    let ground = Ground::start(None).await;
    let policy = shown(&ground.policy);
    some_rounds(&ground).await;
    let replayed = explain(&ground, &policy, &["--replay"]).await;
    let text = said(&replayed);
    assert!(replayed.status.success(), "{text}{}", complaint(&replayed));
    let sum = "4 judged the same, 0 otherwise, 1 not compared";
    assert!(text.contains(sum), "{text}");

    let replayed = explain(&ground, &policy, &["--replay", "--output", "json"]).await;
    let found = lines(&replayed);
    let found: Vec<_> = found.iter().map(|line| &line["replay"]).collect();
    assert_eq!(found, ["same", "not_compared", "same", "same", "same"]);

    let other = ground.folder.path().join("other.yaml");
    let yaml = std::fs::read_to_string(&ground.policy).unwrap();
    std::fs::write(&other, yaml.replace("max: 3", "max: 4")).unwrap();
    let refused = explain(&ground, &shown(&other), &["--replay"]).await;
    assert_eq!(refused.status.code(), Some(2));
    let complaint = complaint(&refused);
    assert!(complaint.contains("no round was compared"), "{complaint}");
    assert!(complaint.contains("under policy"), "{complaint}");
    ground.sandbox.shutdown().await;
}
