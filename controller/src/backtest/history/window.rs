//! Which time is asked about, in which periods, and in which pieces it is kept.
//!
//! Owns CloudWatch's retention. Times are whole Unix seconds, aligned to the period.

use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo};

use crate::clock::timestamp;
use crate::model::UnixSeconds;

/// A stretch of time in periods of equal length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first period's begin.
    pub from: i64,
    /// The last period's end.
    pub until: i64,
    /// A period's length.
    pub period: i64,
}

/// A part of a window that is fetched, and perhaps kept, as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its begin.
    pub from: i64,
    /// Its end.
    pub until: i64,
    /// Whether nothing will be added to it any more, and CloudWatch still had all of it: then it is
    /// one whole day in UTC, and may be kept.
    pub is_final: bool,
}

/// Why there is no such window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// CloudWatch forgets.
    #[error("--since: found {found}, allowed is at most 455d: CloudWatch keeps nothing longer")]
    TooLong {
        /// As people write it.
        found: String,
    },
    /// Nothing can be tried on so little.
    #[error("--since: found {found}, allowed is at least 1h")]
    TooShort {
        /// As people write it.
        found: String,
    },
    /// Nothing is recorded of it.
    #[error("--until: found {found}, which is in the future; leave it out for the present")]
    Future {
        /// RFC 3339.
        found: String,
    },
}

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
const DAY: i64 = 86_400;

/// Periods, and how many days CloudWatch keeps points of each ("Metrics retention", CloudWatch
/// concepts).
const RETENTION: [(i64, i64); 3] = [(MINUTE, 15), (5 * MINUTE, 63), (HOUR, 455)];

/// Points come late: SQS's by some minutes. What is younger is not asked for.
const LATE: i64 = 5 * MINUTE;
/// A day that ended so long ago gets no more points: SQS's come a quarter of an hour late at most.
const SETTLED: i64 = 2 * HOUR;

impl Window {
    /// The time from `since` before `until` up to `until`, or up to the newest that is to be had.
    /// Its period is the shortest of which CloudWatch still has all points.
    pub fn back(
        since: Duration,
        until: Option<UnixSeconds>,
        now: UnixSeconds,
    ) -> Result<Self, WindowError> {
        let found = || shown(i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
        let length = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        if length < HOUR {
            return Err(WindowError::TooShort { found: found() });
        }
        let now = whole(now);
        let newest = now - LATE;
        let until = match until.map(whole) {
            Some(until) if until > now => {
                let found = timestamp(UnixSeconds(until as f64)).to_string();
                return Err(WindowError::Future { found });
            }
            Some(until) => until.min(newest),
            None => newest,
        };
        let from = until.saturating_sub(length);
        let age = now.saturating_sub(from);
        let kept = RETENTION.iter().find(|(_, days)| age <= days * DAY + HOUR);
        let Some(&(period, _)) = kept else {
            return Err(WindowError::TooLong { found: found() });
        };
        Ok(Self {
            from: from.div_euclid(period) * period,
            until: until.div_euclid(period) * period,
            period,
        })
    }

    /// A period's length.
    pub fn period_seconds(&self) -> f64 {
        self.period as f64
    }

    /// The begin of each period.
    pub fn periods(&self) -> impl ExactSizeIterator<Item = i64> {
        let count = usize::try_from((self.until - self.from) / self.period).unwrap_or(0);
        let (from, period) = (self.from, self.period);
        (0..count).map(move |nth| from + i64::try_from(nth).unwrap_or(0) * period)
    }

    /// The days in UTC that it touches. Whole ones that will not change are given whole, though
    /// the window begins or ends inside them, so that they can be kept; of others only what is
    /// asked for.
    pub fn pieces(&self, now: UnixSeconds) -> Vec<Piece> {
        let now = whole(now);
        let kept_days = RETENTION.iter().find(|(period, _)| *period == self.period);
        let oldest = now - kept_days.map_or(0, |(_, days)| days * DAY);
        let first = self.from.div_euclid(DAY);
        let last = (self.until - 1).div_euclid(DAY);
        let piece = |day: i64| {
            let (from, until) = (day * DAY, (day + 1) * DAY);
            if until <= now - SETTLED && from >= oldest {
                Piece {
                    from,
                    until,
                    is_final: true,
                }
            } else {
                Piece {
                    from: from.max(self.from),
                    until: until.min(self.until),
                    is_final: false,
                }
            }
        };
        (first..=last).map(piece).collect()
    }

    /// From when to when, and why in these periods.
    pub fn note(&self) -> String {
        let moment = |at: i64| {
            timestamp(UnixSeconds(at as f64))
                .strftime("%Y-%m-%d %H:%M")
                .to_string()
        };
        let periods = match self.period {
            MINUTE => "by the minute",
            HOUR => "by the hour: CloudWatch keeps finer ones for 63 days",
            _ => "by five minutes: CloudWatch keeps finer ones for 15 days",
        };
        format!(
            "recorded from {} to {} UTC, {periods}",
            moment(self.from),
            moment(self.until)
        )
    }
}

/// A span back from the present, such as `7d` or `36h`; a day has 24 hours.
pub fn since(text: &str) -> Result<Duration, String> {
    let wrong = || format!("found {text:?}; allowed is a span such as 7d, 36h or 2w, up to 455d");
    let span: Span = text.trim().parse().map_err(|_| wrong())?;
    let span = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| wrong())?;
    Duration::try_from(span).map_err(|_| wrong())
}

/// A length as people write it: `2h 5m`, `7d 3h`.
pub(super) fn shown(seconds: i64) -> String {
    let rest = SignedDuration::from_secs(seconds % DAY);
    match (seconds / DAY, rest.is_zero()) {
        (0, _) => format!("{rest:#}"),
        (days, true) => format!("{days}d"),
        (days, false) => format!("{days}d {rest:#}"),
    }
}

/// A moment from 1970 to the year 5138; no other was recorded or will be.
#[expect(
    clippy::cast_possible_truncation,
    reason = "clamped, and NaN becomes 0"
)]
fn whole(at: UnixSeconds) -> i64 {
    at.0.clamp(0.0, 1e11) as i64
}
