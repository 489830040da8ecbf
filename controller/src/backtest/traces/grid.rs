//! Rows in time made into steps of equal length, and what is missing between them said.
//!
//! Owns the step, how it is told, and gaps. It must not know how rows are written down.

use super::csv::Recorded;
use super::found::{Found, Spot, Wrong};
use crate::policy::{Place, Problems};
use crate::sim::Trace;

/// The most steps of a trace: a year and a half in seconds.
pub const STEPS_MAX: usize = 50_000_000;

/// The shortest step: SQS itself stamps messages to the millisecond.
pub(super) const STEP_SECONDS_MIN: f64 = 1e-3;

/// Rows that are looked at before the step is told.
const HEAD_ROWS: usize = 1000;
/// Times are written in decimals, and counted in binary: this much they may be off.
const TOLERANCE_SECONDS: f64 = 1e-6;
/// Gaps longer than this are named one by one.
const LONG_GAP_SECONDS: f64 = 3600.0;
/// So many at most.
const LONG_GAPS_MAX: usize = 5;
/// Above it, times are Unix time: 10^8 is March 1973, and three years of seconds.
const UNIX_TIME_MIN: f64 = 1e8;

/// One row of a trace.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) place: Place,
    pub(super) seconds: f64,
    pub(super) arrivals: f64,
    pub(super) service_seconds: Option<f64>,
}

/// Rows so far. They wait in `head` until the step is known.
#[derive(Debug)]
pub(super) struct Grid {
    step_seconds: Option<f64>,
    is_given: bool,
    head: Vec<Row>,
    latest_seconds: Option<f64>,
    first_seconds: f64,
    placed_seconds: f64,
    counts: Vec<f64>,
    service_seconds: Vec<Option<f64>>,
    untold: usize,
    gaps: Gaps,
}

/// Steps without a row.
#[derive(Debug, Default)]
struct Gaps {
    long: Vec<(f64, f64)>,
    count: usize,
    seconds: f64,
    first_seconds: f64,
}

impl Grid {
    pub(super) fn new(step_seconds: Option<f64>) -> Self {
        Self {
            step_seconds,
            is_given: step_seconds.is_some(),
            head: Vec::new(),
            latest_seconds: None,
            first_seconds: 0.0,
            placed_seconds: 0.0,
            counts: Vec::new(),
            service_seconds: Vec::new(),
            untold: 0,
            gaps: Gaps::default(),
        }
    }

    pub(super) fn push(&mut self, row: Row, found: &mut Found) {
        if let Some(latest) = self.latest_seconds
            && row.seconds <= latest
        {
            let wrong = Wrong {
                found: format!("{} after {latest}", row.seconds),
                allowed: "times that go up from row to row",
                advice: "sort the rows, and add up those of the same time",
            };
            found.add(Spot::time(row.place), wrong);
            return;
        }
        self.latest_seconds = Some(row.seconds);
        if let Some(step) = self.step_seconds {
            self.place(&row, step, found);
            return;
        }
        self.head.push(row);
        if self.head.len() == HEAD_ROWS {
            self.settle(found);
        }
    }

    /// The steps so far as a trace; or the problems found on the way.
    pub(super) fn finish(
        mut self,
        tells_service: bool,
        mut found: Found,
    ) -> Result<Recorded, Problems> {
        self.settle(&mut found);
        if self.counts.is_empty() && found.is_empty() {
            let wrong = Wrong {
                found: "a header and no rows".to_owned(),
                allowed: "at least two rows, or one where --step says how long it is",
                advice: "",
            };
            found.end_with(Spot::file(), wrong);
        }
        let Some(step_seconds) = self.step_seconds.filter(|_| found.is_empty()) else {
            return Err(found.into_problems());
        };
        let notes = self.notes(tells_service, step_seconds);
        if !tells_service {
            self.service_seconds.clear();
        }
        Ok(Recorded {
            trace: Trace {
                step_seconds,
                counts: self.counts,
                service_seconds: self.service_seconds,
            },
            notes,
        })
    }

    /// Tells the step from the rows that wait, and places them.
    fn settle(&mut self, found: &mut Found) {
        let head = std::mem::take(&mut self.head);
        let [first, second, ..] = &head[..] else {
            if let [only] = &head[..]
                && found.is_empty()
            {
                let wrong = Wrong {
                    found: "a single row".to_owned(),
                    allowed: "two rows or more, which tell how long a step is",
                    advice: "give the step's length, such as --step 60s",
                };
                found.add(Spot::time(only.place), wrong);
            }
            return;
        };
        let step = step_of(&head).unwrap_or(second.seconds - first.seconds);
        self.step_seconds = Some(step);
        if step < STEP_SECONDS_MIN {
            let wrong = Wrong {
                found: format!("rows {step} s apart"),
                allowed: "steps of at least 0.001 s",
                advice: "add up arrivals in longer steps",
            };
            found.end_with(Spot::time(second.place), wrong);
            return;
        }
        for row in &head {
            self.place(row, step, found);
        }
    }

    fn place(&mut self, row: &Row, step: f64, found: &mut Found) {
        if found.is_stopped() {
            return;
        }
        if self.counts.is_empty() {
            self.first_seconds = row.seconds;
        } else {
            let ahead_seconds = row.seconds - self.placed_seconds;
            let ahead = (ahead_seconds / step).round();
            if !is_multiple(ahead_seconds, step) {
                found.add(Spot::time(row.place), self.off(ahead_seconds, step));
            } else if ahead + self.counts.len() as f64 > STEPS_MAX as f64 {
                found.end_with(Spot::time(row.place), too_many(row, step));
                return;
            } else if ahead > 1.0 {
                self.gaps.note(self.placed_seconds, (ahead - 1.0) * step);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "whole, and within STEPS_MAX"
                )]
                let filled = self.counts.len() + ahead as usize - 1;
                self.counts.resize(filled, 0.0);
                self.service_seconds.resize(filled, None);
            }
        }
        self.untold += usize::from(row.arrivals > 0.0 && row.service_seconds.is_none());
        self.placed_seconds = row.seconds;
        self.counts.push(row.arrivals);
        self.service_seconds.push(row.service_seconds);
    }

    fn off(&self, ahead_seconds: f64, step: f64) -> Wrong<'static> {
        let found = format!(
            "{} s after the row before, where steps are {step} s",
            round(ahead_seconds)
        );
        let (allowed, advice) = if self.is_given {
            (
                "whole multiples of the --step that was given",
                "leave it out, or give another",
            )
        } else {
            (
                "whole multiples of a step",
                "resample the trace, or name a step that fits, such as --step 1s",
            )
        };
        Wrong {
            found,
            allowed,
            advice,
        }
    }

    fn notes(&self, tells_service: bool, step: f64) -> Vec<String> {
        let mut notes = self.gaps.notes(step);
        if tells_service && self.untold > 0 {
            notes.push(format!(
                "no mean_service_s for {} with arrivals: the policy's service time is taken",
                steps(self.untold as f64)
            ));
        }
        if self.first_seconds >= UNIX_TIME_MIN {
            let moment = jiff::Timestamp::from_second(whole_seconds(self.first_seconds));
            if let Ok(moment) = moment {
                notes.push(format!(
                    "t_seconds begins at {}, which is {moment} in Unix time; schedules go by it with --starts-at {moment}",
                    self.first_seconds
                ));
            }
        }
        notes
    }
}

impl Gaps {
    fn note(&mut self, after: f64, seconds: f64) {
        if seconds > LONG_GAP_SECONDS && self.long.len() < LONG_GAPS_MAX {
            self.long.push((after, seconds));
            return;
        }
        if self.count == 0 {
            self.first_seconds = after;
        }
        self.count += 1;
        self.seconds += seconds;
    }

    fn notes(&self, step: f64) -> Vec<String> {
        let missing = |seconds: f64| steps((seconds / step).round());
        let mut notes: Vec<String> = self
            .long
            .iter()
            .map(|(after, seconds)| {
                format!(
                    "no rows for {} after t_seconds {after} ({}): taken as no arrivals",
                    in_words(*seconds),
                    missing(*seconds)
                )
            })
            .collect();
        let more = if self.long.is_empty() { "" } else { "more " };
        match self.count {
            0 => {}
            1 => notes.push(format!(
                "no rows for {} after t_seconds {} ({}): taken as no arrivals",
                in_words(self.seconds),
                self.first_seconds,
                missing(self.seconds)
            )),
            count => notes.push(format!(
                "no rows in {count} {more}gaps of {} in all ({}), the first after t_seconds {}: taken as no arrivals",
                in_words(self.seconds),
                missing(self.seconds),
                self.first_seconds
            )),
        }
        notes
    }
}

/// The least distance of two rows where all others are multiples of it; else the most frequent.
fn step_of(rows: &[Row]) -> Option<f64> {
    let ahead: Vec<f64> = rows
        .windows(2)
        .map(|pair| pair[1].seconds - pair[0].seconds)
        .collect();
    let least = ahead.iter().copied().min_by(f64::total_cmp)?;
    if ahead.iter().all(|ahead| is_multiple(*ahead, least)) {
        // The earliest one, since later ones are the less precise the larger times are.
        return ahead
            .into_iter()
            .find(|ahead| *ahead - least <= TOLERANCE_SECONDS);
    }
    let alike = |one: f64| {
        let alike = ahead
            .iter()
            .filter(|other| (*other - one).abs() <= TOLERANCE_SECONDS);
        alike.count()
    };
    let first = ahead.iter().copied().rev();
    first.max_by_key(|one| alike(*one))
}

fn is_multiple(seconds: f64, step: f64) -> bool {
    let steps = (seconds / step).round();
    steps >= 1.0 && (seconds - steps * step).abs() <= TOLERANCE_SECONDS * steps
}

fn too_many(row: &Row, step: f64) -> Wrong<'static> {
    Wrong {
        found: format!("{}, which is beyond so many steps of {step} s", row.seconds),
        allowed: "a trace of at most 50,000,000 steps",
        advice: "add up arrivals in longer steps, or mend the time",
    }
}

fn steps(count: f64) -> String {
    let noun = if count > 1.0 { "steps" } else { "step" };
    format!("{count} {noun}")
}

/// Without the last binary digits' noise.
fn round(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}

#[expect(clippy::cast_possible_truncation, reason = "times are far below 2^63")]
fn whole_seconds(seconds: f64) -> i64 {
    seconds as i64
}

/// `40 s`, `5 min`, `2 h 30 min`, `3 d 4 h`: two units at most.
pub(super) fn in_words(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{} s", round(seconds));
    }
    let whole = whole_seconds(seconds.round());
    let units = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let first = units
        .iter()
        .position(|(unit, _)| whole >= *unit)
        .unwrap_or(3);
    let mut rest = whole;
    let mut words = Vec::new();
    for (unit, name) in units.iter().skip(first).take(2) {
        let count = rest / unit;
        rest %= unit;
        if count > 0 {
            words.push(format!("{count} {name}"));
        }
    }
    words.join(" ")
}
