//! The controller as a scheduled task: one `weir run --once` every few seconds.
//!
//! This module owns the schedule, keeps the output and the latest verdict. A round that fails or
//! hangs is noted, and the next one comes all the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// A round that takes longer is ended: the schedule's own limit, as a task's time-out on AWS.
const ROUND_TIMEOUT: Duration = Duration::from_secs(30);

/// The scheduled task.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// The `weir` program.
    pub controller: PathBuf,
    /// The policy file.
    pub policy: PathBuf,
    /// Endpoints, credentials, the sandbox's mark.
    pub env: BTreeMap<String, String>,
    /// Where the rounds' output goes.
    pub log: PathBuf,
    /// From one round's start to the next one's.
    pub every: Duration,
}

/// What the rounds so far have said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rounds {
    /// Rounds that ended, well or not.
    pub ended: u32,
    /// Those of them that did not end well.
    pub failed: u32,
    /// The latest verdict in a line, or why the latest round failed.
    pub latest: String,
}

impl Schedule {
    /// Runs rounds until `stop`; a round under way is let finish.
    pub async fn run(self, stop: CancellationToken, seen: watch::Sender<Rounds>) {
        let mut ticks = tokio::time::interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let outcome = self.round().await;
            seen.send_modify(|rounds| {
                rounds.ended += 1;
                match outcome {
                    Ok(latest) => rounds.latest = latest,
                    Err(why) => {
                        rounds.failed += 1;
                        rounds.latest = format!("round failed: {why}");
                    }
                }
            });
        }
    }

    /// One round: its verdict in a line, or why there is none.
    async fn round(&self) -> Result<String, String> {
        let round = Command::new(&self.controller)
            .args(["run", "--once", "--policy"])
            .arg(&self.policy)
            .envs(&self.env)
            .stdin(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(ROUND_TIMEOUT, round).await;
        let output = output.map_err(|_| format!("no end within {ROUND_TIMEOUT:?}"))?;
        let output = output.map_err(|error| format!("{}: {error}", self.controller.display()))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let complained = String::from_utf8_lossy(&output.stderr);
        if let Err(error) = append(&self.log, &[&complained, &said]).await {
            tracing::warn!(%error, log = %self.log.display(), "a round's output was not kept");
        }
        if output.status.success() {
            Ok(in_a_line(&said))
        } else {
            let last = complained
                .trim()
                .lines()
                .last()
                .unwrap_or("it gave no reason");
            Err(format!("{}: {last}", output.status))
        }
    }
}

async fn append(log: &Path, texts: &[&str]) -> std::io::Result<()> {
    let mut options = tokio::fs::OpenOptions::new();
    let mut file = options.create(true).append(true).open(log).await?;
    for text in texts {
        file.write_all(text.as_bytes()).await?;
    }
    file.flush().await
}

/// The last round in `said`, without its time and its fleet, which the view's reader knows.
fn in_a_line(said: &str) -> String {
    let last = said.trim().lines().last().unwrap_or_default();
    let (_, told) = last.split_once(": ").unwrap_or(("", last));
    told.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_told_without_its_time_and_its_fleet() {
        let said = "2026-01-01T00:00:00Z thumbnails: grow 1 to 3: 41 messages wait\n";
        assert_eq!(in_a_line(said), "grow 1 to 3: 41 messages wait");
        assert_eq!(in_a_line("plain words\nthe last"), "the last");
        assert_eq!(in_a_line(""), "");
    }

    #[tokio::test]
    async fn a_round_that_fails_is_counted_and_the_next_one_comes() {
        let folder = tempfile::tempdir().unwrap();
        let stop = CancellationToken::new();
        let (sender, mut seen) = watch::channel(Rounds::default());
        let schedule = Schedule {
            controller: "/bin/false".into(),
            policy: "p.yaml".into(),
            env: BTreeMap::new(),
            log: folder.path().join("rounds.log"),
            every: Duration::from_millis(10),
        };
        let running = tokio::spawn(schedule.run(stop.clone(), sender));
        let rounds = seen
            .wait_for(|rounds| rounds.ended == 2)
            .await
            .unwrap()
            .clone();
        assert_eq!(rounds.failed, 2);
        assert!(
            rounds.latest.contains("exit status: 1"),
            "{}",
            rounds.latest
        );
        stop.cancel();
        running.await.unwrap();
    }
}
