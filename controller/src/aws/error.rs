//! What AWS's failures mean, in one clear message each.
//!
//! This module turns an SDK error into a [`Failure`] that names the thing, what was found and
//! what to do next. It must not retry or decide whether a failure matters.

use std::collections::BTreeMap;
use std::error::Error;

use aws_config::SdkConfig;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};

use crate::ports::PortError;

/// Codes that say that the thing asked for does not exist.
const MISSING: [&str; 11] = [
    "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue",
    "ResourceNotFoundException",
    "ResourceNotFound",
    "ClusterNotFoundException",
    "ServiceNotFoundException",
    "ServiceNotActiveException",
    "NoSuchBucket",
    "NoSuchKey",
    "NoSuchVersion",
    "InvalidAddress", // SQS, where a queue's URL names no queue
];

/// Codes that say that the caller may not do this. EC2 and SQS have spellings of their own.
const DENIED: [&str; 5] = [
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "UnauthorizedOperation",
    "NotAuthorized",
];

/// Codes that say that the caller is not who it claims to be, or no longer.
const NOT_ACCEPTED: [&str; 10] = [
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "AuthFailure",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "ExpiredToken",
    "ExpiredTokenException",
    "MissingAuthenticationToken",
    "IncompleteSignature",
];

/// Codes that ask for patience.
const BUSY: [&str; 8] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestLimitExceeded",
    "ProvisionedThroughputExceededException",
    "ScalingActivityInProgress",
    "ResourceContention",
];

/// One call, as its failure should speak of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    /// The IAM action, such as `sqs:GetQueueAttributes`.
    pub action: &'static str,
    /// What it is about, such as `queue thumbnails`.
    pub subject: &'a str,
    /// What to do where that does not exist.
    pub advice: &'static str,
}

/// What went wrong, said for people. Cheap to clone, since several fleets may share one call.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// Which sort.
    pub kind: Kind,
    what: String,
    cause: String,
}

/// Sorts of failures, by what a round does about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The thing does not exist.
    Missing,
    /// The caller may not.
    Denied,
    /// No credentials, or none that AWS accepts, or no region.
    Credentials,
    /// The request was understood and refused.
    Invalid,
    /// Nobody answers.
    Unreachable,
    /// Somebody answers, and not well: it may work the next time.
    Busy,
}

impl Failure {
    /// A failure found without AWS saying so.
    pub(super) fn found(kind: Kind, what: String) -> Self {
        Self {
            kind,
            what,
            cause: String::new(),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl From<Failure> for PortError {
    fn from(failure: Failure) -> Self {
        let Failure { kind, what, cause } = failure;
        match kind {
            Kind::Unreachable | Kind::Busy => Self::Unavailable {
                what,
                source: cause.into(),
            },
            Kind::Missing | Kind::Denied | Kind::Credentials | Kind::Invalid => {
                Self::Refused { what }
            }
        }
    }
}

/// Where the services are, for naming them when they do not answer.
#[derive(Clone, Debug)]
pub(super) struct Endpoints {
    region: String,
    given: BTreeMap<&'static str, String>,
}

/// Service prefixes of IAM actions, and the SDK's variable for each one's endpoint.
const VARIABLES: [(&str, &str); 7] = [
    ("sqs", "AWS_ENDPOINT_URL_SQS"),
    ("autoscaling", "AWS_ENDPOINT_URL_AUTO_SCALING"),
    ("cloudwatch", "AWS_ENDPOINT_URL_CLOUDWATCH"),
    ("dynamodb", "AWS_ENDPOINT_URL_DYNAMODB"),
    ("ec2", "AWS_ENDPOINT_URL_EC2"),
    ("ecs", "AWS_ENDPOINT_URL_ECS"),
    ("s3", "AWS_ENDPOINT_URL_S3"),
];

impl Endpoints {
    /// Of a configuration with a region.
    pub(super) fn of_config(config: &SdkConfig) -> Result<Self, PortError> {
        let Some(region) = config.region() else {
            let what = "no AWS region: set AWS_REGION, or `region` in the profile".to_owned();
            return Err(PortError::Refused { what });
        };
        Ok(Self::of(region.as_ref(), config.endpoint_url()))
    }

    /// As the SDK finds them: the service's own variable, else `general`, else AWS's.
    #[expect(
        clippy::disallowed_methods,
        reason = "the SDK keeps the endpoints it read from the environment to itself"
    )]
    fn of(region: &str, general: Option<&str>) -> Self {
        let given = VARIABLES
            .into_iter()
            .filter_map(|(service, variable)| {
                let own = std::env::var(variable).ok();
                Some((service, own.or_else(|| general.map(str::to_owned))?))
            })
            .collect();
        Self {
            region: region.to_owned(),
            given,
        }
    }

    /// The region's name.
    pub(super) fn region(&self) -> &str {
        &self.region
    }

    /// The region, or the endpoint that stands in for it.
    pub(super) fn place(&self, service: &str) -> &str {
        self.given.get(service).unwrap_or(&self.region)
    }

    fn of_action(&self, action: &str) -> (String, String) {
        let service = action.split(':').next().unwrap_or(action);
        let endpoint = self.given.get(service).cloned().unwrap_or_else(|| {
            let host = if service == "cloudwatch" {
                "monitoring"
            } else {
                service
            };
            format!("https://{host}.{}.amazonaws.com", self.region)
        });
        (service.to_owned(), endpoint)
    }

    /// Says what `error` means for `call`.
    pub(super) fn explain<E, R>(&self, call: &Call<'_>, error: &SdkError<E, R>) -> Failure
    where
        E: ProvideErrorMetadata + Error + 'static,
        R: std::fmt::Debug + 'static,
    {
        let (kind, what) = match error {
            SdkError::ServiceError(answer) => self.explain_answer(call, answer.err()),
            _ if mentions(error, "credential") => (Kind::Credentials, no_credentials()),
            SdkError::ConstructionFailure(_) => (
                Kind::Invalid,
                format!(
                    "cannot make the request {} for {}",
                    call.action, call.subject
                ),
            ),
            SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => {
                (Kind::Unreachable, self.no_answer(call))
            }
            _ => (Kind::Busy, self.unreadable(call)),
        };
        Failure {
            kind,
            what,
            cause: root_cause(error),
        }
    }

    fn explain_answer(
        &self,
        call: &Call<'_>,
        answer: &impl ProvideErrorMetadata,
    ) -> (Kind, String) {
        let Call {
            action,
            subject,
            advice,
        } = call;
        let code = answer.code().unwrap_or_default();
        let said = answer.message().unwrap_or("no message");
        if MISSING.contains(&code) {
            let region = &self.region;
            (
                Kind::Missing,
                format!("{subject} does not exist in {region}: {advice}"),
            )
        } else if DENIED.contains(&code) {
            (
                Kind::Denied,
                format!("access denied: allow {action} on {subject} ({said})"),
            )
        } else if NOT_ACCEPTED.contains(&code) {
            (
                Kind::Credentials,
                format!(
                    "AWS does not accept the credentials ({code}: {said}): renew or replace them"
                ),
            )
        } else if BUSY.contains(&code) {
            (
                Kind::Busy,
                format!("{action} on {subject} has to wait ({code}: {said})"),
            )
        } else if code.is_empty() {
            (Kind::Busy, self.unreadable(call))
        } else {
            let kind = if is_servers_fault(code) {
                Kind::Busy
            } else {
                Kind::Invalid
            };
            (
                kind,
                format!("{action} failed on {subject}: {code}: {said}"),
            )
        }
    }

    fn no_answer(&self, call: &Call<'_>) -> String {
        let (service, endpoint) = self.of_action(call.action);
        format!(
            "no answer from {service} at {endpoint} ({}): check AWS_ENDPOINT_URL and the network",
            call.action
        )
    }

    fn unreadable(&self, call: &Call<'_>) -> String {
        let (service, endpoint) = self.of_action(call.action);
        format!(
            "what {service} at {endpoint} answered to {} cannot be read: is it that service?",
            call.action
        )
    }
}

fn is_servers_fault(code: &str) -> bool {
    [
        "Internal",
        "ServiceUnavailable",
        "Unavailable",
        "ServerError",
        "ServerException",
    ]
    .iter()
    .any(|fault| code.contains(fault))
}

fn no_credentials() -> String {
    "no AWS credentials found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, \
     or give the task or instance a role"
        .to_owned()
}

/// The SDK wraps what happened four deep; only the innermost says something new.
fn root_cause(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}

/// Whether an error or any cause under it speaks of `word`: the SDK has no kind of its own for
/// credentials that cannot be found.
fn mentions(error: &dyn Error, word: &str) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.to_string().contains(word) {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sqs::error::{ConnectorError, ErrorMetadata};

    #[derive(Debug, thiserror::Error)]
    #[error("service error")]
    struct Answer(ErrorMetadata);

    impl ProvideErrorMetadata for Answer {
        fn meta(&self) -> &ErrorMetadata {
            &self.0
        }
    }

    fn endpoints(given: &[(&'static str, &str)]) -> Endpoints {
        Endpoints {
            region: "eu-west-1".to_owned(),
            given: given
                .iter()
                .map(|(service, url)| (*service, (*url).to_owned()))
                .collect(),
        }
    }

    fn explained(error: &SdkError<Answer, ()>) -> (Kind, String) {
        let call = Call {
            action: "sqs:GetQueueUrl",
            subject: "queue thumbnails",
            advice: "check `queues` in the policy",
        };
        let given = [("sqs", "http://127.0.0.1:9")];
        let failure = endpoints(&given).explain(&call, error);
        (failure.kind, failure.to_string())
    }

    fn answered(code: &str) -> (Kind, String) {
        let meta = ErrorMetadata::builder().code(code).message("so it says");
        explained(&SdkError::service_error(Answer(meta.build()), ()))
    }

    #[test]
    fn each_answer_has_its_kind() {
        let cases = [
            ("QueueDoesNotExist", Kind::Missing),
            ("AWS.SimpleQueueService.NonExistentQueue", Kind::Missing),
            ("ResourceNotFoundException", Kind::Missing),
            ("ClusterNotFoundException", Kind::Missing),
            ("ServerException", Kind::Busy),
            ("AccessDeniedException", Kind::Denied),
            ("UnauthorizedOperation", Kind::Denied),
            ("ExpiredToken", Kind::Credentials),
            ("UnrecognizedClientException", Kind::Credentials),
            ("Throttling", Kind::Busy),
            ("InternalFailure", Kind::Busy),
            ("ServiceUnavailable", Kind::Busy),
            ("ValidationError", Kind::Invalid),
            ("", Kind::Busy),
        ];
        for (code, kind) in cases {
            assert_eq!(answered(code).0, kind, "{code}");
        }
    }

    #[test]
    fn messages_name_the_thing_and_what_to_do() {
        insta::assert_snapshot!(answered("QueueDoesNotExist").1, @"queue thumbnails does not exist in eu-west-1: check `queues` in the policy");
        insta::assert_snapshot!(answered("AccessDenied").1, @"access denied: allow sqs:GetQueueUrl on queue thumbnails (so it says)");
        insta::assert_snapshot!(answered("ExpiredToken").1, @"AWS does not accept the credentials (ExpiredToken: so it says): renew or replace them");
        insta::assert_snapshot!(answered("ValidationError").1, @"sqs:GetQueueUrl failed on queue thumbnails: ValidationError: so it says");
    }

    #[test]
    fn an_endpoint_that_is_down_is_named() {
        let refused = ConnectorError::io("connection refused".into());
        let (kind, what) = explained(&SdkError::dispatch_failure(refused));
        assert_eq!(kind, Kind::Unreachable);
        insta::assert_snapshot!(what, @"no answer from sqs at http://127.0.0.1:9 (sqs:GetQueueUrl): check AWS_ENDPOINT_URL and the network");
    }

    #[test]
    fn credentials_that_cannot_be_found_are_not_taken_for_a_network_failure() {
        let missing = ConnectorError::other("no credentials in the property bag".into(), None);
        let (kind, what) = explained(&SdkError::dispatch_failure(missing));
        assert_eq!(kind, Kind::Credentials);
        assert!(what.contains("AWS_PROFILE"), "{what}");
    }

    #[test]
    fn without_an_override_the_endpoint_is_awss() {
        let all = endpoints(&[]);
        let of = |action| all.of_action(action).1;
        assert_eq!(
            of("cloudwatch:PutMetricData"),
            "https://monitoring.eu-west-1.amazonaws.com"
        );
        assert_eq!(
            of("ec2:DescribeInstances"),
            "https://ec2.eu-west-1.amazonaws.com"
        );
    }

    #[test]
    fn what_may_work_the_next_time_is_unavailable_and_the_rest_refused() {
        let port = |kind| PortError::from(Failure::found(kind, "x".to_owned()));
        for kind in [Kind::Unreachable, Kind::Busy] {
            assert!(
                matches!(port(kind), PortError::Unavailable { .. }),
                "{kind:?}"
            );
        }
        for kind in [
            Kind::Missing,
            Kind::Denied,
            Kind::Credentials,
            Kind::Invalid,
        ] {
            assert!(matches!(port(kind), PortError::Refused { .. }), "{kind:?}");
        }
    }
}
