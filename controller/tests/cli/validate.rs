//! `weir validate` and `weir schema`.

use std::collections::BTreeSet;

use super::{run, write};

const GOOD: &str = "\
version: 1
name: thumbnails
queues:
  - name: thumbnails
fleet: { auto_scaling_group: workers, max: 40 }
objective: { start_within: 60s }
";

/// The text with a temporary folder's path taken out.
fn plain(text: &str, folder: &tempfile::TempDir) -> String {
    text.replace(&folder.path().display().to_string(), "DIR")
}

fn problems_of(policy: &str) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = write(folder.path(), "x.yaml", policy);
    let (code, out, err) = run(&["validate", &file]);
    assert_eq!((code, out.as_str()), (64, ""), "{err}");
    plain(&err, &folder)
}

#[test]
fn the_shipped_policies_are_valid() {
    let (code, out, err) = run(&["validate", "../policies"]);
    assert_eq!((code, err.as_str()), (0, ""));
    insta::assert_snapshot!(out, @"ok ../policies/thumbnails.yaml: thumbnails: queue thumbnails, 0 to 40 of thumbnails-workers, 99 % start within 60 s");
}

#[test]
fn everything_a_policy_sets_is_in_its_line() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let more = "scale_out: { max_step: 100% }\nscale_in: { max_step: 2, hold: 5m }\nschedule:\n  \
                - { cron: \"0 8 * * MON-FRI\", timezone: Europe/Berlin, for: 10h, min: 5 }\n\
                budget: { instance_hours_per_day: 400 }\n";
    let file = write(folder.path(), "x.yaml", &format!("{GOOD}{more}"));
    let (code, out, err) = run(&["validate", &file]);
    assert_eq!(code, 0, "{err}");
    insta::assert_snapshot!(plain(&out, &folder));
}

#[test]
fn all_problems_of_a_file_are_shown_at_once_with_their_places() {
    insta::assert_snapshot!(problems_of(
        "\
version: 2
name: bad name
queues:
  - name: a.b
    weihgt: 2
  - { url: not-a-url, weight: 0 }
  - {}
fleet:
  auto_scaling_group: 12
  min: 50
  max: 40
  max: 41
objective:
  start_within: 0s
  percentile: 100
worker: { slots: 1.5, service_time: 8, boot_time: 5 parsecs }
forecast: sometimes
scale_out: { max_step: 0% }
scale_in: { max_step: 0, hold: never }
schedule:
  - { cron: 0 25 * * *, timezone: Europe/Berlinn, for: 10h, min: 99 }
  - { for: 10 h }
budget: { instance_hours_per_day: -3 }
actuate: desired-capacity
colour: red
"
    ));
}

#[test]
fn what_breaks_the_yaml_is_shown_the_same_way() {
    let cases = [
        ("not closed", "version: [1\nname: x\n"),
        ("a tab", "version: 1\nfleet:\n\tmax: 1\n"),
        ("two documents", "version: 1\n---\nversion: 1\n"),
        ("empty", ""),
        ("comments only", "# nothing\n"),
        ("a list", "- 1\n- 2\n"),
        ("a word", "policy\n"),
        ("an unknown anchor", "version: *one\n"),
        ("missing keys", "version: 1\n"),
    ];
    let blocks = cases.map(|(name, policy)| format!("[{name}]\n{}", problems_of(policy)));
    insta::assert_snapshot!(blocks.join("\n"));
}

#[test]
fn a_fleet_is_a_group_or_a_service() {
    let fleet = "fleet: { auto_scaling_group: workers, max: 40 }";
    let service = GOOD.replace(fleet, "fleet: { ecs_service: media/thumbs-1, max: 40 }");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = write(folder.path(), "x.yaml", &service);
    let (code, out, err) = run(&["validate", &file]);
    assert_eq!(code, 0, "{err}");
    insta::assert_snapshot!(plain(&out, &folder), @"ok DIR/x.yaml: thumbnails: queue thumbnails, 0 to 40 of media/thumbs-1, 99 % start within 60 s");
    let bad = [
        (
            "both",
            "{ auto_scaling_group: workers, ecs_service: media/thumbs, max: 40 }",
            "",
        ),
        ("neither", "{ max: 40 }", ""),
        ("no cluster", "{ ecs_service: thumbs, max: 40 }", ""),
        (
            "an ARN",
            "{ ecs_service: \"arn:aws:ecs:eu-west-1:1:service/a/b\", max: 40 }",
            "",
        ),
        (
            "tracking",
            "{ ecs_service: media/thumbs, max: 40 }",
            "actuate: target_tracking\n",
        ),
    ];
    let blocks = bad.map(|(name, value, more)| {
        let policy = GOOD.replace(fleet, &format!("fleet: {value}")) + more;
        format!("[{name}]\n{}", problems_of(&policy))
    });
    insta::assert_snapshot!(blocks.join("\n"));
}

#[test]
fn receives_come_after_attempts() {
    let queue = "  - name: thumbnails\n";
    let with = |receives: &str, worker: &str| {
        let queues = format!("{queue}    max_receive_count: {receives}\n");
        GOOD.replace(queue, &queues) + worker
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (receives, worker) in [
        ("6", ""),
        ("1000", "worker: { max_attempts: 999 }\n"),
        ("2", "worker: { max_attempts: 1 }\n"),
    ] {
        let file = write(folder.path(), "x.yaml", &with(receives, worker));
        let (code, _, err) = run(&["validate", &file]);
        assert_eq!(code, 0, "{receives} {worker}: {err}");
    }
    let bad = [
        with("5", ""),
        with("1001", ""),
        with("10", "worker: { max_attempts: 10 }\n"),
        GOOD.to_owned() + "worker: { max_attempts: 0 }\n",
        GOOD.replace(queue, &format!("{queue}    visibility_timeout: 60\n")),
        GOOD.replace(queue, &format!("{queue}    visibility_timeout: 0s\n")),
        GOOD.replace(queue, &format!("{queue}    visibility_timeout: 13h\n")),
    ];
    insta::assert_snapshot!(bad.map(|policy| problems_of(&policy)).join("\n"));
}

#[test]
fn values_at_their_limits() {
    let long = "q".repeat(80);
    let good = [
        ("slots", "worker: { slots: 10000 }".to_owned()),
        ("no boot", "worker: { boot_time: 0s }".to_owned()),
        (
            "spelt out",
            "worker: { service_time: 2 minutes 30 seconds }".to_owned(),
        ),
        (
            "hold",
            "scale_in: { hold: auto, max_step: 50.5% }".to_owned(),
        ),
        ("off", "forecast: off".to_owned()),
        ("attempts", "worker: { max_attempts: 1000 }".to_owned()),
        ("tracking", "actuate: target_tracking".to_owned()),
        (
            "UTC by default",
            "schedule: [{ cron: \"*/5 * * * *\", for: 1m, min: 40 }]".to_owned(),
        ),
    ];
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, line) in good {
        let file = write(folder.path(), "x.yaml", &format!("{GOOD}{line}\n"));
        let (code, _, err) = run(&["validate", &file]);
        assert_eq!(code, 0, "{name}: {err}");
    }
    let swaps = [
        ("name: thumbnails\nfleet", format!("name: {long}\nfleet"), 0),
        (
            "name: thumbnails\nfleet",
            format!("name: {long}q\nfleet"),
            64,
        ),
        ("max: 40", "max: 100001".to_owned(), 64),
        ("max: 40", "max: -1".to_owned(), 64),
        ("max: 40", "max: 1e9".to_owned(), 64),
        ("max: 40", "max: .nan".to_owned(), 64),
        ("60s", "1ms".to_owned(), 0),
        ("60s", "337h".to_owned(), 64),
        ("60s", "-60s".to_owned(), 64),
        ("60s }", "60s, percentile: 99.9 }".to_owned(), 0),
        ("60s }", "60s, percentile: 0 }".to_owned(), 64),
    ];
    for (from, to, expected) in swaps {
        let file = write(folder.path(), "x.yaml", &GOOD.replace(from, &to));
        let (code, _, err) = run(&["validate", &file]);
        assert_eq!(code, expected, "{to}: {err}");
    }
}

#[test]
fn a_folder_is_read_in_order_and_names_are_unique() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), "b.yaml", GOOD);
    write(folder.path(), "a.yaml", GOOD);
    write(folder.path(), "ignored.json", "{}");
    let path = folder.path().display().to_string();
    let (code, out, err) = run(&["validate", &path]);
    assert_eq!(code, 64);
    insta::assert_snapshot!(plain(&format!("{out}{err}"), &folder));
}

#[test]
fn what_is_not_there_is_said() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let empty = folder.path().display().to_string();
    let (code, _, err) = run(&["validate", &empty, "no-such-file.yaml"]);
    assert_eq!(code, 64);
    insta::assert_snapshot!(plain(&err, &folder));
}

#[test]
fn problems_are_data_where_json_is_asked_for() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = write(
        folder.path(),
        "x.yaml",
        &GOOD.replace("max: 40", "min: 50, max: 40"),
    );
    let (code, out, err) = run(&["validate", "--output", "json", &file]);
    assert_eq!((code, err.as_str()), (64, ""));
    let files: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let problem = &files[0]["problems"][0];
    assert_eq!(problem["line"], 5);
    assert_eq!(problem["key"], "fleet.min");
    assert_eq!(problem["found"], "50");
    assert_eq!(problem["allowed"], "0 to fleet.max (40)");
}

#[test]
fn the_kept_schema_is_the_one_the_program_prints() {
    let (code, printed, _) = run(&["schema"]);
    assert_eq!(code, 0);
    let kept = include_str!("../../../policies/schema.json");
    assert_eq!(printed, kept, "run `weir schema > policies/schema.json`");
}

/// Each key of the schema, put where it does not belong, is refused; at home it is known.
#[test]
fn validate_knows_the_keys_of_the_schema_and_no_others() {
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../../../policies/schema.json")).expect("JSON");
    let keys = schema["properties"].as_object().expect("properties");
    let known: BTreeSet<&str> = keys.keys().map(String::as_str).collect();
    for key in &known {
        let err = problems_of(&format!("{key}: [[]]\n"));
        assert!(
            !err.contains(&format!(" {key}: found an unknown key")),
            "{key}: {err}"
        );
    }
    let err = problems_of("instances: 3\n");
    let listed = err
        .lines()
        .find(|line| line.contains("an unknown key"))
        .expect("a problem");
    let listed = listed
        .split("allowed ")
        .nth(1)
        .and_then(|l| l.split(';').next());
    let listed: BTreeSet<&str> = listed.expect("keys").split(", ").collect();
    assert_eq!(listed, known);
}
