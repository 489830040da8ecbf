//! How long a job takes, from counts alone: nobody reports, and no message's age is known.
//!
//! Owns one estimate, kept on the slow side. A fleet whose jobs are taken to be too long is too
//! large for a while; one whose jobs are taken to be too short is late, and cannot see it.

use serde::{Deserialize, Serialize};

use super::trust::Seen;

/// Counts alone: a guess is taken to be wrong by a factor of three, on the slow side.
const COUNTED_DOUBT: f64 = 2.0 / 3.0;
/// Slots join between looks, not at them, and arrivals bend the backlog too.
const COUNTED_BIAS: f64 = 0.15;
/// One look moves the rate by so much at most.
const COUNTED_STEP: f64 = 1.4;
/// Relative drift of the service time, per square root of a second: a third in a day.
const COUNTED_DRIFT: f64 = 0.001;
/// The part of a new bend in the noise.
const NOISE_PART: f64 = 0.05;
/// Messages that must wait for slots to be surely all busy.
const WAITING_MIN: u64 = 2;

/// The rate at which a busy slot ends jobs, by least squares, one look at a time: where messages
/// wait all along, slots that join or leave bend the backlog's course by just what they end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Counted {
    /// Jobs a second that a busy slot ends, and the variance of that.
    per_second: f64,
    variance: f64,
    /// Variance of the backlog's bends that slots do not explain.
    noise: f64,
    /// The look before.
    present: f64,
    in_flight: f64,
    /// The stretch before it, where messages waited through it.
    stretch: Option<Stretch>,
}

/// Between two looks, while messages waited.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Stretch {
    /// Messages a second that the backlog gained.
    gained: f64,
    /// Messages in flight, on the mean.
    busy: f64,
}

impl Counted {
    /// Nothing but the policy's guess.
    pub(super) fn begin(seen: &Seen, guess: f64) -> Self {
        Self {
            per_second: 1.0 / guess,
            variance: (COUNTED_DOUBT / guess).powi(2),
            noise: 0.0,
            present: present(seen),
            in_flight: seen.in_flight as f64,
            stretch: None,
        }
    }

    /// Takes in a look, `elapsed` seconds after the one before.
    pub(super) fn learn(&mut self, seen: &Seen, elapsed: f64) {
        if elapsed <= 0.0 {
            return;
        }
        let in_flight = seen.in_flight as f64;
        let stretch = (seen.visible > WAITING_MIN).then_some(Stretch {
            gained: (present(seen) - self.present) / elapsed,
            busy: f64::midpoint(in_flight, self.in_flight),
        });
        if let (Some(before), Some(now)) = (self.stretch, stretch) {
            self.bend(before, now, elapsed);
        }
        self.stretch = stretch;
        self.present = present(seen);
        self.in_flight = in_flight;
    }

    /// What a job takes: on the slow side by two deviations and by what the method itself may be off, and by no more
    /// than the doubt of a guess.
    pub(super) fn service_seconds(&self) -> f64 {
        let slow = self.per_second * (1.0 - COUNTED_BIAS) - 2.0 * self.variance.sqrt();
        1.0 / slow.max(self.per_second * (1.0 - COUNTED_DOUBT))
    }

    fn bend(&mut self, before: Stretch, now: Stretch, elapsed: f64) {
        let joined = (now.busy - before.busy) * elapsed;
        let bent = (now.gained - before.gained) * elapsed;
        let off = bent + joined * self.per_second;
        // What comes and goes by chance (Poisson), on both sides of both stretches.
        let chance = 4.0 * now.busy * elapsed * self.per_second + 4.0;
        if joined.abs() < 1.0 {
            let part = NOISE_PART;
            self.noise += part * (off * off - self.noise);
            return;
        }
        let noise = self.noise.max(chance);
        let off = off.clamp(-3.0 * noise.sqrt(), 3.0 * noise.sqrt());
        let gain = -self.variance * joined / (joined * joined * self.variance + noise);
        let least = self.per_second / COUNTED_STEP;
        let most = self.per_second * COUNTED_STEP;
        self.per_second = (self.per_second + gain * off).clamp(least, most);
        self.variance *= 1.0 + gain * joined;
        // Work changes: certainty is never final.
        self.variance += (COUNTED_DRIFT * self.per_second).powi(2) * elapsed;
    }
}

fn present(seen: &Seen) -> f64 {
    seen.visible as f64 + seen.in_flight as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Jobs take 30 s, and every tenth look a fleet of 20 slots grows to 60 or goes back, with
    /// messages waiting all along.
    fn counted(guess: f64) -> Counted {
        let mut slots = 20.0_f64;
        let mut present = 1000.0_f64;
        let look = |present: f64, slots: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "small and positive"
            )]
            let (visible, in_flight) = ((present - slots).round() as u64, slots as u64);
            Seen {
                visible,
                in_flight,
                ..Seen::default()
            }
        };
        let mut counted = Counted::begin(&look(present, slots), guess);
        for turn in 0..400 {
            if turn % 10 == 0 {
                slots = 80.0 - slots;
            }
            present += (40.0 - slots) / 30.0 * 15.0;
            counted.learn(&look(present, slots), 15.0);
        }
        counted
    }

    #[test]
    fn slots_that_join_tell_what_a_job_takes() {
        for guess in [10.0, 30.0, 90.0] {
            let found = 1.0 / counted(guess).per_second;
            assert!((24.0..38.0).contains(&found), "{found} from {guess}");
        }
    }

    #[test]
    fn it_stays_on_the_slow_side() {
        let counted = counted(10.0);
        assert!(counted.service_seconds() > 1.1 / counted.per_second);
        let guess = Counted::begin(&Seen::default(), 10.0);
        assert!(
            (guess.service_seconds() - 30.0).abs() < 1e-9,
            "thrice a guess"
        );
    }

    #[test]
    fn an_empty_queue_says_nothing() {
        let mut counted = Counted::begin(&Seen::default(), 10.0);
        let before = counted.per_second;
        for in_flight in [0, 40, 0, 80] {
            let seen = Seen {
                in_flight,
                ..Seen::default()
            };
            counted.learn(&seen, 15.0);
        }
        assert!((counted.per_second - before).abs() < 1e-12);
    }
}
