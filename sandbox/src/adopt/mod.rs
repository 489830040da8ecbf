//! `adopt`: what Terraform made on an emulator, played on the small cloud.
//!
//! This module puts the parts together: it reads the deployment, sets the stage, sends jobs, waits
//! for the fleets to come and go, and has everything judged. Nothing that it judges by is what it
//! meant to do: it is read back.

mod books;
mod boot;
mod checks;
mod controller;
mod day;
pub mod deployment;
mod front_end;
mod operator;
pub mod permissions;
mod report;
pub mod source;
pub mod stage;
pub mod user_data;
mod watch;
pub mod work;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::books::{Books, Tally};
use self::boot::Boot;
use self::checks::{Check, Evidence};
use self::controller::{Invocations, Schedule};
use self::day::Day;
use self::deployment::Deployment;
use self::front_end::FrontEnd;
use self::stage::{Stage, StageConfig};
use self::watch::Watch;
use self::work::{BUILT_IN, Job, Mix};
use crate::iam::Policies;

pub use self::report::Report;
pub use self::source::{Source, SourceError};

/// What to play.
#[derive(Clone, Debug)]
pub struct AdoptConfig {
    /// `weir`.
    pub controller: PathBuf,
    /// `weir-worker`.
    pub worker: PathBuf,
    /// Does a job; `None`: the built-in command, which knows every way a job can end.
    pub exec: Option<String>,
    /// Jobs to send.
    pub jobs: usize,
    /// From an instance's launch until it is up.
    pub boot: Duration,
    /// From one round to the next.
    pub every: Duration,
    /// A run ends, and fails, after this long.
    pub patience: Duration,
    /// Everything made by chance comes from it.
    pub seed: u64,
    /// Where policies and logs are written.
    pub folder: PathBuf,
    /// What the front end may do; `None`: everything.
    pub producer: Option<Policies>,
    /// What the operator may do; `None`: everything.
    pub operator: Option<Policies>,
}

/// A run of a deployment.
#[derive(Debug)]
pub struct Adopt {
    config: AdoptConfig,
    deployment: Deployment,
    jobs: Vec<Job>,
}

impl Adopt {
    /// Plans the run; nothing is started.
    pub fn new(config: AdoptConfig, deployment: Deployment) -> Self {
        let mix = match config.exec {
            None => Mix::Everything,
            Some(_) => Mix::Plain,
        };
        Self {
            jobs: work::jobs(&deployment, config.jobs, mix),
            config,
            deployment,
        }
    }

    /// Where the programs' logs go.
    pub fn logs(&self) -> PathBuf {
        self.config.folder.join("logs")
    }

    /// Plays it on a small cloud that is gone afterwards, however it ends: also when `end` resolves
    /// first.
    pub async fn run(
        self,
        end: impl Future<Output = std::io::Result<()>>,
    ) -> anyhow::Result<Report> {
        tokio::pin!(end);
        self.prepare_folder()?;
        let settings = self.stage_config();
        let stage = tokio::select! {
            set = Stage::set(&self.deployment, &settings) => set?,
            asked = &mut end => return Err(interrupted(asked)),
        };
        let played = tokio::select! {
            played = self.play(&stage, &settings.exec) => played,
            asked = &mut end => Err(interrupted(asked)),
        };
        stage.sandbox.shutdown().await;
        played
    }

    fn stage_config(&self) -> StageConfig {
        let own = self.config.exec.as_deref().unwrap_or(BUILT_IN);
        StageConfig {
            worker: self.config.worker.clone(),
            exec: self.wrapped(own),
            boot: self.config.boot,
            seed: self.config.seed,
            logs: self.logs(),
            producer: self.config.producer.clone(),
            operator: self.config.operator.clone(),
        }
    }

    /// The list that every successful run of the handler is added to.
    fn runs(&self) -> PathBuf {
        self.config.folder.join("runs.txt")
    }

    /// Once it is there, what was sick succeeds.
    fn healed(&self) -> PathBuf {
        self.config.folder.join("healed")
    }

    /// The handler's command, between what it looks at and the list that each successful run is
    /// added to.
    fn wrapped(&self, exec: &str) -> String {
        format!(
            "export HEALED='{}'\n(\n{exec}\n)\ncode=$?\n\
             [ \"$code\" -eq 0 ] && echo \"$WEIR_JOB_ID\" >>'{}'\nexit \"$code\"",
            self.healed().display(),
            self.runs().display()
        )
    }

    /// Makes the folders anew, without what the run before left.
    fn prepare_folder(&self) -> anyhow::Result<()> {
        let prepare = || {
            for folder in [self.logs(), self.policies_folder()] {
                if folder.exists() {
                    std::fs::remove_dir_all(&folder)?;
                }
                std::fs::create_dir_all(&folder)?;
            }
            for file in [self.runs(), self.healed()] {
                if file.exists() {
                    std::fs::remove_file(file)?;
                }
            }
            for (name, text) in self.policies() {
                std::fs::write(self.policies_folder().join(name), text)?;
            }
            Ok(())
        };
        prepare().map_err(|error: std::io::Error| {
            let folder = self.config.folder.display();
            anyhow::Error::new(error).context(format!("{folder} cannot be prepared"))
        })
    }

    fn policies_folder(&self) -> PathBuf {
        self.config.folder.join("policies")
    }

    /// The scaling policies that were applied, as files: for `weir plan`.
    fn policies(&self) -> Vec<(String, &str)> {
        let stored = self
            .deployment
            .buckets
            .iter()
            .flat_map(|bucket| &bucket.policies);
        let stored = stored.filter_map(|(key, text)| {
            Some((
                key.strip_prefix("policies/")?.replace('/', "-"),
                text.as_str(),
            ))
        });
        let told = self.deployment.controllers.iter().filter_map(|controller| {
            let text = controller.env.get("WEIR_POLICY_YAML")?;
            Some((format!("{}.yaml", controller.name), text.as_str()))
        });
        stored.chain(told).collect()
    }

    async fn play(&self, stage: &Stage, exec: &str) -> anyhow::Result<Report> {
        let start = now();
        let stop = CancellationToken::new();
        let _stop = stop.clone().drop_guard();
        for boot in Boot::of(&self.deployment, stage).await {
            tokio::spawn(boot.run(stop.clone()));
        }
        let mut watch = Watch::default();
        let day = Day {
            adopt: self,
            stage,
            books: Books::of(&self.deployment, stage, self.runs()).await,
            front_end: FrontEnd::open(stage, &self.deployment, &self.jobs).await?,
            start,
        };
        // Before the controller's first look, which finds a backlog and not its arrival.
        day.front_end.burst().await?;
        let mut schedules = JoinSet::new();
        for controller in &self.deployment.controllers {
            let program = self.config.controller.clone();
            let schedule = Schedule::new(controller, stage, program, self.config.every);
            schedules.spawn(schedule.run(stop.clone()));
        }
        let mut passed = Box::pin(day.pass(&mut watch, exec)).await?;
        stop.cancel();
        passed.said.push(invocations(schedules).await?);
        let tally = Tally {
            messages: passed.messages,
            ..day.books.tally(&self.deployment).await?
        };
        let ledger = stage.iam.ledger();
        let mut jobs = self.jobs.clone();
        jobs.extend(day.own_jobs());
        let mut checks = checks::all(&Evidence {
            deployment: &self.deployment,
            jobs: &jobs,
            tally: &tally,
            watch: &watch,
            ledger: &ledger,
        });
        let permissions = permissions::prove(&stage.iam, self.proof());
        checks.extend(passed.said);
        checks.extend(permissions.checks());
        Ok(Report {
            ok: checks.iter().all(|check| check.ok),
            seconds: start.elapsed().as_secs_f64(),
            jobs: jobs.len(),
            adopted: report::adopted(&self.deployment),
            not_played: self.deployment.not_played.clone(),
            checks,
            permissions,
        })
    }

    /// A handler of the user's may never give up a job or put one off: then nothing is said of
    /// what was not used.
    fn proof(&self) -> permissions::Scope {
        match self.config.exec {
            None => permissions::Scope::MissingAndUnused,
            Some(_) => permissions::Scope::Missing,
        }
    }
}

async fn invocations(
    mut schedules: JoinSet<std::io::Result<Invocations>>,
) -> anyhow::Result<Check> {
    let (mut well, mut failed) = (0, Vec::new());
    while let Some(ended) = schedules.join_next().await {
        let ended = ended.context("the controller's schedule broke off")?;
        let ended = ended.context("the controller could not be run")?;
        well += ended.well;
        failed.extend(ended.failed);
    }
    let good = format!("{well} invocations");
    Ok(Check::none_of("the controller ends well", &failed, good))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a run is timed by the wall clock"
)]
fn now() -> Instant {
    Instant::now()
}

fn interrupted(asked: std::io::Result<()>) -> anyhow::Error {
    match asked {
        Ok(()) => anyhow::anyhow!("interrupted; everything that was started has been ended"),
        Err(error) => anyhow::Error::new(error).context("signals cannot be watched for"),
    }
}
