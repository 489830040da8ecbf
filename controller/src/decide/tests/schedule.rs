//! When a schedule's windows are open, in their own clock and through its changes.

use super::limit::at;
use super::*;

/// A window, and moments in it and out of it.
struct Window {
    name: &'static str,
    cron: &'static str,
    zone: &'static str,
    length: &'static str,
    /// The last closed second before it, and the first and last open one, with their offsets.
    before: &'static str,
    first: &'static str,
    last: &'static str,
    /// The first closed second after it.
    after: &'static str,
}

impl Window {
    fn assert_open_exactly_as_said(&self) {
        let policy = policy_with(&format!(
            "schedule: [{{ cron: \"{}\", timezone: {}, for: {}, min: 5 }}]",
            self.cron, self.zone, self.length
        ));
        let moments = [
            (self.before, 0),
            (self.first, 5),
            (self.last, 5),
            (self.after, 0),
        ];
        for (moment, size) in moments {
            let verdict = first(policy.clone(), see(at(moment), (0, 0), 0));
            assert_eq!(desired(&verdict), size, "{}: {moment}", self.name);
        }
    }
}

#[test]
fn a_window_is_open_from_its_firing_for_its_length() {
    let windows = [
        Window {
            name: "over midnight",
            cron: "0 22 * * *",
            zone: "Europe/Berlin",
            length: "4h",
            before: "2026-01-12T21:59:59+01:00",
            first: "2026-01-12T22:00:00+01:00",
            last: "2026-01-13T01:59:59+01:00",
            after: "2026-01-13T02:00:00+01:00",
        },
        Window {
            name: "from the last day of a year into the next",
            cron: "30 23 31 12 *",
            zone: "America/New_York",
            length: "2h",
            before: "2026-12-31T23:29:59-05:00",
            first: "2026-12-31T23:30:00-05:00",
            last: "2027-01-01T01:29:59-05:00",
            after: "2027-01-01T01:30:00-05:00",
        },
        Window {
            name: "from Friday evening over the weekend",
            cron: "0 18 * * FRI",
            zone: "Europe/Berlin",
            length: "62h",
            before: "2026-01-16T17:59:59+01:00",
            first: "2026-01-16T18:00:00+01:00",
            last: "2026-01-19T07:59:59+01:00",
            after: "2026-01-19T08:00:00+01:00",
        },
        Window {
            name: "a zone half an hour off",
            cron: "0 9 * * *",
            zone: "Asia/Kolkata",
            length: "1h",
            before: "2026-01-12T03:29:59Z",
            first: "2026-01-12T03:30:00Z",
            last: "2026-01-12T04:29:59Z",
            after: "2026-01-12T04:30:00Z",
        },
    ];
    for window in windows {
        window.assert_open_exactly_as_said();
    }
}

/// Berlin, 29 March 2026: 02:00 becomes 03:00. New York, 8 March 2026: the same. Lord Howe Island,
/// 4 October 2026: 02:00 becomes 02:30.
#[test]
fn in_spring_a_window_keeps_its_length_and_one_in_the_gap_opens_after_it() {
    let windows = [
        Window {
            name: "before the gap, and across it",
            cron: "0 1 * * *",
            zone: "Europe/Berlin",
            length: "3h",
            before: "2026-03-29T00:59:59+01:00",
            first: "2026-03-29T01:00:00+01:00",
            last: "2026-03-29T04:59:59+02:00",
            after: "2026-03-29T05:00:00+02:00",
        },
        Window {
            name: "in the gap",
            cron: "30 2 * * *",
            zone: "Europe/Berlin",
            length: "1h",
            before: "2026-03-29T01:59:59+01:00",
            first: "2026-03-29T03:00:00+02:00",
            last: "2026-03-29T03:59:59+02:00",
            after: "2026-03-29T04:00:00+02:00",
        },
        Window {
            name: "over midnight, and across the gap",
            cron: "0 22 * * *",
            zone: "Europe/Berlin",
            length: "8h",
            before: "2026-03-28T21:59:59+01:00",
            first: "2026-03-28T22:00:00+01:00",
            last: "2026-03-29T06:59:59+02:00",
            after: "2026-03-29T07:00:00+02:00",
        },
        Window {
            name: "later on the day of the change",
            cron: "0 8 * * *",
            zone: "Europe/Berlin",
            length: "10h",
            before: "2026-03-29T07:59:59+02:00",
            first: "2026-03-29T08:00:00+02:00",
            last: "2026-03-29T17:59:59+02:00",
            after: "2026-03-29T18:00:00+02:00",
        },
        Window {
            name: "in New York's gap",
            cron: "15 2 * * *",
            zone: "America/New_York",
            length: "30m",
            before: "2026-03-08T01:59:59-05:00",
            first: "2026-03-08T03:00:00-04:00",
            last: "2026-03-08T03:29:59-04:00",
            after: "2026-03-08T03:30:00-04:00",
        },
        Window {
            name: "in a gap of half an hour",
            cron: "15 2 * * *",
            zone: "Australia/Lord_Howe",
            length: "1h",
            before: "2026-10-04T01:59:59+10:30",
            first: "2026-10-04T02:30:00+11:00",
            last: "2026-10-04T03:29:59+11:00",
            after: "2026-10-04T03:30:00+11:00",
        },
    ];
    for window in windows {
        window.assert_open_exactly_as_said();
    }
}

/// Berlin, 25 October 2026: 03:00 becomes 02:00. New York, 1 November 2026: 02:00 becomes 01:00.
/// Lord Howe Island, 5 April 2026: 02:00 becomes 01:30.
#[test]
fn in_autumn_a_window_keeps_its_length_and_one_in_the_repeated_hour_opens_once() {
    let windows = [
        Window {
            name: "before the repeated hour, and across it",
            cron: "0 1 * * *",
            zone: "Europe/Berlin",
            length: "3h",
            before: "2026-10-25T00:59:59+02:00",
            first: "2026-10-25T01:00:00+02:00",
            last: "2026-10-25T02:59:59+01:00",
            after: "2026-10-25T03:00:00+01:00",
        },
        Window {
            name: "in the repeated hour",
            cron: "30 2 * * *",
            zone: "Europe/Berlin",
            length: "45m",
            before: "2026-10-25T02:29:59+02:00",
            first: "2026-10-25T02:30:00+02:00",
            last: "2026-10-25T02:14:59+01:00",
            // It is half past two again a quarter of an hour later, and stays closed.
            after: "2026-10-25T02:30:00+01:00",
        },
        Window {
            name: "after the repeated hour",
            cron: "0 8 * * *",
            zone: "Europe/Berlin",
            length: "10h",
            before: "2026-10-25T07:59:59+01:00",
            first: "2026-10-25T08:00:00+01:00",
            last: "2026-10-25T17:59:59+01:00",
            after: "2026-10-25T18:00:00+01:00",
        },
        Window {
            name: "in New York's repeated hour",
            cron: "15 1 * * *",
            zone: "America/New_York",
            length: "1h",
            before: "2026-11-01T01:14:59-04:00",
            first: "2026-11-01T01:15:00-04:00",
            last: "2026-11-01T01:14:59-05:00",
            after: "2026-11-01T01:15:00-05:00",
        },
        Window {
            name: "in a repeated half hour",
            cron: "45 1 * * *",
            zone: "Australia/Lord_Howe",
            length: "30m",
            before: "2026-04-05T01:44:59+11:00",
            first: "2026-04-05T01:45:00+11:00",
            last: "2026-04-05T01:44:59+10:30",
            after: "2026-04-05T01:45:00+10:30",
        },
    ];
    for window in windows {
        window.assert_open_exactly_as_said();
    }
}

#[test]
fn the_highest_of_the_open_windows_counts_and_is_named() {
    let policy = policy_with(
        "schedule:\n  - { cron: \"0 8 * * *\", for: 10h, min: 3 }\n  \
         - { cron: \"0 10 * * *\", for: 2h, min: 7 }\n  - { cron: \"0 11 * * *\", for: 2h, min: 5 }\n",
    );
    let cases = [
        ("2026-01-12T07:59:59Z", 0, None),
        ("2026-01-12T08:00:00Z", 3, Some("0 8 * * *")),
        ("2026-01-12T10:00:00Z", 7, Some("0 10 * * *")),
        ("2026-01-12T11:59:59Z", 7, Some("0 10 * * *")),
        ("2026-01-12T12:00:00Z", 5, Some("0 11 * * *")),
        ("2026-01-12T13:00:00Z", 3, Some("0 8 * * *")),
        ("2026-01-12T18:00:00Z", 0, None),
    ];
    for (time, size, cron) in cases {
        let verdict = first(policy.clone(), see(at(time), (0, 0), 0));
        assert_eq!(desired(&verdict), size, "{time}");
        let said = text_of(&verdict, Stage::Limit);
        match cron {
            Some(cron) => assert!(said.contains(cron), "{time}: {said}"),
            None => assert_eq!(said, "", "{time}"),
        }
    }
}
