//! The processes that belong to a sandbox: started in groups of their own, marked in their
//! environment, and ended with all they started in turn.
//!
//! A worker runs a job's command in a process group of its own, so ending the worker's group does
//! not end the command. On EC2 the machine goes and all goes with it; here the mark finds what is
//! left. This module must not end anything that does not carry the mark.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

/// Set to the sandbox's token in everything it starts.
pub(super) const RUN_MARK: &str = "WEIR_SANDBOX_RUN";
/// Set to the sandbox's token and the instance's id in everything on that instance.
const INSTANCE_MARK: &str = "WEIR_SANDBOX_INSTANCE";

/// What runs on each instance: on EC2 the service that user data starts.
#[derive(Clone, Debug, Default)]
pub struct InstanceProgram {
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its own settings.
    pub env: BTreeMap<String, String>,
}

/// The mark by which a sandbox knows what it has started: a name and an unguessable value.
#[derive(Clone, Debug)]
pub struct Belonging {
    token: String,
    instance: Option<String>,
}

impl Belonging {
    /// A sandbox's mark, `token` being unique to it.
    pub fn new(token: String) -> Self {
        Self {
            token,
            instance: None,
        }
    }

    /// The token itself.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The same sandbox's mark for what runs on one instance.
    #[must_use]
    pub fn instance(&self, id: &str) -> Self {
        Self {
            token: self.token.clone(),
            instance: Some(format!("{}/{id}", self.token)),
        }
    }

    /// The variables to start a process with.
    pub fn env(&self) -> Vec<(&'static str, &str)> {
        let run = Some((RUN_MARK, self.token.as_str()));
        let instance = self.instance.as_deref();
        run.into_iter()
            .chain(instance.map(|mark| (INSTANCE_MARK, mark)))
            .collect()
    }

    /// The living processes that carry the mark. Empty where the system has no `/proc`.
    pub fn processes(&self) -> Vec<Pid> {
        let mark = match &self.instance {
            Some(instance) => format!("{INSTANCE_MARK}={instance}"),
            None => format!("{RUN_MARK}={}", self.token),
        };
        let Ok(entries) = std::fs::read_dir("/proc") else {
            return Vec::new();
        };
        let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        pids.filter(|pid: &i32| carries(*pid, mark.as_bytes()))
            .map(Pid::from_raw)
            .collect()
    }

    /// Kills what carries the mark; again, until a look finds none, for what forked meanwhile.
    pub fn kill_all(&self) {
        for _ in 0..10 {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            for pid in left {
                // It may have ended by itself since the look.
                let _ = kill(pid, Signal::SIGKILL);
            }
        }
    }
}

impl fmt::Display for Belonging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{RUN_MARK}={}", self.token)
    }
}

/// What a person's shell may have set for programs of their own: no instance is born with it.
pub(crate) fn own_settings() -> impl Iterator<Item = OsString> {
    let names = std::env::vars_os().map(|(name, _)| name);
    names.filter(|name| {
        let name = name.to_string_lossy();
        let foreign = ["AWS_", "WEIR_", "OTEL_"];
        foreign.iter().any(|prefix| name.starts_with(prefix))
    })
}

/// A zombie's environment reads as empty, so the dead do not count.
fn carries(pid: i32, mark: &[u8]) -> bool {
    std::fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|env| env.split(|byte| *byte == 0).any(|entry| entry == mark))
}

/// A program that runs on an instance.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    group: Pid,
    belonging: Belonging,
}

impl Process {
    /// Starts the program as the leader of a new process group; both its outputs go to `log`.
    pub(super) fn start(
        program: &InstanceProgram,
        env: &BTreeMap<String, String>,
        belonging: &Belonging,
        log: &Path,
    ) -> std::io::Result<Self> {
        let out = OpenOptions::new().create(true).append(true).open(log)?;
        let mut command = Command::new(&program.program);
        for name in own_settings() {
            command.env_remove(name);
        }
        let child = command
            .args(&program.args)
            .envs(env)
            .envs(&program.env)
            .envs(belonging.env())
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let id = child
            .id()
            .expect("invariant: a new child was not waited for");
        let id = i32::try_from(id).expect("invariant: process ids fit pid_t");
        Ok(Self {
            child,
            group: Pid::from_raw(id),
            belonging: belonging.clone(),
        })
    }

    /// The program's process group.
    pub(super) fn group(&self) -> Pid {
        self.group
    }

    /// Waits until the program ends by itself.
    pub(super) async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Ends the program and all that it started: SIGTERM, and SIGKILL to what is left after
    /// `grace`. To be called as well when the leader has ended by itself.
    pub(super) async fn end(mut self, grace: Duration) {
        if self.child.id().is_some() {
            let _ = killpg(self.group, Signal::SIGTERM);
            let _ = tokio::time::timeout(grace, self.child.wait()).await;
        }
        if self.child.id().is_some() {
            let _ = killpg(self.group, Signal::SIGKILL);
            let _ = self.child.wait().await;
        }
        self.belonging.kill_all();
    }
}
