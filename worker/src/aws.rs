//! What an AWS call that failed means: try again, or never; and in one line a person can act on.
//!
//! It must not retry anything itself.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use aws_sdk_sqs::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// A call that failed past the SDK's own retries.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Trying again will not help: no such thing, no permission, bad input.
    #[error("{what}")]
    Refused {
        /// The operation, the thing, and what was answered.
        what: String,
    },
    /// It may work later: throttled, timed out, an endpoint that is down, no credentials just now.
    #[error("{what}")]
    Unavailable {
        /// The operation, the thing, and what was found.
        what: String,
    },
}

/// Reads a failed call of `operation` on `thing`.
pub(crate) fn call_error<E, R>(operation: &str, thing: &str, error: &SdkError<E, R>) -> CallError
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug + 'static,
{
    let SdkError::ServiceError(service) = error else {
        let why = unanswered(operation, error);
        let what = format!("{operation} on {thing}: {why}");
        return CallError::Unavailable { what };
    };
    let code = service.err().code().unwrap_or("unknown error");
    let message = service.err().message().unwrap_or("no message");
    let message = message.trim_end_matches('.');
    let what = format!("{operation} on {thing}: {code}: {message}");
    if is_permanent(code) {
        CallError::Refused { what }
    } else {
        CallError::Unavailable { what }
    }
}

/// Why a call was not answered by the service.
fn unanswered<E, R>(operation: &str, error: &SdkError<E, R>) -> String
where
    E: std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    // The chain of absent credentials names them only in its depth, and ends in advice about each
    // provider that was tried.
    let chain = DisplayErrorContext(error).to_string();
    if chain.contains("credentials") {
        return "no AWS credentials could be loaded: set AWS_ACCESS_KEY_ID and \
                AWS_SECRET_ACCESS_KEY, a profile, or an instance role"
            .into();
    }
    let cause = innermost(error);
    let endpoint = ENDPOINTS.get().map_or_else(String::new, |endpoints| {
        let at = endpoints.of(operation);
        format!("{at} ")
    });
    format!(
        "the endpoint {endpoint}did not answer: {cause}: check AWS_ENDPOINT_URL, if set, and the \
         network"
    )
}

/// Where this process calls AWS; the SDK's errors do not say.
static ENDPOINTS: OnceLock<Endpoints> = OnceLock::new();

#[derive(Debug)]
struct Endpoints {
    region: String,
    general: Option<String>,
    own: BTreeMap<&'static str, String>,
}

/// Keeps the endpoints of the configuration, to name them where one does not answer. The first
/// configuration of a process counts.
#[expect(
    clippy::disallowed_methods,
    reason = "the SDK reads these variables itself and gives them to nobody"
)]
pub(crate) fn remember_endpoints(config: &aws_config::SdkConfig) {
    let own = ["SQS", "DYNAMODB", "AUTO_SCALING", "S3"].into_iter();
    let own = own.filter_map(|service| {
        let url = std::env::var(format!("AWS_ENDPOINT_URL_{service}")).ok()?;
        Some((service, url))
    });
    let _ = ENDPOINTS.set(Endpoints {
        region: config.region().map_or("", AsRef::as_ref).to_owned(),
        general: config.endpoint_url().map(str::to_owned),
        own: own.collect(),
    });
}

impl Endpoints {
    /// As the SDK finds it: the service's own, else the general one, else AWS's.
    fn of(&self, operation: &str) -> String {
        let is = |parts: &[&str]| parts.iter().any(|part| operation.contains(part));
        let service = match () {
            () if is(&["Item", "Table", "TimeToLive"]) => "DYNAMODB",
            () if is(&["Object", "Bucket"]) => "S3",
            () if is(&["Lifecycle"]) => "AUTO_SCALING",
            () => "SQS",
        };
        let given = self.own.get(service).or(self.general.as_ref());
        given.cloned().unwrap_or_else(|| {
            let service = service.to_lowercase().replace('_', "");
            format!("of {service} in {}", self.region)
        })
    }
}

/// Codes that stay as they are however often one asks. Everything else, throttling and server
/// faults above all, is worth another try.
fn is_permanent(code: &str) -> bool {
    let code = code.rsplit('.').next().unwrap_or(code);
    code.starts_with("AccessDenied")
        || code.starts_with("Invalid") && code != "InvalidEndpointException"
        || code.ends_with("NonExistentQueue")
        || matches!(
            code,
            "QueueDoesNotExist"
                | "ResourceNotFoundException"
                | "ValidationException"
                | "ValidationError"
                | "UnrecognizedClientException"
                | "SignatureDoesNotMatch"
                | "ItemCollectionSizeLimitExceededException"
                | "MissingParameter"
                | "BatchRequestTooLong"
        )
}

fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttling_and_faults_are_worth_another_try() {
        for code in [
            "ThrottlingException",
            "RequestThrottled",
            "ProvisionedThroughputExceededException",
            "TransactionConflictException",
            "InternalError",
            "OverLimit",
        ] {
            assert!(!is_permanent(code), "{code}");
        }
    }

    #[test]
    fn absent_things_and_missing_permission_are_not() {
        for code in [
            "AWS.SimpleQueueService.NonExistentQueue",
            "QueueDoesNotExist",
            "AccessDeniedException",
            "InvalidClientTokenId",
            "ValidationException",
        ] {
            assert!(is_permanent(code), "{code}");
        }
    }
}
