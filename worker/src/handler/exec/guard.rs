//! Ends the processes of jobs when the worker itself is killed and cannot.
//!
//! A process that gets SIGKILL, from the OOM killer say, runs no clean-up, and its children run on
//! beside the attempt that follows. The kernel passes death on only to a direct child, only by
//! unsafe code, and by the death of the forking thread (`PR_SET_PDEATHSIG`). So a small shell, told
//! which process groups there are, waits on a socket that only the worker holds open: when the
//! worker dies, however it dies, the socket closes, and the shell ends the groups. It must not
//! touch a group whose job has ended.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Result, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::process::{Child, Command};

/// `$1` is the time between SIGTERM and SIGKILL, seconds. It has a group of its own, out of the
/// reach of Ctrl-C, and outlives a SIGTERM sent to all processes of a service.
const SCRIPT: &str = r#"
trap '' TERM INT HUP
groups=' '
while read -r sign group; do
  case $sign in
    +) groups="$groups$group " ;;
    -) groups="${groups%% "$group" *} ${groups#* "$group" }" ;;
  esac
done
alive=
for group in $groups; do
  kill -s TERM -- "-$group" && alive=yes
done
[ -n "$alive" ] && sleep "$1"
for group in $groups; do
  kill -s KILL -- "-$group"
done
"#;

/// The waiting shell and what it was told. Cloned freely.
#[derive(Clone, Debug, Default)]
pub(super) struct Guard {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    groups: BTreeSet<i32>,
    shell: Option<Shell>,
}

#[derive(Debug)]
struct Shell {
    line: UnixStream,
    /// Kept so that the runtime reaps it.
    #[cfg_attr(not(test), expect(dead_code, reason = "held, not used"))]
    process: Child,
}

impl Guard {
    /// Watches over a process group; starts the shell where there is none.
    pub(super) fn add(&self, group: i32, grace: Duration) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.groups.insert(group);
        if let Err(error) = state.tell_of(group, grace) {
            tracing::warn!(%error, "this job's processes would outlive a killed worker");
        }
    }

    /// Lets go of a process group that has ended.
    pub(super) fn remove(&self, group: i32) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.groups.remove(&group);
        if let Some(shell) = &mut state.shell {
            // A shell that has died forgets by itself; the next job starts another.
            let _ = shell.tell('-', group);
        }
    }
}

impl State {
    fn tell_of(&mut self, group: i32, grace: Duration) -> Result<()> {
        if let Some(shell) = &mut self.shell {
            match shell.tell('+', group) {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => self.shell = None,
                told => return told,
            }
        }
        let shell = self.shell.insert(Shell::start(grace)?);
        for group in &self.groups {
            shell.tell('+', *group)?;
        }
        Ok(())
    }
}

impl Shell {
    fn start(grace: Duration) -> Result<Self> {
        let (line, theirs) = UnixStream::pair()?;
        // A shell that does not listen must not hold up the worker.
        line.set_nonblocking(true)?;
        let process = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "weir-worker-guard"])
            .arg(grace.as_secs_f64().ceil().to_string())
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        Ok(Self { line, process })
    }

    fn tell(&mut self, sign: char, group: i32) -> Result<()> {
        self.line.write_all(format!("{sign} {group}\n").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    use tokio::io::AsyncReadExt as _;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    /// A process that leads its group, and that group.
    fn leader(command: &str) -> (Child, i32) {
        let child = Command::new("sh")
            .args(["-c", command])
            .stdout(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let group = i32::try_from(child.id().unwrap()).unwrap();
        (child, group)
    }

    async fn signal_that_ended(child: &mut Child) -> Option<i32> {
        let status = tokio::time::timeout(LIMIT, child.wait()).await;
        status.expect("ended in time").unwrap().signal()
    }

    #[tokio::test]
    async fn groups_end_when_the_line_closes_but_for_those_let_go() {
        let (mut watched, first) = leader("exec sleep 600");
        let (mut let_go, second) = leader("exec sleep 600");
        let (mut also_watched, third) = leader("exec sleep 600");
        let guard = Guard::default();
        for group in [first, second, third] {
            guard.add(group, Duration::from_secs(1));
        }
        guard.remove(second);
        drop(guard);
        for child in [&mut watched, &mut also_watched] {
            assert_eq!(signal_that_ended(child).await, Some(15));
        }
        assert_eq!(let_go.try_wait().unwrap(), None);
    }

    #[tokio::test]
    async fn deaf_groups_are_killed_after_the_grace() {
        let (mut deaf, group) = leader("trap '' TERM; echo deaf; while :; do sleep 1; done");
        // Before its trap is set it would still hear.
        let mut says = [0; 5];
        let mut output = deaf.stdout.take().unwrap();
        output.read_exact(&mut says).await.unwrap();
        let guard = Guard::default();
        guard.add(group, Duration::ZERO);
        drop(guard);
        assert_eq!(signal_that_ended(&mut deaf).await, Some(9));
    }

    #[tokio::test]
    async fn dead_guard_is_replaced_and_told_of_all_groups() {
        let (mut early, first) = leader("exec sleep 600");
        let guard = Guard::default();
        guard.add(first, Duration::ZERO);
        let mut shell = guard.state.lock().unwrap().shell.take().unwrap();
        let pid = i32::try_from(shell.process.id().unwrap()).unwrap();
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        assert_eq!(signal_that_ended(&mut shell.process).await, Some(9));
        guard.state.lock().unwrap().shell = Some(shell);

        let (mut late, second) = leader("exec sleep 600");
        guard.add(second, Duration::ZERO);
        drop(guard);
        for child in [&mut early, &mut late] {
            assert!(signal_that_ended(child).await.is_some());
        }
    }
}
