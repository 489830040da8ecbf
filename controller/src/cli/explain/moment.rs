//! Moments as people write and read them: in a time zone, and relative to now.
//!
//! Pure: now and the zone are arguments. All parsing is jiff's.

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp, Zoned};

use crate::clock::timestamp;
use crate::model::UnixSeconds;

const ALLOWED: &str = "allowed is 2026-03-01T09:12:00Z, \"2026-03-01 09:12\", a time of today such \
                       as 09:12, or a span back from now such as \"10m ago\"";

/// The moment that `text` means; it is not after `now`, whose zone holds where none is given.
pub(super) fn parse(text: &str, now: &Zoned) -> Result<UnixSeconds, String> {
    let found = |what: &str| format!("found {text:?}{what}; {ALLOWED}");
    let zone = now.time_zone();
    let moment = if let Ok(moment) = text.parse::<Timestamp>() {
        moment
    } else if let Ok(moment) = text.parse::<Zoned>() {
        moment.timestamp()
    } else if let Ok(moment) = text.parse::<DateTime>() {
        let moment = moment.to_zoned(zone.clone());
        moment
            .map_err(|_| found(", beyond all calendars"))?
            .timestamp()
    } else if let (true, Ok(time)) = (text.contains(':'), text.parse::<Time>()) {
        let moment = now.date().to_datetime(time).to_zoned(zone.clone());
        moment.map_err(|_| found(""))?.timestamp()
    } else if let Ok(span) = text.parse::<Span>() {
        let moment = now.checked_sub(span.abs());
        moment
            .map_err(|_| found(", beyond all calendars"))?
            .timestamp()
    } else {
        return Err(found(""));
    };
    if moment > now.timestamp() {
        let moment = moment.to_zoned(zone.clone());
        return Err(found(&format!(
            ", which is {}, in the future",
            exact(&moment)
        )));
    }
    Ok(UnixSeconds(moment.as_duration().as_secs_f64()))
}

/// The zone of this name, or the machine's own; UTC where that is not known.
pub(super) fn zone(name: Option<&str>) -> Result<TimeZone, String> {
    match name {
        None => Ok(TimeZone::try_system().unwrap_or(TimeZone::UTC)),
        Some(name) => TimeZone::get(name).map_err(|_| {
            format!("found {name:?}; allowed is an IANA name such as Europe/Berlin, or UTC")
        }),
    }
}

/// `2026-03-01 09:12:00`, in the zone.
pub(super) fn shown(at: UnixSeconds, zone: &TimeZone) -> String {
    exact(&timestamp(at).to_zoned(zone.clone()))
}

/// `2026-03-01 09:12:00 to 09:21:15`; one moment where they are the same.
pub(super) fn shown_from_to(from: UnixSeconds, to: UnixSeconds, zone: &TimeZone) -> String {
    let (from, to) = (
        timestamp(from).to_zoned(zone.clone()),
        timestamp(to).to_zoned(zone.clone()),
    );
    if exact(&from) == exact(&to) {
        exact(&from)
    } else if from.date() == to.date() {
        format!("{} to {}", exact(&from), to.strftime("%H:%M:%S"))
    } else {
        format!("{} to {}", exact(&from), exact(&to))
    }
}

/// `1h 52m`, to the second below an hour and to the minute above.
pub(super) fn span(seconds: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates; a span that long is not one"
    )]
    let seconds = seconds.round() as i64;
    let seconds = if seconds < 3600 {
        seconds
    } else {
        seconds / 60 * 60
    };
    format!("{:#}", SignedDuration::from_secs(seconds))
}

/// The zone's name, as a person knows it.
pub(super) fn zone_name(zone: &TimeZone) -> String {
    zone.iana_name().unwrap_or("the local zone").to_owned()
}

fn exact(moment: &Zoned) -> String {
    moment.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> TimeZone {
        zone(Some("Europe/Berlin")).unwrap()
    }

    fn now() -> Zoned {
        "2026-03-01T10:00:00+01:00[Europe/Berlin]".parse().unwrap()
    }

    #[test]
    fn a_moment_may_be_written_as_a_person_thinks_of_it() {
        let cases = [
            ("2026-03-01T08:12:00Z", "2026-03-01 09:12:00"),
            ("2026-03-01T09:12:00+01:00", "2026-03-01 09:12:00"),
            (
                "2026-03-01T03:12:00-05:00[America/New_York]",
                "2026-03-01 09:12:00",
            ),
            ("2026-03-01 09:12", "2026-03-01 09:12:00"),
            ("2026-02-28T23:59:59", "2026-02-28 23:59:59"),
            ("2026-02-28", "2026-02-28 00:00:00"),
            ("09:12", "2026-03-01 09:12:00"),
            ("09:12:30", "2026-03-01 09:12:30"),
            ("10m ago", "2026-03-01 09:50:00"),
            ("10m", "2026-03-01 09:50:00"),
            ("1h 30m ago", "2026-03-01 08:30:00"),
            ("2 days ago", "2026-02-27 10:00:00"),
            ("7d", "2026-02-22 10:00:00"),
        ];
        for (text, expected) in cases {
            let at = parse(text, &now()).unwrap();
            assert_eq!(shown(at, &berlin()), expected, "{text}");
        }
    }

    #[test]
    fn a_day_back_is_a_day_of_the_calendar() {
        // The clocks went forward in the night.
        let now = "2026-03-29T10:00:00+02:00[Europe/Berlin]".parse().unwrap();
        let at = parse("1 day ago", &now).unwrap();
        assert_eq!(shown(at, &berlin()), "2026-03-28 10:00:00");
    }

    #[test]
    fn what_is_no_moment_of_the_past_is_refused_with_what_is() {
        for text in ["", "soon", "25:00", "10", "2026-13-01", "10 m after"] {
            let error = parse(text, &now()).unwrap_err();
            assert!(error.contains(&format!("{text:?}")), "{error}");
            assert!(error.contains("09:12"), "{error}");
        }
        insta::assert_snapshot!(
            parse("11:30", &now()).unwrap_err(),
            @r#"found "11:30", which is 2026-03-01 11:30:00, in the future; allowed is 2026-03-01T09:12:00Z, "2026-03-01 09:12", a time of today such as 09:12, or a span back from now such as "10m ago""#
        );
        assert!(zone(Some("Mars/Olympus")).unwrap_err().contains("IANA"));
    }

    #[test]
    fn spans_and_stretches_are_short() {
        assert_eq!(span(45.2), "45s");
        assert_eq!(span(754.0), "12m 34s");
        assert_eq!(span(6754.0), "1h 52m");
        let day = UnixSeconds(1_700_000_000.0);
        let later = |seconds: f64| UnixSeconds(day.0 + seconds);
        let text = |to| shown_from_to(day, to, &TimeZone::UTC);
        assert_eq!(text(day), "2023-11-14 22:13:20");
        assert_eq!(text(later(60.0)), "2023-11-14 22:13:20 to 22:14:20");
        assert_eq!(
            text(later(7200.0)),
            "2023-11-14 22:13:20 to 2023-11-15 00:13:20"
        );
    }
}
