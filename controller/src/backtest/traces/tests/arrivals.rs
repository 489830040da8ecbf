//! Sources: named, cut, scaled, refused.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::{
    Arrivals, MONDAY, Options, Recorded, Scale, Source, fit, load, mean_service_seconds, starts_at,
};
use crate::model::UnixSeconds;
use crate::sim::Trace;

fn hourly(counts: &[f64]) -> Recorded {
    Recorded {
        trace: Trace {
            step_seconds: 3600.0,
            counts: counts.to_vec(),
            service_seconds: Vec::new(),
        },
        notes: Vec::new(),
    }
}

fn fitted(recorded: Recorded, options: &Options) -> Arrivals {
    fit("t", recorded, options).unwrap_or_else(|problems| panic!("{problems}"))
}

fn scale(scale: Scale) -> Options {
    Options {
        scale: Some(scale),
        ..Options::default()
    }
}

fn days(days: f64) -> Options {
    Options {
        days: Some(days),
        ..Options::default()
    }
}

fn sum(arrivals: &Arrivals) -> f64 {
    arrivals.trace.counts.iter().sum()
}

#[test]
fn a_file_is_named_without_its_folder_and_begins_on_a_monday() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("orders.csv");
    fs::write(&path, "t_seconds,arrivals\n0,3\n60,4\n").expect("a file");
    let arrivals = load(&Source::File(path), &Options::default()).expect("arrivals");
    assert_eq!(arrivals.name, "orders.csv");
    assert_eq!(arrivals.trace.counts, [3.0, 4.0]);
    assert_eq!(arrivals.starts_at, MONDAY);
    let monday = jiff::Timestamp::from_second(1_704_067_200).expect("a moment");
    let zoned = monday.to_zoned(jiff::tz::TimeZone::UTC);
    assert_eq!(zoned.weekday(), jiff::civil::Weekday::Monday);
    assert_eq!(zoned.to_string(), "2024-01-01T00:00:00+00:00[UTC]");
    assert_eq!(MONDAY, UnixSeconds(1_704_067_200.0));
}

#[test]
fn a_bad_file_is_named_as_it_was_given() {
    let folder = tempfile::tempdir().expect("a folder");
    let told = |path: &Path| {
        let problems = load(&Source::File(path.to_owned()), &Options::default()).unwrap_err();
        problems
            .to_string()
            .replace(&folder.path().display().to_string(), "DIR")
    };
    let bad = folder.path().join("bad.csv");
    fs::write(&bad, "t_seconds,arrivals\n0,?\n").expect("a file");
    assert!(told(&bad).starts_with("DIR/bad.csv:2:3: arrivals: found \"?\""));
    let missing = folder.path().join("none.csv");
    insta::assert_snapshot!(told(&missing), @"DIR/none.csv: found no such file, allowed a trace as CSV, `t_seconds,arrivals`");
    insta::assert_snapshot!(told(folder.path()), @"DIR: found a folder, allowed a trace as CSV, `t_seconds,arrivals`");
}

#[test]
fn generators_are_named_by_their_text() {
    let generator = "flash-crowd, days=2,seed=7".parse().expect("a generator");
    let arrivals = load(&Source::Generated(generator), &Options::default()).expect("arrivals");
    assert_eq!(arrivals.name, "flash-crowd,days=2,seed=7");
    assert_eq!(arrivals.trace.counts.len(), 2 * 1440);
    assert!(arrivals.notes.is_empty());
}

#[test]
fn days_cut_and_the_cut_is_said() {
    let recorded = hourly(&[1.0; 72]);
    let arrivals = fitted(recorded.clone(), &days(1.5));
    assert_eq!(arrivals.trace.counts.len(), 36);
    assert_eq!(arrivals.notes, ["cut to its first 1 d 12 h of 3 d"]);
    let arrivals = fitted(recorded.clone(), &days(30.0));
    assert_eq!(arrivals.trace.counts.len(), 72);
    assert_eq!(
        arrivals.notes,
        ["the trace has 3 d, less than the 30 days asked for"]
    );
    assert!(fitted(recorded, &days(3.0)).notes.is_empty());
}

#[test]
fn scales_by_a_factor() {
    let arrivals = fitted(hourly(&[1.0, 3.0]), &scale(Scale::Factor(2.5)));
    assert_eq!(arrivals.trace.counts, [2.5, 7.5]);
    assert_eq!(arrivals.notes, ["scaled to 2.5 times as many messages"]);
}

#[test]
fn scales_to_the_work_of_so_many_instances() {
    let to_forty = Scale::Instances {
        mean: 40.0,
        slots: 4,
        service_seconds: 8.0,
    };
    // 40 instances of 4 slots finish 20 jobs of 8 s a second.
    let arrivals = fitted(hourly(&[1.0, 3.0]), &scale(to_forty));
    assert!((sum(&arrivals) - 20.0 * 7200.0).abs() < 1e-6);
    assert_eq!(
        arrivals.notes,
        ["scaled to the work of 40 instances on average"]
    );
    // One job of 2 s and three of 4 s take 3.5 s on average.
    let mut recorded = hourly(&[1.0, 3.0]);
    recorded.trace.service_seconds = vec![Some(2.0), Some(4.0)];
    assert!((mean_service_seconds(&recorded.trace, 8.0) - 3.5).abs() < 1e-12);
    let arrivals = fitted(recorded, &scale(to_forty));
    assert!((sum(&arrivals) - 160.0 / 3.5 * 7200.0).abs() < 1e-6);
}

#[test]
fn what_the_trace_does_not_tell_takes_the_policys_service_time() {
    let mut trace = hourly(&[1.0, 3.0]).trace;
    assert!((mean_service_seconds(&trace, 8.0) - 8.0).abs() < 1e-12);
    trace.service_seconds = vec![Some(2.0), None];
    assert!((mean_service_seconds(&trace, 8.0) - 6.5).abs() < 1e-12);
    trace.counts = vec![0.0, 0.0];
    assert!((mean_service_seconds(&trace, 8.0) - 8.0).abs() < 1e-12);
}

#[test]
fn a_trace_of_nothing_stays_one_and_says_so() {
    let to_two = Scale::Instances {
        mean: 2.0,
        slots: 1,
        service_seconds: 8.0,
    };
    let arrivals = fitted(hourly(&[0.0, 0.0]), &scale(to_two));
    assert_eq!(arrivals.trace.counts, [0.0, 0.0]);
    let last = arrivals.notes.last().map(String::as_str);
    assert_eq!(last, Some("no message arrives in the whole trace"));
}

#[test]
fn a_constant_trace_is_nothing_special() {
    assert!(
        fitted(hourly(&[5.0; 24]), &Options::default())
            .notes
            .is_empty()
    );
}

#[test]
fn what_is_too_much_can_be_scaled_down() {
    let recorded = hourly(&[9e8, 9e8]);
    let problems = fit("t.csv", recorded.clone(), &Options::default()).unwrap_err();
    insta::assert_snapshot!(problems, @"t.csv: found 1.800e9 messages, allowed at most 1,000,000,000; scale it down with --scale or --scale-to, or take fewer --days");
    let arrivals = fitted(recorded, &scale(Scale::Factor(1e-6)));
    assert!((sum(&arrivals) - 1800.0).abs() < 1e-9);
}

#[test]
fn options_that_make_no_sense_are_named() {
    let instances = |mean| Scale::Instances {
        mean,
        slots: 4,
        service_seconds: 8.0,
    };
    let cases = [
        ("no days", days(0.0)),
        ("negative days", days(-1.0)),
        ("days that are no number", days(f64::NAN)),
        ("less than a step", days(0.01)),
        ("no messages", scale(Scale::Factor(0.0))),
        ("fewer than none", scale(Scale::Factor(-1.0))),
        ("no number", scale(Scale::Factor(f64::NAN))),
        ("no end", scale(Scale::Factor(f64::INFINITY))),
        ("no instances", scale(instances(0.0))),
        ("too many instances", scale(instances(1e7))),
    ];
    for (name, options) in cases {
        let problems = fit("t", hourly(&[1.0, 2.0]), &options)
            .unwrap_err()
            .to_string();
        let option = match (options.days, options.scale) {
            (Some(_), _) => "--days: ",
            (None, Some(Scale::Instances { .. })) => "--scale-to: ",
            (None, _) => "--scale: ",
        };
        assert!(problems.starts_with(option), "{name}: {problems}");
    }
    let step = Options {
        step_seconds: Some(60.0),
        ..Options::default()
    };
    let generator = Source::Generated("steady".parse().expect("a generator"));
    let problems = load(&generator, &step).unwrap_err().to_string();
    assert!(
        problems.starts_with("--step: found 60 s for a generator"),
        "{problems}"
    );
    let never = Options {
        step_seconds: Some(f64::NAN),
        ..Options::default()
    };
    let problems = load(&Source::File(PathBuf::from("t.csv")), &never)
        .unwrap_err()
        .to_string();
    assert!(problems.starts_with("--step: found NaN s"), "{problems}");
}

#[test]
fn moments_have_an_offset() {
    assert_eq!(starts_at("2024-01-01T00:00:00Z"), Ok(MONDAY));
    assert_eq!(starts_at("2024-01-01T01:30:00+01:30"), Ok(MONDAY));
    assert_eq!(
        starts_at(" 2024-01-01 00:00:00.5Z "),
        Ok(UnixSeconds(MONDAY.0 + 0.5))
    );
    for bad in [
        "",
        "2024-01-01",
        "2024-01-01T00:00:00",
        "Monday",
        "1704067200",
    ] {
        let error = starts_at(bad).unwrap_err();
        assert!(
            error.starts_with(&format!("found {bad:?}; allowed is a moment")),
            "{error}"
        );
    }
}
