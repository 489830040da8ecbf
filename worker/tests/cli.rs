//! The program as a person meets it: exit codes and messages, without any AWS.

use assert_cmd::Command;

/// Where a program that is not meant to reach AWS runs: nothing listens on the discard port.
const NOWHERE: &[(&str, &str)] = &[
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("AWS_MAX_ATTEMPTS", "1"),
    ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
];
const REGION: (&str, &str) = ("AWS_REGION", "eu-west-1");
const KEY: (&str, &str) = ("AWS_ACCESS_KEY_ID", "test");
const SECRET: (&str, &str) = ("AWS_SECRET_ACCESS_KEY", "test");

/// Runs the program in that environment alone; its exit code and its words on standard error.
fn run(args: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let output = Command::cargo_bin("weir-worker")
        .expect("the program is built")
        .args(args)
        .env_clear()
        .envs(NOWHERE.iter().copied())
        .envs(environment.iter().copied())
        .output()
        .expect("the program runs");
    let words = String::from_utf8(output.stderr).expect("text");
    (output.status.code(), words)
}

fn weir_worker(args: &[&str]) -> (Option<i32>, String) {
    run(args, &[REGION, KEY, SECRET])
}

#[test]
fn bad_usage_is_64_and_names_the_flag() {
    let cases: &[(&[&str], &str)] = &[
        (&[], "Usage"),
        (&["fly"], "fly"),
        (&["run", "--exec", "true"], "--queue"),
        (&["run", "--queue", "q"], "--exec"),
        (&["run", "--queue", "q"], "--http"),
        (
            &[
                "run",
                "--queue",
                "q",
                "--exec",
                "true",
                "--http",
                "http://127.0.0.1/",
            ],
            "cannot be used with",
        ),
        (
            &["run", "--queue", "q", "--http", "https://127.0.0.1/"],
            "http://HOST",
        ),
        (
            &["run", "--queue", "q", "--exec", "true", "--slots", "many"],
            "--slots",
        ),
        (
            &["run", "--queue", "q", "--exec", "true", "--slots", "0"],
            "from 1 to 1024",
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
            "with its unit",
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
        (
            &["run", "--queue", "q,weight=0", "--exec", "true"],
            "weight=N",
        ),
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
        (&["status"], "--queue"),
        (
            &["submit", "--queue", "q", "--file", "/no/such/file"],
            "/no/such/file",
        ),
        (&["submit", "--queue", "q", "x", "--lines"], "--lines"),
        (&["submit", "--queue", "q", "x", "--delay", "9"], "unit"),
        (&["redrive"], "Usage"),
        (&["redrive", "list"], "--dead-letter-queue"),
        (&["redrive", "show", "--queue", "q"], "ID"),
        (&["redrive", "return", "--queue", "q"], "--all"),
        (
            &["redrive", "return", "--queue", "q", "--all", "--rate", "x"],
            "10/s",
        ),
        (&["redrive", "drop", "--queue", "q", "id"], "--yes"),
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
        &["status", "job-1"],
        &["status", "--queue", "q"],
        &["redrive", "list", "--queue", "q"],
        &["redrive", "return", "--dead-letter-queue", "q", "--all"],
    ];
    for args in cases {
        let (code, words) = weir_worker(args);
        assert_eq!(code, Some(2), "{args:?}: {words}");
        assert!(words.contains("did not answer"), "{words}");
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
    let (code, words) = run(&["submit", "--queue", "q", "body"], &[REGION]);
    assert_eq!(code, Some(2), "{words}");
    assert!(
        words.contains("no AWS credentials could be loaded"),
        "{words}"
    );
    assert_eq!(words.lines().count(), 1, "{words}");
}

#[test]
fn missing_region_is_named() {
    for environment in [&[KEY, SECRET][..], &[KEY, SECRET, ("AWS_REGION", "")]] {
        let (code, words) = run(&["submit", "--queue", "q", "body"], environment);
        assert_eq!(code, Some(64), "{words}");
        assert!(words.contains("AWS_REGION"), "{words}");
    }
}
