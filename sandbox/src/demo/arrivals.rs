//! When the demo's messages are sent: the shape of a day, compressed.
//!
//! This module owns the seeded generator and the compression of a trace. The same shape, seed and
//! numbers give the same moments, on any machine.

use std::f64::consts::TAU;

use rand::{Rng, RngExt};

use super::trace::Trace;

/// How arrivals are spread over a stretch of time, in equal steps; only the proportions count.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Arrivals in each step, to any scale; at least one is above zero.
    pub weights: Vec<f64>,
    /// What the shape shows, for people.
    pub about: String,
}

impl Shape {
    /// A day with a flash crowd: a quiet night, a morning that rises, and, at an hour the seed
    /// chooses, a crowd that comes at once and goes slowly.
    pub fn day_with_flash_crowd(rng: &mut impl Rng) -> Self {
        // One step a minute. The crowd comes between noon and five, at three to four times the
        // day's peak, and halves every 25 minutes or so.
        const MINUTES: u32 = 24 * 60;
        let crowd_at = f64::from(rng.random_range(12 * 60..17 * 60_u32));
        let crowd_height = rng.random_range(3.0..4.0);
        let fades_in = rng.random_range(30.0..40.0);
        let weights = (0..MINUTES)
            .map(|minute| {
                let minute = f64::from(minute);
                let noise = rng.random_range(0.6..1.4);
                let daily = 0.15 + 0.425 * (1.0 - (TAU * (minute / f64::from(MINUTES))).cos());
                let since = minute - crowd_at;
                let crowd = if since >= 0.0 {
                    crowd_height * (-since / fades_in).exp()
                } else {
                    0.0
                };
                (daily + crowd) * noise
            })
            .collect();
        let (hour, past) = (crowd_at.div_euclid(60.0), crowd_at.rem_euclid(60.0));
        Self {
            weights,
            about: format!("a day with a flash crowd at {hour:02.0}:{past:02.0}"),
        }
    }

    /// The trace's busiest day, or all of a shorter trace.
    pub fn of_trace(trace: Trace, name: &str) -> Self {
        let days = trace.step_seconds * trace.arrivals.len() as f64 / 86_400.0;
        let part = if days > 1.0 {
            "the busiest day of "
        } else {
            ""
        };
        Self {
            about: format!("{part}{name}"),
            weights: trace.busiest_day().arrivals,
        }
    }

    /// `count` moments within `seconds`, rising, spread as the shape is: the moment of each is
    /// drawn from its own equal share of the arrivals, so the count is exact and bursts stay.
    pub fn moments(&self, count: u32, seconds: f64, rng: &mut impl Rng) -> Vec<f64> {
        let total: f64 = self.weights.iter().sum();
        let step = seconds / self.weights.len() as f64;
        let mut weights = self.weights.iter().enumerate().peekable();
        let mut passed = 0.0;
        (0..count)
            .map(|nth| {
                let share = (f64::from(nth) + rng.random_range(0.0..1.0)) / f64::from(count);
                let wanted = share * total;
                while let Some((_, weight)) = weights.peek()
                    && passed + **weight < wanted
                {
                    passed += **weight;
                    weights.next();
                }
                let last = self.weights.len() - 1;
                let (index, weight) = weights.peek().copied().unwrap_or((last, &0.0));
                let within = ((wanted - passed) / weight).clamp(0.0, 1.0);
                (index as f64 + if within.is_nan() { 1.0 } else { within }) * step
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn rng() -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(7)
    }

    #[test]
    fn the_count_is_exact_and_moments_rise_within_the_time() {
        for seed in 0..20 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let shape = Shape::day_with_flash_crowd(&mut rng);
            let moments = shape.moments(720, 90.0, &mut rng);
            assert_eq!(moments.len(), 720);
            assert!(moments.is_sorted());
            assert!(moments.iter().all(|at| (0.0..=90.0).contains(at)));
        }
    }

    #[test]
    fn a_seed_repeats_its_day() {
        let day = |mut rng: ChaCha8Rng| {
            Shape::day_with_flash_crowd(&mut rng).moments(100, 90.0, &mut rng)
        };
        assert_eq!(day(rng()), day(rng()));
        assert_ne!(day(rng()), day(ChaCha8Rng::seed_from_u64(8)));
    }

    #[test]
    fn a_burst_stays_a_burst_and_silence_stays_silent() {
        let shape = Shape {
            weights: vec![0.0, 10.0, 0.0, 0.0, 30.0, 0.0],
            about: String::new(),
        };
        let moments = shape.moments(400, 60.0, &mut rng());
        let within = |from: f64, to: f64| {
            let inside = moments.iter().filter(|at| (from..to).contains(*at));
            inside.count()
        };
        assert_eq!(within(10.0, 20.0), 100);
        assert_eq!(within(40.0, 50.0), 300);
    }

    #[test]
    fn a_crowd_doubles_the_busiest_ten_seconds_of_an_even_day() {
        let mut rng = rng();
        let moments = Shape::day_with_flash_crowd(&mut rng).moments(720, 90.0, &mut rng);
        let busiest = moments
            .iter()
            .map(|from| {
                let window = moments
                    .iter()
                    .filter(|at| (*from..from + 10.0).contains(*at));
                window.count()
            })
            .max();
        assert!(busiest.unwrap() > 160, "{busiest:?}");
    }
}
