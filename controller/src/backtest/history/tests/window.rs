//! Windows, their periods and their pieces.

use std::time::Duration;

use super::super::{Window, WindowError, since};
use crate::model::UnixSeconds;

/// Wednesday, 4 November 2026, 10:17:30 UTC.
const NOW: UnixSeconds = UnixSeconds(1_793_787_450.0);
const DAY: i64 = 86_400;

fn back(text: &str) -> Result<Window, WindowError> {
    Window::back(since(text).unwrap(), None, NOW)
}

#[test]
fn the_period_is_the_finest_that_is_still_kept() {
    for (text, period) in [
        ("1h", 60),
        ("7d", 60),
        ("15d", 60),
        ("16d", 300),
        ("9w", 300),
        ("64d", 3600),
        ("455d", 3600),
    ] {
        assert_eq!(back(text).unwrap().period, period, "{text}");
    }
}

#[test]
fn it_is_aligned_and_ends_before_what_still_comes_in() {
    let window = back("36h").unwrap();
    assert_eq!((window.from % 60, window.until % 60), (0, 0));
    let late = NOW.0 as i64 - window.until;
    assert!((300..360).contains(&late), "{late}");
    assert_eq!(window.until - window.from, 36 * 3600);
    assert_eq!(window.periods().len(), 36 * 60);
    assert_eq!(back("64d").unwrap().from % 3600, 0);
}

#[test]
fn days_that_are_over_are_whole_and_final() {
    let window = back("3d").unwrap();
    let pieces = window.pieces(NOW);
    let finals: Vec<bool> = pieces.iter().map(|piece| piece.is_final).collect();
    assert_eq!(finals, [true, true, true, false]);
    for piece in &pieces[..3] {
        assert_eq!((piece.from % DAY, piece.until - piece.from), (0, DAY));
    }
    assert!(pieces[0].from <= window.from);
    assert_eq!((pieces[3].from % DAY, pieces[3].until), (0, window.until));
}

#[test]
fn a_day_of_which_a_part_is_forgotten_is_not_final() {
    let pieces = back("15d").unwrap().pieces(NOW);
    assert!(!pieces[0].is_final);
    assert!(pieces[1].is_final);
}

#[test]
fn yesterday_is_not_final_right_after_midnight() {
    let midnight = NOW.0 as i64 / DAY * DAY;
    let is_final = |seconds: i64| {
        let now = UnixSeconds((midnight + seconds) as f64);
        let window = Window::back(Duration::from_hours(24), None, now).unwrap();
        window
            .pieces(now)
            .iter()
            .any(|piece| piece.is_final && piece.until == midnight)
    };
    assert!(!is_final(1800));
    assert!(is_final(3 * 3600));
}

#[test]
fn what_cannot_be_had_is_said() {
    let said = |error: WindowError| error.to_string();
    insta::assert_snapshot!(said(back("456d").unwrap_err()), @"--since: found 456d, allowed is at most 455d: CloudWatch keeps nothing longer");
    insta::assert_snapshot!(said(back("30m").unwrap_err()), @"--since: found 30m, allowed is at least 1h");
    let future = UnixSeconds(NOW.0 + 60.0);
    let error = Window::back(Duration::from_hours(5), Some(future), NOW).unwrap_err();
    insta::assert_snapshot!(said(error), @"--until: found 2026-11-04T10:18:30Z, which is in the future; leave it out for the present");
}

#[test]
fn spans_are_read_as_people_write_them() {
    assert_eq!(since("7d"), Ok(Duration::from_hours(168)));
    assert_eq!(since("2w"), Ok(Duration::from_hours(336)));
    assert_eq!(since("1d 12h"), Ok(Duration::from_hours(36)));
    for wrong in ["", "7", "-7d", "soon", "1y", "999999999999d"] {
        let error = since(wrong).unwrap_err();
        assert!(error.contains("7d"), "{wrong}: {error}");
    }
}

#[test]
fn hostile_times_do_not_panic() {
    for now in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -1e18, 1e18] {
        for until in [None, Some(UnixSeconds(f64::NAN)), Some(UnixSeconds(-1e300))] {
            let window = Window::back(Duration::from_hours(5), until, UnixSeconds(now));
            if let Ok(window) = window {
                assert!(window.periods().len() <= 400, "{now}: {window:?}");
            }
        }
    }
    assert!(Window::back(Duration::MAX, None, NOW).is_err());
}
