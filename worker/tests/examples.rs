//! The examples of docs/handlers.md do what is said there.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use weir_worker::handler::exec::Exec;
use weir_worker::handler::http::Http;
use weir_worker::handler::{Stop, Terms};
use weir_worker::{Context, Handler, Job, Outcome};

/// Longer than any of these needs, and shorter than a person waits.
const LIMIT: Duration = Duration::from_mins(1);

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::fs::read_to_string(root.join(path)).unwrap()
}

/// The guide's one example in a language.
fn example(language: &str) -> String {
    let guide = read("docs/handlers.md");
    let fence = format!("```{language}\n");
    let mut blocks = guide.split(&fence).skip(1);
    let block = blocks.next().unwrap().split("```").next().unwrap();
    assert!(blocks.next().is_none(), "one example in {language}");
    block.to_owned()
}

#[expect(clippy::disallowed_methods, reason = "a deadline in the real future")]
async fn handle(handler: &impl Handler, body: &str) -> Outcome {
    let job = Job {
        id: "job-1".into(),
        body: body.into(),
        attributes: [].into(),
    };
    let terms = Terms {
        attempt: 1,
        token: "token".into(),
        deadline: tokio::time::Instant::now() + LIMIT,
        deadline_unix_seconds: 1_700_000_000.0,
    };
    let ended = handler.handle(job, Context::new(terms, Stop::default()));
    let outcome = tokio::time::timeout(LIMIT, ended).await;
    outcome.expect("handled in time")
}

async fn greets(handler: &impl Handler) {
    let hello = handle(handler, "Ada").await;
    assert_eq!(hello, Outcome::Done("Hello, Ada!".into()));
    let Outcome::Poison { reason } = handle(handler, "nobody").await else {
        panic!("not poison")
    };
    assert!(reason.ends_with("there is nobody to greet"), "{reason}");
}

#[test]
fn smallest_program_is_the_guides_and_has_ten_lines() {
    let program = read("worker/examples/smallest.rs");
    let code: Vec<&str> = program
        .lines()
        .skip_while(|line| line.starts_with("//!") || line.is_empty())
        .collect();
    assert_eq!(code, example("rust").lines().collect::<Vec<_>>());
    assert!(code.len() <= 10, "{} lines", code.len());
}

#[tokio::test]
async fn shell_script_of_the_guide_greets() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("greet.sh");
    std::fs::write(&script, example("sh")).unwrap();
    greets(&Exec::new(format!("sh {}", script.display()))).await;
}

#[tokio::test]
async fn python_service_of_the_guide_greets() {
    let unused = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = unused.local_addr().unwrap().port().to_string();
    drop(unused);
    let code = example("python");
    assert!(code.contains("8080"));
    let _service = Command::new("python3")
        .args(["-c", &code.replace("8080", &port)])
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let http = Http::new(format!("http://127.0.0.1:{port}/").parse().unwrap());
    let ready = tokio::time::timeout(LIMIT, http.ready()).await;
    ready.expect("it listens in time");
    greets(&http).await;
}

#[test]
fn flags_in_the_guide_are_the_programs() {
    let guide = read("docs/handlers.md");
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_weir-worker"))
        .args(["run", "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let flags: std::collections::BTreeSet<&str> = guide
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .filter(|word| word.len() > 3 && word.starts_with("--"))
        .collect();
    assert!(flags.len() > 8, "{flags:?}");
    for flag in flags {
        assert!(help.contains(flag), "{flag} is not in the help");
    }
}
