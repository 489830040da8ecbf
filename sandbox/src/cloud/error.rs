//! The error that a modelled service answers with.
//!
//! Owns the code and the message. How an error is written on the wire is the wire's business.

use std::fmt;

/// An error of a modelled service: the code that SDKs match on, and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// The error's shape in the service's API model, such as `QueueDoesNotExist`.
    pub code: &'static str,
    /// What was wrong, in words.
    pub message: String,
}

/// What an operation of a modelled service gives.
pub type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    /// An error with this code and message.
    pub fn new(code: &'static str, message: impl fmt::Display) -> Self {
        Self {
            code,
            message: message.to_string(),
        }
    }

    /// A parameter whose value is not allowed, in the words that SQS uses.
    pub(crate) fn invalid_parameter(name: &str, value: impl fmt::Display, why: &str) -> Self {
        Self::new(
            "InvalidParameterValue",
            format!("Value {value} for parameter {name} is invalid. Reason: {why}"),
        )
    }

    /// A request that Auto Scaling or EC2 finds wrong in its content.
    pub(crate) fn validation(message: impl fmt::Display) -> Self {
        Self::new("ValidationError", message)
    }
}
