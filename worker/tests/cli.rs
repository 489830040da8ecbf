//! The program as a person meets it: exit codes and messages, without any AWS.

use assert_cmd::Command;

fn weir_worker(args: &[&str]) -> (Option<i32>, String) {
    let output = Command::cargo_bin("weir-worker")
        .unwrap()
        .args(args)
        .env_clear()
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_MAX_ATTEMPTS", "1")
        // Nothing listens on the discard port.
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .output()
        .unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), words)
}

#[test]
fn bad_usage_is_64_and_names_the_flag() {
    let cases: &[(&[&str], &str)] = &[
        (&[], "Usage"),
        (&["fly"], "fly"),
        (&["run", "--exec", "true"], "--queue"),
        (&["run", "--queue", "q"], "--exec"),
        (
            &["run", "--queue", "q", "--exec", "true", "--slots", "many"],
            "--slots",
        ),
        (
            &["run", "--queue", "q", "--exec", "true", "--slots", "0"],
            "slots 0",
        ),
        (
            &[
                "run",
                "--queue",
                "q",
                "--exec",
                "true",
                "--job-timeout",
                "10",
            ],
            "needs a unit",
        ),
        (
            &[
                "run",
                "--queue",
                "q",
                "--exec",
                "true",
                "--idempotency",
                "maybe",
            ],
            "lease",
        ),
        (
            &["run", "--queue", "no queue", "--exec", "true"],
            "no queue",
        ),
        (&["run", "--queue", "q.fifo", "--exec", "true"], "FIFO"),
        (&["submit", "--queue", "q"], "BODY"),
        (&["submit", "--queue", "q", ""], "empty"),
        (
            &["submit", "--queue", "q", "x", "--attr", "novalue"],
            "KEY=VALUE",
        ),
        (
            &["submit", "--queue", "q", "x", "--job-id", "a b"],
            "visible ASCII",
        ),
        (&["result"], "JOB_ID"),
    ];
    for (args, named) in cases {
        let (code, words) = weir_worker(args);
        assert_eq!(code, Some(64), "{args:?}: {words}");
        assert!(words.contains(named), "{args:?}: {words}");
    }
}

#[test]
fn endpoint_that_is_down_is_2_with_one_message() {
    let cases: &[&[&str]] = &[
        &["run", "--queue", "q", "--exec", "true"],
        &["submit", "--queue", "q", "body"],
        &["result", "job-1"],
    ];
    for args in cases {
        let (code, words) = weir_worker(args);
        assert_eq!(code, Some(2), "{args:?}: {words}");
        assert!(words.contains("the endpoint did not answer"), "{words}");
        assert_eq!(words.lines().count(), 1, "{words}");
    }
}

#[test]
fn help_and_version_are_no_errors() {
    assert_eq!(weir_worker(&["--help"]).0, Some(0));
    assert_eq!(weir_worker(&["run", "--help"]).0, Some(0));
    assert_eq!(weir_worker(&["--version"]).0, Some(0));
}

#[test]
fn missing_credentials_are_named() {
    let output = Command::cargo_bin("weir-worker")
        .unwrap()
        .args(["submit", "--queue", "q", "body"])
        .env_clear()
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .output()
        .unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(
        words.contains("no AWS credentials could be loaded"),
        "{words}"
    );
}

#[test]
fn missing_region_is_named() {
    let output = Command::cargo_bin("weir-worker")
        .unwrap()
        .args(["submit", "--queue", "q", "body"])
        .env_clear()
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .output()
        .unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(64), "{words}");
    assert!(words.contains("AWS_REGION"), "{words}");
}
