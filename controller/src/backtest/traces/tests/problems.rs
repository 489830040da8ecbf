//! What is refused, and the words for it.

use std::fmt::Write as _;

use super::super::read;
use super::super::{STEPS_MAX, parse};

/// The problems, or the words that a test can fail on.
fn wrong(text: impl AsRef<[u8]>) -> String {
    match read("t.csv", text.as_ref(), None) {
        Ok(recorded) => format!("was read: {recorded:?}"),
        Err(problems) => problems.to_string(),
    }
}

fn first_line(text: impl AsRef<[u8]>) -> String {
    wrong(text).lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_bad_cell_is_named_by_line_column_and_name() {
    insta::assert_snapshot!(wrong("t_seconds,arrivals\n0,1\n60,many\n"), @r#"
    t.csv:3:4: arrivals: found "many", allowed a number of messages from 0 to 1e12, such as 17
     3 | 60,many
       |    ^
    "#);
}

#[test]
fn the_last_line_is_shown_though_it_has_no_end() {
    insta::assert_snapshot!(wrong("t_seconds,arrivals\n0,1\n60,many"), @r#"
    t.csv:3:4: arrivals: found "many", allowed a number of messages from 0 to 1e12, such as 17
     3 | 60,many
       |    ^
    "#);
}

#[test]
fn a_record_of_several_lines_is_named_by_its_first() {
    insta::assert_snapshot!(
        wrong("note,t_seconds,arrivals\n\"a\nb\",0,x\n\"c\",60,y\n"),
        @r#"
        t.csv:2:1: arrivals: found "x", allowed a number of messages from 0 to 1e12, such as 17
        t.csv:4:8: arrivals: found "y", allowed a number of messages from 0 to 1e12, such as 17
         4 | "c",60,y
           |        ^
        "#
    );
}

#[test]
fn all_of_a_rows_problems_and_all_rows_are_told_at_once() {
    insta::assert_snapshot!(
        wrong("t_seconds,mean_service_s,arrivals\r\n0,-1,x\r\n\r\n\"6\"\"0\",1,NaN\r\n120,,1\r\n"),
        @r#"
        t.csv:2:6: arrivals: found "x", allowed a number of messages from 0 to 1e12, such as 17
         2 | 0,-1,x
           |      ^
        t.csv:2:3: mean_service_s: found "-1", allowed mean seconds of a job from 0 to 31536000, a year; or nothing where none arrives
         2 | 0,-1,x
           |   ^
        t.csv:4:1: t_seconds: found "6\"0", allowed seconds, a number of at most 100000000000 (milliseconds are to be divided by 1000)
         4 | "6""0",1,NaN
           | ^
        t.csv:4:10: arrivals: found "NaN", allowed a number of messages from 0 to 1e12, such as 17
         4 | "6""0",1,NaN
           |          ^
        "#
    );
}

#[test]
fn numbers_that_are_none_are_refused() {
    let cases = [
        ("negative", "-1"),
        ("not a number", "NaN"),
        ("infinite", "inf"),
        ("infinite by size", "1e999"),
        ("empty", ""),
        ("text", "none"),
        ("hexadecimal", "0x10"),
        ("underscored", "1_000"),
        ("decimal comma", "\"1,5\""),
        ("more than can be meant", "1e13"),
        ("a unit", "5/s"),
    ];
    for (name, cell) in cases {
        let line = first_line(format!("t_seconds,arrivals\n0,1\n60,{cell}\n"));
        let begin = "t.csv:3:4: arrivals: found ";
        let end = ", allowed a number of messages from 0 to 1e12, such as 17";
        assert!(
            line.starts_with(begin) && line.ends_with(end),
            "{name}: {line}"
        );
    }
}

#[test]
fn files_that_are_no_traces_say_what_a_trace_is() {
    let gzip: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    let utf16: Vec<u8> = "\u{feff}t_seconds,arrivals\n0,1\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let cases: [(&str, &[u8]); 12] = [
        ("empty", b""),
        ("only blank lines", b"\n \n\n"),
        ("only a header", b"t_seconds,arrivals\n"),
        ("one row", b"t_seconds,arrivals\n0,5\n"),
        ("no header", b"0,5\n60,7\n"),
        ("other names", b"time,count\n0,5\n60,7\n"),
        ("semicolons", b"t_seconds;arrivals\n0;5\n60;7\n"),
        ("a name twice", b"t_seconds,arrivals,arrivals\n0,5,5\n"),
        (
            "separators of thousands",
            b"t_seconds,arrivals\n0,1\n60,1,234\n",
        ),
        ("milliseconds", b"t_seconds,arrivals\n1700000000000,1\n"),
        ("packed", gzip),
        ("UTF-16", &utf16),
    ];
    let mut told = String::new();
    for (name, bytes) in cases {
        let _ = writeln!(told, "{name}: {}", first_line(bytes));
    }
    insta::assert_snapshot!(told, @r#"
    empty: t.csv: found an empty file, allowed a header `t_seconds,arrivals` and rows below it
    only blank lines: t.csv: found an empty file, allowed a header `t_seconds,arrivals` and rows below it
    only a header: t.csv: found a header and no rows, allowed at least two rows, or one where --step says how long it is
    one row: t.csv:2:1: t_seconds: found a single row, allowed two rows or more, which tell how long a step is; give the step's length, such as --step 60s
    no header: t.csv:1:1: found "0,5", allowed a header that names t_seconds and arrivals, and mean_service_s where it is known; put the line `t_seconds,arrivals` above the rows
    other names: t.csv:1:1: found "time,count", allowed a header that names t_seconds and arrivals, and mean_service_s where it is known; rename the columns in the first line
    semicolons: t.csv:1:1: found "t_seconds;arrivals", allowed a header that names t_seconds and arrivals, and mean_service_s where it is known; separate fields by commas, and write decimals with a point
    a name twice: t.csv:1:20: arrivals: found a second column of this name, allowed one column of each name
    separators of thousands: t.csv:3:6: found 3 fields, allowed 2, as many as the header names; write numbers without separators of thousands, 1234567
    milliseconds: t.csv:2:1: t_seconds: found "1700000000000", allowed seconds, a number of at most 100000000000 (milliseconds are to be divided by 1000)
    packed: t.csv:1:1: found "\u{1f}�\u{8}\0\0\0\0\0\0\u{3}", allowed a header that names t_seconds and arrivals, and mean_service_s where it is known; unpack the file, or save it as UTF-8 text
    UTF-16: t.csv:1:1: found "��t\0_\0s\0e\0c\0o\0n\0d\0s\0,\0a\0r\0r\0i\0v\0a\0l\0s\0", allowed a header that names t_seconds and arrivals, and mean_service_s where it is known; unpack the file, or save it as UTF-8 text
    "#);
}

#[test]
fn times_that_do_not_go_up_by_steps_are_refused() {
    let cases = [
        ("twice", "0,1\n60,1\n60,1\n120,1\n"),
        ("back", "0,1\n60,1\n0,1\n"),
        (
            "off",
            "0,1\n60,1\n121,1\n180,1\n240,1\n300,1\n360,1\n420,1\n",
        ),
        ("too fine", "0,1\n0.0000001,1\n"),
        ("too far", "0,1\n1,1\n99999999999,1\n"),
    ];
    let mut told = String::new();
    for (name, rows) in cases {
        let problems = wrong(format!("t_seconds,arrivals\n{rows}"));
        let _ = writeln!(told, "{name}:\n{problems}");
    }
    insta::assert_snapshot!(told, @r"
    twice:
    t.csv:4:1: t_seconds: found 60 after 60, allowed times that go up from row to row; sort the rows, and add up those of the same time
    back:
    t.csv:4:1: t_seconds: found 0 after 60, allowed times that go up from row to row; sort the rows, and add up those of the same time
    off:
    t.csv:4:1: t_seconds: found 61 s after the row before, where steps are 60 s, allowed whole multiples of a step; resample the trace, or name a step that fits, such as --step 1s
    t.csv:5:1: t_seconds: found 59 s after the row before, where steps are 60 s, allowed whole multiples of a step; resample the trace, or name a step that fits, such as --step 1s
    too fine:
    t.csv:3:1: t_seconds: found rows 0.0000001 s apart, allowed steps of at least 0.001 s; add up arrivals in longer steps
    too far:
    t.csv:4:1: t_seconds: found 99999999999, which is beyond so many steps of 1 s, allowed a trace of at most 50,000,000 steps; add up arrivals in longer steps, or mend the time
    ");
}

#[test]
fn a_row_off_the_grid_far_down_is_found_too() {
    let mut text = "t_seconds,arrivals\n".to_owned();
    for minute in 0..2500 {
        let _ = writeln!(text, "{},1", 60 * minute + i32::from(minute == 2400));
    }
    let told = wrong(&text);
    assert_eq!(told.lines().count(), 2, "{told}");
    assert!(
        told.starts_with("t.csv:2402:1: t_seconds: found 61 s after the row before"),
        "{told}"
    );
}

#[test]
fn a_given_step_is_held_to() {
    let text = &b"t_seconds,arrivals\n0,1\n60,2\n120,3\n"[..];
    let problems = read("t.csv", text, Some(300.0)).unwrap_err();
    insta::assert_snapshot!(problems, @r"
    t.csv:3:1: t_seconds: found 60 s after the row before, where steps are 300 s, allowed whole multiples of the --step that was given; leave it out, or give another
    t.csv:4:1: t_seconds: found 60 s after the row before, where steps are 300 s, allowed whole multiples of the --step that was given; leave it out, or give another
    ");
}

#[test]
fn enough_problems_are_enough() {
    let told = wrong(format!("t_seconds,arrivals\n{}", "0,x\n".repeat(1000)));
    let lines: Vec<&str> = told
        .lines()
        .filter(|line| line.starts_with("t.csv:"))
        .collect();
    assert_eq!(lines.len(), 21, "{told}");
    assert_eq!(
        lines[20],
        "t.csv: found 20 problems, and read no further, allowed none; mend these first"
    );
}

#[test]
fn a_quote_that_is_never_closed_does_not_read_on_for_ever() {
    let text = format!("t_seconds,arrivals\n0,\"1\n{}", "60,1\n".repeat(1_000_000));
    insta::assert_snapshot!(wrong(text), @"t.csv:2:1: found a row of more than a mebibyte, allowed a row of a few numbers; look for a quote that is not closed");
}

#[test]
fn a_file_without_line_ends_is_given_up() {
    let told = first_line("0,".repeat(2_000_000));
    assert!(
        told.starts_with("t.csv:1:1: found a row of more than a mebibyte"),
        "{told}"
    );
}

#[test]
fn steps_beyond_the_most_are_refused_before_they_take_memory() {
    let within = format!("t_seconds,arrivals\n0,1\n1,1\n{STEPS_MAX},1\n");
    let line = wrong(within);
    let begin = "t.csv:4:1: t_seconds: found 50000000, which is beyond so many steps of 1 s";
    assert!(line.starts_with(begin), "{line}");
}

#[test]
fn an_interrupted_read_is_told_as_one() {
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::ConnectionReset.into())
        }
    }
    let problems = read("t.csv", Broken, None).unwrap_err().to_string();
    assert_eq!(
        problems,
        "t.csv: found a file that cannot be read (connection reset), allowed a trace as CSV"
    );
}

#[test]
fn what_is_parsed_without_a_file_is_called_a_trace() {
    let problems = parse("t_seconds,arrivals\n0,1\n60,many\n").unwrap_err();
    assert!(
        problems
            .to_string()
            .starts_with("trace:3:4: arrivals: found \"many\"")
    );
}
