//! Moments of a trace in words: dates where the trace has them, else days since it began.
//!
//! Owns that choice, which the charts' axes follow. It must not read a clock.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::backtest::outcome::TraceShape;

/// A trace that begins earlier than this, in Unix seconds, has no dates of its own: it was recorded
/// or made as seconds from 0. (The queues' service began in 2004.)
const DATED_FROM: f64 = 1.0e9;

/// The beginning that a trace's seconds count from.
#[derive(Clone, Copy, Debug)]
pub(super) struct When {
    starts_at: f64,
}

impl When {
    pub(super) fn of(trace: &TraceShape) -> Self {
        Self {
            starts_at: trace.starts_at,
        }
    }

    /// Whether moments are dates.
    pub(super) fn is_dated(self) -> bool {
        self.starts_at >= DATED_FROM
    }

    /// `2026-07-03 14:00 UTC` or `day 3, 14:00`.
    pub(super) fn text(self, seconds: f64) -> String {
        let Ok(at) = Timestamp::from_second(whole(self.starts_at + seconds)) else {
            return format!("second {seconds}");
        };
        let at = at.to_zoned(TimeZone::UTC);
        if self.is_dated() {
            return at.strftime("%Y-%m-%d %H:%M UTC").to_string();
        }
        let day = (self.starts_at + seconds).div_euclid(86_400.0) + 1.0;
        format!("day {day}, {}", at.strftime("%H:%M"))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "float casts saturate, and far moments are refused by the calendar"
)]
fn whole(seconds: f64) -> i64 {
    seconds.floor() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_without_dates_counts_days() {
        let undated = When { starts_at: 0.0 };
        assert_eq!(undated.text(0.0), "day 1, 00:00");
        assert_eq!(undated.text(2.0 * 86_400.0 + 14.5 * 3600.0), "day 3, 14:30");
        let dated = When {
            starts_at: 1_700_000_000.0,
        };
        assert_eq!(dated.text(3600.0), "2023-11-14 23:13 UTC");
        let absurd = When { starts_at: 1e300 };
        assert_eq!(absurd.text(5.0), "second 5");
    }
}
