//! A moment of the modelled cloud.
//!
//! Owns the unit in which the models count time. It never reads a clock: whoever drives the models
//! passes the moment in.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

/// A moment, in microseconds since the Unix epoch.
///
/// An integer, so that moments order totally and serve as keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The moment `micros` microseconds after the Unix epoch.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The moment `secs` seconds after the Unix epoch.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// The moment `secs` seconds after the Unix epoch; what lies before the epoch is the epoch.
    pub fn from_secs_f64(secs: f64) -> Self {
        Self(Duration::try_from_secs_f64(secs).map_or(0, micros_of))
    }

    /// Seconds since the Unix epoch.
    pub fn as_secs_f64(self) -> f64 {
        self.since_epoch().as_secs_f64()
    }

    /// Whole milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }

    /// Whole seconds since the Unix epoch.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The time since the Unix epoch.
    pub const fn since_epoch(self) -> Duration {
        Duration::from_micros(self.0)
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    pub const fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The moment `span` before this one; the epoch when that lies before it.
    #[must_use]
    pub fn earlier_by(self, span: Duration) -> Time {
        Time(self.0.saturating_sub(micros_of(span)))
    }

    /// The last multiple of `span` (counted from the epoch) that is not after this moment.
    #[must_use]
    pub fn floor_to(self, span: Duration) -> Time {
        let span = micros_of(span).max(1);
        Time(self.0 / span * span)
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, span: Duration) -> Time {
        Time(self.0.saturating_add(micros_of(span)))
    }
}

impl fmt::Display for Time {
    /// ISO 8601 in UTC with milliseconds, as the Query protocols write moments.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = i64::try_from(self.as_millis()).unwrap_or(i64::MAX);
        match jiff::Timestamp::from_millisecond(millis) {
            Ok(at) => write!(f, "{}", at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ")),
            Err(_) => write!(f, "9999-12-31T23:59:59.999Z"),
        }
    }
}

fn micros_of(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_print_as_the_query_protocols_write_them() {
        let at = Time::from_secs_f64(1_700_000_000.25);
        assert_eq!(at.to_string(), "2023-11-14T22:13:20.250Z");
    }

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        assert_eq!(Time::default().earlier_by(Duration::MAX), Time::default());
        assert_eq!(Time::default() + Duration::MAX, Time::from_micros(u64::MAX));
        assert_eq!(Time::from_secs_f64(f64::NAN), Time::default());
        assert_eq!(Time::from_secs(1).since(Time::from_secs(5)), Duration::ZERO);
        assert!(!Time::from_micros(u64::MAX).to_string().is_empty());
    }
}
