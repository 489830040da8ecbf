//! The commands of whoever looks after the fleets: all that people run by hand against them.
//!
//! Each is the real program with the operator's key. What it prints is judged by its exit code.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use tokio::process::Command;

use super::checks::Check;
use super::deployment::Fleet;
use super::stage::{OPERATOR, Stage};
use crate::cloud::sqs::FIFO_SUFFIX;
use crate::instances::own_settings;

/// No command takes longer.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The operator, with the programs.
#[derive(Debug)]
pub(super) struct Operator<'a> {
    pub(super) stage: &'a Stage,
    pub(super) worker: &'a Path,
    pub(super) controller: &'a Path,
    /// The folder in which policies lie, for `weir plan`.
    pub(super) policies: PathBuf,
    /// What a job is done with, for `weir-worker check`.
    pub(super) exec: &'a str,
}

impl Operator<'_> {
    /// What can be asked while there is work: settings, a plan, counts, a job of their own.
    pub(super) async fn meanwhile(&self, fleet: &Fleet, job: &str) -> anyhow::Result<Vec<Check>> {
        let queue = fleet.queue_names().into_iter().next().unwrap_or_default();
        let fifo = queue.ends_with(FIFO_SUFFIX);
        let mut submit = vec!["submit", "--queue", &queue, "--job-id", job, "plain"];
        if fifo {
            submit.extend(["--group", "operator"]);
        }
        let mut checks = vec![
            self.worker_runs(fleet, &["check"]).await?,
            self.worker_runs(fleet, &submit).await?,
            self.worker_runs(fleet, &["status", "--queue", &queue])
                .await?,
            self.worker_runs(fleet, &["result", job, "--wait", "50s"])
                .await?,
            self.worker_runs(fleet, &["status", job]).await?,
        ];
        checks.push(self.plan(fleet).await?);
        Ok(checks)
    }

    /// Lists a queue's dead letters and sends those of these jobs back.
    pub(super) async fn redrive(
        &self,
        fleet: &Fleet,
        queue: &str,
        jobs: &[&str],
    ) -> anyhow::Result<Vec<Check>> {
        let list = ["redrive", "list", "--queue", queue];
        let send_back = [&["redrive", "return", "--queue", queue], jobs].concat();
        Ok(vec![
            self.worker_runs(fleet, &list).await?,
            self.worker_runs(fleet, &send_back).await?,
        ])
    }

    async fn plan(&self, fleet: &Fleet) -> anyhow::Result<Check> {
        let folder = self.policies.display().to_string();
        let args = ["plan", "--policy", &folder].map(str::to_owned);
        let table = fleet
            .worker_env
            .get("WEIR_STATE_TABLE")
            .cloned()
            .unwrap_or_default();
        let env = BTreeMap::from([("WEIR_STATE_TABLE".to_owned(), table)]);
        self.run(
            &format!("{}: weir plan", fleet.name),
            self.controller,
            &args,
            env,
        )
        .await
    }

    async fn worker_runs(&self, fleet: &Fleet, args: &[&str]) -> anyhow::Result<Check> {
        let mut env = self.stage.worker_env(fleet, self.exec);
        env.extend(self.stage.env_as(OPERATOR));
        // `redrive` and `submit` take the queue as an argument.
        if args[0] != "check" {
            env.remove("WEIR_QUEUE");
        }
        let args: Vec<String> = args.iter().map(|word| (*word).to_owned()).collect();
        let name = format!(
            "{}: weir-worker {}",
            fleet.name,
            args[..args.len().min(2)].join(" ")
        );
        self.run(&name, self.worker, &args, env).await
    }

    async fn run(
        &self,
        name: &str,
        program: &Path,
        args: &[String],
        env: BTreeMap<String, String>,
    ) -> anyhow::Result<Check> {
        let mut command = Command::new(program);
        for name in own_settings() {
            command.env_remove(name);
        }
        let mut all = self.stage.env_as(OPERATOR);
        all.extend(env);
        let ended = command
            .args(args)
            .envs(all)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let ended = tokio::time::timeout(TIMEOUT, ended).await;
        let output = ended.with_context(|| format!("{name} took longer than {TIMEOUT:?}"))??;
        let said = [output.stderr, output.stdout].concat();
        let said = String::from_utf8_lossy(&said);
        let last = said.trim().lines().last().unwrap_or_default().to_owned();
        Ok(Check {
            name: name.to_owned(),
            ok: output.status.success(),
            found: format!("{}: {last}", output.status),
        })
    }
}
