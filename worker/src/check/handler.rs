//! Who is to do the work: whether the shell finds the command, whether the service listens.

use std::process::Stdio;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::Command;

use super::Finding;
use crate::handler::http::Service;

/// A service on this machine accepts at once.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// What does the jobs.
#[derive(Clone, Debug)]
pub(crate) enum Program {
    /// A command line of the shell.
    Exec(String),
    /// A service.
    Http(Service),
    /// The program itself.
    BuiltIn,
}

impl Program {
    pub(super) async fn check(self) -> Option<Finding> {
        match self {
            Self::Exec(command) => Some(exec(&command).await),
            Self::Http(service) => Some(http(&service).await),
            Self::BuiltIn => None,
        }
    }
}

async fn exec(command: &str) -> Finding {
    let thing = "handler (exec)";
    let next = "check --exec (WEIR_EXEC), the path and the folder the worker starts in";
    // The shell reads it all and runs nothing.
    if !shell(&["-n", "-c", command]).await {
        let found = format!("the shell cannot read {command:?}");
        return Finding::failed(thing, found, next);
    }
    let Some(word) = program(command) else {
        let found = format!("the shell reads {command:?}; what it runs only a job can tell");
        return Finding::ok(thing, found);
    };
    if shell(&["-c", "command -v -- \"$0\"", word]).await {
        Finding::ok(thing, format!("the shell finds {word}"))
    } else {
        let found = format!("the shell finds no command {word}");
        Finding::failed(thing, found, next)
    }
}

/// The word that names the program, if the line begins with it plainly.
fn program(command: &str) -> Option<&str> {
    let is_assignment = |word: &&str| word.contains('=');
    let word = command
        .split_whitespace()
        .find(|word| !is_assignment(word))?;
    let word = word.trim_end_matches(';');
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./+:@".contains(c);
    let quoted = command.contains(['"', '\'', '\\']) && command.contains('=');
    (!quoted && !word.is_empty() && word.chars().all(plain)).then_some(word)
}

async fn shell(args: &[&str]) -> bool {
    let status = Command::new("sh")
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await;
    status.is_ok_and(|status| status.success())
}

async fn http(service: &Service) -> Finding {
    let thing = "handler (http)";
    let (host, port) = service.address();
    let next = "start the service, or check --http (WEIR_HTTP)";
    let connecting = TcpStream::connect((host, port));
    match tokio::time::timeout(CONNECT_LIMIT, connecting).await {
        Ok(Ok(_)) => Finding::ok(thing, format!("something listens on {host}:{port}")),
        Ok(Err(error)) => Finding::failed(
            thing,
            format!("nothing listens on {host}:{port}: {error}"),
            next,
        ),
        Err(_) => Finding::failed(thing, format!("{host}:{port} does not answer"), next),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn commands_are_looked_for_and_not_run() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("ran");
        let command = format!("touch {}", mark.display());
        assert_eq!(exec(&command).await.outcome, super::super::Outcome::Ok);
        assert!(!mark.exists(), "it was run");
        for bad in ["no-such-command-anywhere x", "./nowhere.sh", "if true"] {
            let finding = exec(bad).await;
            assert_eq!(finding.outcome, super::super::Outcome::Failed, "{bad}");
        }
    }

    #[test]
    fn the_program_is_the_first_plain_word() {
        assert_eq!(program("./thumbnail.sh --fast"), Some("./thumbnail.sh"));
        assert_eq!(program("LANG=C sort -u"), Some("sort"));
        assert_eq!(program("$HOME/bin/x"), None);
        assert_eq!(program("(cd /srv && ./x)"), None);
        assert_eq!(program("A='b c' x"), None);
    }
}
