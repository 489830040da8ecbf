//! `weir backtest`: what a policy would have cost.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{text, weir, write};

const POLICY: &str = "../policies/thumbnails.yaml";

/// A generated day of small crowds, quick to simulate in an unoptimised build.
const DAY: &str = "flash-crowd,days=0.5,seed=3,mean=0.2,every=4h";

fn backtest(args: &[&str]) -> (i32, String, String) {
    let mut command = weir();
    command.args(["backtest", "--policy", POLICY]).args(args);
    let output = command.output().expect("it runs");
    (
        output.status.code().expect("no signal"),
        text(&output.stdout),
        text(&output.stderr),
    )
}

fn outcome(args: &[&str]) -> Value {
    let (code, out, err) = backtest(&[args, &["--output", "json"]].concat());
    assert_eq!(code, 0, "{err}");
    serde_json::from_str(&out).expect("JSON")
}

/// Without what differs from run to run.
fn without_speed(mut outcome: Value) -> Value {
    let fields = outcome.as_object_mut().expect("an object");
    assert!(fields.remove("speed").is_some());
    outcome
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_another_run() {
    let all = ["--generate", DAY, "--compare", "all", "--tune-peers"];
    let first = without_speed(outcome(&all));
    assert_eq!(first, without_speed(outcome(&all)));
    let other = outcome(&[&all[..], &["--seed", "8"]].concat());
    assert_ne!(first["rows"][0]["score"], other["rows"][0]["score"]);
}

#[test]
fn every_scaler_has_a_row_a_series_and_a_frontier_and_none_in_time_is_under_the_bound() {
    let outcome = outcome(&[
        "--generate",
        DAY,
        "--compare",
        "all",
        "--tune-peers",
        "--exact",
    ]);
    assert_eq!(outcome["version"], 1);
    let rows = outcome["rows"].as_array().expect("rows");
    let named = |setting: &str| {
        let of = rows.iter().filter(|row| row["setting"] == setting);
        of.filter_map(|row| row["scaler"].as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(named("policy"), ["weir"]);
    let peers = named("documented");
    assert_eq!(peers.len(), 8, "{peers:?}");
    assert_eq!(named("tuned").len() + named("least_late").len(), 8);
    let series = outcome["series"]["rows"].as_array().expect("series");
    assert_eq!(series.len(), rows.len());
    assert_eq!(outcome["frontiers"].as_array().map(Vec::len), Some(9));
    let exact = outcome["bound"]["exact_hours"].as_f64().expect("exact");
    assert!(
        exact
            <= outcome["bound"]["feasible_hours"]
                .as_f64()
                .expect("feasible")
    );
    let hours = |row: &Value| row["score"]["instance_hours"].as_f64().expect("hours");
    for tuned in rows.iter().filter(|row| row["setting"] == "tuned") {
        let documented = rows
            .iter()
            .find(|row| row["scaler"] == tuned["scaler"] && row["setting"] == "documented");
        let documented = documented.expect("as documented too");
        assert!(
            documented["score"]["keeps_objective"] == false || hours(tuned) <= hours(documented),
            "{tuned} is dearer than {documented}"
        );
    }
    for (setting, keeps) in [("tuned", true), ("least_late", false)] {
        for row in rows.iter().filter(|row| row["setting"] == setting) {
            assert_eq!(row["score"]["keeps_objective"], keeps, "{row}");
        }
    }
    for row in rows {
        let score = &row["score"];
        let hours = score["instance_hours"].as_f64().expect("hours");
        assert!(
            score["keeps_objective"] == false || hours >= exact,
            "{} keeps the objective for {hours}, under {exact}",
            row["scaler"]
        );
        let parts = ["boot_hours", "idle_hours"].map(|part| score[part].as_f64().expect("hours"));
        assert!(parts[0] + parts[1] <= hours, "{row}");
    }
}

#[test]
fn seeds_give_intervals_that_hold_the_mean() {
    let outcome = outcome(&["--generate", DAY, "--seeds", "3", "--price", "0.17"]);
    let row = &outcome["rows"][0];
    let hours = row["score"]["instance_hours"].as_f64().expect("hours");
    let interval: [f64; 2] =
        serde_json::from_value(row["confidence"]["instance_hours"].clone()).expect("an interval");
    assert!(
        interval[0] < hours && hours < interval[1],
        "{interval:?} {hours}"
    );
    let cost = row["score"]["cost"].as_f64().expect("a cost");
    assert!((cost - 0.17 * hours).abs() < 1e-6);
}

#[test]
fn every_condition_is_said_and_makes_another_run() {
    let all = ["--generate", DAY];
    let calm = outcome(&all);
    assert_eq!(calm["setup"]["faults"], serde_json::json!([]));
    for condition in [
        &["--count-noise", "30%"] as &[&str],
        &["--counts-late", "60s"],
        &["--boot-spread", "0.9"],
        &["--delay", "5m"],
        &["--failing", "20%"],
        &["--reclaims", "2"],
        &["--shortage", "1s-4h:0"],
        &["--drift", "6h:4"],
        &["--no-reports"],
        &["--no-ages", "--no-reports"],
    ] {
        let hard = outcome(&[&all[..], condition].concat());
        let said = hard["setup"]["faults"].as_array().map_or(0, Vec::len);
        let asked = condition.iter().filter(|arg| arg.starts_with("--")).count();
        assert_eq!(said, asked, "{condition:?}: {}", hard["setup"]["faults"]);
        assert_ne!(
            hard["rows"][0]["score"], calm["rows"][0]["score"],
            "{condition:?}"
        );
    }
}

#[test]
fn progress_never_passes_its_end() {
    let (_, _, err) = backtest(&["--generate", DAY, "--seeds", "3", "--compare", "static"]);
    let counts: Vec<(u32, u32)> = (err.lines())
        .filter_map(|line| line.split_once(": ")?.1.split_once(" of "))
        .map(|(done, all)| {
            (
                done.parse().expect("a count"),
                all.parse().expect("a count"),
            )
        })
        .collect();
    assert!(
        counts.iter().filter(|count| **count == (2, 2)).count() >= 3,
        "{err}"
    );
    assert!(counts.iter().all(|(done, all)| done <= all), "{err}");
}

#[test]
fn a_person_reads_what_was_asked_and_what_came_of_it() {
    let (code, out, err) = backtest(&["--generate", DAY, "--compare", "keda"]);
    assert_eq!(code, 0);
    assert!(err.contains("runs: 2 of 2"), "progress: {err}");
    assert!(out.starts_with("thumbnails on flash-crowd,"), "{out}");
    for row in ["│ weir   ┆ as the file has it", "│ KEDA   ┆ as documented"] {
        assert!(out.contains(row), "{out}");
    }
    let last = out.lines().last().expect("a conclusion");
    assert!(
        last.starts_with("thumbnails ") && last.ends_with('.'),
        "{last}"
    );
}

#[test]
fn a_page_is_written_whole_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("page.html");
    let shown = page.to_str().expect("UTF-8");
    let (code, _, err) = backtest(&["--generate", DAY, "--report", shown]);
    assert_eq!(code, 0, "{err}");
    let html = fs::read_to_string(&page).expect("a page");
    assert!(html.starts_with("<!DOCTYPE html>") && html.trim_end().ends_with("</html>"));
    let files = |folder: &Path| fs::read_dir(folder).expect("a folder").count();
    assert_eq!(files(folder.path()), 1, "nothing is left beside it");

    let nowhere = folder.path().join("none").join("page.html");
    for place in [nowhere.as_path(), folder.path(), Path::new("/dev/stdin")] {
        let shown = place.to_str().expect("UTF-8");
        let (code, _, err) = backtest(&["--generate", DAY, "--report", shown]);
        assert_eq!(code, 64, "{shown}");
        assert!(
            err.contains("--report") && !err.contains("runs:"),
            "before the work: {err}"
        );
    }
}

#[test]
fn bad_traces_and_bad_usage_are_named_with_their_places() {
    let folder = tempfile::tempdir().expect("a folder");
    let bad = write(folder.path(), "bad.csv", "t_seconds,arrivals\n0,1\n60,-4\n");
    let (code, _, err) = backtest(&["--trace", &bad]);
    assert_eq!(code, 64);
    assert!(err.contains(":3:4: arrivals: found \"-4\""), "{err}");
    for (args, part) in [
        (vec![], "nothing arrives"),
        (vec!["--generate", "flood"], "flash-crowd"),
        (
            vec!["--generate", DAY, "--compare", "k8s"],
            "worker-pod-autoscaler",
        ),
        (vec!["--generate", DAY, "--queue", "other"], "thumbnails"),
        (
            vec!["--generate", DAY, "--shortage", "4h-2h:1"],
            "FROM-UNTIL:INSTANCES",
        ),
    ] {
        let (code, _, err) = backtest(&args);
        assert_eq!(code, 64, "{args:?}");
        assert!(err.contains(part), "{args:?}: {err}");
    }
}

#[test]
fn what_is_hardly_a_trace_is_still_an_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    for rows in [
        "0,0\n60,0\n",
        "0,1\n60,0\n",
        "0,5\n60,5\n120,5\n",
        "0,1e-9\n60,0\n",
    ] {
        let file = write(
            folder.path(),
            "few.csv",
            &format!("t_seconds,arrivals\n{rows}"),
        );
        let all = [
            "--trace",
            &file,
            "--compare",
            "all",
            "--tune-peers",
            "--exact",
        ];
        let outcome = outcome(&all);
        let score = &outcome["rows"][0]["score"];
        assert!(
            score["instance_hours"].as_f64().is_some_and(f64::is_finite),
            "{rows}: {score}"
        );
        let (code, out, _) = backtest(&all);
        assert!(
            code == 0 && !out.contains("NaN") && !out.contains("inf"),
            "{rows}: {out}"
        );
    }
}
