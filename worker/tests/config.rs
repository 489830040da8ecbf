//! Where settings are from, on the program itself: a flag goes before a variable, a variable before
//! the file, the file before the default.

use std::collections::BTreeMap;
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;

/// A setting: its key, its flag, its variable, and a value for the file, the variable and the flag.
type Row = (&'static str, &'static str, &'static str, [&'static str; 3]);

const ROWS: &[Row] = &[
    ("queues", "queue", "WEIR_QUEUE", ["[a]", "b", "c"]),
    ("fleet", "fleet", "WEIR_FLEET", ["a", "b", "c"]),
    (
        "auto_scaling_group",
        "auto-scaling-group",
        "WEIR_AUTO_SCALING_GROUP",
        ["a", "b", "c"],
    ),
    (
        "ecs_service",
        "ecs-service",
        "WEIR_ECS_SERVICE",
        ["a", "b", "c"],
    ),
    (
        "lifecycle_hook",
        "lifecycle-hook",
        "WEIR_LIFECYCLE_HOOK",
        ["a", "b", "c"],
    ),
    (
        "jobs_table",
        "jobs-table",
        "WEIR_JOBS_TABLE",
        ["a", "b", "c"],
    ),
    (
        "state_table",
        "state-table",
        "WEIR_STATE_TABLE",
        ["a", "b", "c"],
    ),
    ("slots", "slots", "WEIR_SLOTS", ["2", "3", "auto"]),
    ("slots_max", "slots-max", "WEIR_SLOTS_MAX", ["5", "6", "7"]),
    (
        "rate_limit",
        "rate-limit",
        "WEIR_RATE_LIMIT",
        ["1.5", "2", "3"],
    ),
    (
        "job_timeout",
        "job-timeout",
        "WEIR_JOB_TIMEOUT",
        ["1s", "2s", "3s"],
    ),
    (
        "visibility_timeout",
        "visibility-timeout",
        "WEIR_VISIBILITY_TIMEOUT",
        ["4s", "5s", "6s"],
    ),
    (
        "poll_wait",
        "poll-wait",
        "WEIR_POLL_WAIT",
        ["1s", "2s", "3s"],
    ),
    (
        "idempotency",
        "idempotency",
        "WEIR_IDEMPOTENCY",
        ["once", "off", "lease"],
    ),
    (
        "max_attempts",
        "max-attempts",
        "WEIR_MAX_ATTEMPTS",
        ["1", "2", "3"],
    ),
    (
        "retry_base",
        "retry-base",
        "WEIR_RETRY_BASE",
        ["1s", "2s", "3s"],
    ),
    (
        "retry_max",
        "retry-max",
        "WEIR_RETRY_MAX",
        ["1m", "2m", "3m"],
    ),
    (
        "drain_timeout",
        "drain-timeout",
        "WEIR_DRAIN_TIMEOUT",
        ["1s", "2s", "3s"],
    ),
    (
        "spot_drain_timeout",
        "spot-drain-timeout",
        "WEIR_SPOT_DRAIN_TIMEOUT",
        ["1s", "2s", "3s"],
    ),
    (
        "lifecycle_drain_timeout",
        "lifecycle-drain-timeout",
        "WEIR_LIFECYCLE_DRAIN_TIMEOUT",
        ["1s", "2s", "3s"],
    ),
    (
        "kill_grace",
        "kill-grace",
        "WEIR_KILL_GRACE",
        ["1s", "2s", "3s"],
    ),
    (
        "keep_records",
        "keep-records",
        "WEIR_KEEP_RECORDS",
        ["1h", "2h", "3h"],
    ),
    (
        "instance_id",
        "instance-id",
        "WEIR_INSTANCE_ID",
        ["a", "b", "c"],
    ),
    (
        "payload_bucket",
        "payload-bucket",
        "WEIR_PAYLOAD_BUCKET",
        ["a", "b", "c"],
    ),
    (
        "listen",
        "listen",
        "WEIR_LISTEN",
        ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"],
    ),
    ("emf", "emf", "WEIR_EMF", ["a", "b", "-"]),
    ("exec", "exec", "WEIR_EXEC", ["cat", "sort", "uniq"]),
    (
        "result_limit",
        "result-limit",
        "WEIR_RESULT_LIMIT",
        ["1", "2", "3"],
    ),
    (
        "log_format",
        "log-format",
        "WEIR_LOG_FORMAT",
        ["json", "text", "json"],
    ),
];

fn run(args: &[String], variables: &[(&str, &str)]) -> Output {
    Command::cargo_bin("weir-worker")
        .expect("the program is built")
        .arg("check")
        .args(args)
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .expect("the program runs")
}

/// Each setting's values and where they are from.
fn settings(args: &[String], variables: &[(&str, &str)]) -> BTreeMap<String, (String, String)> {
    let flags = ["--settings", "--output=json"].map(String::from);
    let output = run(&[args, &flags].concat(), variables);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let settings = report["settings"].as_array().expect("a list").iter();
    settings
        .map(|setting| {
            let values = (word(&setting["values"][0]), word(&setting["source"]));
            (word(&setting["key"]), values)
        })
        .collect()
}

fn file(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("worker.yaml");
    std::fs::write(&path, text).expect("the file is written");
    let path = path.display().to_string();
    (folder, path)
}

#[test]
fn flags_go_before_variables_before_the_file_before_defaults() {
    let lines: Vec<String> = ROWS
        .iter()
        .map(|(key, _, _, values)| format!("{key}: {}", values[0]))
        .collect();
    let text = lines.join(
        "
",
    );
    let (_folder, path) = file(&text);
    let config = vec![format!("--config={path}")];
    let variables: Vec<_> = ROWS.iter().map(|(_, _, name, v)| (*name, v[1])).collect();
    let flags = ROWS
        .iter()
        .map(|(_, flag, _, v)| format!("--{flag}={}", v[2]));
    let all: Vec<String> = config.iter().cloned().chain(flags).collect();

    let needed = ["--queue=q", "--exec=true"].map(String::from);
    let by_default = settings(&needed, &[]);
    let from_file = settings(&config, &[]);
    let from_variables = settings(&config, &variables);
    let from_flags = settings(&all, &variables);
    for (key, _, _, values) in ROWS {
        let source = by_default[*key].1.as_str();
        let is_needed = ["queues", "exec"].contains(key);
        assert!(
            is_needed || ["default", "unset"].contains(&source),
            "{key}: {source}"
        );
        let in_file = values[0].trim_matches(['[', ']']);
        let given = |value: &str, source: &str| (value.to_owned(), source.to_owned());
        assert_eq!(from_file[*key], given(in_file, "file"), "{key}");
        assert_eq!(from_variables[*key], given(values[1], "variable"), "{key}");
        assert_eq!(from_flags[*key], given(values[2], "flag"), "{key}");
    }
    // All there are, but for those below.
    let rows: Vec<&str> = ROWS.iter().map(|(key, ..)| *key).collect();
    let others: Vec<&String> = by_default
        .keys()
        .filter(|key| !rows.contains(&key.as_str()))
        .collect();
    assert_eq!(others, ["http", "no_metadata"]);
}

#[test]
fn switches_and_alternatives_follow_the_same_order() {
    let (_folder, path) = file("queues: [q]\nno_metadata: true\nhttp: http://127.0.0.1:1/\n");
    let variable = [("WEIR_CONFIG", path.as_str())];
    let from_file = settings(&[], &variable);
    assert_eq!(from_file["no_metadata"], ("true".into(), "file".into()));
    assert_eq!(from_file["http"].1, "file");
    let off = [variable[0], ("AWS_EC2_METADATA_DISABLED", "false")];
    let exec = settings(&["--exec=true".into()], &off);
    assert_eq!(exec["no_metadata"].1, "variable");
    assert_eq!(
        (exec["exec"].1.as_str(), exec["http"].1.as_str()),
        ("flag", "unset")
    );
}

/// The image's variable names one kind of handler, the one call another.
#[test]
fn a_flag_stands_in_the_stead_of_its_rivals_variable_and_of_the_file() {
    let (_folder, path) = file("queues: [q]\nexec: 'false'\nhttp: http://127.0.0.1:1/\n");
    let (_other_folder, exec_alone) = file("queues: [q]\nexec: 'false'\n");
    let exec = ("WEIR_EXEC", "true");
    let http = ("WEIR_HTTP", "http://127.0.0.1:2/");
    let flag = |name: &str, value: &str| format!("--{name}={value}");
    let http_flag = flag("http", "http://127.0.0.1:3/");
    let from = |settings: &BTreeMap<String, (String, String)>| {
        let source = |key: &str| settings[key].1.clone();
        (source("exec"), source("http"))
    };
    let queue = ("WEIR_QUEUE", "q");
    let pair = |exec: &str, http: &str| (exec.to_owned(), http.to_owned());

    let flagged = settings(std::slice::from_ref(&http_flag), &[queue, exec]);
    assert_eq!(from(&flagged), pair("unset", "flag"));
    let flagged = settings(&[flag("exec", "true")], &[queue, http]);
    assert_eq!(from(&flagged), pair("flag", "unset"));
    let config = [flag("config", &path), http_flag];
    let flagged = settings(&config, &[exec]);
    assert_eq!(from(&flagged), pair("unset", "flag"));
    let config = [flag("config", &exec_alone)];
    assert_eq!(from(&settings(&config, &[http])), pair("unset", "variable"));

    // Of equal standing, neither goes before the other.
    let both = run(&[], &[queue, exec, http]);
    assert_eq!(both.status.code(), Some(64));
    let said = String::from_utf8_lossy(&both.stderr);
    assert!(said.contains("cannot be used with"), "{said}");
}

#[test]
fn queues_of_a_file_carry_their_claims() {
    let text = "exec: 'true'\nqueues:\n  - a\n  - { weight: 3, name: b.fifo, priority: 1 }\n";
    let (_folder, path) = file(text);
    let args = [
        format!("--config={path}"),
        "--settings".into(),
        "--output=json".into(),
    ];
    let output = run(&args, &[]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let queues = &report["settings"][0]["values"];
    assert_eq!(
        queues,
        &serde_json::json!(["a", "b.fifo,weight=3,priority=1"])
    );
}

#[test]
fn a_file_with_problems_is_64_with_all_of_them() {
    let (_folder, path) = file("slots: 0\ncolour: red\npoll_wait: 5\n");
    let args = [format!("--config={path}"), "--output".into(), "json".into()];
    let output = run(&args, &[]);
    assert_eq!(output.status.code(), Some(64));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let problems = report["problems"].as_array().expect("a list");
    assert_eq!((problems.len(), &report["ok"]), (3, &Value::Bool(false)));
    let said = String::from_utf8_lossy(&output.stderr);
    for words in [
        ":1:8: slots:",
        ":2:1: colour:",
        ":3:12: poll_wait:",
        "3 problems",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let missing = run(&["--config=/nowhere.yaml".into()], &[]);
    assert_eq!(missing.status.code(), Some(64));
    let said = String::from_utf8_lossy(&missing.stderr);
    assert!(said.contains("/nowhere.yaml: found no such file"), "{said}");
}
