//! Each fault as the real SDK meets it. What it must look like, AWS's documentation says: the page is
//! named beside each case.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, SendMessageBatchRequestEntry};
use common::{Ground, QUEUE};
use weir_sandbox::faults::{Fault, Service};
use weir_sandbox::sandbox::{JOBS_TABLE, SandboxConfig};
use weir_sandbox::stores::client_config;

const POLICY: &str = "
version: 1
name: e2e
queues: [{ name: e2e }]
fleet: { auto_scaling_group: e2e-workers, min: 0, max: 1 }
objective: { start_within: 4s, percentile: 95 }
";

/// A sandbox where this befalls every call of a service.
struct Setting {
    ground: Ground,
    service: Service,
    fault: Fault,
}

impl Setting {
    async fn of(service: Service, fault: Fault) -> Self {
        let plan = format!(r#"{{"rates": {{"{service}": {{"{fault}": 1.0}}}}}}"#);
        let config = SandboxConfig {
            faults: Some(plan.parse().unwrap()),
            ..SandboxConfig::default()
        };
        Self {
            ground: Ground::start_with(POLICY, config).await,
            service,
            fault,
        }
    }

    fn env(&self) -> BTreeMap<String, String> {
        self.ground.sandbox.env()
    }

    async fn sqs(&self) -> aws_sdk_sqs::Client {
        let config = client_config(&self.env()["AWS_ENDPOINT_URL"]).await;
        let config = aws_sdk_sqs::config::Builder::from(&config);
        aws_sdk_sqs::Client::from_conf(config.retry_config(RetryConfig::disabled()).build())
    }

    async fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        let config = client_config(&self.env()["AWS_ENDPOINT_URL_DYNAMODB"]).await;
        let config = aws_sdk_dynamodb::config::Builder::from(&config);
        let config = config.retry_config(RetryConfig::disabled());
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }

    /// The queue's URL by the gate.
    fn queue_url(&self) -> String {
        format!("{}/000000000000/{QUEUE}", self.env()["AWS_ENDPOINT_URL"])
    }

    /// Sends past the gate.
    async fn send(&self, count: usize) {
        for nth in 0..count {
            let books = &self.ground.books;
            let call = books.sqs.send_message().queue_url(&books.queue_url);
            call.message_body(nth.to_string()).send().await.unwrap();
        }
    }

    /// Receives through the gate.
    async fn receive(&self) -> Vec<aws_sdk_sqs::types::Message> {
        let call = self.sqs().await.receive_message();
        let call = call.queue_url(self.queue_url()).visibility_timeout(60);
        let answer = call.max_number_of_messages(10).send().await.unwrap();
        answer.messages.unwrap_or_default()
    }

    fn count(&self) -> u64 {
        let counts = self.ground.sandbox.faults().unwrap().counts();
        let count = counts.get(&(self.service, self.fault));
        count.copied().unwrap_or(0)
    }

    /// Puts an item through the gate.
    async fn put(&self) -> Result<(), Option<String>> {
        let call = self.dynamodb().await.put_item().table_name(JOBS_TABLE);
        let call = call.item("job_id", AttributeValue::S("job".into()));
        let answer = call.send().await;
        answer
            .map(|_| ())
            .map_err(|error| error.code().map(str::to_owned))
    }

    async fn is_put(&self) -> bool {
        !self.ground.items(JOBS_TABLE).await.is_empty()
    }
}

/// SQS API Reference, "Common Error Types" and `ReceiveMessage`, "Errors": `RequestThrottled`,
/// `ThrottlingException`.
#[tokio::test]
async fn throttled_call_has_a_code_of_throttling_and_no_effect() {
    let setting = Setting::of(Service::Sqs, Fault::Throttled).await;
    let call = setting.sqs().await.send_message().message_body("x");
    let error = call
        .queue_url(setting.queue_url())
        .send()
        .await
        .unwrap_err();
    let code = error.code().unwrap_or_default();
    assert!(code.contains("Throttl"), "{code}");
    assert_eq!(setting.ground.books.queue().await.unwrap().total(), 0);
    assert_eq!(setting.count(), 1);
}

/// SQS API Reference, "Common Error Types": `InternalFailure` 500, `ServiceUnavailable` 503.
#[tokio::test]
async fn server_error_is_a_5xx() {
    let setting = Setting::of(Service::Sqs, Fault::ServerError).await;
    let call = setting.sqs().await.send_message().message_body("x");
    let error = call
        .queue_url(setting.queue_url())
        .send()
        .await
        .unwrap_err();
    let status = error.raw_response().unwrap().status().as_u16();
    assert!(status == 500 || status == 503, "{status}");
}

/// SQS API Reference, `SendMessageBatch`: "you should check for batch errors even when the call
/// returns an HTTP status code of 200"; `BatchResultErrorEntry`: `SenderFault`.
#[tokio::test]
async fn batch_fails_by_halves_and_the_failed_half_has_no_effect() {
    let setting = Setting::of(Service::Sqs, Fault::EntriesFailed).await;
    let entry = |nth: usize| {
        let entry = SendMessageBatchRequestEntry::builder().id(nth.to_string());
        entry.message_body(nth.to_string()).build().unwrap()
    };
    let call = setting.sqs().await.send_message_batch();
    let call = call.set_entries(Some((0..10).map(entry).collect()));
    let answer = call.queue_url(setting.queue_url()).send().await.unwrap();
    let (done, failed) = (answer.successful.len(), answer.failed.len());
    assert!(done > 0 && failed > 0 && done + failed == 10, "{answer:?}");
    assert!(answer.failed.iter().all(|entry| !entry.sender_fault));
    let held = setting.ground.books.queue().await.unwrap().total();
    assert_eq!((held, setting.count()), (done as u64, failed as u64));
}

/// SQS Developer Guide, "Amazon SQS at-least-once delivery": a copy on a server that was away when
/// the message was deleted is received again.
#[tokio::test]
async fn duplicate_comes_though_the_first_copy_was_deleted() {
    let setting = Setting::of(Service::Sqs, Fault::Duplicated).await;
    setting.send(1).await;
    let first = setting.receive().await.pop().unwrap();
    let entry = DeleteMessageBatchRequestEntry::builder().id("0");
    let entry = entry.receipt_handle(first.receipt_handle.unwrap());
    let call = setting.sqs().await.delete_message_batch();
    let call = call.entries(entry.build().unwrap());
    let deleted = call.queue_url(setting.queue_url()).send().await.unwrap();
    assert_eq!(deleted.successful.len(), 1);
    let cloud = setting.ground.sandbox.cloud();
    cloud.skip(Duration::from_secs(3));
    let second = setting.receive().await.pop().unwrap();
    assert_eq!(second.message_id, first.message_id);
}

/// SQS Developer Guide, "Amazon SQS visibility timeout": it "isn't a guarantee against receiving a
/// message twice".
#[tokio::test]
async fn message_comes_again_before_its_timeout_has_ended() {
    let setting = Setting::of(Service::Sqs, Fault::EarlyAgain).await;
    setting.send(1).await;
    let first = setting.receive().await.pop().unwrap();
    setting.ground.sandbox.cloud().skip(Duration::from_secs(3));
    let again = setting.receive().await.pop().unwrap();
    assert_eq!(again.message_id, first.message_id);
    assert_ne!(again.receipt_handle, first.receipt_handle);
}

/// SQS Developer Guide, "Amazon SQS standard queues": best-effort ordering.
#[tokio::test]
async fn messages_come_out_of_order() {
    let setting = Setting::of(Service::Sqs, Fault::Reordered).await;
    setting.send(40).await;
    let bodies = setting.receive().await.into_iter();
    let bodies: Vec<String> = bodies.filter_map(|message| message.body).collect();
    assert_eq!(bodies.len(), 10);
    assert_ne!(bodies[0], "0", "{bodies:?}");
}

/// No documentation promises an answer: aws-sdk-rust issue 1094 tells of receives that never end.
#[tokio::test]
async fn hung_receive_is_never_answered() {
    let setting = Setting::of(Service::Sqs, Fault::Hung).await;
    let receive = tokio::time::timeout(Duration::from_secs(1), setting.receive());
    assert!(receive.await.is_err());
}

#[tokio::test]
async fn unreached_call_has_no_effect_and_a_lost_answer_hides_one() {
    let unreached = Setting::of(Service::DynamoDb, Fault::Unreached).await;
    assert_eq!(unreached.put().await, Err(None), "no answer, so no code");
    assert!(!unreached.is_put().await);
    let lost = Setting::of(Service::DynamoDb, Fault::AnswerLost).await;
    assert_eq!(lost.put().await, Err(None));
    assert!(lost.is_put().await);
    assert_eq!((unreached.count(), lost.count()), (1, 1));
}

/// DynamoDB Developer Guide, "Error handling with DynamoDB".
#[tokio::test]
async fn dynamodb_throttles_by_its_own_codes() {
    let setting = Setting::of(Service::DynamoDb, Fault::Throttled).await;
    let code = setting.put().await.unwrap_err().unwrap();
    let codes = [
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
    ];
    assert!(codes.contains(&code.as_str()), "{code}");
    assert!(!setting.is_put().await);
}

#[tokio::test]
async fn service_that_is_away_answers_nobody_until_it_is_back() {
    let setting = Setting::of(Service::S3, Fault::Throttled).await;
    let faults = setting.ground.sandbox.faults().unwrap();
    faults.take_away(Service::DynamoDb, Duration::from_mins(1));
    assert_eq!(setting.put().await, Err(None));
    faults.take_away(Service::DynamoDb, Duration::ZERO);
    assert_eq!(setting.put().await, Ok(()));
    assert_eq!(faults.counts()[&(Service::DynamoDb, Fault::Away)], 1);
}

/// S3 API Reference, "Error responses": `SlowDown` 503.
#[tokio::test]
async fn s3_says_slow_down() {
    let setting = Setting::of(Service::S3, Fault::Throttled).await;
    let config = client_config(&setting.env()["AWS_ENDPOINT_URL_S3"]).await;
    let config = aws_sdk_s3::config::Builder::from(&config);
    let config = config.retry_config(RetryConfig::disabled());
    let client = aws_sdk_s3::Client::from_conf(config.build());
    let error = client.list_buckets().send().await.unwrap_err();
    assert_eq!(error.code(), Some("SlowDown"));
}
