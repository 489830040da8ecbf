//! Times as people read them.

use jiff::Timestamp;

use crate::clock::whole;

/// A moment in Unix seconds, in UTC.
pub(super) fn moment(unix_seconds: f64) -> String {
    let millis = whole(unix_seconds * 1000.0);
    Timestamp::from_millisecond(millis).map_or_else(
        |_| unix_seconds.to_string(),
        |moment| moment.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}

/// A span of seconds, in its two greatest units.
pub(super) fn span(seconds: f64) -> String {
    let seconds = whole(seconds.max(0.0));
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if days > 0 => format!("{days}d {}h", hours % 24),
        () if hours > 0 => format!("{hours}h {}m", minutes % 60),
        () if minutes > 0 => format!("{minutes}m {}s", seconds % 60),
        () => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_words() {
        assert_eq!(moment(1_700_000_000.25), "2023-11-14 22:13:20 UTC");
        assert_eq!(moment(f64::INFINITY), "inf");
        let spans = [0.0, 61.5, 3660.0, 90_000.0].map(span);
        assert_eq!(spans, ["0s", "1m 1s", "1h 1m", "1d 1h"]);
        assert_eq!(span(-5.0), "0s");
    }
}
