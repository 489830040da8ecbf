//! Reads an arrival trace: `t_seconds,arrivals[,mean_service_s]`, from 0 in fixed steps.
//!
//! This module owns the format and says all that is wrong with a file at once, each with line and
//! column. It must not know what the arrivals are used for.

use std::fmt;
use std::path::{Path, PathBuf};

use csv::{ByteRecord, ReaderBuilder};

const HEADER: &str = "t_seconds,arrivals[,mean_service_s]";
/// More problems than this are counted, not listed.
const PROBLEMS_LISTED: usize = 20;
/// Steps are equal within a thousandth: published times are rounded.
const STEP_TOLERANCE: f64 = 1e-3;

/// Arrivals counted in equal steps of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Seconds a step.
    pub step_seconds: f64,
    /// Arrivals in each step.
    pub arrivals: Vec<f64>,
}

/// Why a trace cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file cannot be read.
    #[error("the trace {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not a trace.
    #[error("{} is not a trace ({HEADER}):\n{problems}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// All that is wrong with it.
        problems: Problems,
    },
}

/// All that is wrong with a file, in the order of its lines.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

#[derive(Debug, PartialEq, Eq)]
struct Problem {
    line: u64,
    column: usize,
    text: String,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = self.0.iter().take(PROBLEMS_LISTED);
        for (nth, Problem { line, column, text }) in listed.enumerate() {
            let newline = if nth == 0 { "" } else { "\n" };
            write!(f, "{newline}  line {line}, column {column}: {text}")?;
        }
        match self.0.len().saturating_sub(PROBLEMS_LISTED) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

impl Trace {
    /// Reads and validates a file.
    pub fn read(path: &Path) -> Result<Self, TraceError> {
        let bytes = std::fs::read(path).map_err(|source| TraceError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&bytes).map_err(|problems| TraceError::Invalid {
            path: path.to_owned(),
            problems,
        })
    }

    /// Validates a file's content.
    pub fn parse(bytes: &[u8]) -> Result<Self, Problems> {
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .quoting(false)
            .from_reader(bytes);
        let mut parsing = Parsing::default();
        let mut record = ByteRecord::new();
        // Reading bytes without quoting cannot fail: any bytes are records of fields.
        while reader.read_byte_record(&mut record).unwrap_or(false) {
            let line = record.position().map_or(0, csv::Position::line);
            if parsing.columns == 0 {
                parsing.header(line, &record);
            } else {
                parsing.row(line, &record);
            }
        }
        parsing.finish()
    }

    /// The calendar day with most arrivals, counted from the trace's start; the whole trace where
    /// it is no longer than a day.
    #[must_use]
    pub fn busiest_day(self) -> Self {
        const DAY_SECONDS: f64 = 86_400.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at least 1, and a day has few steps"
        )]
        let steps = (DAY_SECONDS / self.step_seconds).round().max(1.0) as usize;
        let arrivals = self
            .arrivals
            .chunks(steps)
            .max_by(|one, other| sum(one).total_cmp(&sum(other)))
            .map(<[f64]>::to_vec)
            .unwrap_or_default();
        Self {
            step_seconds: self.step_seconds,
            arrivals,
        }
    }
}

fn sum(arrivals: &[f64]) -> f64 {
    arrivals.iter().sum()
}

#[derive(Debug, Default)]
struct Parsing {
    columns: usize,
    times: Vec<f64>,
    arrivals: Vec<f64>,
    last_line: u64,
    problems: Problems,
}

impl Parsing {
    fn header(&mut self, line: u64, record: &ByteRecord) {
        let names: Vec<_> = record.iter().map(String::from_utf8_lossy).collect();
        let found = names.join(",");
        let known = ["t_seconds,arrivals", "t_seconds,arrivals,mean_service_s"];
        if !known.contains(&found.trim_start_matches('\u{feff}')) {
            let text = format!("the header is {}, not {HEADER}", shown(&found));
            self.problem(line, 1, text);
        }
        self.columns = names.len();
        self.last_line = line;
    }

    fn row(&mut self, line: u64, record: &ByteRecord) {
        self.last_line = line;
        let fields: Vec<_> = record.iter().map(String::from_utf8_lossy).collect();
        if fields.len() != self.columns {
            let text = format!(
                "{} fields where the header has {}",
                fields.len(),
                self.columns
            );
            return self.problem(line, 1, text);
        }
        let mut column = 1;
        for (nth, field) in fields.iter().enumerate() {
            match nth {
                0 => self.time(line, column, field),
                1 => self.count(line, column, field),
                _ => self.service(line, column, field),
            }
            column += field.chars().count() + 1;
        }
    }

    fn time(&mut self, line: u64, column: usize, field: &str) {
        let Some(time) = number(field) else {
            let text = format!("t_seconds is {}, not a number from 0", shown(field));
            return self.problem(line, column, text);
        };
        let expected = match self.times[..] {
            [] => Some(0.0),
            [_] => (time <= 0.0).then_some(f64::NAN),
            [first, second, ..] => {
                let step = second - first;
                let last = self.times[self.times.len() - 1];
                Some(last + step)
            }
        };
        match expected {
            Some(due) if due.is_nan() => {
                let text = format!("t_seconds is {field}, which does not come after 0");
                self.problem(line, column, text);
            }
            Some(due) if (time - due).abs() > STEP_TOLERANCE * due.max(1.0) => {
                let text = format!("t_seconds is {field} where the fixed steps give {due}");
                self.problem(line, column, text);
            }
            _ => {}
        }
        self.times.push(time);
    }

    fn count(&mut self, line: u64, column: usize, field: &str) {
        if let Some(count) = number(field) {
            self.arrivals.push(count);
        } else {
            let text = format!("arrivals is {}, not a count from 0", shown(field));
            self.problem(line, column, text);
        }
    }

    fn service(&mut self, line: u64, column: usize, field: &str) {
        if !field.trim().is_empty() && number(field).is_none() {
            let text = format!(
                "mean_service_s is {}, not seconds from 0 (blank: no arrivals)",
                shown(field)
            );
            self.problem(line, column, text);
        }
    }

    fn finish(mut self) -> Result<Trace, Problems> {
        let after = self.last_line + 1;
        if self.columns == 0 {
            self.problem(
                1,
                1,
                format!("the file is empty; it must begin with {HEADER}"),
            );
        } else if self.problems.0.is_empty() && self.times.len() < 2 {
            self.problem(after, 1, "at least two steps are needed".into());
        } else if self.problems.0.is_empty() && sum(&self.arrivals) <= 0.0 {
            self.problem(after, 1, "the file ends without a single arrival".into());
        }
        if !self.problems.0.is_empty() {
            return Err(self.problems);
        }
        Ok(Trace {
            step_seconds: self.times[1] - self.times[0],
            arrivals: self.arrivals,
        })
    }

    fn problem(&mut self, line: u64, column: usize, text: String) {
        self.problems.0.push(Problem { line, column, text });
    }
}

fn number(field: &str) -> Option<f64> {
    let value: f64 = field.trim().parse().ok()?;
    (value.is_finite() && value >= 0.0).then_some(value)
}

fn shown(field: &str) -> String {
    if field.is_empty() {
        "blank".into()
    } else {
        format!("{field:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> String {
        Trace::parse(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn reads_counts_with_and_without_service_times() {
        let trace = Trace::parse(b"t_seconds,arrivals\n0,3\n60,0\n").unwrap();
        assert_eq!((trace.step_seconds, trace.arrivals), (60.0, vec![3.0, 0.0]));
        let trace = Trace::parse(b"t_seconds,arrivals,mean_service_s\n0,0,\n10,2,7.5\n").unwrap();
        assert_eq!((trace.step_seconds, trace.arrivals), (10.0, vec![0.0, 2.0]));
    }

    #[test]
    fn says_all_that_is_wrong_with_line_and_column() {
        let text = "t_seconds,arrivals,mean_service_s\n0,3,\n60,-1,soon\n100,many,\n180,1\n";
        insta::assert_snapshot!(problems(text), @r#"
        line 3, column 4: arrivals is "-1", not a count from 0
        line 3, column 7: mean_service_s is "soon", not seconds from 0 (blank: no arrivals)
        line 4, column 1: t_seconds is 100 where the fixed steps give 120
        line 4, column 5: arrivals is "many", not a count from 0
        line 5, column 1: 2 fields where the header has 3
        "#);
    }

    #[test]
    fn refuses_what_is_no_trace_at_all() {
        let cases = [
            ("", "line 1, column 1: the file is empty"),
            ("time,count\n0,1\n1,1\n", "the header is \"time,count\""),
            (
                "t_seconds,arrivals\n",
                "line 2, column 1: at least two steps",
            ),
            ("t_seconds,arrivals\n0,0\n1,0\n", "without a single arrival"),
            (
                "t_seconds,arrivals\n5,1\n6,1\n",
                "line 2, column 1: t_seconds is 5 where",
            ),
            ("t_seconds,arrivals\n0,1\n0,1\n", "does not come after 0"),
            ("t_seconds,arrivals\n0,1\n1,inf\n", "arrivals is \"inf\""),
            ("t_seconds,arrivals\n0,\n1,1\n", "arrivals is blank"),
        ];
        for (text, expected) in cases {
            let found = problems(text);
            assert!(found.contains(expected), "{text:?}: {found}");
        }
    }

    #[test]
    fn takes_the_busiest_day_of_a_long_trace() {
        let trace = Trace {
            step_seconds: 43_200.0,
            arrivals: vec![5.0, 1.0, 2.0, 9.0, 3.0],
        };
        assert_eq!(trace.busiest_day().arrivals, [2.0, 9.0]);
    }
}
