//! Every "why" as data: a code, its numbers, and one place where the text is made.
//!
//! Reasons are what people read in `plan` and `explain` and what programs match on; codes are
//! stable. This module must not decide anything.

use std::fmt;

use serde::Serialize;

use crate::model::{Instances, Messages, Seconds};

/// Why a stage wanted what it wanted: `wanted` is the size a stage asked for, `allowed` what a
/// later stage left of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// Trust: the observation has no usable time.
    TimeUnknown {
        /// The size that is kept.
        wanted: Option<Instances>,
    },
    /// Trust: the observation is older than one already seen.
    TimeBackwards {
        /// The size that is kept.
        wanted: Option<Instances>,
        /// How far back it lies.
        behind_seconds: f64,
    },
    /// Trust: a queue's counts are not known.
    QueueUnknown {
        /// The size that is kept.
        wanted: Option<Instances>,
        /// The queue.
        queue: String,
        /// What of it is unknown.
        unknown: Vec<&'static str>,
    },
    /// Trust: the fleet's capacity is not known.
    FleetUnknown {
        /// The size that is kept.
        wanted: Option<Instances>,
        /// What of it is unknown.
        unknown: Vec<&'static str>,
    },
    /// Trust: a message or two on a queue that was empty, which SQS sometimes only imagines.
    Unconfirmed {
        /// The size that is kept.
        wanted: Instances,
        /// Messages seen.
        visible: Messages,
    },
    /// Demand: nothing waits, nothing runs.
    QueueEmpty {
        /// No instance.
        wanted: Instances,
    },
    /// Demand: what there is, or fewer, starts the backlog in time.
    BacklogCovered {
        /// Instances that suffice.
        wanted: Instances,
        /// Visible and in flight.
        backlog: Messages,
        /// Within this time.
        within_seconds: f64,
        /// What one instance starts within it, with what it runs.
        each: f64,
    },
    /// Demand: the capacity there is and on its way does not start the backlog in time.
    BacklogDue {
        /// Instances that do.
        wanted: Instances,
        /// Messages due.
        due: Messages,
        /// Within this time.
        within_seconds: f64,
        /// Instances that work.
        running: Instances,
        /// Instances on their way.
        booting: Instances,
        /// What those two start by then.
        started_by_then: Messages,
    },
    /// Demand: what runs does not start the backlog in time, with what boots it does.
    BacklogComing {
        /// Instances that do.
        wanted: Instances,
        /// Messages due.
        due: Messages,
        /// Within this time.
        within_seconds: f64,
        /// Instances that work.
        running: Instances,
        /// Instances on their way.
        booting: Instances,
    },
    /// Demand: the backlog is late whatever is done; the recovery is spread.
    BacklogLate {
        /// Instances that recover within the time.
        wanted: Instances,
        /// Messages that wait.
        due: Messages,
        /// How long the oldest has waited.
        waited_seconds: f64,
        /// The recovery is spread over this time.
        within_seconds: f64,
    },
    /// Demand: arrivals alone keep so many busy (Little's law).
    ArrivalRate {
        /// Instances that keep up.
        wanted: Instances,
        /// Arrivals a second.
        arrivals_per_second: f64,
        /// Mean seconds a job takes.
        service_seconds: f64,
        /// Slots an instance has.
        slots: f64,
    },
    /// Demand: messages in flight occupy so many.
    Occupied {
        /// Instances occupied.
        wanted: Instances,
        /// Messages in flight.
        in_flight: Messages,
        /// Slots an instance has.
        slots: f64,
    },
    /// Demand: delayed messages will be due soon; the last instance waits for them.
    DelayedSoon {
        /// One.
        wanted: Instances,
        /// Messages delayed.
        delayed: Messages,
    },
    /// Stabilize: it has not been seen for long enough that fewer suffice.
    HoldYoung {
        /// What demand asks for.
        wanted: Instances,
        /// What is kept.
        allowed: Instances,
        /// How long fewer have sufficed.
        for_seconds: f64,
        /// How long spare capacity is kept.
        hold_seconds: f64,
    },
    /// Stabilize: more were needed within the hold.
    HoldRecent {
        /// What demand asks for.
        wanted: Instances,
        /// What is kept.
        allowed: Instances,
        /// When that many were needed.
        seconds_ago: f64,
        /// How long spare capacity is kept.
        hold_seconds: f64,
    },
    /// Stabilize: instances that boot are never cancelled.
    BootingKept {
        /// What demand asks for.
        wanted: Instances,
        /// What is kept.
        allowed: Instances,
    },
    /// Stabilize: zero takes a second look.
    ZeroUnconfirmed {
        /// None.
        wanted: Instances,
        /// The last one.
        allowed: Instances,
    },
    /// Limit: a schedule asks for more.
    ScheduleMin {
        /// What was wanted.
        wanted: Instances,
        /// The schedule's minimum.
        allowed: Instances,
        /// The schedule's cron expression.
        cron: String,
    },
    /// Limit: the fleet's minimum.
    FleetMin {
        /// What was wanted.
        wanted: Instances,
        /// The minimum.
        allowed: Instances,
    },
    /// Limit: the fleet's maximum.
    FleetMax {
        /// What was wanted.
        wanted: Instances,
        /// The maximum.
        allowed: Instances,
    },
    /// Limit: what is left of the budget carries no more.
    BudgetLimited {
        /// What was wanted.
        wanted: Instances,
        /// What the rest carries.
        allowed: Instances,
        /// Instance-hours used in the last 24 hours.
        used_hours: f64,
        /// Instance-hours a day.
        budget_hours: f64,
    },
    /// Limit: the most a size may change in one round.
    StepLimited {
        /// What was wanted.
        wanted: Instances,
        /// As far as one round goes.
        allowed: Instances,
    },
    /// Check: the verdict broke a guarantee and is not carried out.
    CheckFailed {
        /// What the verdict wanted.
        wanted: Option<Instances>,
        /// What is kept.
        allowed: Option<Instances>,
        /// What it broke.
        broken: Vec<String>,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimeUnknown { .. }
            | Self::TimeBackwards { .. }
            | Self::QueueUnknown { .. }
            | Self::FleetUnknown { .. }
            | Self::Unconfirmed { .. } => self.doubt(f),
            Self::QueueEmpty { .. }
            | Self::BacklogCovered { .. }
            | Self::BacklogDue { .. }
            | Self::BacklogComing { .. }
            | Self::BacklogLate { .. }
            | Self::ArrivalRate { .. }
            | Self::Occupied { .. }
            | Self::DelayedSoon { .. } => self.demand(f),
            Self::HoldYoung { .. }
            | Self::HoldRecent { .. }
            | Self::BootingKept { .. }
            | Self::ZeroUnconfirmed { .. } => self.stability(f),
            Self::ScheduleMin { .. }
            | Self::FleetMin { .. }
            | Self::FleetMax { .. }
            | Self::BudgetLimited { .. }
            | Self::StepLimited { .. } => self.limit(f),
            Self::CheckFailed { wanted, broken, .. } => write!(
                f,
                "changes nothing: the verdict{} broke a guarantee, which is a defect of this \
                 program: {}",
                wanted.map_or(String::new(), |n| format!(" ({})", n.0)),
                broken.join("; ")
            ),
        }
    }
}

impl Reason {
    fn doubt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimeUnknown { wanted } => {
                write!(f, "{}: the observation has no usable time", keep(*wanted))
            }
            Self::TimeBackwards {
                wanted,
                behind_seconds,
            } => write!(
                f,
                "{}: the observation is {} older than the last one",
                keep(*wanted),
                span(*behind_seconds)
            ),
            Self::QueueUnknown {
                wanted,
                queue,
                unknown,
            } => write!(
                f,
                "{}: not known of queue {queue}: {}",
                keep(*wanted),
                unknown.join(", ")
            ),
            Self::FleetUnknown { wanted, unknown } => {
                write!(
                    f,
                    "{}: not known of the fleet: {}",
                    keep(*wanted),
                    unknown.join(", ")
                )
            }
            Self::Unconfirmed { wanted, visible } => write!(
                f,
                "{}: {} on a queue that was empty may be a miscount; a second look decides",
                keep(Some(*wanted)),
                messages(*visible)
            ),
            _ => Ok(()),
        }
    }

    fn demand(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QueueEmpty { .. } => {
                f.write_str("no instance is needed: nothing waits, nothing runs")
            }
            Self::BacklogCovered {
                wanted,
                backlog,
                within_seconds,
                each,
            } => write!(
                f,
                "{} for a backlog of {}: one instance carries {} and starts them within {}",
                suffices(*wanted),
                messages(*backlog),
                decimal(*each),
                span(*within_seconds)
            ),
            Self::BacklogDue {
                wanted,
                due,
                within_seconds,
                running,
                booting,
                started_by_then,
            } => {
                let verb = if due.0 == 1 { "is" } else { "are" };
                write!(
                    f,
                    "grow to {}: {} {verb} due within {}; {} running and {} booting start {} of them \
                     by then",
                    wanted.0,
                    messages(*due),
                    span(*within_seconds),
                    running.0,
                    booting.0,
                    thousands(started_by_then.0)
                )
            }
            Self::BacklogComing {
                wanted,
                due,
                within_seconds,
                running,
                booting,
            } => write!(
                f,
                "{} for {} due within {}: {} running, {} booting",
                suffices(*wanted),
                messages(*due),
                span(*within_seconds),
                running.0,
                booting.0
            ),
            Self::BacklogLate {
                wanted,
                due,
                waited_seconds,
                within_seconds,
            } => write!(
                f,
                "{} to recover: the oldest of {} has waited {}; the recovery is spread over {}",
                instances(*wanted),
                messages(*due),
                span(*waited_seconds),
                span(*within_seconds)
            ),
            Self::ArrivalRate {
                wanted,
                arrivals_per_second,
                service_seconds,
                slots,
            } => write!(
                f,
                "{} to keep up with {} messages a second, at {} each on {} an instance",
                instances(*wanted),
                decimal(*arrivals_per_second),
                span(*service_seconds),
                slots_text(*slots)
            ),
            Self::Occupied {
                wanted,
                in_flight,
                slots,
            } => write!(
                f,
                "{} occupied: {} in flight on {} an instance",
                instances(*wanted),
                messages(*in_flight),
                slots_text(*slots)
            ),
            Self::DelayedSoon { delayed, .. } => write!(
                f,
                "keep one instance: {} delayed and due soon",
                messages(*delayed)
            ),
            _ => Ok(()),
        }
    }

    fn stability(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HoldYoung {
                wanted,
                allowed,
                for_seconds,
                hold_seconds,
            } => write!(
                f,
                "keep {}: that {} has been seen for {} of the {} that spare capacity is held",
                allowed.0,
                suffice_clause(*wanted),
                span(*for_seconds),
                span(*hold_seconds)
            ),
            Self::HoldRecent {
                allowed,
                seconds_ago,
                hold_seconds,
                ..
            } => write!(
                f,
                "no fewer than {}: {} needed {} ago, and spare capacity is held for {}",
                allowed.0,
                if allowed.0 == 1 {
                    "it was"
                } else {
                    "that many were"
                },
                span(*seconds_ago),
                span(*hold_seconds)
            ),
            Self::BootingKept { allowed, .. } => write!(
                f,
                "no fewer than {}: what boots is not cancelled",
                allowed.0
            ),
            Self::ZeroUnconfirmed { .. } => {
                f.write_str("keep one instance: the queue has to be seen empty a second time")
            }
            _ => Ok(()),
        }
    }

    fn limit(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ScheduleMin { allowed, cron, .. } => {
                write!(f, "at least {}: the schedule \"{cron}\" is open", allowed.0)
            }
            Self::FleetMin { allowed, .. } => write!(f, "at least {}: the fleet's min", allowed.0),
            Self::FleetMax { wanted, allowed } => {
                write!(f, "at most {} of {}: the fleet's max", allowed.0, wanted.0)
            }
            Self::BudgetLimited {
                wanted,
                allowed,
                used_hours,
                budget_hours,
            } => write!(
                f,
                "at most {} of {}: {} of the day's {} instance-hours are used",
                allowed.0,
                wanted.0,
                decimal(*used_hours),
                decimal(*budget_hours)
            ),
            Self::StepLimited { wanted, allowed } => {
                write!(
                    f,
                    "{} on the way to {}: the step limit of one round",
                    allowed.0, wanted.0
                )
            }
            _ => Ok(()),
        }
    }
}

fn keep(size: Option<Instances>) -> String {
    size.map_or_else(|| "hold".to_owned(), |size| format!("keep {}", size.0))
}

fn instances(n: Instances) -> String {
    if n.0 == 1 {
        "1 instance".to_owned()
    } else {
        format!("{} instances", thousands(n.0.into()))
    }
}

fn suffices(n: Instances) -> String {
    let verb = if n.0 == 1 { "suffices" } else { "suffice" };
    format!("{} {verb}", instances(n))
}

fn suffice_clause(n: Instances) -> String {
    match n.0 {
        0 => "none is needed".to_owned(),
        1 => "1 suffices".to_owned(),
        n => format!("{n} suffice"),
    }
}

fn messages(n: Messages) -> String {
    if n.0 == 1 {
        "1 message".to_owned()
    } else {
        format!("{} messages", thousands(n.0))
    }
}

fn slots_text(slots: f64) -> String {
    if (slots - 1.0).abs() < 1e-9 {
        "1 slot".to_owned()
    } else {
        format!("{} slots", decimal(slots))
    }
}

/// `48 s`, `7.9 s`, `25 min`, `2.5 h`.
fn span(seconds: f64) -> String {
    match Seconds(seconds).0 {
        s if s >= 7200.0 => format!("{} h", decimal(s / 3600.0)),
        s if s >= 600.0 => format!("{} min", decimal(s / 60.0)),
        s => format!("{} s", decimal(s)),
    }
}

/// Three figures are enough to read: `1,900`, `28.5`, `0.42`.
fn decimal(x: f64) -> String {
    let text = match x.abs() {
        a if a >= 100.0 => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "rounded, and the sign is put back"
            )]
            let whole = x.abs().round() as u64;
            let sign = if x < 0.0 { "-" } else { "" };
            return format!("{sign}{}", thousands(whole));
        }
        a if a >= 10.0 => format!("{x:.1}"),
        _ => format!("{x:.2}"),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_like_numbers() {
        let cases = [
            (0.0, "0"),
            (0.424, "0.42"),
            (8.0, "8"),
            (28.5, "28.5"),
            (1899.7, "1,900"),
            (-1234.0, "-1,234"),
        ];
        for (number, text) in cases {
            assert_eq!(decimal(number), text);
        }
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(999), "999");
        assert_eq!(span(5400.0), "90 min");
    }

    #[test]
    fn a_reason_reads_like_a_colleague() {
        let reason = Reason::BacklogDue {
            wanted: Instances(14),
            due: Messages(1900),
            within_seconds: 48.0,
            running: Instances(8),
            booting: Instances(2),
            started_by_then: Messages(1310),
        };
        assert_eq!(
            reason.to_string(),
            "grow to 14: 1,900 messages are due within 48 s; 8 running and 2 booting start 1,310 \
             of them by then"
        );
    }
}
