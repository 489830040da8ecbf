//! Ends what a sandbox started when the sandbox itself is killed and cannot.
//!
//! A process that gets SIGKILL runs no clean-up, and asking the kernel to pass death on
//! (`PR_SET_PDEATHSIG`) needs unsafe code. So a small shell waits on a pipe that only the sandbox
//! holds open: when the sandbox dies, however it dies, the pipe closes, and the shell kills every
//! process that carries the sandbox's mark and removes its folder. Where there is no `/proc` it
//! finds none; there a SIGKILL of the sandbox leaves the instances' processes behind.

use std::path::Path;
use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use super::process::{Belonging, RUN_MARK};

/// `$1` is the mark, `$2` the folder. Two looks: a process may have forked during the first.
const SCRIPT: &str = r#"
read -r word && [ "$word" = done ] && exit 0
for look in 1 2; do
  for file in /proc/[0-9]*/environ; do
    if tr '\0' '\n' <"$file" | grep -qxF "$1"; then
      pid=${file%/environ}
      kill -KILL "${pid#/proc/}"
    fi
  done
done
rm -rf "$2"
"#;

/// The waiting shell. Dropped without [`Guard::dismiss`], it does its work.
#[derive(Debug)]
pub struct Guard {
    shell: Child,
}

impl Guard {
    /// Starts it, outside the terminal's process group, so that Ctrl-C does not reach it.
    pub fn start(belonging: &Belonging, folder: &Path) -> std::io::Result<Self> {
        let shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "weir-sandbox-guard"])
            .arg(format!("{RUN_MARK}={}", belonging.token()))
            .arg(folder)
            .env_remove(RUN_MARK)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        Ok(Self { shell })
    }

    /// Sends it home: everything has been ended already.
    pub async fn dismiss(&mut self) {
        if let Some(mut pipe) = self.shell.stdin.take() {
            // A guard that is gone already has nothing left to hear.
            let _ = pipe.write_all(b"done\n").await;
        }
        let _ = self.shell.wait().await;
    }
}
