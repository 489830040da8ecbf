//! SQS: how many messages are in a queue.
//!
//! Counts are approximate and settle only a minute after producers stop (SQS API reference,
//! `GetQueueAttributes`). This module reads them; what to believe is the judgement's affair.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName as Name;

use super::error::{Call, Endpoints, Failure, Kind};
use crate::model::{Messages, QueueObservation};
use crate::policy::Queue;

/// Reads queues; keeps the URLs it looked up.
pub(super) struct Sqs {
    client: Client,
    endpoints: Endpoints,
    urls: Mutex<BTreeMap<String, String>>,
}

impl Sqs {
    pub(super) fn new(client: Client, endpoints: Endpoints) -> Self {
        Self {
            client,
            endpoints,
            urls: Mutex::default(),
        }
    }

    /// The queue's counts. Where SQS is busy they are unknown; a queue that is not there or may
    /// not be read is an error.
    pub(super) async fn observe(&self, queue: &Queue) -> Result<QueueObservation, Failure> {
        match self.counts(queue).await {
            Err(failure) if failure.kind == Kind::Busy => {
                tracing::warn!(queue = queue.name, "counts unknown: {failure}");
                Ok(unknown(queue))
            }
            outcome => outcome,
        }
    }

    async fn counts(&self, queue: &Queue) -> Result<QueueObservation, Failure> {
        let url = self.url(queue).await?;
        let subject = format!("queue {}", queue.name);
        let answer = self
            .client
            .get_queue_attributes()
            .queue_url(url)
            .attribute_names(Name::ApproximateNumberOfMessages)
            .attribute_names(Name::ApproximateNumberOfMessagesNotVisible)
            .attribute_names(Name::ApproximateNumberOfMessagesDelayed)
            .send()
            .await
            .map_err(|error| {
                let call = call("sqs:GetQueueAttributes", &subject);
                self.endpoints.explain(&call, &error)
            })?;
        let count = |name: Name| {
            let text = answer.attributes()?.get(&name)?;
            Some(Messages(text.parse().ok()?))
        };
        Ok(QueueObservation {
            visible: count(Name::ApproximateNumberOfMessages),
            in_flight: count(Name::ApproximateNumberOfMessagesNotVisible),
            delayed: count(Name::ApproximateNumberOfMessagesDelayed),
            ..unknown(queue)
        })
    }

    /// A queue's URL never changes while it exists.
    async fn url(&self, queue: &Queue) -> Result<String, Failure> {
        if let Some(url) = &queue.url {
            return Ok(url.clone());
        }
        let known = self.known().get(&queue.name).cloned();
        if let Some(url) = known {
            return Ok(url);
        }
        let subject = format!("queue {}", queue.name);
        let answer = self
            .client
            .get_queue_url()
            .queue_name(&queue.name)
            .send()
            .await
            .map_err(|error| {
                let call = call("sqs:GetQueueUrl", &subject);
                self.endpoints.explain(&call, &error)
            })?;
        let url = answer.queue_url().unwrap_or_default().to_owned();
        self.known().insert(queue.name.clone(), url.clone());
        Ok(url)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.urls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unknown(queue: &Queue) -> QueueObservation {
    QueueObservation {
        name: queue.name.clone(),
        ..QueueObservation::default()
    }
}

fn call<'a>(action: &'static str, subject: &'a str) -> Call<'a> {
    Call {
        action,
        subject,
        advice: "check `queues` in the policy, and the region",
    }
}
