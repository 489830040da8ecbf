//! Traces as text: `t_seconds,arrivals[,…]` in equal steps.

use crate::sim::Trace;

/// Reads `t_seconds,arrivals[,…]` with a header, further columns ignored.
pub fn parse(text: &str) -> Result<Trace, TraceError> {
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
    Ok(Trace {
        step_seconds,
        counts: rows.into_iter().map(|(_, _, count)| count).collect(),
        service_seconds: Vec::new(),
    })
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
        "line {line}: found a step that differs from the first one, allowed are equal steps; resample the trace"
    )]
    Step {
        /// Counted from 1.
        line: usize,
    },
    /// Fewer than two rows: no step can be told.
    #[error(
        "found fewer than two rows below the header; a trace has at least two, to tell its step"
    )]
    Short,
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
        let error = parse("t_seconds,arrivals\n0,1\n60,many\n").unwrap_err();
        assert!(error.to_string().starts_with("line 3: found \"60,many\""));
        assert_eq!(
            parse("t,arrivals\n0,1\n60,1\n180,1\n"),
            Err(TraceError::Step { line: 4 })
        );
        assert_eq!(parse("t,arrivals\n0,1\n"), Err(TraceError::Short));
    }
}
