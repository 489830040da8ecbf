//! Why an attempt in Rust failed, and what is to follow: the error type that `?` leads to.
//!
//! It must not decide anything by itself: an error is a retry unless the handler says otherwise.

use std::error::Error;
use std::time::Duration;

use super::Outcome;

/// An attempt that did not work out. Any error becomes one by `?`: a retry after the worker's
/// backoff, with the error and all its sources in the reason.
///
/// ```
/// use weir_worker::Failure;
///
/// fn width(text: &str) -> Result<u32, Failure> {
///     let width: u32 = text.parse().map_err(Failure::poison)?; // never right: give the job up
///     if width == 0 {
///         return Err(Failure::poison("a width of 0"));
///     }
///     std::fs::read("settings")?; // perhaps next time
///     Ok(width)
/// }
/// # assert!(width("wide").is_err());
/// ```
#[derive(Debug)]
pub struct Failure {
    reason: String,
    next: Next,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Retry { after: Option<Duration> },
    GiveUp,
}

impl Failure {
    /// To be tried again after the worker's backoff.
    pub fn retry(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            reason: chain(&*error.into()),
            next: Next::Retry { after: None },
        }
    }

    /// To be tried again after a given time.
    pub fn retry_after(after: Duration, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            next: Next::Retry { after: Some(after) },
            ..Self::retry(error)
        }
    }

    /// Never to be tried again: the message goes to the dead-letter queue.
    pub fn poison(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            next: Next::GiveUp,
            ..Self::retry(error)
        }
    }

    /// The same failure, with what was being done before the error's own words.
    #[must_use]
    pub fn context(mut self, doing: impl std::fmt::Display) -> Self {
        self.reason = format!("{doing}: {}", self.reason);
        self
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::retry(error)
    }
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        let reason = failure.reason;
        match failure.next {
            Next::Retry { after } => Self::Retry { after, reason },
            Next::GiveUp => Self::Poison { reason },
        }
    }
}

impl<Done: Into<Outcome>> From<Result<Done, Failure>> for Outcome {
    fn from(ended: Result<Done, Failure>) -> Self {
        ended.map_or_else(Self::from, Done::into)
    }
}

impl From<String> for Outcome {
    fn from(result: String) -> Self {
        Self::Done(result)
    }
}

impl From<()> for Outcome {
    fn from((): ()) -> Self {
        Self::Done(String::new())
    }
}

/// An error and what it came from, on one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_words = cause.to_string();
        // Some libraries repeat the cause in their own words.
        if !words.ends_with(&cause_words) {
            words = format!("{words}: {cause_words}");
        }
        source = cause.source();
    }
    words
}
