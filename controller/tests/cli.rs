//! The program `weir` from outside: exit codes, messages, and the filter's transcript.

#[path = "cli/backtest.rs"]
mod backtest;
#[path = "cli/decide.rs"]
mod decide;
#[path = "cli/queues.rs"]
mod queues;
#[path = "cli/tune.rs"]
mod tune;
#[path = "cli/validate.rs"]
mod validate;

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;

/// `weir` as it stands, without what the tester's environment may say.
fn weir() -> Command {
    let mut command = Command::cargo_bin("weir").expect("cargo builds the program for its tests");
    command.env_clear().current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Runs and gives exit code, standard output and standard error.
fn run(args: &[&str]) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = weir().args(args).output().expect("it runs");
    (
        status.code().expect("no signal"),
        text(&stdout),
        text(&stderr),
    )
}

fn write(folder: &Path, name: &str, content: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).expect("a temporary file");
    path.display().to_string()
}

#[test]
fn bad_usage_ends_with_64_and_help_with_0() {
    for bad in [
        &["nonsense"] as &[&str],
        &[],
        &["validate", "--colour"],
        &["decide"],
    ] {
        let (code, out, err) = run(bad);
        assert_eq!((code, out.as_str()), (64, ""), "{bad:?}");
        assert!(
            err.contains("Usage") || err.contains("error"),
            "{bad:?}: {err}"
        );
    }
    for good in [
        &["--help"] as &[&str],
        &["--version"],
        &["decide", "--help"],
    ] {
        assert_eq!(run(good).0, 0, "{good:?}");
    }
}

#[test]
fn every_shell_gets_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, out, _) = run(&["completions", shell]);
        assert_eq!(code, 0, "{shell}");
        assert!(out.contains("validate"), "{shell}");
    }
}

#[test]
fn manual_pages_are_made_for_each_subcommand() {
    let (code, page, _) = run(&["man"]);
    assert_eq!(code, 0);
    assert!(page.contains(".TH weir 1"), "{page}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pages = folder.path().join("man");
    let pages_text = pages.display().to_string();
    assert_eq!(run(&["man", "--dir", &pages_text]).0, 0);
    assert!(pages.join("weir-decide.1").is_file());
}
