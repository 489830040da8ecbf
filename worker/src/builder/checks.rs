//! What settings must be in themselves, before AWS is asked.
//!
//! Bounds are SQS's own or what a worker can do; it must make no call.

use std::time::Duration;

use super::StartError;
use crate::flow::Share;
use crate::queue::FIFO_SUFFIX;
use crate::retry::HIDDEN_MAX;
use crate::service::Settings;

/// A job in three hours is the slowest rate, as messages are hidden for twelve at the most.
pub(crate) const RATE_MIN: f64 = 0.0001;

/// Faster than any worker.
pub(crate) const RATE_MAX: f64 = 100_000.0;

/// At least one queue, each named well and once.
pub(super) fn check_queues(queues: &[(String, Share)]) -> Result<(), StartError> {
    let unready = |what: String| Err(StartError::Settings { what });
    if queues.is_empty() {
        return unready("no queue is named: --queue NAME or URL is needed".into());
    }
    for (place, (queue, share)) in queues.iter().enumerate() {
        check_queue(queue)?;
        if share.weight == 0 {
            return unready(format!("--queue {queue}: weight 0: 1 or more is allowed"));
        }
        if queues.iter().take(place).any(|(other, _)| other == queue) {
            return unready(format!(
                "--queue {queue} is given twice: name each queue once"
            ));
        }
    }
    Ok(())
}

/// A queue's name by SQS's rules, or a URL.
pub(crate) fn check_queue(name_or_url: &str) -> Result<(), StartError> {
    let is_url = name_or_url.contains("://");
    let name = name_or_url.rsplit('/').next().unwrap_or(name_or_url);
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let stem = name.strip_suffix(FIFO_SUFFIX).unwrap_or(name);
    let problem = if !is_url && name != name_or_url
        || stem.is_empty()
        || name.len() > 80
        || !stem.chars().all(plain)
    {
        "is not a queue's name: 1 to 80 letters, digits, - and _, with .fifo at the end of a FIFO \
         queue's, or the queue's URL"
    } else {
        return Ok(());
    };
    let what = format!("--queue {name_or_url:?} {problem}");
    Err(StartError::Settings { what })
}

pub(super) fn check_settings(settings: &Settings) -> Result<(), StartError> {
    let second = Duration::from_secs(1);
    let rules = [
        (
            (1..=1024).contains(&settings.slots),
            format!("slots {}: 1 to 1024 are allowed", settings.slots),
        ),
        (
            settings
                .slots_max
                .is_none_or(|max| (settings.slots..=1024).contains(&max)),
            format!(
                "slots max {:?}: {} (the slots to begin with) to 1024 are allowed",
                settings.slots_max.unwrap_or(0),
                settings.slots
            ),
        ),
        (
            settings
                .starts_per_second
                .is_none_or(|rate| (RATE_MIN..=RATE_MAX).contains(&rate)),
            format!(
                "rate limit {:?} jobs a second: {RATE_MIN} to {RATE_MAX} are allowed",
                settings.starts_per_second.unwrap_or(0.0)
            ),
        ),
        (
            settings.poll_wait <= 20 * second,
            format!(
                "poll wait {:?}: at most 20 s are allowed",
                settings.poll_wait
            ),
        ),
        (
            (2 * second..=HIDDEN_MAX).contains(&settings.visibility),
            format!(
                "visibility timeout {:?}: 2 s to 12 h are allowed",
                settings.visibility
            ),
        ),
        (
            !settings.job_timeout.is_zero() && settings.job_timeout <= HIDDEN_MAX,
            format!(
                "job timeout {:?}: more than 0 and at most 12 h are allowed",
                settings.job_timeout
            ),
        ),
        (
            settings.max_attempts >= 1,
            "max attempts 0: at least 1 is needed to do anything".into(),
        ),
    ];
    for (holds, what) in rules {
        if !holds {
            return Err(StartError::Settings { what });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_names_follow_sqs() {
        for good in [
            "thumbnails",
            "a_b-9",
            "jobs.fifo",
            "http://127.0.0.1:9324/000000000000/thumbnails",
        ] {
            assert!(check_queue(good).is_ok(), "{good}");
        }
        let long = "x".repeat(81);
        for bad in ["", "a b", "a/b", ".fifo", "https://host/1/", &long] {
            assert!(check_queue(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn settings_outside_what_sqs_takes_are_refused() {
        let base = Settings::default();
        assert!(check_settings(&base).is_ok());
        let second = Duration::from_secs(1);
        let bad = [
            Settings { slots: 0, ..base },
            Settings {
                poll_wait: 21 * second,
                ..base
            },
            Settings {
                visibility: second,
                ..base
            },
            Settings {
                job_timeout: Duration::ZERO,
                ..base
            },
            Settings {
                max_attempts: 0,
                ..base
            },
        ];
        for settings in bad {
            assert!(check_settings(&settings).is_err(), "{settings:?}");
        }
    }
}
