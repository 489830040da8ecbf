//! The controller as a Lambda function, its policies in a versioned bucket: the real program, a
//! stand-in for the runtime API, and the sandbox.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod common;
#[allow(
    dead_code,
    unreachable_pub,
    clippy::disallowed_methods,
    reason = "shared, and of real time"
)]
#[path = "common/runtime_api.rs"]
mod runtime_api;
#[allow(dead_code, unreachable_pub, reason = "shared")]
#[path = "common/versioned.rs"]
mod versioned;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Datapoint, Dimension, Statistic};
use common::{Ground, complaint, program, run, said};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use runtime_api::{Answer, RuntimeApi};
use serde_json::Value;
use tokio::process::{Child, Command};
use versioned::Versioned;
use weir_protocol::keys;
use weir_sandbox::stores::client_config;

const KEY: &str = "policies/e2e.yaml";
const MINUTE: Duration = Duration::from_mins(1);

/// What EventBridge Scheduler sends a function without an input of its own (EventBridge Scheduler
/// user guide, "Templated targets").
const SCHEDULED: &str = r#"{
  "version": "0",
  "id": "0d0f3e3e-29c0-4d0a-9d8a-bf8a3a4f2b45",
  "detail-type": "Scheduled Event",
  "source": "aws.scheduler",
  "account": "123456789012",
  "time": "2026-11-24T17:00:00Z",
  "region": "eu-west-1",
  "resources": ["arn:aws:scheduler:eu-west-1:123456789012:schedule/default/weir"],
  "detail": "{}"
}"#;

/// A sandbox, a bucket with policies, and the function that is invoked there.
struct Scene {
    ground: Ground,
    bucket: Versioned,
    env: BTreeMap<String, String>,
    api: RuntimeApi,
}

impl Scene {
    async fn set() -> Self {
        let ground = Ground::start(None).await;
        let (bucket, url) = Versioned::serve().await;
        let api = RuntimeApi::serve().await;
        let mut env = ground.sandbox.own_env();
        let settings = [
            ("AWS_ENDPOINT_URL_S3", url.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "weir"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("WEIR_POLICY", "s3://weir/policies/"),
            ("WEIR_LOG_FORMAT", "json"),
            ("WEIR_EVERY", "1s"),
            ("WEIR_FOR", "2500ms"),
        ];
        env.extend(settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Self {
            ground,
            bucket,
            env,
            api,
        }
    }

    /// The policy with another `max`, which is at most the group's 3.
    fn policy(&self, max: i32) -> String {
        let text = std::fs::read_to_string(&self.ground.policy).unwrap();
        text.replace("max: 3", &format!("max: {max}"))
    }

    fn function(&self) -> Child {
        Command::new(program("weir"))
            .envs(&self.env)
            .env("AWS_LAMBDA_RUNTIME_API", &self.api.address)
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    async fn invoke(&mut self) -> Answer {
        self.api.send(SCHEDULED, MINUTE);
        self.api.answer(MINUTE).await
    }

    fn desired(&self) -> usize {
        self.ground.sandbox.fleet().desired
    }

    /// The largest value of `PolicyRefused` so far.
    async fn refused(&self) -> Option<f64> {
        let config = client_config(self.ground.sandbox.url()).await;
        let fleet = Dimension::builder().name("Fleet").value("e2e").build();
        let call = aws_sdk_cloudwatch::Client::new(&config).get_metric_statistics();
        let call = call.namespace("Weir/Fleet").metric_name("PolicyRefused");
        let (begin, end) = (DateTime::from_secs(0), DateTime::from_secs(4_000_000_000));
        let answer = call
            .dimensions(fleet)
            .start_time(begin)
            .end_time(end)
            .period(60)
            .statistics(Statistic::Maximum);
        let answer = answer.send().await.unwrap();
        let values = answer.datapoints().iter().filter_map(Datapoint::maximum);
        values.reduce(f64::max)
    }

    /// Fleets of which somebody holds the lease.
    async fn leases(&self) -> usize {
        let items = self.ground.items("weir-state").await;
        let is_lease = |item: &&_| sort_key(item) == Some(keys::LEASE);
        items.iter().filter(is_lease).count()
    }
}

fn sort_key(
    item: &std::collections::HashMap<String, aws_sdk_dynamodb::types::AttributeValue>,
) -> Option<&str> {
    Some(item.get(keys::SK)?.as_s().ok()?.as_str())
}

/// Asks the function to end; its exit code.
async fn end(mut function: Child) -> Option<i32> {
    let pid = Pid::from_raw(i32::try_from(function.id().unwrap()).unwrap());
    kill(pid, Signal::SIGTERM).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(20), function.wait()).await;
    ended.expect("it ends when it is told to").unwrap().code()
}

fn error_of(answer: Answer) -> String {
    let error = answer.expect_err("the invocation failed");
    error["errorMessage"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_sizes_the_fleet_by_policies_that_are_edited_in_the_bucket() {
    let mut scene = Scene::set().await;
    scene.bucket.put(KEY, &scene.policy(2));
    scene.ground.send(200, "any").await;
    let function = scene.function();

    let answer = scene.invoke().await.unwrap();
    assert_eq!(answer["fleets"], serde_json::json!(["e2e"]), "{answer}");
    assert_eq!(answer["rounds"], 3, "at 0, 1 and 2 s: {answer}");
    assert_eq!(answer["failed"], 0, "{answer}");
    let change = answer["changes"][0]["what"].as_str().unwrap();
    assert_eq!(change, "set desired capacity of e2e-workers to 2");
    assert_eq!(scene.desired(), 2);
    assert_eq!(scene.refused().await, Some(0.0));
    assert_eq!(scene.leases().await, 0, "what is frozen now holds no lease");

    scene.bucket.put(KEY, &scene.policy(3));
    let answer = scene.invoke().await.unwrap();
    assert_eq!(scene.desired(), 3, "the edit is in force: {answer}");
    let fetched = scene.bucket.gets();

    let bad = scene.bucket.put(KEY, &scene.policy(-3));
    let answer = scene.invoke().await.unwrap();
    assert_eq!(answer["failed"], 0, "{answer}");
    assert_eq!(answer["fleets"], serde_json::json!(["e2e"]), "{answer}");
    let refused = &answer["refused_policies"][0];
    assert!(
        refused["version"].as_str().unwrap().contains(&bad),
        "{refused}"
    );
    assert_eq!(refused["problems"][0]["key"], "fleet.max");
    assert_eq!(scene.refused().await, Some(1.0), "for an alarm to see");
    assert_eq!(
        scene.bucket.gets(),
        fetched + 1,
        "what is in hand is not fetched again"
    );
    assert_eq!(scene.desired(), 3);

    scene.bucket.be_down(true);
    let answer = scene.invoke().await.unwrap();
    assert_eq!(answer["failed"], 0, "on the policies in hand: {answer}");
    scene.bucket.be_down(false);

    scene.bucket.remove(KEY);
    let error = error_of(scene.invoke().await);
    assert!(
        error.contains("there is no *.yaml at s3://weir/policies/"),
        "{error}"
    );
    assert_eq!(scene.desired(), 3, "the fleet is left alone");
    assert_eq!(end(function).await, Some(0));
    scene.ground.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_fails_one_invocation_and_not_the_function() {
    let mut scene = Scene::set().await;
    scene.bucket.put(KEY, &scene.policy(2));
    let function = scene.function();
    for malformed in ["[1, 2", "[1, 2]", "\"now\""] {
        scene.api.send(malformed, MINUTE);
        let answer = scene.api.answer(MINUTE).await;
        assert!(answer.is_err(), "{malformed}: {answer:?}");
    }
    scene.api.send(SCHEDULED, Duration::from_secs(5));
    let error = error_of(scene.api.answer(MINUTE).await);
    assert!(
        error.contains("give the function a timeout of 60 s"),
        "{error}"
    );

    scene.api.send("{}", MINUTE);
    let answer = scene.api.answer(MINUTE).await.unwrap();
    assert_eq!(answer["failed"], 0, "{answer}");

    let elsewhere = scene.policy(2).replace("e2e-workers", "nowhere");
    scene.bucket.put(KEY, &elsewhere);
    let error = error_of(scene.invoke().await);
    assert!(error.contains("fleet e2e: observe: "), "{error}");
    assert!(error.contains("nowhere"), "{error}");
    assert_eq!(end(function).await, Some(0));
    scene.ground.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_end_a_function_answers_what_is_under_way_and_gives_the_lease_up() {
    let mut scene = Scene::set().await;
    scene.env.insert("WEIR_FOR".into(), "50s".into());
    scene.bucket.put(KEY, &scene.policy(2));
    scene.ground.send(200, "any").await;
    let function = scene.function();
    scene.api.send(SCHEDULED, MINUTE);
    let grown = async || scene.ground.sandbox.fleet().desired == 2;
    scene.ground.until("the first round", MINUTE, grown).await;
    assert_eq!(end(function).await, Some(0));
    let answer = scene.api.answer(MINUTE).await.unwrap();
    assert!(answer["rounds"].as_u64().unwrap() >= 1, "{answer}");
    assert_eq!(scene.leases().await, 0);
    scene.ground.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_take_policies_from_the_bucket_and_validate_tells_of_the_newest() {
    let scene = Scene::set().await;
    let env = &scene.env;
    let place = format!("s3://weir/{KEY}");
    let none = run("weir", &["plan", "--policy", &place], env).await;
    assert_eq!(none.status.code(), Some(2));
    assert!(
        complaint(&none).contains("no *.yaml at"),
        "{}",
        complaint(&none)
    );

    scene.bucket.put(KEY, &scene.policy(1));
    let good = scene.bucket.put(KEY, &scene.policy(2));
    for wrong in 1..=4 {
        scene.bucket.put(KEY, &scene.policy(-wrong));
        scene.bucket.put("policies/e2e.yaml.bak", "not a policy");
    }
    let plan = run("weir", &["plan", "--policy", &place], env).await;
    assert!(plan.status.success(), "{}", complaint(&plan));
    assert!(said(&plan).contains("0 to 2 instances"), "{}", said(&plan));
    let logged = complaint(&plan);
    let line: Value = serde_json::from_str(logged.lines().next().unwrap()).unwrap();
    assert_eq!(line["level"], "ERROR");
    let text = line["fields"]["message"].as_str().unwrap();
    assert!(text.contains(&format!("version {good} of")), "{text}");
    assert!(text.contains("stays in force"), "{text}");

    let validated = run("weir", &["validate", "s3://weir/policies/"], env).await;
    assert_eq!(validated.status.code(), Some(64));
    let told = complaint(&validated);
    assert!(told.contains("s3://weir/policies/e2e.yaml:6:"), "{told}");
    assert!(told.contains("found -4"), "{told}");

    let here = run("weir", &["decide", "--policy", &place], env).await;
    assert_eq!(here.status.code(), Some(64));
    assert!(
        complaint(&here).contains("aws s3 cp"),
        "{}",
        complaint(&here)
    );
    scene.ground.sandbox.shutdown().await;
}
