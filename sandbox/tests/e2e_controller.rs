//! The controller against the sandbox: what it keeps, what two of them do, how it steers target
//! tracking, and what its figures are.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod common;

use std::time::Duration;

use common::{GROUP, Ground, QUEUE, changes, complaint, run, said, shown};
use serde_json::Value;
use weir_controller::aws::Aws;
use weir_controller::testing::ledger_conformance;
use weir_sandbox::stores::{Stores, client_config};

#[tokio::test]
async fn the_state_table_conforms_as_a_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let stores = Stores::open(folder.path(), Duration::ZERO).await.unwrap();
    stores.make_tables("weir-jobs", "weir-state").await.unwrap();
    let config = client_config(&stores.dynamodb_url).await;
    let aws = Aws::with(&config, &[], "weir-state").unwrap();
    ledger_conformance(&aws.state_table(), "conformance").await;
}

/// One round of the real program; its JSON line.
async fn round(ground: &Ground, policy: &str) -> Value {
    let args = ["run", "--once", "--policy", policy, "--output", "json"];
    let output = run("weir", &args, &ground.sandbox.env()).await;
    assert!(output.status.success(), "{}", complaint(&output));
    serde_json::from_str(&said(&output)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_controllers_at_once_one_changes_the_fleet() {
    let ground = Ground::start(None).await;
    ground.send(200, "any").await;
    let policy = shown(&ground.policy);
    let (a, b) = tokio::join!(round(&ground, &policy), round(&ground, &policy));
    assert_eq!(
        changes(&ground.sandbox).get("autoscaling:SetDesiredCapacity"),
        Some(&1),
        "{a} {b}"
    );
    assert_eq!(ground.sandbox.fleet().desired, 3);
    ground.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_publishes_its_figures() {
    let ground = Ground::start(None).await;
    ground.send(200, "any").await;
    let line = round(&ground, &shown(&ground.policy)).await;
    assert_eq!(line["outcome"], "done");
    assert_eq!(line["notes"], Value::Null, "nothing went wrong on the side");
    let config = client_config(ground.sandbox.url()).await;
    let metrics = aws_sdk_cloudwatch::Client::new(&config)
        .list_metrics()
        .namespace("Weir/Fleet")
        .send()
        .await
        .unwrap();
    let mut names: Vec<_> = metrics
        .metrics()
        .iter()
        .filter_map(|m| m.metric_name())
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "BacklogPerInstanceTarget",
            "BudgetLimited",
            "CapacityShort",
            "Desired",
            "InService",
            "InstanceHoursToday",
            "PolicyRefused",
            "VerdictRefused"
        ]
    );
    ground.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn target_tracking_gets_a_target_only_when_it_moved_and_the_first_instances_directly() {
    let ground = Ground::start(None).await;
    let yaml = std::fs::read_to_string(&ground.policy).unwrap();
    let policy = ground.folder.path().join("tracking.yaml");
    std::fs::write(&policy, yaml + "actuate: target_tracking\n").unwrap();
    ground.send(200, "any").await;

    let first = round(&ground, &shown(&policy)).await;
    assert_eq!(first["changes"].as_array().unwrap().len(), 2, "{first}");
    let described = ground
        .autoscaling()
        .await
        .describe_policies()
        .auto_scaling_group_name(GROUP)
        .send()
        .await
        .unwrap();
    let tracking = &described.scaling_policies()[0];
    assert_eq!(tracking.policy_name(), Some(&*format!("weir-{QUEUE}")));
    let configuration = tracking.target_tracking_configuration().unwrap();
    assert_eq!(configuration.disable_scale_in(), Some(true));
    let target = first["backlog_per_instance_target"].as_f64().unwrap();
    assert!((configuration.target_value().unwrap() - target).abs() < 1e-6);

    let (mut in_force, mut puts) = (target, 1);
    for _ in 0..3 {
        let next = round(&ground, &shown(&policy)).await;
        assert_eq!(next["outcome"], "done", "{next}");
        let target = next["backlog_per_instance_target"].as_f64().unwrap();
        if (target - in_force).abs() > 0.1 * in_force {
            (in_force, puts) = (target, puts + 1);
        }
    }
    let made = changes(&ground.sandbox)["autoscaling:PutScalingPolicy"];
    assert_eq!(
        made, puts,
        "only a target that moved by more than a tenth is set anew"
    );
    assert!(puts < 4, "it settles");
    ground.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_task_runs_rounds_until_its_time_is_over() {
    let ground = Ground::start(None).await;
    let policy = shown(&ground.policy);
    let schedule = [
        "run", "--policy", &policy, "--every", "1s", "--for", "2500ms",
    ];
    let output = run("weir", &schedule, &ground.sandbox.env()).await;
    assert!(output.status.success(), "{}", complaint(&output));
    assert_eq!(said(&output).lines().count(), 3, "{}", said(&output));
    // The lease was given up at the end: another need not wait.
    let next = round(&ground, &policy).await;
    assert_eq!(next["outcome"], "done", "{next}");
    ground.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_changes_nothing_and_keeps_nothing() {
    let ground = Ground::start(None).await;
    ground.send(200, "any").await;
    let before = changes(&ground.sandbox);
    let policy = shown(&ground.policy);
    let dry = ["run", "--once", "--dry-run", "--policy", &policy];
    let output = run("weir", &dry, &ground.sandbox.env()).await;
    assert!(output.status.success(), "{}", complaint(&output));
    let line = said(&output);
    assert!(line.contains("would set desired capacity to"), "{line}");
    assert_eq!(changes(&ground.sandbox), before);
    let scan = ground.books.dynamodb.scan().table_name("weir-state");
    assert_eq!(scan.send().await.unwrap().count(), 0);
    ground.sandbox.shutdown().await;
}
