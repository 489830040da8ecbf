//! A file's keys and their places; what goes before what is shown on the program itself.

use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
#[command(name = "weir-worker")]
struct Args {
    #[command(flatten)]
    run: crate::cli::ProgramArgs,
}

fn problems(text: &str) -> Vec<(usize, usize, String)> {
    use clap::CommandFactory as _;
    let mut command = Args::command();
    command.build();
    let Err(problems) = File::new("worker.yaml", text).settings(&command) else {
        return Vec::new();
    };
    let line = |problem: &Problem| {
        let place = problem.place.expect("each of these has a place");
        let words = format!(
            "{}: {}, {}; {}",
            problem.key, problem.found, problem.allowed, problem.advice
        );
        (place.line, place.column, words)
    };
    problems.0.iter().map(line).collect()
}

/// Name, file, the line and column of its one problem, and what that says.
type Case = (
    &'static str,
    &'static str,
    usize,
    usize,
    &'static [&'static str],
);

const CASES: &[Case] = &[
    (
        "unknown key",
        "slots: 2\nslot: 3\n",
        2,
        1,
        &["slot:", "unknown", "did you mean slots?"],
    ),
    (
        "nothing near",
        "colour: red\n",
        1,
        1,
        &["unknown", "queues", "remove it"],
    ),
    ("twice", "slots: 2\nslots: 3\n", 2, 1, &["again", "line 1"]),
    ("out of range", "slots: 0\n", 1, 8, &["from 1 to 1024"]),
    (
        "quoted number",
        "max_attempts: \"3\"\n",
        1,
        15,
        &["remove the quotes"],
    ),
    ("number for text", "fleet: 5\n", 1, 8, &["in quotes"]),
    (
        "no unit",
        "poll_wait: 5\n",
        1,
        12,
        &["with its unit", "write 5s"],
    ),
    (
        "too long",
        "poll_wait: 21s\n",
        1,
        12,
        &["\"21s\"", "from 0s to 20s"],
    ),
    ("null", "fleet:\n", 1, 6, &["nothing", "remove the key"]),
    ("a list", "slots: [1]\n", 1, 8, &["a list", "auto"]),
    (
        "one of a few",
        "idempotency: maybe\n",
        1,
        14,
        &["maybe", "lease or once or off"],
    ),
    (
        "not a boolean",
        "no_metadata: 1\n",
        1,
        14,
        &["true or false"],
    ),
    (
        "a URL with TLS",
        "http: https://h/\n",
        1,
        7,
        &["would need TLS", "http://HOST"],
    ),
    (
        "queues are a list",
        "queues: jobs\n",
        1,
        9,
        &["a list", "dash"],
    ),
    (
        "a queue's name",
        "queues:\n  - a b\n",
        2,
        5,
        &["queues[0]", "1 to 80"],
    ),
    (
        "no name",
        "queues:\n  - weight: 2\n",
        2,
        5,
        &["queues[0].name", "add it"],
    ),
    (
        "weight",
        "queues:\n  - { name: a, weight: 0 }\n",
        2,
        24,
        &["queues[0].weight", "at least 1"],
    ),
    (
        "a queue's key",
        "queues:\n  - { name: a, wieght: 2 }\n",
        2,
        16,
        &["did you mean weight?"],
    ),
    ("two in one", "queues: [a;b]\n", 1, 10, &["a;b"]),
    ("no mapping", "- slots\n", 1, 1, &["a mapping"]),
    ("no YAML", "slots: [1\nfleet: x\n", 2, 6, &["YAML"]),
    ("itself", "config: other.yaml\n", 1, 1, &["unknown"]),
];

#[test]
fn every_kind_of_problem_has_its_place_and_its_words() {
    for (name, text, line, column, words) in CASES {
        let problems = problems(text);
        assert_eq!(problems.len(), 1, "{name}: {problems:?}");
        let (found_line, found_column, said) = &problems[0];
        assert_eq!((found_line, found_column), (line, column), "{name}: {said}");
        for word in *words {
            assert!(said.contains(word), "{name}: no {word:?} in {said}");
        }
    }
}

#[test]
fn all_problems_are_told_in_the_order_of_the_file() {
    let text = "slots: 0\ncolour: red\nqueues:\n  - { name: 5, weight: x }\npoll_wait: 1h\n";
    let lines: Vec<usize> = problems(text).iter().map(|(line, _, _)| *line).collect();
    assert_eq!(lines, [1, 2, 4, 4, 5]);
}

#[test]
fn empty_files_set_nothing_and_hostile_ones_are_refused() {
    for empty in ["", "# nothing yet\n", "---\n"] {
        assert_eq!(problems(empty), [], "{empty:?}");
    }
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for nth in 1..12 {
        let before = vec![format!("*a{}", nth - 1); 9].join(", ");
        bomb = format!("{bomb}a{nth}: &a{nth} [{before}]\n");
    }
    assert!(!problems(&bomb).is_empty());
    let deep = "[".repeat(100_000);
    assert!(!problems(&deep).is_empty());
}

/// `docs/worker.md` holds a row for each setting, and this is what it says.
#[test]
fn the_guides_table_of_settings_is_current() {
    use clap::CommandFactory as _;
    let mut command = Args::command();
    command.build();
    let mut table =
        String::from("| flag | variable | YAML key | default | allowed |\n|---|---|---|---|---|\n");
    for (key, arg) in keys(&command) {
        let flag = arg.get_long().unwrap_or_default();
        let variable = arg.get_env().unwrap_or_default().to_string_lossy();
        let default = arg.get_default_values().iter();
        let default: Vec<_> = default.map(|value| value.to_string_lossy()).collect();
        let default = match (default.is_empty(), arg.get_action().takes_values()) {
            (false, _) => format!("`{}`", default.join(" ")),
            (true, false) => "`false`".into(),
            (true, true) => described_default(arg),
        };
        let allowed = if arg.get_action().takes_values() {
            allowed(arg)
        } else {
            "true or false".into()
        };
        let row = format!("| `--{flag}` | `{variable}` | `{key}` | {default} | {allowed} |\n");
        table.push_str(&row);
    }
    let guide = include_str!("../../../docs/worker.md");
    assert!(
        guide.contains(&table),
        "docs/worker.md is to hold this table of settings:\n\n{table}"
    );
}

/// Where there is no value, the help says what then holds: `[default: the first queue's name]`.
fn described_default(arg: &Arg) -> String {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let said = help.split_once("[default: ").map(|(_, said)| said);
    said.and_then(|said| said.split_once(']'))
        .map_or_else(|| "—".into(), |(said, _)| said.to_owned())
}
