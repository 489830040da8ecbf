//! Whether a worker with these settings would find what it needs: looked at, never changed.
//!
//! Each thing is one finding, for a person to act on. Nothing here may write, receive or claim.

mod around;
mod handler;
mod queue;
mod table;

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use futures::future::join_all;
use serde::Serialize;

pub(crate) use self::handler::Program;
use crate::aws::call_error;
use crate::builder::{Builder, StartError, aws_config, with_time_limits};
use crate::lease::Idempotency;

/// How a thing was found. As JSON: `ok`, `note` or `failed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// As it should be.
    Ok,
    /// The worker works, but not as well as it could; or nobody could tell.
    Note,
    /// The worker would not start, or would not do its jobs.
    Failed,
}

/// What was found of one thing. As JSON, a stable shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// The thing, such as `queue jobs`.
    pub(crate) thing: String,
    pub(crate) outcome: Outcome,
    /// What was found.
    pub(crate) found: String,
    /// What to do next; empty where there is nothing to do.
    pub(crate) next: String,
}

impl Finding {
    fn ok(thing: &str, found: impl Into<String>) -> Self {
        Self::new(thing, Outcome::Ok, found, "")
    }

    fn note(thing: &str, found: impl Into<String>, next: &str) -> Self {
        Self::new(thing, Outcome::Note, found, next)
    }

    fn failed(thing: &str, found: impl Into<String>, next: &str) -> Self {
        Self::new(thing, Outcome::Failed, found, next)
    }

    fn new(thing: &str, outcome: Outcome, found: impl Into<String>, next: &str) -> Self {
        Self {
            thing: thing.to_owned(),
            outcome,
            found: found.into(),
            next: next.to_owned(),
        }
    }
}

/// Looks at everything that `builder` names. Only settings that are wrong in themselves are an error.
pub(crate) async fn all(builder: &Builder, program: Program) -> Result<Vec<Finding>, StartError> {
    builder.check()?;
    let config = aws_config().await?;
    let config = with_time_limits(&config);
    let credentials = around::credentials(&config).await;
    let signed = credentials.outcome != Outcome::Failed;
    let mut findings = vec![credentials];
    if signed {
        let sqs = aws_sdk_sqs::Client::new(&config);
        let names = builder.queues.iter().map(|(queue, _)| queue);
        let queues = join_all(names.map(|name| queue::queue(&sqs, name, &builder.settings)));
        let dynamo = aws_sdk_dynamodb::Client::new(&config);
        let needs_jobs = builder.settings.idempotency != Idempotency::Off;
        let (queues, jobs, state, hook, bucket) = tokio::join!(
            queues,
            async {
                if needs_jobs {
                    table::jobs(&dynamo, &builder.jobs_table).await
                } else {
                    Vec::new()
                }
            },
            table::state(&dynamo, &builder.state_table),
            around::hook(&config, builder),
            around::bucket(&config, builder.payload_bucket.as_deref()),
        );
        findings.extend(queues.into_iter().flatten().chain(jobs));
        findings.extend([state].into_iter().chain(hook).chain(bucket));
    }
    findings.push(around::metadata(builder).await);
    findings.extend(program.check().await);
    Ok(findings)
}

/// Why a look at something was refused.
enum Refusal {
    /// It is not permitted to this role.
    Denied(String),
    /// It is not there, or something else is wrong; in words.
    Other(String),
}

fn refusal<E, R>(operation: &str, thing: &str, error: &SdkError<E, R>) -> Refusal
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug + 'static,
{
    let code = error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code)
        .unwrap_or_default()
        .to_owned();
    let words = call_error(operation, thing, error).to_string();
    if code.starts_with("AccessDenied") {
        Refusal::Denied(words)
    } else {
        Refusal::Other(words)
    }
}
