//! `weir plan` against the sandbox: it tells all, and changes nothing.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod common;

use std::time::Duration;

use common::{Ground, changes, complaint, exec_worker, run, said, shown};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_tells_the_numbers_the_verdict_and_its_trail_and_changes_nothing() {
    let ground = Ground::start(Some(exec_worker("sleep 600"))).await;
    ground.send(40, "any").await;
    ground.set_desired(1).await;
    ground
        .until("a job runs", Duration::from_mins(1), async || {
            ground.books.queue().await.unwrap().in_flight > 0
        })
        .await;
    // The worker beats on meanwhile: only what the controller may call is compared.
    let before = controllers_changes(&ground);
    let state = state_of_the_tables(&ground).await;
    let plan = ["plan", "--policy", &shown(&ground.policy)];
    let text = run("weir", &plan, &ground.sandbox.env()).await;
    assert!(text.status.success(), "{}", complaint(&text));
    let text = said(&text);
    for expected in ["e2e-workers", "e2e", "0 to 3", "Grow to"] {
        assert!(text.contains(expected), "no {expected:?} in\n{text}");
    }

    let plan = [&plan[..], &["--output", "json"]].concat();
    let json = run("weir", &plan, &ground.sandbox.env()).await;
    let verdict: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert!(verdict["at"].as_f64().unwrap() > 1_700_000_000.0);
    assert_eq!(verdict["fleet"], "e2e");
    assert_eq!(verdict["action"], "grow");
    assert!(verdict["desired"].as_u64().unwrap() > 1);
    assert!(verdict["backlog_per_instance"].as_f64().unwrap() > 20.0);
    assert!(verdict["backlog_per_instance_target"].as_f64().unwrap() > 0.0);
    let trail = verdict["trail"].as_array().unwrap();
    assert!(!trail.is_empty());
    for step in trail {
        for key in ["step", "reason", "text"] {
            assert!(step[key].is_string(), "no {key} in {step}");
        }
    }

    let plan = [&plan[..], &["--detailed-exitcode"]].concat();
    let detailed = run("weir", &plan, &ground.sandbox.env()).await;
    assert_eq!(detailed.status.code(), Some(1), "{}", complaint(&detailed));

    assert_eq!(controllers_changes(&ground), before);
    assert_eq!(state_of_the_tables(&ground).await, state);
    assert_eq!(ground.sandbox.fleet().desired, 1);
    ground.sandbox.shutdown().await;
}

fn controllers_changes(ground: &Ground) -> Vec<(String, u64)> {
    let all = changes(&ground.sandbox).into_iter();
    let by_the_worker = |name: &str| name.starts_with("sqs:");
    all.filter(|(name, _)| !by_the_worker(name)).collect()
}

/// The controller's items in the state table: lease, history, journal.
async fn state_of_the_tables(ground: &Ground) -> Vec<String> {
    let scan = ground.books.dynamodb.scan().table_name("weir-state").send();
    let items = scan.await.unwrap().items.unwrap_or_default();
    let keys = items.iter().map(|item| item["pk"].as_s().unwrap().clone());
    keys.filter(|pk| !pk.starts_with("reports#")).collect()
}
