//! The queue on SQS.
//!
//! It translates and bounds calls in time; it must not retry past the SDK or decide anything.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry,
    DeleteMessageBatchRequestEntry, Message as SqsMessage, MessageAttributeValue,
    MessageSystemAttributeName, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
    QueueAttributeName, SendMessageBatchRequestEntry,
};

use crate::aws::{CallError, call_error};
use crate::queue::{
    Attribute, BATCH_MAX, Buried, DELAY_MAX, Entries, EntryError, Message, Outgoing, Queue,
    Visibility,
};

/// How long past its wait a long poll may take before it counts as hung: a small share of 20 s
/// polls are answered only after 25 s, and the SDK has no limit of its own.
const RECEIVE_MARGIN: Duration = Duration::from_secs(10);

/// A call that moves at most a megabyte is lost if it takes longer, the SDK's retries included.
const CALL_LIMIT: Duration = Duration::from_secs(15);

/// A queue on SQS, known to exist.
#[derive(Clone, Debug)]
pub struct Sqs {
    client: Client,
    name: String,
    url: String,
    dead_letter: Option<DeadLetter>,
}

#[derive(Clone, Debug)]
struct DeadLetter {
    url: String,
    max_receive_count: Option<u64>,
}

/// How many messages a queue holds, about; `None`: SQS did not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct QueueCounts {
    /// To be received now.
    pub visible: Option<u64>,
    /// Received, and neither deleted nor visible again.
    pub in_flight: Option<u64>,
    /// Not to be received yet.
    pub delayed: Option<u64>,
}

impl Sqs {
    /// Finds a queue by name or URL, and its dead-letter queue, if it has one.
    pub async fn find(client: Client, name_or_url: &str) -> Result<Self, CallError> {
        let (name, url) = if name_or_url.contains("://") {
            let name = name_or_url.rsplit('/').next().unwrap_or(name_or_url);
            (name.to_owned(), name_or_url.to_owned())
        } else {
            let url = url_of(&client, name_or_url).await?;
            (name_or_url.to_owned(), url)
        };
        let dead_letter = dead_letter(&client, &name, &url).await?;
        Ok(Self {
            client,
            name,
            url,
            dead_letter,
        })
    }

    /// Whether failed messages have somewhere to go.
    pub fn has_dead_letter_queue(&self) -> bool {
        self.dead_letter.is_some()
    }

    /// The dead-letter queue.
    pub async fn dead_letter_queue(&self) -> Result<Option<Self>, CallError> {
        match &self.dead_letter {
            Some(dead) => Self::find(self.client.clone(), &dead.url).await.map(Some),
            None => Ok(None),
        }
    }

    /// The queues whose dead-letter queue this is (SQS API Reference, `ListDeadLetterSourceQueues`).
    pub async fn sources(&self) -> Result<Vec<Self>, CallError> {
        let mut pages = self
            .client
            .list_dead_letter_source_queues()
            .queue_url(&self.url)
            .into_paginator()
            .send();
        let mut sources = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page
                .map_err(|error| call_error("ListDeadLetterSourceQueues", &self.thing(), &error))?;
            for url in page.queue_urls {
                sources.push(Self::find(self.client.clone(), &url).await?);
            }
        }
        Ok(sources)
    }

    /// How many messages there are, about (SQS API Reference, `GetQueueAttributes`).
    pub async fn counts(&self) -> Result<QueueCounts, CallError> {
        let answer = self
            .client
            .get_queue_attributes()
            .queue_url(&self.url)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesDelayed)
            .send()
            .await
            .map_err(|error| call_error("GetQueueAttributes", &self.thing(), &error))?;
        let attributes = answer.attributes.unwrap_or_default();
        let count = |name| attributes.get(&name).and_then(|text| text.parse().ok());
        Ok(QueueCounts {
            visible: count(QueueAttributeName::ApproximateNumberOfMessages),
            in_flight: count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
            delayed: count(QueueAttributeName::ApproximateNumberOfMessagesDelayed),
        })
    }

    /// How often SQS delivers a message before it moves it to the dead-letter queue itself, without
    /// a reason.
    pub fn max_receive_count(&self) -> Option<u64> {
        self.dead_letter.as_ref()?.max_receive_count
    }

    /// Awaits a call for so long; in a box, as the SDK's futures have many kilobytes.
    async fn bounded<T>(
        &self,
        operation: &str,
        limit: Duration,
        call: Pin<Box<impl Future<Output = Result<T, CallError>>>>,
    ) -> Result<T, CallError> {
        tokio::time::timeout(limit, call).await.unwrap_or_else(|_| {
            Err(CallError::Unavailable {
                what: format!(
                    "{operation} on queue {}: no answer in {} s",
                    self.name,
                    limit.as_secs()
                ),
            })
        })
    }

    fn thing(&self) -> String {
        format!("queue {}", self.name)
    }
}

#[async_trait]
impl Queue for Sqs {
    fn name(&self) -> &str {
        &self.name
    }

    async fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Message>, CallError> {
        let call = Box::pin(async {
            self.client
                .receive_message()
                .queue_url(&self.url)
                .max_number_of_messages(max.clamp(1, BATCH_MAX).try_into().unwrap_or(1))
                .wait_time_seconds(seconds(wait))
                .visibility_timeout(seconds(visibility))
                .message_attribute_names("All")
                .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
                .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
                .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId)
                .message_system_attribute_names(MessageSystemAttributeName::AwsTraceHeader)
                .message_system_attribute_names(
                    MessageSystemAttributeName::DeadLetterQueueSourceArn,
                )
                .send()
                .await
                .map_err(|error| call_error("ReceiveMessage", &self.thing(), &error))
        });
        let answer = self
            .bounded("ReceiveMessage", wait + RECEIVE_MARGIN, call)
            .await?;
        Ok(answer
            .messages
            .unwrap_or_default()
            .into_iter()
            .filter_map(message)
            .collect())
    }

    async fn delete(&self, receipts: &[String]) -> Result<Entries<()>, CallError> {
        let entries = receipts.iter().enumerate().map(|(index, receipt)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(receipt)
                .build()
                .expect("invariant: id and handle are set")
        });
        let call = Box::pin(async {
            self.client
                .delete_message_batch()
                .queue_url(&self.url)
                .set_entries(Some(entries.collect()))
                .send()
                .await
                .map_err(|error| call_error("DeleteMessageBatch", &self.thing(), &error))
        });
        let answer = self.bounded("DeleteMessageBatch", CALL_LIMIT, call).await?;
        let done = answer.successful.into_iter().map(|entry| (entry.id, ()));
        Ok(in_order(receipts.len(), done, answer.failed))
    }

    async fn change_visibility(&self, changes: &[Visibility]) -> Result<Entries<()>, CallError> {
        let entries = changes.iter().enumerate().map(|(index, change)| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(&change.receipt)
                .visibility_timeout(seconds(change.hidden_for))
                .build()
                .expect("invariant: id and handle are set")
        });
        let operation = "ChangeMessageVisibilityBatch";
        let call = Box::pin(async {
            self.client
                .change_message_visibility_batch()
                .queue_url(&self.url)
                .set_entries(Some(entries.collect()))
                .send()
                .await
                .map_err(|error| call_error(operation, &self.thing(), &error))
        });
        let answer = self.bounded(operation, CALL_LIMIT, call).await?;
        let done = answer.successful.into_iter().map(|entry| (entry.id, ()));
        Ok(in_order(changes.len(), done, answer.failed))
    }

    async fn send(&self, messages: &[Outgoing]) -> Result<Entries<String>, CallError> {
        let entries = messages.iter().enumerate().map(|(index, message)| {
            SendMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .message_body(&message.body)
                .set_message_attributes(Some(attribute_values(&message.attributes)))
                .set_message_system_attributes(system_attributes(message))
                .set_delay_seconds(delay_seconds(message))
                .set_message_group_id(message.group.clone())
                .set_message_deduplication_id(message.deduplication_id.clone())
                .build()
                .expect("invariant: id and body are set")
        });
        let call = Box::pin(async {
            self.client
                .send_message_batch()
                .queue_url(&self.url)
                .set_entries(Some(entries.collect()))
                .send()
                .await
                .map_err(|error| call_error("SendMessageBatch", &self.thing(), &error))
        });
        let answer = self.bounded("SendMessageBatch", CALL_LIMIT, call).await?;
        let done = answer
            .successful
            .into_iter()
            .map(|entry| (entry.id, entry.message_id));
        Ok(in_order(messages.len(), done, answer.failed))
    }

    async fn bury(&self, message: &Outgoing) -> Result<Buried, CallError> {
        let Some(DeadLetter { url, .. }) = &self.dead_letter else {
            return Ok(Buried::NoDeadLetterQueue);
        };
        let call = Box::pin(async {
            self.client
                .send_message()
                .queue_url(url)
                .message_body(&message.body)
                .set_message_attributes(Some(attribute_values(&message.attributes)))
                .set_message_system_attributes(system_attributes(message))
                .set_message_group_id(message.group.clone())
                .set_message_deduplication_id(message.deduplication_id.clone())
                .send()
                .await
                .map_err(|error| {
                    let thing = format!("the dead-letter queue of {}", self.name);
                    call_error("SendMessage", &thing, &error)
                })
        });
        self.bounded("SendMessage", CALL_LIMIT, call).await?;
        Ok(Buried::Sent)
    }
}

async fn url_of(client: &Client, name: &str) -> Result<String, CallError> {
    let answer = client
        .get_queue_url()
        .queue_name(name)
        .send()
        .await
        .map_err(|error| call_error("GetQueueUrl", &format!("queue {name}"), &error))?;
    answer.queue_url.ok_or_else(|| CallError::Refused {
        what: format!("GetQueueUrl on queue {name}: the answer held no URL"),
    })
}

/// The queue that the redrive policy names. It has the same account and region (SQS Developer
/// Guide, "Dead-letter queues"), so its name is enough to find it.
async fn dead_letter(
    client: &Client,
    name: &str,
    url: &str,
) -> Result<Option<DeadLetter>, CallError> {
    let answer = client
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(QueueAttributeName::RedrivePolicy)
        .send()
        .await
        .map_err(|error| call_error("GetQueueAttributes", &format!("queue {name}"), &error))?;
    let policy = answer
        .attributes
        .and_then(|attributes| attributes.get(&QueueAttributeName::RedrivePolicy).cloned());
    let Some((name, max_receive_count)) = policy.as_deref().and_then(redrive) else {
        return Ok(None);
    };
    Ok(Some(DeadLetter {
        url: url_of(client, &name).await?,
        max_receive_count,
    }))
}

/// The dead-letter queue's name and the receive count of a redrive policy. The count is written as
/// a number or as a text, by who wrote it.
pub(crate) fn redrive(policy: &str) -> Option<(String, Option<u64>)> {
    let policy: serde_json::Value = serde_json::from_str(policy).ok()?;
    let arn = policy.get("deadLetterTargetArn")?.as_str()?;
    let count = policy.get("maxReceiveCount");
    let count = count.and_then(|count| count.as_u64().or_else(|| count.as_str()?.parse().ok()));
    Some((arn.rsplit(':').next()?.to_owned(), count))
}

fn message(raw: SqsMessage) -> Option<Message> {
    let mut system = raw.attributes.unwrap_or_default();
    let number = |name| system.get(&name).and_then(|text| text.parse::<u64>().ok());
    let receive_count = number(MessageSystemAttributeName::ApproximateReceiveCount);
    let sent_at_millis = number(MessageSystemAttributeName::SentTimestamp);
    Some(Message {
        id: raw.message_id?,
        receipt: raw.receipt_handle?,
        body: raw.body.unwrap_or_default(),
        attributes: raw
            .message_attributes
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(name, value)| Some((name, attribute(value)?)))
            .collect(),
        receive_count: receive_count.and_then(|count| count.try_into().ok()),
        sent_at_millis,
        group: system.remove(&MessageSystemAttributeName::MessageGroupId),
        trace_header: system.remove(&MessageSystemAttributeName::AwsTraceHeader),
        came_from: system
            .remove(&MessageSystemAttributeName::DeadLetterQueueSourceArn)
            .and_then(|arn| Some(arn.rsplit(':').next()?.to_owned())),
    })
}

fn attribute(raw: MessageAttributeValue) -> Option<Attribute> {
    let data_type = raw.data_type;
    match (raw.string_value, raw.binary_value) {
        (Some(value), _) => Some(Attribute::Text { data_type, value }),
        (None, Some(blob)) => Some(Attribute::Binary {
            data_type,
            value: blob.into_inner().into(),
        }),
        (None, None) => None,
    }
}

fn attribute_values(
    attributes: &BTreeMap<String, Attribute>,
) -> HashMap<String, MessageAttributeValue> {
    let value = |attribute: &Attribute| {
        let builder = MessageAttributeValue::builder();
        match attribute {
            Attribute::Text { data_type, value } => {
                builder.data_type(data_type).string_value(value)
            }
            Attribute::Binary { data_type, value } => builder
                .data_type(data_type)
                .binary_value(Blob::new(value.to_vec())),
        }
        .build()
        .expect("invariant: the data type is set")
    };
    attributes
        .iter()
        .map(|(name, attribute)| (name.clone(), value(attribute)))
        .collect()
}

fn system_attributes(
    message: &Outgoing,
) -> Option<HashMap<MessageSystemAttributeNameForSends, MessageSystemAttributeValue>> {
    let value = MessageSystemAttributeValue::builder()
        .data_type("String")
        .string_value(message.trace_header.as_ref()?)
        .build()
        .expect("invariant: the data type is set");
    let name = MessageSystemAttributeNameForSends::AwsTraceHeader;
    Some(HashMap::from([(name, value)]))
}

/// A FIFO queue refuses a message's own delay even if it is zero, so a zero is not sent.
fn delay_seconds(message: &Outgoing) -> Option<i32> {
    (!message.delay.is_zero()).then(|| seconds(message.delay.min(DELAY_MAX)))
}

/// Puts a batch's answers back into the order asked. An entry the answer forgot may have gone
/// either way, so it is to be tried again.
fn in_order<T>(
    asked: usize,
    done: impl Iterator<Item = (String, T)>,
    failed: Vec<BatchResultErrorEntry>,
) -> Entries<T> {
    let mut answers: BTreeMap<String, Result<T, EntryError>> =
        done.map(|(id, value)| (id, Ok(value))).collect();
    for entry in failed {
        answers.insert(entry.id.clone(), Err(entry_error(&entry)));
    }
    (0..asked)
        .map(|index| {
            answers.remove(&index.to_string()).unwrap_or_else(|| {
                Err(EntryError::Unavailable {
                    detail: "no answer".into(),
                })
            })
        })
        .collect()
}

fn entry_error(entry: &BatchResultErrorEntry) -> EntryError {
    let message = entry.message.as_deref().unwrap_or_default();
    let detail = format!("{}: {message}", entry.code);
    if is_gone(&entry.code, message) {
        EntryError::Gone { detail }
    } else if entry.sender_fault && !entry.code.contains("Throttl") {
        EntryError::Refused { detail }
    } else {
        EntryError::Unavailable { detail }
    }
}

/// SQS says in several ways that a handle is spent: a code of its own, or `InvalidParameterValue`
/// told apart only by its text.
fn is_gone(code: &str, message: &str) -> bool {
    code.contains("ReceiptHandle")
        || code.ends_with("MessageNotInflight")
        || (code.ends_with("InvalidParameterValue")
            && ["expired", "not available", "does not exist"]
                .iter()
                .any(|words| message.contains(words)))
}

fn seconds(duration: Duration) -> i32 {
    let whole = duration
        .as_secs()
        .saturating_add(u64::from(duration.subsec_nanos() > 0));
    i32::try_from(whole).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(id: &str, code: &str, message: &str) -> BatchResultErrorEntry {
        BatchResultErrorEntry::builder()
            .id(id)
            .code(code)
            .message(message)
            .sender_fault(true)
            .build()
            .unwrap()
    }

    #[test]
    fn answers_come_back_in_the_order_asked_and_forgotten_ones_are_retried() {
        let done = [("2".to_owned(), ()), ("0".to_owned(), ())].into_iter();
        let answers = in_order(4, done, vec![failed("1", "ReceiptHandleIsInvalid", "x")]);
        assert_eq!(answers[0], Ok(()));
        assert!(matches!(answers[1], Err(EntryError::Gone { .. })));
        assert_eq!(answers[2], Ok(()));
        assert!(matches!(answers[3], Err(EntryError::Unavailable { .. })));
    }

    #[test]
    fn spent_handles_are_told_from_other_faults() {
        let gone = |code, message| {
            matches!(
                entry_error(&failed("0", code, message)),
                EntryError::Gone { .. }
            )
        };
        assert!(gone("AWS.SimpleQueueService.MessageNotInflight", ""));
        assert!(gone(
            "InvalidParameterValue",
            "Reason: The receipt handle has expired."
        ));
        assert!(gone(
            "InvalidParameterValue",
            "Message does not exist or is not available for visibility timeout change."
        ));
        assert!(!gone(
            "InvalidParameterValue",
            "VisibilityTimeout must be 0 to 43200."
        ));
        assert!(!gone("InternalError", ""));
    }

    #[test]
    fn part_seconds_round_up() {
        assert_eq!(seconds(Duration::from_millis(1)), 1);
        assert_eq!(seconds(Duration::ZERO), 0);
        assert_eq!(seconds(Duration::MAX), i32::MAX);
    }

    #[test]
    fn reads_the_dead_letter_queue_from_the_redrive_policy() {
        let policy = |count| {
            let arn = "arn:aws:sqs:eu-west-1:000000000000:jobs-dead";
            format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":{count}}}"#)
        };
        let expected = Some(("jobs-dead".to_owned(), Some(20)));
        assert_eq!(redrive(&policy("20")), expected);
        assert_eq!(redrive(&policy("\"20\"")), expected);
        assert_eq!(redrive("nonsense"), None);
    }
}
