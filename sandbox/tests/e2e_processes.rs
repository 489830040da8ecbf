//! Nothing that the sandbox starts outlives it, whatever way it goes.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
#![allow(
    clippy::disallowed_methods,
    reason = "real programs pass real time; every wait has a deadline"
)]

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use weir_sandbox::instances::Belonging;
use weir_sandbox::stores::client_config;

const PATIENCE: Duration = Duration::from_secs(30);

/// `weir-sandbox serve` with instances that are stubborn and have left their process group.
struct Serving {
    process: Child,
    _out: BufReader<ChildStdout>,
    env: BTreeMap<String, String>,
    /// The mark of what it starts.
    mark: String,
    _folder: tempfile::TempDir,
}

impl Serving {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let policy: PathBuf = folder.path().join("policy.yaml");
        let text = "{version: 1, name: p, queues: [{name: p}], objective: {start_within: 9s, \
                    percentile: 95}, fleet: {auto_scaling_group: p-workers, min: 0, max: 3}}";
        std::fs::write(&policy, text).unwrap();
        let mut process = Command::new(common::program("weir-sandbox"))
            .args([
                "serve",
                "--boot",
                "100ms",
                "--program",
                "set -m; sleep 600 & sleep 600",
            ])
            .arg("--policy")
            .arg(&policy)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(process.stdout.take().unwrap());
        let (mut env, mut mark) = (BTreeMap::new(), String::new());
        let mut line = String::new();
        while !line.starts_with("# Instances' logs") {
            line.clear();
            assert!(
                out.read_line(&mut line).unwrap() > 0,
                "it ended before it served"
            );
            let line = line.trim();
            if let Some(token) = line.strip_prefix("# What it starts carries WEIR_SANDBOX_RUN=") {
                token.clone_into(&mut mark);
            }
            if let Some((name, value)) = line
                .strip_prefix("export ")
                .and_then(|line| line.split_once('='))
            {
                env.insert(name.to_owned(), value.trim_matches('\'').to_owned());
            }
        }
        Self {
            process,
            _out: out,
            env,
            mark,
            _folder: folder,
        }
    }

    /// Three instances, each of three processes.
    async fn populate(&self) -> Belonging {
        let config = client_config(&self.env["AWS_ENDPOINT_URL"]).await;
        let call = aws_sdk_autoscaling::Client::new(&config).set_desired_capacity();
        let call = call
            .auto_scaling_group_name("p-workers")
            .desired_capacity(3);
        call.send().await.unwrap();
        let belonging = Belonging::new(self.mark.clone());
        until("three instances run", || belonging.processes().len() >= 9);
        belonging
    }

    fn end_with(&mut self, signal: Signal) -> ExitStatus {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).unwrap());
        kill(pid, signal).unwrap();
        let mut status = None;
        until("the sandbox's end", || {
            status = self.process.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Where a test failed before it ended the sandbox.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(
            start.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {what}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_after_ctrl_c_or_sigterm() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut serving = Serving::start();
        let belonging = serving.populate().await;
        let status = serving.end_with(signal);
        assert_eq!(status.code(), Some(0), "{signal}");
        assert_eq!(belonging.processes(), [], "{signal}");
    }
}

#[test]
fn a_shell_that_takes_the_exports_does_not_come_to_belong_to_it() {
    let serving = Serving::start();
    let mark = serving
        .env
        .keys()
        .find(|name| name.starts_with("WEIR_SANDBOX"));
    assert_eq!(mark, None, "its programs would be ended with the sandbox");
    assert!(!serving.mark.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_even_after_sigkill() {
    let mut serving = Serving::start();
    let belonging = serving.populate().await;
    serving.end_with(Signal::SIGKILL);
    until("the instances' end", || belonging.processes().is_empty());
    let folder = PathBuf::from(&serving.env["AWS_CONFIG_FILE"]);
    until("the folder's end", || !folder.exists());
}

#[test]
fn a_start_that_fails_leaves_nothing_and_says_why() {
    let output = Command::new(common::program("weir-sandbox"))
        .args(["serve", "--policy", "nowhere.yaml"])
        .output()
        .unwrap();
    let said = common::complaint(&output);
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.contains("nowhere.yaml"), "{said}");
}

#[test]
fn a_plan_of_faults_that_cannot_be_is_refused_with_what_can() {
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("faults.json");
    std::fs::write(&plan, r#"{"rates": {"s3": {"duplicated": 0.1}}}"#).unwrap();
    let output = Command::new(common::program("weir-sandbox"))
        .args(["serve", "--policy", "nowhere.yaml", "--faults"])
        .arg(&plan)
        .output()
        .unwrap();
    let said = common::complaint(&output);
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.contains("rates.s3.duplicated"), "{said}");
    assert!(said.contains("it has throttled"), "{said}");
}
