//! Arrivals as a backtest takes them: a trace with its name and begin, cut and scaled.
//!
//! Owns what may be asked of any source. It must not read a file's rows or make a shape.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::csv::{Recorded, read};
use super::found::{Wrong, one};
use super::generate::Generator;
use super::grid::{STEP_SECONDS_MIN, in_words};
use crate::model::UnixSeconds;
use crate::policy::Problems;
use crate::sim::Trace;

/// When traces begin that do not say when: Monday, 1 January 2024, 00:00 UTC.
pub const MONDAY: UnixSeconds = UnixSeconds(1_704_067_200.0);

/// The most messages of a trace. Each has its times in memory while it is simulated.
pub const MESSAGES_MAX: f64 = 1e9;

const DAY_SECONDS: f64 = 86_400.0;

/// What arrives, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrivals {
    /// The file's name, the generator's text or the queue's name.
    pub name: String,
    /// How many, step by step.
    pub trace: Trace,
    /// What the clock says at the begin; schedules go by it.
    pub starts_at: UnixSeconds,
    /// What a reader of the figures should know, in sentences.
    pub notes: Vec<String>,
}

/// Where arrivals come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A trace as CSV.
    File(PathBuf),
    /// Made up.
    Generated(Generator),
}

/// What is to be done with any source's arrivals.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The first so many days only.
    pub days: Option<f64>,
    /// More or fewer messages.
    pub scale: Option<Scale>,
    /// What the clock says at the begin.
    pub starts_at: UnixSeconds,
    /// A step's length, where the rows of a file do not tell.
    pub step_seconds: Option<f64>,
}

/// How many messages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// So many times as many.
    Factor(f64),
    /// As many as keep so many instances busy on average.
    Instances {
        /// Busy instances on average.
        mean: f64,
        /// Jobs an instance runs at a time.
        slots: u32,
        /// Mean seconds a job takes, where the trace does not tell.
        service_seconds: f64,
    },
}

impl Default for Options {
    fn default() -> Self {
        Self {
            days: None,
            scale: None,
            starts_at: MONDAY,
            step_seconds: None,
        }
    }
}

/// Reads or makes arrivals, cuts and scales them.
pub fn load(source: &Source, options: &Options) -> Result<Arrivals, Problems> {
    match source {
        Source::File(path) => {
            let name = path.file_name().unwrap_or(path.as_os_str());
            let recorded = read_file(path, options.step_seconds)?;
            fit(&name.to_string_lossy(), recorded, options)
        }
        Source::Generated(generator) => {
            if let Some(step) = options.step_seconds {
                let wrong = Wrong {
                    found: format!("{step} s for a generator"),
                    allowed: "--step with a file of a single row or of gaps only",
                    advice: "write step=… among the generator's keys",
                };
                return Err(one("--step", wrong));
            }
            let recorded = Recorded {
                trace: generator.trace(options.starts_at),
                notes: Vec::new(),
            };
            fit(&generator.to_string(), recorded, options)
        }
    }
}

/// Cuts and scales a trace, and refuses one that is too large to be simulated.
pub fn fit(name: &str, recorded: Recorded, options: &Options) -> Result<Arrivals, Problems> {
    let Recorded {
        mut trace,
        mut notes,
    } = recorded;
    if let Some(days) = options.days {
        trace = cut(trace, days, &mut notes)?;
    }
    if let Some(scale) = options.scale {
        trace = scaled(trace, scale, &mut notes)?;
    }
    let messages: f64 = trace.counts.iter().sum();
    if messages > MESSAGES_MAX {
        let wrong = Wrong {
            found: format!("{messages:.3e} messages"),
            allowed: "at most 1,000,000,000",
            advice: "scale it down with --scale or --scale-to, or take fewer --days",
        };
        return Err(one(name, wrong));
    }
    if messages <= 0.0 {
        notes.push("no message arrives in the whole trace".to_owned());
    }
    Ok(Arrivals {
        name: name.to_owned(),
        trace,
        starts_at: options.starts_at,
        notes,
    })
}

/// Mean seconds a job takes: the trace's own where it tells, weighed by arrivals.
pub fn mean_service_seconds(trace: &Trace, else_seconds: f64) -> f64 {
    let (mut messages, mut seconds) = (0.0, 0.0);
    for (step, count) in trace.counts.iter().enumerate() {
        let told = trace.service_seconds.get(step).copied().flatten();
        messages += count;
        seconds += count * told.unwrap_or(else_seconds);
    }
    if messages > 0.0 && !trace.service_seconds.is_empty() {
        seconds / messages
    } else {
        else_seconds
    }
}

/// Reads a moment with its offset from UTC, as RFC 3339 has it.
pub fn starts_at(text: &str) -> Result<UnixSeconds, String> {
    text.trim()
        .parse::<jiff::Timestamp>()
        .map(|moment| UnixSeconds(moment.as_duration().as_secs_f64()))
        .map_err(|_| {
            format!(
                "found {text:?}; allowed is a moment with its offset from UTC, such as \
                 2024-01-01T00:00:00Z or 2024-01-01T00:00:00+01:00"
            )
        })
}

fn read_file(path: &Path, step_seconds: Option<f64>) -> Result<Recorded, Problems> {
    let shown = path.display().to_string();
    if let Some(step) =
        step_seconds.filter(|step| !(STEP_SECONDS_MIN..=366.0 * DAY_SECONDS).contains(step))
    {
        let wrong = Wrong {
            found: format!("{step} s"),
            allowed: "a step of a millisecond to a year",
            advice: "",
        };
        return Err(one("--step", wrong));
    }
    let unreadable = |error: &io::Error| {
        let found = match error.kind() {
            io::ErrorKind::NotFound => "no such file".to_owned(),
            io::ErrorKind::IsADirectory => "a folder".to_owned(),
            _ => format!("a file that cannot be read ({error})"),
        };
        let wrong = Wrong {
            found,
            allowed: "a trace as CSV, `t_seconds,arrivals`",
            advice: "",
        };
        one(&shown, wrong)
    };
    if path.is_dir() {
        return Err(unreadable(&io::ErrorKind::IsADirectory.into()));
    }
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    read(&shown, file, step_seconds)
}

fn cut(trace: Trace, days: f64, notes: &mut Vec<String>) -> Result<Trace, Problems> {
    let (had, step) = (trace.seconds(), trace.step_seconds);
    let wanted = days * DAY_SECONDS;
    let cut = trace.first_days(days.max(0.0));
    if cut.counts.is_empty() {
        let allowed = format!("at least the trace's step, {}", in_words(step));
        let wrong = Wrong {
            found: format!("{days} days"),
            allowed: &allowed,
            advice: "leave it out for the whole trace",
        };
        return Err(one("--days", wrong));
    }
    if wanted > had {
        notes.push(format!(
            "the trace has {}, less than the {days} days asked for",
            in_words(had)
        ));
    } else if wanted < had {
        notes.push(format!(
            "cut to its first {} of {}",
            in_words(cut.seconds()),
            in_words(had)
        ));
    }
    Ok(cut)
}

fn scaled(mut trace: Trace, scale: Scale, notes: &mut Vec<String>) -> Result<Trace, Problems> {
    let (option, asked, is_usual) = match scale {
        Scale::Factor(factor) => ("--scale", factor, factor > 0.0),
        Scale::Instances {
            mean,
            slots,
            service_seconds,
        } => (
            "--scale-to",
            mean,
            mean > 0.0 && slots > 0 && service_seconds > 0.0,
        ),
    };
    if !(is_usual && asked <= 1e6) {
        let wrong = Wrong {
            found: asked.to_string(),
            allowed: "a number above 0 and at most 1,000,000",
            advice: "",
        };
        return Err(one(option, wrong));
    }
    match scale {
        Scale::Factor(factor) => {
            for count in &mut trace.counts {
                *count *= factor;
            }
            notes.push(format!("scaled to {factor} times as many messages"));
            Ok(trace)
        }
        Scale::Instances {
            mean,
            slots,
            service_seconds,
        } => {
            let service_seconds = mean_service_seconds(&trace, service_seconds);
            notes.push(format!("scaled to the work of {mean} instances on average"));
            Ok(trace.scaled_to(mean * f64::from(slots) / service_seconds))
        }
    }
}
