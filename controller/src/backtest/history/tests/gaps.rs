//! What is missing is told from what is zero.

use super::super::{Metric, Past, Recording, Terms};
use super::recorded::{minutes, recording, subject};

/// Not recorded.
const NO: f64 = -1.0;

fn past(recording: &Recording) -> Past {
    Past::of(
        recording,
        &Terms {
            objective_seconds: 60.0,
            slots: 1,
        },
    )
}

fn notes(past: &Past) -> String {
    past.arrivals.notes.join("\n")
}

#[test]
fn nothing_sent_while_something_else_is_recorded_is_zero() {
    let past = past(&recording(&[
        (Metric::Sent, &[5.0, NO, NO, 2.0]),
        (Metric::Visible, &[5.0, 3.0, 1.0, 2.0]),
    ]));
    assert_eq!(past.arrivals.trace.counts, [5.0, 0.0, 0.0, 2.0]);
    assert!(!notes(&past).contains("gap"), "{}", notes(&past));
}

#[test]
fn a_hole_in_all_series_is_said_with_its_times() {
    let past = past(&recording(&[
        (Metric::Sent, &[5.0, NO, NO, 2.0]),
        (Metric::Visible, &[5.0, NO, NO, 2.0]),
    ]));
    assert_eq!(past.arrivals.trace.counts, [5.0, 0.0, 0.0, 2.0]);
    insta::assert_snapshot!(past.arrivals.notes[1], @"2m of the queue are not recorded (1 gap), in 4m of the window; they are replayed as no arrivals: 2026-11-02 00:01 to 2026-11-02 00:03 UTC");
}

#[test]
fn an_inactive_queue_was_sent_nothing() {
    let mut sent = vec![0.0; 1000];
    sent[0] = 3.0;
    sent[400..900].fill(NO);
    let past = past(&recording(&[
        (Metric::Sent, &sent),
        (Metric::Visible, &sent),
    ]));
    insta::assert_snapshot!(past.arrivals.notes[1], @"the queue was inactive for 8h 20m (1 stretch): SQS then publishes nothing, and nothing was sent; the first quarter of an hour after it may be missing");
    assert!(!notes(&past).contains("gap"), "{}", notes(&past));
}

#[test]
fn a_queue_that_was_busy_just_before_a_hole_was_not_inactive() {
    let mut sent = vec![0.0; 1000];
    sent[200] = 3.0;
    sent[400..900].fill(NO);
    let past = past(&recording(&[(Metric::Sent, &sent)]));
    assert!(notes(&past).contains("1 gap"), "{}", notes(&past));
}

#[test]
fn a_queue_with_messages_in_it_is_not_inactive() {
    let mut visible = vec![1.0; 1000];
    visible[400..900].fill(NO);
    let past = past(&recording(&[(Metric::Visible, &visible)]));
    assert!(notes(&past).contains("1 gap"), "{}", notes(&past));
}

#[test]
fn a_hole_at_the_begin_is_judged_by_what_comes_after() {
    let quiet = past(&recording(&[(Metric::Sent, &[NO, NO, 0.0, 4.0])]));
    assert!(
        notes(&quiet).contains("inactive for 2m"),
        "{}",
        notes(&quiet)
    );
    let busy = past(&recording(&[(Metric::Sent, &[NO, NO, 4.0, 4.0])]));
    assert!(notes(&busy).contains("1 gap"), "{}", notes(&busy));
}

#[test]
fn many_gaps_are_counted_and_the_longest_named() {
    let mut sent = vec![1.0; 200];
    for nth in 0..20 {
        sent[nth * 10..nth * 10 + 1 + nth % 7].fill(NO);
    }
    let past = past(&recording(&[(Metric::Sent, &sent)]));
    assert!(notes(&past).contains("20 gaps"), "{}", notes(&past));
    assert!(
        notes(&past).contains("; and 15 shorter"),
        "{}",
        notes(&past)
    );
}

#[test]
fn nobody_is_taken_to_have_waited_through_a_hole() {
    let past = past(&recording(&[
        (Metric::Sent, &[6.0, 6.0, NO, NO, NO, 6.0, 6.0]),
        (Metric::Visible, &[3.0, 3.0, NO, NO, NO, 3.0, 3.0]),
        (Metric::Total, &[1.0; 7]),
    ]));
    let waits = past.actual.unwrap().waits.unwrap();
    // Three waiting, six a minute.
    assert!((waits.percentiles[0] - 30.0).abs() < 2.0, "{waits:?}");
    assert!(waits.percentiles[3] < 61.0, "{waits:?}");
    assert_eq!(waits.longest[2..5], [None, None, None]);
}

#[test]
fn a_group_whose_metrics_are_off_has_no_bill_and_the_reader_is_told_how_to_switch_them_on() {
    let past = past(&recording(&[(Metric::Sent, &[6.0, 6.0])]));
    assert_eq!(past.actual, None);
    let told = notes(&past);
    assert!(
        told.contains(
            "aws autoscaling enable-metrics-collection --auto-scaling-group-name \
             thumbnails-workers --granularity 1Minute"
        ),
        "{told}"
    );
}

#[test]
fn a_group_recorded_for_half_of_the_time_has_no_bill() {
    let mut total = vec![2.0; 100];
    total[..50].fill(NO);
    let past = past(&recording(&[
        (Metric::Sent, &[6.0; 100]),
        (Metric::Total, &total),
    ]));
    assert_eq!(past.actual, None);
    assert!(
        notes(&past).contains("for 50 % of the window"),
        "{}",
        notes(&past)
    );
}

#[test]
fn a_size_that_is_missing_for_minutes_stayed() {
    let past = past(&recording(&[
        (Metric::Sent, &[6.0; 6]),
        (Metric::InService, &[2.0, 2.0, NO, NO, 3.0, 3.0]),
        (Metric::Pending, &[0.0, 1.0, NO, NO, 0.0, 0.0]),
    ]));
    let actual = past.actual.unwrap();
    let total: Vec<f64> = actual.instances.iter().map(|size| size.unwrap()).collect();
    assert_eq!(total, [2.0, 3.0, 3.0, 3.0, 3.0, 3.0]);
    assert_eq!(actual.launches, 1);
}

#[test]
fn values_from_nowhere_make_no_nonsense() {
    for value in [f64::NAN, f64::INFINITY, f64::MAX, 0.0] {
        let values = [value; 90];
        let columns = Metric::ALL.map(|metric| (metric, &values[..]));
        let past = past(&recording(&columns));
        assert_eq!(past.arrivals.trace.counts.len(), 90);
        for count in &past.arrivals.trace.counts {
            assert!(count.is_finite() && *count >= 0.0, "{value}: {count}");
        }
    }
    let nothing = Recording {
        subject: subject(),
        window: minutes(0),
        points: std::collections::BTreeMap::new(),
        notes: Vec::new(),
    };
    assert_eq!(past(&nothing).arrivals.trace.counts.len(), 0);
}
