//! The controller, run as it is defined: the real `weir`, again and again, as its schedule would.
//!
//! It replaces the pace, so that a run takes minutes, and what a sandbox must. It reads of the
//! controller's output nothing but whether there was any.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::deployment::Controller;
use super::stage::{Stage, controller_key};
use crate::instances::own_settings;

/// One invocation makes rounds for so long; the schedule begins the next at once.
const INVOCATION: Duration = Duration::from_secs(20);
/// A controller that is asked to end may finish its round.
const GRACE: Duration = Duration::from_secs(10);
/// After an invocation that ended at once, the next waits: a schedule never spins.
const PAUSE: Duration = Duration::from_secs(1);

/// One definition of the controller, to be run.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    program: PathBuf,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    log: PathBuf,
}

/// What became of the invocations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Invocations {
    /// Those that ended well.
    pub(super) well: u32,
    /// How the others ended.
    pub(super) failed: Vec<String>,
}

impl Schedule {
    /// `program` by this definition, a round every `every`.
    pub(super) fn new(
        controller: &Controller,
        stage: &Stage,
        program: PathBuf,
        every: Duration,
    ) -> Self {
        let mut env = stage.env_as(&controller_key(&controller.role));
        env.extend(controller.env.clone());
        let pace = [("WEIR_EVERY", every), ("WEIR_FOR", INVOCATION)];
        env.extend(pace.map(|(name, span)| (name.to_owned(), seconds(span))));
        Self {
            program,
            args: paced(&controller.command, every),
            env,
            log: stage
                .sandbox
                .logs()
                .join(format!("controller-{}.log", controller.name)),
        }
    }

    /// Runs it until `stop`; an invocation under way is asked to end, and ends its round.
    #[expect(
        clippy::disallowed_methods,
        reason = "a schedule runs on the wall clock"
    )]
    pub(super) async fn run(self, stop: CancellationToken) -> std::io::Result<Invocations> {
        let mut invocations = Invocations::default();
        while !stop.is_cancelled() {
            let mut child = self.start()?;
            let status = tokio::select! {
                status = child.wait() => status?,
                () = stop.cancelled() => end(&mut child).await?,
            };
            if status.success() {
                invocations.well += 1;
            } else {
                invocations.failed.push(status.to_string());
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(invocations)
    }

    fn start(&self) -> std::io::Result<Child> {
        let out = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)?;
        let mut command = Command::new(&self.program);
        for name in own_settings() {
            command.env_remove(name);
        }
        command
            .args(&self.args)
            .envs(&self.env)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }
}

/// Asks it to end, and waits.
async fn end(child: &mut Child) -> std::io::Result<std::process::ExitStatus> {
    if let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()) {
        // It may have ended since.
        let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
    }
    if let Ok(status) = tokio::time::timeout(GRACE, child.wait()).await {
        return status;
    }
    child.kill().await?;
    child.wait().await
}

/// The definition's arguments at another pace; `weir run` where it is called without any, which is
/// how Lambda calls it.
fn paced(command: &[String], every: Duration) -> Vec<String> {
    let mut kept = Vec::new();
    let mut words = command.iter();
    while let Some(word) = words.next() {
        match word.split_once('=').map_or(word.as_str(), |(flag, _)| flag) {
            "--every" | "--for" if word.contains('=') => {}
            "--every" | "--for" => {
                words.next();
            }
            "--once" => {}
            _ => kept.push(word.clone()),
        }
    }
    if kept.is_empty() {
        kept.push("run".into());
    }
    let pace = [
        "--every".into(),
        seconds(every),
        "--for".into(),
        seconds(INVOCATION),
    ];
    kept.extend(pace);
    kept
}

fn seconds(span: Duration) -> String {
    format!("{}s", span.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn definition_keeps_its_arguments_but_for_the_pace() {
        let every = Duration::from_secs(3);
        for (defined, expected) in [
            (
                "--log-format json run --every 15s --for 55s",
                "--log-format json run --every 3s --for 20s",
            ),
            (
                "run --every=15s --dry-run",
                "run --dry-run --every 3s --for 20s",
            ),
            ("", "run --every 3s --for 20s"),
        ] {
            assert_eq!(paced(&words(defined), every), words(expected));
        }
    }
}
