//! Arrivals: a trace's counts, scaled, and a moment for each message.
//!
//! Owns what a trace is. It must not know what becomes of a message.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Arrivals counted in steps of equal length.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// A step's length.
    pub step_seconds: f64,
    /// Arrivals in each step; fractions where the trace was scaled.
    pub counts: Vec<f64>,
}

/// Why a trace cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    /// A row is not two or more numbers.
    #[error(
        "line {line}: found {found:?}; allowed are `t_seconds,arrivals[,…]`, numbers of 0 or more"
    )]
    Row {
        /// Counted from 1.
        line: usize,
        /// The row.
        found: String,
    },
    /// Rows do not follow each other in equal steps.
    #[error(
        "line {line}: a step that differs from the first one; resample the trace to equal steps"
    )]
    Step {
        /// Counted from 1.
        line: usize,
    },
    /// Fewer than two rows: no step can be told.
    #[error("a trace has at least a header and two rows")]
    Short,
}

impl Trace {
    /// Reads `t_seconds,arrivals[,…]` with a header, further columns ignored.
    pub fn parse(text: &str) -> Result<Self, TraceError> {
        let mut rows = Vec::new();
        for (index, line) in text.lines().enumerate().skip(1) {
            if line.trim().is_empty() {
                continue;
            }
            let mut fields = line
                .split(',')
                .map(|field| field.trim().parse::<f64>().ok());
            let row = (fields.next().flatten(), fields.next().flatten());
            let (Some(at), Some(count)) = row else {
                return Err(bad_row(index, line));
            };
            if !(at.is_finite() && count.is_finite() && count >= 0.0) {
                return Err(bad_row(index, line));
            }
            rows.push((index + 1, at, count));
        }
        let [(_, first, _), (_, second, _), ..] = rows[..] else {
            return Err(TraceError::Short);
        };
        let step_seconds = second - first;
        for pair in rows.windows(2) {
            if step_seconds <= 0.0 || (pair[1].1 - pair[0].1 - step_seconds).abs() > 1e-6 {
                return Err(TraceError::Step { line: pair[1].0 });
            }
        }
        Ok(Self {
            step_seconds,
            counts: rows.into_iter().map(|(_, _, count)| count).collect(),
        })
    }

    /// Its first `days`, or all of it where it is shorter.
    #[must_use]
    pub fn first_days(mut self, days: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "float casts saturate"
        )]
        let steps = (days * 86_400.0 / self.step_seconds) as usize;
        self.counts.truncate(steps);
        self
    }

    /// Scaled so that `per_second` messages arrive on average.
    #[must_use]
    pub fn scaled_to(mut self, per_second: f64) -> Self {
        let mean = self.counts.iter().sum::<f64>() / self.seconds();
        if mean > 0.0 {
            for count in &mut self.counts {
                *count *= per_second / mean;
            }
        }
        self
    }

    /// Its length.
    pub fn seconds(&self) -> f64 {
        self.step_seconds * self.counts.len() as f64
    }

    /// A moment for each message, in order: a step's messages fall anywhere in it, and the
    /// fractions of scaled counts are carried over, so that none is lost by rounding.
    pub fn arrivals(&self, seed: u64) -> Vec<f64> {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        let mut carried: f64 = chance.random();
        let mut arrivals = Vec::new();
        for (index, count) in self.counts.iter().enumerate() {
            carried += count;
            let begin = index as f64 * self.step_seconds;
            let first = arrivals.len();
            while carried >= 1.0 {
                carried -= 1.0;
                arrivals.push(begin + chance.random::<f64>() * self.step_seconds);
            }
            arrivals[first..].sort_by(f64::total_cmp);
        }
        arrivals
    }
}

fn bad_row(index: usize, line: &str) -> TraceError {
    TraceError::Row {
        line: index + 1,
        found: line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_line_of_a_bad_row() {
        let error = Trace::parse("t_seconds,arrivals\n0,1\n60,many\n").unwrap_err();
        assert!(error.to_string().starts_with("line 3: found \"60,many\""));
        assert_eq!(
            Trace::parse("t,arrivals\n0,1\n60,1\n180,1\n"),
            Err(TraceError::Step { line: 4 })
        );
        assert_eq!(Trace::parse("t,arrivals\n0,1\n"), Err(TraceError::Short));
    }

    #[test]
    fn loses_no_message_to_rounding() {
        let trace = Trace {
            step_seconds: 60.0,
            counts: vec![0.3; 1000],
        };
        let arrivals = trace.arrivals(1);
        assert!((299..=301).contains(&arrivals.len()), "{}", arrivals.len());
        assert!(arrivals.is_sorted_by(|a, b| a <= b));
        assert_eq!(arrivals, trace.arrivals(1));
        assert_ne!(arrivals, trace.arrivals(2));
    }
}
