//! Policies with several queues: each queue's own objective, weight and priority.

use super::{run, write};

/// A policy whose queues are `queues`, as YAML on one line each.
fn policy(queues: &str) -> String {
    format!(
        "version: 1\nname: media\nqueues:\n{queues}\
         fleet: {{ auto_scaling_group: workers, max: 40 }}\n\
         objective: {{ start_within: 10m, percentile: 95 }}\n"
    )
}

fn validate(queues: &str) -> (i32, String, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = write(folder.path(), "x.yaml", &policy(queues));
    let (code, out, err) = run(&["validate", &file]);
    let plain = |text: String| text.replace(&folder.path().display().to_string(), "DIR");
    (code, plain(out), plain(err))
}

#[test]
fn a_queue_keeps_its_own_objective_and_what_it_leaves_out_is_the_fleets() {
    let (code, out, err) = validate(
        "  - { name: plain }\n  - { name: both, objective: { start_within: 30s, percentile: 99 } }\n  \
         - { name: sooner, objective: { start_within: 30s } }\n  \
         - { name: surer, objective: { percentile: 99.9 } }\n  \
         - { name: same, objective: { start_within: 600s, percentile: 95 } }\n  \
         - { name: first, priority: -1, weight: 2.5 }\n",
    );
    assert_eq!(code, 0, "{err}");
    insta::assert_snapshot!(out);
}

#[test]
fn a_queues_mistakes_are_shown_with_their_places() {
    let (code, _, err) = validate(
        "  - { name: a, objective: {} }\n  - { name: b, objective: 30s }\n  \
         - { name: c, objective: { start_within: 30, percentile: 100, percentle: 99 } }\n  \
         - { name: d, weight: 1001 }\n  - { name: e, weight: 0.0001, priority: 1001 }\n  \
         - { name: a }\n  - { url: \"https://sqs.eu-west-1.amazonaws.com/123456789012/b\" }\n",
    );
    assert_eq!(code, 64);
    insta::assert_snapshot!(err);
}

#[test]
fn a_fleets_objective_at_fault_hides_no_fault_of_its_queues() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = policy("  - { name: a, weight: 0 }\n  - { name: b }\n  - { name: b }\n");
    let file = write(
        folder.path(),
        "x.yaml",
        &text.replace("start_within: 10m", "start_within: soon"),
    );
    let (code, _, err) = run(&["validate", &file]);
    assert_eq!(code, 64);
    for key in ["objective.start_within", "queues[0].weight", "queues[2]"] {
        assert!(err.contains(&format!(" {key}: found ")), "{key}: {err}");
    }
}

#[test]
fn a_fleet_serves_up_to_twenty_queues() {
    let queues = |n: usize| {
        let lines = (0..n).map(|i| format!("  - {{ name: q{i} }}\n"));
        lines.collect::<Vec<_>>().concat()
    };
    let (code, _, err) = validate(&queues(20));
    assert_eq!(code, 0, "{err}");
    let (code, _, err) = validate(&queues(21));
    assert_eq!(code, 64);
    assert!(
        err.contains("queues: found 21 queues, allowed 1 to 20 queues"),
        "{err}"
    );
}

#[test]
fn weights_and_priorities_reach_their_limits() {
    for (sets, expected) in [
        ("weight: 0.001", 0),
        ("weight: 1000", 0),
        ("weight: 0", 64),
        ("weight: -1", 64),
        ("weight: .inf", 64),
        ("weight: \"2\"", 64),
        ("priority: -1000", 0),
        ("priority: 1000", 0),
        ("priority: 0.5", 64),
    ] {
        let (code, _, err) = validate(&format!("  - {{ name: a, {sets} }}\n"));
        assert_eq!(code, expected, "{sets}: {err}");
    }
}

/// The YAML blocks of the guide.
fn examples() -> Vec<&'static str> {
    let guide = include_str!("../../../docs/policies.md");
    let blocks = guide.split("```yaml\n").skip(1);
    blocks
        .filter_map(|rest| rest.split_once("```").map(|(block, _)| block))
        .collect()
}

#[test]
fn the_guides_examples_are_valid() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let examples = examples();
    assert!(examples.len() >= 2, "{}", examples.len());
    for (i, example) in examples.iter().enumerate() {
        let file = write(folder.path(), &format!("{i}.yaml"), example);
        let (code, _, err) = run(&["validate", &file]);
        assert_eq!(code, 0, "example {i}: {err}");
    }
}
