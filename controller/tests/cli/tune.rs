//! `weir tune`: what it says, and what it does to the file.

use serde_json::Value;

use super::{run, write};

/// A policy that keeps spare capacity far too long, with comments wherever they can stand.
const WASTEFUL: &str = "\
# Chosen for a job that takes seconds.
version: 1
name: thumbnails # everywhere

queues:
  - name: thumbnails

# The group.
fleet: { auto_scaling_group: g, max: 40 }
objective: { start_within: 15m }   # and the percentile is 99

scale_in:
  hold: 3h   # somebody's guess
  # and how fast
worker: { slots: 2, service_time: 30s, boot_time: 2m }
# The end.
";

/// A week of afternoons, looked at every five minutes.
const DAYS: &[&str] = &[
    "--generate",
    "day,days=7,mean=0.05,low=0.05",
    "--interval",
    "5m",
];

fn tune(policy: &str, more: &[&str]) -> (i32, String, String) {
    run(&[&["tune", "--policy", policy], DAYS, more].concat())
}

#[test]
fn a_written_change_leaves_every_other_byte_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = write(folder.path(), "p.yaml", WASTEFUL);
    let (code, out, err) = tune(&file, &["--write"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.ends_with("p.yaml is changed.\n"), "{out}");
    let after = std::fs::read_to_string(&file).expect("the file");
    assert_ne!(after, WASTEFUL);
    let others = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.contains("hold:"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(others(&after), others(WASTEFUL), "{after}");
    let hold = after.lines().find(|line| line.contains("hold:"));
    let hold = hold.expect("the setting");
    assert!(
        hold.starts_with("  hold: ")
            && hold.ends_with("   # somebody's guess")
            && !hold.contains("3h"),
        "{hold}"
    );

    let (code, out, err) = tune(&file, &["--write"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("Keep what you have"), "{out}");
    assert!(out.ends_with("Nothing is to be written.\n"), "{out}");
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), after);
    assert_eq!(
        std::fs::read_dir(folder.path())
            .expect("the folder")
            .count(),
        1
    );
}

#[test]
fn without_being_told_to_it_writes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = write(folder.path(), "p.yaml", WASTEFUL);
    let (code, out, err) = tune(&file, &["--output", "json", "--price", "0.1"]);
    assert_eq!(code, 0, "{err}");
    let told: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(told["version"], 1);
    assert_eq!(told["verdict"], "cheaper");
    assert_eq!(told["changes"][0]["key"], "scale_in.hold");
    assert_eq!(told["changes"][0]["from"], "3h");
    assert_eq!(told["best"]["fleet.min"], "0");
    assert_eq!(told["written"], Value::Null);
    let number = |value: &Value| value.as_f64().expect("a number");
    assert!(number(&told["saving"]["share_interval"][0]) > 0.0);
    let (cost, hours) = (
        &told["held_out"]["cost"],
        &told["held_out"]["instance_hours"],
    );
    assert!((number(cost) - 0.1 * number(hours)).abs() < 1e-9);
    assert_eq!(told["held_out"]["keeps_objective"], true);
    let diff = told["diff"].as_str().expect("a diff");
    assert!(
        diff.contains("\n-  hold: 3h   # somebody's guess\n+  hold: "),
        "{diff}"
    );
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), WASTEFUL);
}

/// A policy that would have to keep instances for every crowd that may come.
const HURRIED: &str = "\
version: 1
name: thumbnails
queues: [{ name: thumbnails }]
fleet: { auto_scaling_group: g, max: 40 }
objective: { start_within: 30s }
worker: { slots: 2, service_time: 30s, boot_time: 3m }
";

#[test]
fn what_costs_too_much_is_told_and_written_only_if_it_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = write(folder.path(), "p.yaml", HURRIED);
    let crowds = ["--generate", "flash-crowd,days=4,mean=0.02", "--interval"];
    let tune = |more: &[&str]| {
        let policy = ["tune", "--policy", &file, "--write"];
        run(&[&policy[..], &crowds, &["5m"], more].concat())
    };
    let json = |more: &[&str]| -> Value {
        let (code, out, err) = tune(&[&["--output", "json"], more].concat());
        assert_eq!(code, 0, "{err}");
        serde_json::from_str(&out).expect("JSON")
    };
    let text = || std::fs::read_to_string(&file).expect("the file");

    let told = json(&[]);
    assert_eq!(told["verdict"], "too_dear");
    assert_eq!(told["cost_times_max"], 2.0);
    assert_eq!(told["as_it_stands"]["standing"], "missed");
    let cure = &told["cure"];
    assert_eq!(cure["figures"]["standing"], "kept");
    assert!(cure["cost_times"].as_f64().expect("a number") > 2.0);
    assert_eq!(
        (&told["diff"], &told["written"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(text(), HURRIED);

    let (_, out, _) = tune(&[]);
    let differs = cure["differs"][0].as_str().expect("a setting");
    for said in [differs, "times the cost", "--at-any-cost chooses it"] {
        assert!(out.contains(said), "no {said:?} in: {out}");
    }

    let told = json(&["--at-any-cost"]);
    assert_eq!(told["verdict"], "keeps_objective");
    assert_eq!(
        (&told["cost_times_max"], &told["cure"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(&told["best"], &cure["settings"]);
    assert!(
        text().contains(differs.trim_start_matches("fleet.")),
        "{}",
        text()
    );
}

#[test]
fn what_cannot_be_written_is_said_before_the_work() {
    let policy = ["tune", "--policy-yaml", WASTEFUL, "--write"];
    let (code, out, err) = run(&[policy.as_slice(), DAYS].concat());
    assert_eq!((code, out.as_str()), (64, ""), "{err}");
    assert!(
        err.contains("--write changes a file; give the policy with --policy FILE"),
        "{err}"
    );
    let (code, _, err) = run(&["tune", "--policy", "../policies/thumbnails.yaml"]);
    assert_eq!(code, 64, "{err}");
    assert!(
        err.contains("--trace") && err.contains("--generate"),
        "{err}"
    );
}
