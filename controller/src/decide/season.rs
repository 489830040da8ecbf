//! What arrives at this time of the day and of the week.
//!
//! Owns the arrivals of the last week by quarter of an hour, and what they say of a moment to come:
//! as a day and as a week before (seasonal naive), and level plus time of day (additive Holt-Winters,
//! without a trend: a quarter of an hour ahead has none). How good that is, the rehearsal says.

use serde::{Deserialize, Serialize};

use crate::reason::Method;

/// A quarter of an hour: short enough for a morning's rise, long enough for a mean.
const BIN_SECONDS: f64 = 900.0;
const DAY: u16 = 96;
const WEEK: u16 = 7 * DAY;
/// Holt-Winters' weights of a new quarter in the level and of a new day in the season.
const LEVEL: f64 = 0.1;
const SEASON: f64 = 0.3;

/// Rates of arrival a second, by quarter of an hour.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Season {
    /// The quarter that is being filled, counted from the epoch, and what has come in it.
    quarter: i64,
    came: f64,
    watched: f64,
    /// Means of the week's quarters, by their place in it; negative where none is known.
    week: Vec<f32>,
    /// Above the level, by the time of day.
    above: Vec<f32>,
    level: Option<f64>,
}

impl Season {
    /// Takes in what came since the last look.
    pub(super) fn observe(&mut self, at: f64, came: f64, elapsed: f64) {
        let quarter = quarter_of(at);
        if quarter != self.quarter {
            self.close(quarter);
        }
        self.came += came;
        self.watched += elapsed;
    }

    fn close(&mut self, next: i64) {
        if self.week.len() != usize::from(WEEK) || self.above.len() != usize::from(DAY) {
            self.week = vec![-1.0; WEEK.into()];
            self.above = vec![0.0; DAY.into()];
        }
        // What was not watched is not known.
        let known = self.watched >= BIN_SECONDS / 2.0;
        let rate = (self.came / self.watched.max(1.0)).max(0.0);
        #[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty")]
        let short = |rate: f64| ((rate * 1e4).round() / 1e4) as f32;
        self.week[place(self.quarter, WEEK)] = if known { short(rate) } else { -1.0 };
        // What lies between was not watched, unless the clock was put back.
        for missed in (self.quarter.saturating_add(1)..next).take(WEEK.into()) {
            self.week[place(missed, WEEK)] = -1.0;
        }
        if known {
            let above = &mut self.above[place(self.quarter, DAY)];
            let level = self.level.unwrap_or(rate);
            let new = level + LEVEL * (rate - f64::from(*above) - level);
            *above = short(f64::from(*above) + SEASON * (rate - new - f64::from(*above)));
            self.level = Some(new);
        }
        (self.quarter, self.came, self.watched) = (next, 0.0, 0.0);
    }

    /// Arrivals a second at `at` by each of [`Method::SEASONAL`], where the past reaches so far.
    pub(super) fn forecasts(&self, at: f64) -> [Option<f64>; Method::SEASONAL.len()] {
        let known = |back: i64| {
            let quarter = quarter_of(at).saturating_sub(back);
            let rate = f64::from(*self.week.get(place(quarter, WEEK))?);
            (rate >= 0.0).then_some(rate)
        };
        let day_before = known(DAY.into());
        let level = self.level.zip(self.above.get(place(quarter_of(at), DAY)));
        let winters = level.map(|(level, above)| (level + f64::from(*above)).max(0.0));
        [
            day_before,
            known(WEEK.into()),
            winters.filter(|_| day_before.is_some()),
        ]
    }
}

fn quarter_of(at: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "saturates")]
    let quarter = (at / BIN_SECONDS).floor() as i64;
    quarter
}

fn place(quarter: i64, of: u16) -> usize {
    usize::try_from(quarter.rem_euclid(of.into())).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Days of a look a minute, at a rate that depends on the time.
    fn after(days: f64, rate: impl Fn(f64) -> f64) -> Season {
        let mut season = Season::default();
        let mut at = 1.7e9;
        while at < 1.7e9 + days * 86_400.0 {
            season.observe(at, rate(at) * 60.0, 60.0);
            at += 60.0;
        }
        season
    }

    /// Two a second by day, none by night, and five on the seventh day.
    fn week(at: f64) -> f64 {
        let by_day = at.rem_euclid(86_400.0) < 43_200.0;
        let seventh = at.rem_euclid(604_800.0) < 86_400.0;
        match (by_day, seventh) {
            (true, true) => 5.0,
            (true, false) => 2.0,
            _ => 0.0,
        }
    }

    #[test]
    fn each_method_recalls_its_season() {
        let season = after(9.0, week);
        let mut at = 1.7e9 + 9.0 * 86_400.0 + 450.0;
        let mut off = [0.0; 3];
        for _ in 0..90 {
            let forecasts = season.forecasts(at);
            let truths = [week(at - 86_400.0), week(at - 604_800.0), week(at)];
            for ((off, forecast), truth) in off.iter_mut().zip(forecasts).zip(truths) {
                *off += (forecast.expect("known") - truth).abs() / 90.0;
            }
            at += 900.0;
        }
        assert!(off[0] < 0.1, "the day before: {off:?}");
        assert!(off[1] < 0.1, "the week before: {off:?}");
        assert!(off[2] < 0.8, "level and time of day: {off:?}");
    }

    #[test]
    fn what_was_not_watched_is_not_forecast() {
        let mut season = after(2.0, week);
        let now = 1.7e9 + 2.0 * 86_400.0;
        assert!(season.forecasts(now)[0].is_some());
        assert_eq!(season.forecasts(now)[1], None, "no week yet");
        let later = now + 86_400.0;
        season.observe(later, 0.0, 60.0);
        assert_eq!(season.forecasts(later + 86_400.0 - 1800.0)[0], None);
    }

    #[test]
    fn a_week_stays_small() {
        let season = after(8.0, |at| 1.0 + at.rem_euclid(977.0) / 7.0);
        let bytes = serde_json::to_vec(&season).unwrap().len();
        assert!(bytes < 9000, "{bytes} bytes");
    }

    #[test]
    fn a_clock_that_is_put_back_or_far_ahead_breaks_nothing() {
        let mut season = after(1.0, week);
        for at in [0.0, 1e12, -1e12, 1.7e9] {
            season.observe(at, 1.0, 60.0);
            let forecasts = season.forecasts(at);
            assert!(forecasts.iter().flatten().all(|rate| rate.is_finite()));
        }
    }
}
