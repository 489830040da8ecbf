//! `weir decide`: one line in, one line out.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{text, weir, write};

const POLICY: &str = "../policies/thumbnails.yaml";

/// Feeds lines and gives exit code, standard output and standard error.
fn decide(args: &[&str], input: impl Into<Vec<u8>>) -> (i32, String, String) {
    let mut command = weir();
    command
        .args(["decide", "--policy", POLICY])
        .args(args)
        .write_stdin(input);
    let output = command.output().expect("it runs");
    (
        output.status.code().expect("no signal"),
        text(&output.stdout),
        text(&output.stderr),
    )
}

fn line(at: u32, visible: u32, size: u32) -> String {
    format!(
        r#"{{"at":{},"queues":[{{"name":"thumbnails","visible":{visible},"in_flight":0,"delayed":0}}],"fleet":{{"desired":{size},"in_service":{size},"pending":0,"terminating":0}}}}"#,
        1_700_000_000 + at
    ) + "\n"
}

/// A quiet morning, a rush, and the end of it, as the filter sees and answers it.
#[test]
fn a_transcript_reads_like_a_colleague() {
    let script = include_str!("transcript.jsonl");
    let (code, out, err) = decide(&[], script);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out.lines().count(), script.lines().count());
    insta::assert_snapshot!(out);
}

#[test]
fn the_contract_keeps_its_fields() {
    let observation = r#"{"at":1700000000.0,
        "queues":[{"name":"thumbnails","visible":1200,"in_flight":300,"delayed":0,"oldest_age_seconds":12.0}],
        "fleet":{"desired":10,"in_service":8,"pending":2,"terminating":0},
        "workers":{"completed_total":51234,"busy_slots":30,"slots":32,"service_seconds_mean":7.9}}"#;
    let (_, out, _) = decide(&[], observation.replace('\n', " "));
    let verdict: Value = serde_json::from_str(&out).expect("JSON");
    let keys: Vec<&str> = verdict
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        keys,
        [
            "at",
            "fleet",
            "action",
            "desired",
            "backlog_per_instance",
            "backlog_per_instance_target",
            "trail"
        ]
    );
    assert_eq!(verdict["at"], 1_700_000_000.0);
    assert_eq!(verdict["backlog_per_instance"], 150.0);
    for step in verdict["trail"].as_array().expect("a list") {
        for key in ["step", "reason", "wanted", "text"] {
            assert!(step.get(key).is_some(), "{key} in {step}");
        }
    }
}

#[test]
fn a_bad_line_gets_an_error_and_the_filter_goes_on() {
    let bad = [
        "xx",
        "",
        "[]",
        "{}",
        r#"{"at":null}"#,
        r#"{"at":1e999}"#,
        r#"{"at":1,"queues":{}}"#,
        r#"{"at":1,"queues":[{"name":"thumbnails","visible":-3}]}"#,
        r#"{"at":1,"queues":[{"name":"thumbnails","visible":2.5}]}"#,
        r#"{"at":1,"queues":[{"name":"thumbnails","visible":"many"}]}"#,
        r#"{"at":1,"fleet":{"desired":4294967296}}"#,
        r#"{"at":1,"workers":{"service_seconds_mean":-1}}"#,
    ];
    let mut input = line(0, 3000, 0);
    input.push_str(&bad.join("\n"));
    input.push('\n');
    input.push_str(&line(15, 3000, 40));
    let (code, out, _) = decide(&[], input);
    assert_eq!(code, 0);
    let answers: Vec<Value> = out
        .lines()
        .map(|l| serde_json::from_str(l).expect("JSON"))
        .collect();
    assert_eq!(answers.len(), bad.len() + 2);
    assert_eq!(answers[0]["desired"], 40);
    assert_eq!(answers[bad.len() + 1]["action"], "hold");
    for (i, answer) in answers[1..=bad.len()].iter().enumerate() {
        assert_eq!(answer["line"], i + 2, "{answer}");
    }
    let errors = answers[1..=bad.len()]
        .iter()
        .map(|a| a["error"].as_str().expect("an error"));
    insta::assert_snapshot!(errors.collect::<Vec<_>>().join("\n"));
}

#[test]
fn bytes_that_are_no_text_and_endless_lines_are_errors_too() {
    let mut input = vec![0xff, 0xfe, b'\n'];
    input.extend(std::iter::repeat_n(b'[', 3 << 20));
    input.push(b'\n');
    input.extend(line(0, 3000, 0).as_bytes());
    let (code, out, _) = decide(&[], input);
    assert_eq!(code, 0);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 3, "{out}");
    assert!(lines[0].contains("error") && lines[1].contains("error"));
    assert!(lines[2].contains("grow"), "{}", lines[2]);
}

#[test]
fn unknown_may_be_null_or_absent_and_whole_numbers_may_have_a_point() {
    let pointed = line(0, 3000, 0)
        .replace("3000", "3000.0")
        .replace(":0,", ":0.0,");
    assert!(decide(&[], pointed).1.contains(r#""desired":40"#));
    for unknown in [r#""visible":3000,"#, r#""in_service":0,"#] {
        let absent = line(0, 3000, 0).replace(unknown, "");
        let (key, _) = unknown.split_once(':').expect("a key");
        let null = line(0, 3000, 0).replace(unknown, &format!("{key}:null,"));
        let (_, absent, _) = decide(&[], absent);
        assert_eq!(absent, decide(&[], null).1);
        assert!(absent.contains("_unknown"), "{absent}");
    }
}

#[test]
fn each_answer_comes_before_the_next_question() {
    let mut child = Command::new(weir().get_program())
        .args(["decide", "--policy", POLICY])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut input = child.stdin.take().expect("piped");
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    for i in 0..5 {
        // Half of the next line is in the pipe already: it must not hold the answer back.
        let question = line(i * 15, 3000, 0) + "{\"at\":";
        input.write_all(question.as_bytes()).expect("written");
        input.flush().expect("flushed");
        let mut answer = String::new();
        output.read_line(&mut answer).expect("read");
        assert!(
            answer.contains("grow") || answer.contains("error"),
            "{answer}"
        );
        input.write_all(b"\n").expect("written");
        output.read_line(&mut answer).expect("read");
    }
    drop(input);
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let mut child = Command::new(weir().get_program())
        .args(["decide", "--policy", POLICY])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    drop(child.stdout.take());
    let mut input = child.stdin.take().expect("piped");
    for i in 0..10_000 {
        if input.write_all(line(i, 3000, 0).as_bytes()).is_err() {
            break;
        }
    }
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(0), String::new())
    );
}

#[test]
fn a_history_file_carries_what_was_learned_into_the_next_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let history = folder.path().join("history.json").display().to_string();
    let lines: Vec<String> = (0..60).map(|i| line(i * 15, i * 7 % 90, 8)).collect();
    let (_, whole, _) = decide(&[], lines.concat());
    let (code, first, err) = decide(&["--history", &history], lines[..30].concat());
    assert_eq!(code, 0, "{err}");
    let (_, second, _) = decide(&["--history", &history], lines[30..].concat());
    assert_eq!(format!("{first}{second}"), whole);
}

#[test]
fn a_history_that_is_none_is_bad_configuration() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let history = write(folder.path(), "history.json", "what?");
    let (code, out, err) = decide(&["--history", &history], line(0, 1, 1));
    assert_eq!((code, out.as_str()), (64, ""));
    assert!(
        err.contains("history.json") && err.contains("remove the file"),
        "{err}"
    );
}

#[test]
fn it_takes_one_good_policy() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bad = write(folder.path(), "bad.yaml", "version: 7\n");
    let good = "version: 1\nname: other\nqueues: [{ name: q }]\nobjective: { start_within: 1m }\n\
                fleet: { auto_scaling_group: g, max: 9 }\n";
    let other = write(folder.path(), "other.yaml", good);
    for (policies, says) in [
        (vec!["--policy", bad.as_str()], "version: found 7"),
        (
            vec!["--policy", POLICY, "--policy", &other],
            "names 2 policies",
        ),
        (vec!["--policy", "nowhere.yaml"], "no such file"),
    ] {
        let output = weir()
            .arg("decide")
            .args(&policies)
            .output()
            .expect("it runs");
        assert_eq!(output.status.code(), Some(64), "{policies:?}");
        assert!(
            text(&output.stderr).contains(says),
            "{}",
            text(&output.stderr)
        );
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_policy_may_be_given_as_text() {
    let policy =
        std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(POLICY));
    let mut command = weir();
    command.args(["decide", "--policy-yaml", &policy.expect("the policy")]);
    let output = command
        .write_stdin(line(0, 3000, 0))
        .output()
        .expect("it runs");
    assert!(text(&output.stdout).contains("grow"));
}
