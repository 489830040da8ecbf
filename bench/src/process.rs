//! A program under measurement: started, read from outside, ended with all it started.
//!
//! Processor time and memory are the kernel's own figures in `/proc` (`proc(5)`), so the same ones
//! whatever the program is written in.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// Ticks a second in which `/proc` gives processor time: `USER_HZ`, 100 wherever Linux runs today.
const TICKS_PER_SECOND: u64 = 100;

/// A running program, in a process group of its own. Dropping it ends the group.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program; what it prints goes to `log`.
    pub(crate) fn start(mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let output = File::create(log).with_context(|| format!("{} not made", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn();
        let program = command.get_program().display().to_string();
        Ok(Self {
            child: child.with_context(|| format!("{program} did not start"))?,
            log: log.to_owned(),
        })
    }

    /// User and system time of the program and all it started.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        tree_cpu(self.child.id())
    }

    /// Resident memory of the program alone, KiB.
    pub(crate) fn resident_kib(&self) -> anyhow::Result<u64> {
        let status = format!("/proc/{}/status", self.child.id());
        let text = fs::read_to_string(&status).with_context(|| format!("{status} not read"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        kib.with_context(|| format!("{status} has no VmRSS"))
    }

    /// Holds all of it still, or lets it go on.
    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        killpg(self.group()?, signal).with_context(|| format!("{signal} was not sent"))
    }

    /// Fails with the end of its log if the program has ended by itself.
    pub(crate) fn check_alive(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the program ended with {status}:\n{}", self.told()),
        }
    }

    /// The last lines that it printed.
    pub(crate) fn told(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let mut lines: Vec<&str> = text.lines().rev().take(20).collect();
        lines.reverse();
        format!("{}\n(all of it: {})", lines.join("\n"), self.log.display())
    }

    fn group(&self) -> anyhow::Result<Pid> {
        Ok(Pid::from_raw(i32::try_from(self.child.id())?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(group) = self.group() {
            let _ = killpg(group, Signal::SIGKILL);
        }
        let _ = self.child.wait();
    }
}

/// User and system time of this very process: the sandbox, and what drives it.
pub(crate) fn own_cpu() -> anyhow::Result<Duration> {
    Ok(ticks(Stat::read(std::process::id())?.ticks))
}

/// The time of a process, of its living descendants, and of those that it has waited for.
fn tree_cpu(root: u32) -> anyhow::Result<Duration> {
    let mut processes = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // One that ends meanwhile is not an error.
        if let Ok(stat) = Stat::read(pid) {
            processes.insert(pid, stat);
        }
    }
    let is_ours = |mut pid: u32| {
        while pid != root {
            match processes.get(&pid) {
                Some(stat) => pid = stat.parent,
                None => return false,
            }
        }
        true
    };
    let ours = processes.iter().filter(|(pid, _)| is_ours(**pid));
    Ok(ticks(
        ours.map(|(_, stat)| stat.ticks + stat.waited_for).sum(),
    ))
}

fn ticks(ticks: u64) -> Duration {
    Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
}

/// What counts in `/proc/PID/stat`.
#[derive(Clone, Copy, Debug)]
struct Stat {
    parent: u32,
    /// utime + stime.
    ticks: u64,
    /// cutime + cstime.
    waited_for: u64,
}

impl Stat {
    fn read(pid: u32) -> anyhow::Result<Self> {
        let path = format!("/proc/{pid}/stat");
        let text = fs::read_to_string(&path).with_context(|| format!("{path} not read"))?;
        Self::parse(&text).with_context(|| format!("{path} is not as proc(5) says"))
    }

    /// The second field is the program's name in brackets and may hold anything; after it comes
    /// the third, the state.
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            parent: field(4)?.try_into().ok()?,
            ticks: field(14)? + field(15)?,
            waited_for: field(16)? + field(17)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_brackets_and_blanks_do_not_shift_the_fields() {
        let stat = Stat::parse("7 (a) b) S 3 7 7 0 -1 0 0 0 0 0 11 22 33 44 20 0 1 0").unwrap();
        assert_eq!((stat.parent, stat.ticks, stat.waited_for), (3, 33, 77));
    }

    #[test]
    fn work_shows_as_processor_time() {
        let before = own_cpu().unwrap();
        let mut sum = 0_u64;
        while own_cpu().unwrap() < before + Duration::from_millis(30) {
            sum = (0..1_000_000).fold(sum, |sum, n| std::hint::black_box(sum ^ n));
        }
        assert!(tree_cpu(std::process::id()).unwrap() >= before);
    }
}
