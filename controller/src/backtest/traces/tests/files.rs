//! What is read without complaint, and what is said about it.

use std::fmt::Write as _;

use super::super::{Recorded, parse, read};

fn counts(text: &str) -> Vec<f64> {
    told(text).trace.counts
}

fn told(text: &str) -> Recorded {
    read("t.csv", text.as_bytes(), None).unwrap_or_else(|problems| panic!("{text:?}: {problems}"))
}

#[test]
fn reads_what_programs_write() {
    let cases = [
        ("plain", "t_seconds,arrivals\n0,1\n60,2\n"),
        ("no last line's end", "t_seconds,arrivals\n0,1\n60,2"),
        ("Windows line ends", "t_seconds,arrivals\r\n0,1\r\n60,2\r\n"),
        ("byte order mark", "\u{feff}t_seconds,arrivals\n0,1\n60,2\n"),
        (
            "spaces and tabs",
            " t_seconds ,\tarrivals\n 0 , 1\t\n60 ,2 \n",
        ),
        (
            "blank lines",
            "\n\nt_seconds,arrivals\n0,1\n\n  \n60,2\n\n\n",
        ),
        (
            "a spreadsheet's empty rows",
            "t_seconds,arrivals\n0,1\n60,2\n,\n,,\n",
        ),
        ("a comma at each end", "t_seconds,arrivals,\n0,1,\n60,2,\n"),
        (
            "quotes",
            "\"t_seconds\",\"arrivals\"\n\"0\",\"1\"\n\"60\",\"2\"\n",
        ),
        ("other order", "arrivals,t_seconds\n1,0\n2,60\n"),
        ("capitals", "T_Seconds,ARRIVALS\n0,1\n60,2\n"),
        (
            "further columns",
            "host,t_seconds,arrivals,note\na,0,1,\"x, y\"\nb,60,2,é\n",
        ),
        (
            "powers of ten",
            "t_seconds,arrivals\n0e0,+1.0\n6.0e1,0.02E2\n",
        ),
        ("another begin", "t_seconds,arrivals\n-30,1\n30,2\n"),
    ];
    for (name, text) in cases {
        let recorded = told(text);
        assert_eq!(recorded.trace.counts, [1.0, 2.0], "{name}");
        assert_eq!(
            recorded.trace.step_seconds.to_bits(),
            60_f64.to_bits(),
            "{name}"
        );
        assert!(recorded.trace.service_seconds.is_empty(), "{name}");
        assert!(recorded.notes.is_empty(), "{name}: {:?}", recorded.notes);
    }
}

#[test]
fn minus_nought_is_nought() {
    assert!(counts("t_seconds,arrivals\n0,-0\n60,1\n")[0].is_sign_positive());
}

#[test]
fn service_times_are_blank_where_none_arrives() {
    let text = "t_seconds,arrivals,mean_service_s\n0,3,2.5\n60,0,\n120,2,\n";
    let recorded = told(text);
    assert_eq!(recorded.trace.service_seconds, [Some(2.5), None, None]);
    insta::assert_snapshot!(recorded.notes.join("\n"), @"no mean_service_s for 1 step with arrivals: the policy's service time is taken");
    let arrivals_alone = parse(text).expect("a trace");
    assert!(arrivals_alone.service_seconds.is_empty());
    assert_eq!(arrivals_alone.counts, recorded.trace.counts);
}

#[test]
fn a_single_row_is_a_step_where_its_length_is_given() {
    let recorded = read("t.csv", &b"t_seconds,arrivals\n0,9\n"[..], Some(60.0)).expect("a trace");
    assert_eq!(recorded.trace.counts, [9.0]);
    assert_eq!(recorded.trace.step_seconds.to_bits(), 60_f64.to_bits());
}

#[test]
fn a_short_gap_is_filled_and_said() {
    let recorded = told("t_seconds,arrivals,mean_service_s\n0,1,8\n60,2,8\n240,3,8\n");
    assert_eq!(recorded.trace.counts, [1.0, 2.0, 0.0, 0.0, 3.0]);
    let service = [Some(8.0), Some(8.0), None, None, Some(8.0)];
    assert_eq!(recorded.trace.service_seconds, service);
    insta::assert_snapshot!(recorded.notes.join("\n"), @"no rows for 2 min after t_seconds 60 (2 steps): taken as no arrivals");
}

#[test]
fn a_gap_after_the_first_row_does_not_hide_the_step() {
    assert_eq!(
        counts("t_seconds,arrivals\n0,1\n120,2\n180,3\n"),
        [1.0, 0.0, 2.0, 3.0]
    );
}

#[test]
fn long_gaps_are_named_one_by_one_and_the_others_added_up() {
    let mut text = "t_seconds,arrivals\n0,1\n60,1\n".to_owned();
    for after in [180, 300, 7620, 7680, 7860, 1_000_020] {
        let _ = writeln!(text, "{after},1");
    }
    let recorded = told(&text);
    assert_eq!(recorded.trace.counts.len(), 16_668);
    assert!((recorded.trace.counts.iter().sum::<f64>() - 8.0).abs() < 1e-9);
    insta::assert_snapshot!(recorded.notes.join("\n"), @r"
    no rows for 2 h 1 min after t_seconds 300 (121 steps): taken as no arrivals
    no rows for 11 d 11 h after t_seconds 7860 (16535 steps): taken as no arrivals
    no rows in 3 more gaps of 4 min in all (4 steps), the first after t_seconds 60: taken as no arrivals
    ");
}

#[test]
fn no_more_than_a_handful_of_long_gaps_is_named() {
    let mut text = "t_seconds,arrivals\n0,1\n60,1\n".to_owned();
    for day in 1..=20 {
        let _ = writeln!(text, "{},1", day * 86_400);
    }
    let notes = told(&text).notes;
    assert_eq!(notes.len(), 6, "{notes:#?}");
    assert!(notes[5].contains("15 more gaps of"), "{notes:#?}");
}

#[test]
fn a_trace_of_gaps_only_has_the_step_that_is_given() {
    let text = &b"t_seconds,arrivals\n0,1\n120,2\n300,3\n"[..];
    let recorded = read("t.csv", text, Some(60.0)).expect("a trace");
    assert_eq!(recorded.trace.counts, [1.0, 0.0, 2.0, 0.0, 0.0, 3.0]);
}

#[test]
fn times_may_be_off_by_what_binary_fractions_are() {
    let mut text = "t_seconds,arrivals\n".to_owned();
    let mut at = 1_700_000_000.0;
    for _ in 0..3000 {
        let _ = writeln!(text, "{at},1");
        at += 0.1;
    }
    let recorded = told(&text);
    assert_eq!(recorded.trace.counts.len(), 3000);
    assert!((recorded.trace.step_seconds - 0.1).abs() < 1e-6);
}

#[test]
fn unix_times_are_told_to_whoever_has_schedules() {
    let notes = told("t_seconds,arrivals\n1700000000,1\n1700000060,1\n").notes;
    insta::assert_snapshot!(notes.join("\n"), @"t_seconds begins at 1700000000, which is 2023-11-14T22:13:20Z in Unix time; schedules go by it with --starts-at 2023-11-14T22:13:20Z");
}
