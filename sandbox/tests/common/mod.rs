//! What the end-to-end tests share: the real programs, a sandbox to meet, and patience with an end.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test program uses its own part of what is shared"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "real programs pass real time; every wait has a deadline"
)]

pub mod chaos;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use weir_protocol::{JobRecord, JobState};
use weir_sandbox::demo::front_end::{FrontEnd, Request};
use weir_sandbox::demo::rounds::{Rounds, Schedule};
use weir_sandbox::demo::tally::Books;
use weir_sandbox::fleet::Provisioning;
use weir_sandbox::instances::InstanceProgram;
use weir_sandbox::sandbox::{JOBS_TABLE, Sandbox, SandboxConfig};
use weir_sandbox::stores::client_config;

/// The group of every test's fleet.
pub const GROUP: &str = "e2e-workers";
/// The queue of every test's fleet.
pub const QUEUE: &str = "e2e";
/// The bucket of the tests that make thumbnails.
pub const BUCKET: &str = "e2e-photos";
/// The ledger of the tests that make thumbnails.
pub const LEDGER: &str = "e2e-commits";

const POLICY: &str = "
version: 1
name: e2e
queues:
  - name: e2e
fleet: { auto_scaling_group: e2e-workers, min: 0, max: 3 }
objective: { start_within: 4s, percentile: 95 }
worker: { slots: 2, service_time: 1s, boot_time: 1s }
scale_in: { hold: 4s }
forecast: off
";

/// A program that cargo built beside this test.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join(name);
    assert!(
        path.is_file(),
        "{} is missing: the end-to-end tests run the real programs; build them first with \
         `cargo build --workspace --bins --examples`, or run `make e2e`",
        path.display()
    );
    path
}

/// A worker whose jobs are done by a shell command.
pub fn exec_worker(command: &str) -> InstanceProgram {
    InstanceProgram {
        program: program("weir-worker"),
        args: ["run", "--exec", command].map(String::from).into(),
        env: worker_env(),
    }
}

/// The worker that makes thumbnails, and keeps the ledger of its commits.
pub fn thumbnails_worker() -> InstanceProgram {
    let own = [
        ("THUMBNAILS_BUCKET", BUCKET),
        ("THUMBNAILS_LEDGER_TABLE", LEDGER),
    ];
    let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
    InstanceProgram {
        program: program("examples/thumbnails"),
        args: Vec::new(),
        env: worker_env().into_iter().chain(own).collect(),
    }
}

/// Short, so that what a killed worker held comes back within a test's patience.
fn worker_env() -> BTreeMap<String, String> {
    let settings = [("WEIR_VISIBILITY_TIMEOUT", "10s"), ("WEIR_POLL_WAIT", "2s")];
    settings
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// A sandbox with one fleet, and clients to look at it.
pub struct Ground {
    pub sandbox: Sandbox,
    pub books: Books,
    pub policy: PathBuf,
    pub folder: TempDir,
}

impl Ground {
    /// A fleet of instances that run `program`.
    pub async fn start(program: Option<InstanceProgram>) -> Self {
        let config = SandboxConfig {
            provisioning: Provisioning {
                visibility_timeout: Duration::from_secs(10),
                ..Provisioning::default()
            },
            program,
            s3_latency: Duration::from_millis(700),
            ..SandboxConfig::default()
        };
        Self::start_with(POLICY, config).await
    }

    /// A fleet by this policy, with the bucket and the ledger beside what the configuration has.
    pub async fn start_with(policy_text: &str, mut config: SandboxConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let policy = folder.path().join("policy.yaml");
        std::fs::write(&policy, policy_text).unwrap();
        config.policies = vec![policy.clone()];
        config.buckets.push(BUCKET.into());
        config
            .tables
            .insert(LEDGER.to_owned(), "commit_id".to_owned());
        let sandbox = Box::pin(Sandbox::start(config)).await.unwrap();
        let queue = sandbox.fleets()[0].queues[0].clone();
        let books = Books {
            dynamodb: aws_sdk_dynamodb::Client::new(&client_config(sandbox.dynamodb_url()).await),
            sqs: aws_sdk_sqs::Client::new(&client_config(sandbox.url()).await),
            s3: aws_sdk_s3::Client::new(&client_config(sandbox.s3_url()).await),
            jobs_table: JOBS_TABLE.into(),
            ledger_table: LEDGER.into(),
            queue_url: sandbox.queue_url(queue.name()),
            dead_letter_queue_url: sandbox.queue_url(&queue.dead_letters()),
            bucket: BUCKET.into(),
        };
        Self {
            sandbox,
            books,
            policy,
            folder,
        }
    }

    /// The group's client.
    pub async fn autoscaling(&self) -> aws_sdk_autoscaling::Client {
        aws_sdk_autoscaling::Client::new(&client_config(self.sandbox.url()).await)
    }

    /// Sends `count` jobs at once; gives their ids.
    pub async fn send(&self, count: usize, image: &str) -> BTreeSet<String> {
        let requests: Vec<Request> = (0..count)
            .map(|nth| Request {
                job_id: format!("job-{nth:03}"),
                at: 0.0,
                image: image.into(),
                width: 64,
            })
            .collect();
        let front_end = FrontEnd::new(self.books.sqs.clone(), self.books.queue_url.clone());
        front_end.send(&requests, &0.into()).await.unwrap();
        requests.into_iter().map(|request| request.job_id).collect()
    }

    /// Sets the group's desired capacity, as a person would.
    pub async fn set_desired(&self, desired: i32) {
        let call = self.autoscaling().await.set_desired_capacity();
        let call = call
            .auto_scaling_group_name(GROUP)
            .desired_capacity(desired);
        call.send().await.unwrap();
    }

    /// The controller as a scheduled task, for as long as the guard is kept.
    pub fn rounds(&self) -> (DropGuard, watch::Receiver<Rounds>) {
        let stop = CancellationToken::new();
        let (sender, seen) = watch::channel(Rounds::default());
        let schedule = Schedule {
            controller: program("weir"),
            policy: self.policy.clone(),
            env: self.sandbox.own_env(),
            log: self.folder.path().join("controller.log"),
            every: Duration::from_secs(2),
        };
        tokio::spawn(schedule.run(stop.clone(), sender));
        (stop.drop_guard(), seen)
    }

    /// All items of a table.
    pub async fn items(&self, table: &str) -> Vec<HashMap<String, AttributeValue>> {
        let scan = self.books.dynamodb.scan().table_name(table);
        let items = scan.into_paginator().items().send();
        items.collect::<Result<Vec<_>, _>>().await.unwrap()
    }

    /// All job records now.
    pub async fn records(&self) -> BTreeMap<String, JobRecord> {
        self.books.tally().await.unwrap().records
    }

    /// The jobs in this state now.
    pub async fn in_state(&self, state: JobState) -> Vec<JobRecord> {
        let records = self.records().await.into_values();
        records.filter(|record| record.state == state).collect()
    }

    /// Waits until all of these jobs have succeeded.
    pub async fn all_succeeded(&self, jobs: &BTreeSet<String>, patience: Duration) {
        self.until("every job has succeeded", patience, async || {
            let done = self.in_state(JobState::Succeeded).await;
            done.iter()
                .filter(|record| jobs.contains(&record.job_id))
                .count()
                == jobs.len()
        })
        .await;
    }

    /// Waits until something holds; else fails with the logs of all that ran.
    pub async fn until(
        &self,
        what: &str,
        patience: Duration,
        mut holds: impl AsyncFnMut() -> bool,
    ) {
        let polling = async {
            while !holds().await {
                tokio::time::sleep(Duration::from_millis(150)).await;
            }
        };
        let in_time = tokio::time::timeout(patience, polling).await.is_ok();
        if !in_time {
            let told = self.told().await;
            panic!("not within {patience:?}: {what}\n{told}");
        }
    }

    /// All that there is to know after a failure.
    async fn told(&self) -> String {
        let tally = self.books.tally().await;
        let mut text = format!("fleet: {:?}\nbooks: {tally:#?}\n", self.sandbox.fleet());
        let logs = std::fs::read_dir(self.sandbox.logs()).unwrap();
        let logs = logs.map(|entry| entry.unwrap().path());
        for log in logs.chain([self.folder.path().join("controller.log")]) {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let lines: Vec<_> = said.lines().rev().take(40).collect();
            let lines: Vec<_> = lines.into_iter().rev().collect();
            let _ = writeln!(text, "--- {}\n{}", log.display(), lines.join("\n"));
        }
        text
    }
}

/// Runs a program to its end, with this environment beside the inherited one.
pub async fn run(name: &str, args: &[&str], env: &BTreeMap<String, String>) -> Output {
    let mut command = Command::new(program(name));
    command.args(args).envs(env);
    let ended = tokio::task::spawn_blocking(move || command.output());
    ended.await.unwrap().unwrap()
}

/// What a program wrote on standard error.
pub fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a program wrote on standard output.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Calls that change something in SQS, Auto Scaling, EC2 or CloudWatch.
pub fn changes(sandbox: &Sandbox) -> BTreeMap<String, u64> {
    let reads = ["Get", "Describe", "List", "Receive"];
    let calls = sandbox.cloud().calls();
    let changing = calls
        .into_iter()
        .filter(|((_, action), _)| !reads.iter().any(|read| action.starts_with(read)));
    changing
        .map(|((service, action), count)| (format!("{service}:{action}"), count))
        .collect()
}

/// A path for a message.
pub fn shown(path: &Path) -> String {
    path.display().to_string()
}
