//! What ECS serves inside a container: the task's metadata and the agent's protection API.
//!
//! One request a call, with a time limit; it must not retry.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, Uri, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;

use super::Endpoints;
use crate::builder::StartError;

/// The agent answers from its own machine, but asks ECS first.
const LIMIT: Duration = Duration::from_secs(10);

/// Metadata of a task with many containers takes some kilobytes.
const BODY_MAX_BYTES: usize = 256 * 1024;

/// ECS Developer Guide, "Amazon ECS task scale-in protection endpoint".
const PROTECTION: &str = "/task-protection/v1/state";

/// A task that is protected no longer than this: what a worker that hangs can hold a service up
/// for. Up to 48 h are allowed (same page).
const EXPIRES_IN_MINUTES: u32 = 60;

/// Asks ECS from inside a container.
#[derive(Clone, Debug)]
pub struct Agent {
    client: Client<HttpConnector, Full<Bytes>>,
    task: Uri,
    protection: Option<Uri>,
}

/// Who a task is (task metadata endpoint version 4, path `/task`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The last part of its ARN.
    pub id: String,
    /// Its cluster's name.
    pub cluster: String,
    /// Its service's name; `None` where it has none, or the platform does not say.
    pub service: Option<String>,
}

/// Why ECS did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    /// Nobody answered, or nothing readable.
    #[error("no answer from {uri}: {why}")]
    Silent {
        /// What was asked.
        uri: String,
        /// What was found.
        why: String,
    },
    /// ECS refused.
    #[error("ECS refused task protection: {reason}")]
    Refused {
        /// In its words.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    cluster: String,
    #[serde(rename = "TaskARN")]
    task_arn: String,
    service_name: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    protection: Option<Protection>,
    failure: Option<Refusal>,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Protection {
    protection_enabled: bool,
}

/// A failure has a reason and perhaps a detail, an error a code and a message.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Refusal {
    reason: Option<String>,
    detail: Option<String>,
    code: Option<String>,
    message: Option<String>,
}

impl Agent {
    /// The agent at these places.
    ///
    /// # Errors
    /// One of them is no URL.
    pub fn at(endpoints: &Endpoints) -> Result<Self, StartError> {
        let uri = |base: &str, path: &str| {
            let text = format!("{}{path}", base.trim_end_matches('/'));
            text.parse::<Uri>().map_err(|error| StartError::Settings {
                what: format!("{text}, from ECS's environment, is no URL: {error}"),
            })
        };
        let agent = endpoints.agent.as_deref();
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            task: uri(&endpoints.metadata, "/task")?,
            protection: agent.map(|base| uri(base, PROTECTION)).transpose()?,
        })
    }

    /// Whether the platform has the protection API.
    pub fn can_protect(&self) -> bool {
        self.protection.is_some()
    }

    /// Who the task is.
    pub async fn task(&self) -> Result<Task, AgentError> {
        let request = request(Method::GET, &self.task, Bytes::new());
        let body = self.ask(&self.task, request).await?;
        let metadata: Metadata = read(&self.task, &body)?;
        let last = |text: &str| text.rsplit('/').next().unwrap_or(text).to_owned();
        Ok(Task {
            id: last(&metadata.task_arn),
            cluster: last(&metadata.cluster),
            service: metadata.service_name.filter(|name| !name.is_empty()),
        })
    }

    /// Protects the task for an hour from now.
    pub async fn protect(&self) -> Result<(), AgentError> {
        let wish = serde_json::json!({
            "ProtectionEnabled": true,
            "ExpiresInMinutes": EXPIRES_IN_MINUTES,
        });
        if self.set(&wish).await? {
            return Ok(());
        }
        let reason = "it answered that the task is not protected".to_owned();
        Err(AgentError::Refused { reason })
    }

    /// Takes the protection off.
    pub async fn unprotect(&self) -> Result<(), AgentError> {
        let wish = serde_json::json!({ "ProtectionEnabled": false });
        self.set(&wish).await?;
        Ok(())
    }

    /// Whether the task is protected after `wish` was put.
    async fn set(&self, wish: &serde_json::Value) -> Result<bool, AgentError> {
        let Some(uri) = &self.protection else {
            let reason = "ECS_AGENT_URI is not set: the platform has no such API".to_owned();
            return Err(AgentError::Refused { reason });
        };
        let request = request(Method::PUT, uri, Bytes::from(wish.to_string()));
        let body = self.ask(uri, request).await?;
        let answer: Answer = read(uri, &body)?;
        match (answer.protection, answer.failure.or(answer.error)) {
            (Some(protection), None) => Ok(protection.protection_enabled),
            (_, refusal) => Err(AgentError::Refused {
                reason: refusal.unwrap_or_default().words(),
            }),
        }
    }

    /// The body, whatever the status: refusals are told in the body.
    async fn ask(&self, uri: &Uri, request: Request<Full<Bytes>>) -> Result<Bytes, AgentError> {
        let silent = |why: String| AgentError::Silent {
            uri: uri.to_string(),
            why,
        };
        let asked = async {
            let answer = self.client.request(request).await;
            let answer = answer.map_err(|error| silent(error.to_string()))?;
            let body = Limited::new(answer.into_body(), BODY_MAX_BYTES)
                .collect()
                .await;
            let body = body.map_err(|error| silent(error.to_string()))?;
            Ok(body.to_bytes())
        };
        let answer = tokio::time::timeout(LIMIT, asked).await;
        answer.unwrap_or_else(|_| Err(silent(format!("nothing within {} s", LIMIT.as_secs()))))
    }
}

impl Refusal {
    fn words(&self) -> String {
        let words = [&self.reason, &self.code, &self.detail, &self.message];
        let words: Vec<&str> = words.into_iter().flatten().map(String::as_str).collect();
        if words.is_empty() {
            "for no reason given".to_owned()
        } else {
            words.join(": ")
        }
    }
}

fn request(method: Method, uri: &Uri, body: Bytes) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = uri.clone();
    let json = header::HeaderValue::from_static("application/json");
    request.headers_mut().insert(header::CONTENT_TYPE, json);
    request
}

fn read<'a, T: Deserialize<'a>>(uri: &Uri, body: &'a [u8]) -> Result<T, AgentError> {
    serde_json::from_slice(body).map_err(|error| AgentError::Silent {
        uri: uri.to_string(),
        why: format!("what was answered cannot be read: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(json: &str) -> String {
        let answer: Answer = serde_json::from_str(json).unwrap();
        answer.failure.or(answer.error).unwrap().words()
    }

    /// As the guide's page on the endpoint shows them.
    #[test]
    fn failures_and_errors_are_told_in_ecs_words() {
        let arn = "arn:aws:ecs:us-west-2:111122223333:task/sample/1234567890abcdef0";
        let failure = format!(
            r#"{{"failure":{{"Arn":"{arn}","Detail":null,"Reason":"DEPLOYMENT_BLOCKED"}}}}"#
        );
        assert_eq!(refused(&failure), "DEPLOYMENT_BLOCKED");
        let error = format!(
            r#"{{"requestID":"12345-abc-6789-0123-abc","error":{{"Arn":"{arn}","Code":"AccessDeniedException","Message":"not authorized"}}}}"#
        );
        assert_eq!(refused(&error), "AccessDeniedException: not authorized");
    }
}
