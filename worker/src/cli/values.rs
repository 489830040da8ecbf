//! What a setting's value may be: parsers whose errors say what is allowed, for a flag, a variable, a
//! key of the configuration file and the table of settings alike.
//!
//! They know one value at a time; what several settings mean together is the builder's affair.

use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;

use crate::builder::check_queue;
use crate::flow::Share;
use crate::handler::http::Service;
use crate::observe::EmfTo;

/// A value that is not allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotAllowed {
    /// What is.
    pub(crate) allowed: String,
    /// What is wrong, where that is not plain.
    pub(crate) why: Option<String>,
}

impl fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = &self.why {
            write!(f, "{why}; ")?;
        }
        write!(f, "allowed is {}", self.allowed)
    }
}

impl std::error::Error for NotAllowed {}

/// A parser's answer.
type Parsed<T> = Result<T, NotAllowed>;

fn allowed_is<T>(allowed: impl Into<String>) -> Parsed<T> {
    Err(NotAllowed {
        allowed: allowed.into(),
        why: None,
    })
}

/// Jobs at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slots {
    Fixed(u32),
    Auto,
}

/// The most slots of a worker.
const SLOTS_MAX: u32 = 1024;

pub(super) fn slots(text: &str) -> Parsed<Slots> {
    if text == "auto" {
        return Ok(Slots::Auto);
    }
    match text.parse() {
        Ok(slots) if (1..=SLOTS_MAX).contains(&slots) => Ok(Slots::Fixed(slots)),
        _ => allowed_is(format!("a whole number from 1 to {SLOTS_MAX}, or auto")),
    }
}

pub(super) fn slots_max(text: &str) -> Parsed<u32> {
    whole(1..=SLOTS_MAX)(text)
}

/// A whole number within a range.
pub(super) fn whole<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Parsed<T> + Clone
where
    T: FromStr + PartialOrd + fmt::Display + Clone,
{
    move |text| match text.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => allowed_is(format!(
            "a whole number from {} to {}",
            range.start(),
            range.end()
        )),
    }
}

/// A number within a range.
pub(super) fn number(range: RangeInclusive<f64>) -> impl Fn(&str) -> Parsed<f64> + Clone {
    move |text| match text.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => allowed_is(format!(
            "a number from {} to {}",
            range.start(),
            range.end()
        )),
    }
}

/// A duration with its unit, within a range.
pub(super) fn lasting(
    range: RangeInclusive<Duration>,
) -> impl Fn(&str) -> Parsed<Duration> + Clone {
    move |text| {
        let parsed: Option<SignedDuration> = text.trim().parse().ok();
        let parsed = parsed.and_then(|signed| Duration::try_from(signed).ok());
        if let Some(duration) = parsed.filter(|duration| range.contains(duration)) {
            return Ok(duration);
        }
        allowed_is(format!(
            "a duration with its unit, such as 500ms, 90s or 1h 30m, from {} to {}",
            spoken(*range.start()),
            spoken(*range.end())
        ))
    }
}

/// A duration as it may be written: `12h`, `14d`.
fn spoken(duration: Duration) -> String {
    let hours = duration.as_secs() / 3600;
    if duration.is_zero() {
        "0s".into()
    } else if duration == Duration::from_hours(hours) {
        format!("{hours}h")
    } else {
        SignedDuration::try_from(duration).map_or_else(|_| "for ever".into(), |d| format!("{d:#}"))
    }
}

/// Any text but none.
pub(super) fn text(text: &str) -> Parsed<String> {
    if text.trim().is_empty() {
        allowed_is("any text but an empty one")
    } else {
        Ok(text.to_owned())
    }
}

/// Where metrics for CloudWatch go.
pub(super) fn emf_to(text: &str) -> Parsed<EmfTo> {
    match text {
        "-" => Ok(EmfTo::Stdout),
        path if !path.trim().is_empty() => Ok(EmfTo::File(path.into())),
        _ => allowed_is("a file's path, or - for standard output"),
    }
}

pub(super) fn address(text: &str) -> Parsed<SocketAddr> {
    text.parse()
        .or_else(|_| allowed_is("an address and a port, such as 127.0.0.1:9464"))
}

pub(super) fn service(text: &str) -> Parsed<Service> {
    text.parse()
        .map_err(|error: crate::handler::http::UrlError| {
            let words = error.to_string();
            let (why, allowed) = words.split_once("; allowed is ").unwrap_or(("", &words));
            NotAllowed {
                allowed: allowed.to_owned(),
                why: Some(why.to_owned()).filter(|why| !why.is_empty()),
            }
        })
}

/// A queue and, after commas, its claim to the slots.
pub(super) fn queue(text: &str) -> Parsed<(String, Share)> {
    let allowed = "a queue's name (1 to 80 letters, digits, - and _, and .fifo at the end of a FIFO \
                   queue's) or its URL; after it weight=N (1 or more) and priority=N (0 is first), \
                   each behind a comma";
    let mut parts = text.split(',').map(str::trim);
    let queue = parts.next().unwrap_or_default().to_owned();
    if check_queue(&queue).is_err() {
        return allowed_is(allowed);
    }
    let mut share = Share::default();
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        match (key, value.parse::<u32>().ok()) {
            ("weight", Some(weight)) if weight > 0 => share.weight = weight,
            ("priority", Some(priority)) => share.priority = priority,
            _ => return allowed_is(allowed),
        }
    }
    Ok((queue, share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_at_both_ends_and_are_said() {
        let second = Duration::from_secs(1);
        let parse = lasting(2 * second..=Duration::from_hours(12));
        assert_eq!(parse("2s"), Ok(2 * second));
        assert_eq!(parse("12h"), Ok(Duration::from_hours(12)));
        for bad in ["1999ms", "12h 1s", "10", "-5s", "soon", ""] {
            let error = parse(bad).unwrap_err();
            assert!(error.allowed.ends_with("from 2s to 12h"), "{error}");
        }
        let parse = number(0.5..=2.0);
        assert!(parse("0.5").is_ok() && parse("2").is_ok());
        assert!(parse("NaN").is_err() && parse("inf").is_err() && parse("0.4").is_err());
        assert!(whole(1..=3_u32)("3").is_ok() && whole(1..=3_u32)("4").is_err());
        assert!(slots("0").is_err() && slots("1025").is_err() && slots("auto").is_ok());
    }

    #[test]
    fn queues_carry_their_claim() {
        let share = Share {
            weight: 3,
            priority: 1,
        };
        assert_eq!(
            queue("jobs,weight=3, priority=1"),
            Ok(("jobs".into(), share))
        );
        for bad in ["", "no queue", "jobs,weight=0", "jobs,fast", "jobs,weight"] {
            assert!(queue(bad).is_err(), "{bad}");
        }
    }
}
