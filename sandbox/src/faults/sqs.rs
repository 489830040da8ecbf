//! Faults inside SQS's calls: batches that fail by halves, messages that come twice, too early, or
//! out of order.
//!
//! All of it is what SQS says of standard queues (Developer Guide, "Amazon SQS at-least-once
//! delivery", "Amazon SQS visibility timeout": no guarantee against a second delivery) and of batches
//! (API Reference, `BatchResultErrorEntry`). It must not break connections.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::{StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::{Fault, Faults, Service};
use crate::cloud::sqs::Hide;
use crate::cloud::{ApiResult, Cloud, Time};
use crate::wire::SharedCloud;

/// A second copy, or a message that comes back too early, comes within this time.
const SOON: Duration = Duration::from_secs(2);

/// At most this many messages change places at once.
const MISPLACED_MAX: usize = 20;

/// A batch of which some entries are to fail.
pub(super) struct Split {
    /// The batch without them; `None` where none is left.
    pub(super) kept: Option<Bytes>,
    /// The ids of those that fail.
    pub(super) failed: Vec<String>,
}

/// Chooses the entries of a batch that fail, at least one, and counts them; `None` if there is no
/// batch.
pub(super) fn split_batch(faults: &Faults, body: &[u8]) -> Option<Split> {
    let mut request: Value = serde_json::from_slice(body).ok()?;
    let entries = request.get_mut("Entries")?.as_array_mut()?;
    let sure = faults.pick(entries.len());
    let all = std::mem::take(entries);
    let mut failed = Vec::new();
    for (nth, entry) in all.into_iter().enumerate() {
        if nth == sure || faults.pick(2) == 0 {
            failed.push(entry.get("Id")?.as_str()?.to_owned());
            faults.count(Service::Sqs, Fault::EntriesFailed);
        } else {
            entries.push(entry);
        }
    }
    let kept = (!entries.is_empty()).then(|| request.to_string().into());
    Some(Split { kept, failed })
}

/// The answer to what was kept of a batch, with the entries that failed.
pub(super) async fn with_failed(
    answered: Option<Response>,
    failed: &[String],
) -> Result<Response, axum::Error> {
    let entry = |id: &String| {
        json!({"Id": id, "SenderFault": false, "Code": "InternalError",
               "Message": "A fault of the sandbox's plan."})
    };
    let failed: Vec<Value> = failed.iter().map(entry).collect();
    let Some(answered) = answered else {
        let body = json!({"Successful": [], "Failed": failed}).to_string();
        let answer = Response::builder()
            .status(StatusCode::OK)
            .header(header::CONTENT_TYPE, "application/x-amz-json-1.0")
            .body(body.into());
        return answer.map_err(axum::Error::new);
    };
    let (mut head, body) = answered.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await?;
    let Some(mut answer) = batch_answer(&bytes) else {
        return Ok(Response::from_parts(head, bytes.into()));
    };
    let known = answer.entry("Failed").or_insert_with(|| json!([]));
    if let Some(known) = known.as_array_mut() {
        known.extend(failed);
    }
    head.headers.remove(header::CONTENT_LENGTH);
    let body = Value::Object(answer).to_string();
    Ok(Response::from_parts(head, body.into()))
}

fn batch_answer(bytes: &[u8]) -> Option<serde_json::Map<String, Value>> {
    let answer: Value = serde_json::from_slice(bytes).ok()?;
    answer.get("Successful")?;
    answer.as_object().cloned()
}

/// The name of the queue that a request is for.
pub(super) fn queue_of(body: &[u8]) -> String {
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let url = request.get("QueueUrl").and_then(Value::as_str);
    let name = url.and_then(|url| url.rsplit('/').next());
    name.unwrap_or_default().to_owned()
}

/// What may happen to messages around a receive.
pub(super) struct Disorder<'a> {
    pub(super) faults: &'a Faults,
    pub(super) cloud: &'a SharedCloud,
}

impl Disorder<'_> {
    /// Before a receive: the messages that are next go behind the others.
    pub(super) fn before(&self, queue: &str) {
        if self.faults.befalls_message(Fault::Reordered) {
            let count = 1 + self.faults.pick(MISPLACED_MAX);
            self.happen(Fault::Reordered, |cloud, _| {
                cloud.sqs.misplace(queue, count)
            });
        }
    }

    /// After a receive: what it brought may be delivered again.
    pub(super) fn after(&self, queue: &str, answer: &[u8]) {
        let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
        let messages = answer.get("Messages").and_then(Value::as_array);
        let receipt = |message: &Value| Some(message.get("ReceiptHandle")?.as_str()?.to_owned());
        for receipt_handle in messages.into_iter().flatten().filter_map(receipt) {
            if self.faults.befalls_message(Fault::Duplicated) {
                let delay = self.faults.part_of(SOON);
                self.happen(Fault::Duplicated, |cloud, now| {
                    cloud.sqs.duplicate(now, queue, &receipt_handle, delay)
                });
            }
            if self.faults.befalls_message(Fault::EarlyAgain) {
                let timeout = self.faults.part_of(SOON);
                let hide = Hide {
                    receipt_handle,
                    timeout,
                };
                self.happen(Fault::EarlyAgain, |cloud, now| {
                    cloud.sqs.hide(now, queue, &hide)
                });
            }
        }
    }

    /// Does it and counts it; what cannot be done, for want of a queue or message, did not happen.
    fn happen(&self, fault: Fault, deed: impl FnOnce(&mut Cloud, Time) -> ApiResult<()>) {
        if self.cloud.with(deed).is_ok() {
            self.faults.count(Service::Sqs, fault);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::FaultPlan;
    use super::*;

    fn batch(count: usize) -> Vec<u8> {
        let entries: Vec<_> = (0..count).map(|n| json!({"Id": n.to_string()})).collect();
        json!({"QueueUrl": "http://x/1/q", "Entries": entries})
            .to_string()
            .into()
    }

    #[test]
    fn batch_keeps_what_does_not_fail_and_at_least_one_fails() {
        let faults = Faults::new(FaultPlan::default());
        for size in 1..=10 {
            let split = split_batch(&faults, &batch(size)).unwrap();
            let kept = split.kept.map_or(0, |kept| {
                let kept: Value = serde_json::from_slice(&kept).unwrap();
                kept["Entries"].as_array().unwrap().len()
            });
            assert!(!split.failed.is_empty());
            assert_eq!(kept + split.failed.len(), size);
        }
        assert!(faults.counts()[&(Service::Sqs, Fault::EntriesFailed)] >= 10);
        assert!(split_batch(&faults, b"{}").is_none());
    }

    #[tokio::test]
    async fn failed_entries_stand_beside_those_that_succeeded() {
        let body = json!({"Successful": [{"Id": "0"}], "Failed": []}).to_string();
        let answered = Response::new(body.into());
        let answer = with_failed(Some(answered), &["1".into()]).await.unwrap();
        let bytes = axum::body::to_bytes(answer.into_body(), 9999).await;
        let answer: Value = serde_json::from_slice(&bytes.unwrap()).unwrap();
        assert_eq!(answer["Successful"][0]["Id"], "0");
        assert_eq!(answer["Failed"][0]["Id"], "1");
        assert_eq!(answer["Failed"][0]["SenderFault"], false);
    }

    #[test]
    fn queue_is_named_by_the_end_of_its_url() {
        assert_eq!(queue_of(&batch(0)), "q");
        assert_eq!(queue_of(b"nonsense"), "");
    }
}
