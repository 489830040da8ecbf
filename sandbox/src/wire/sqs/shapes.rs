//! The requests and answers of SQS as its JSON protocol has them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize, Serializer};

use crate::cloud::sqs::{
    AttributeContent, AttributeValue, Attributes, BatchOutcome, Outgoing, Settings,
};
use crate::cloud::{ApiError, ApiResult};

/// A request that names a queue and no more.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OnQueue {
    #[serde(default)]
    pub(super) queue_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateQueue {
    #[serde(default)]
    pub(super) queue_name: String,
    #[serde(default)]
    pub(super) attributes: Settings,
    /// The API writes this one in lower case.
    #[serde(default, rename = "tags")]
    pub(super) tags: Settings,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NamedQueue {
    #[serde(default)]
    pub(super) queue_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListQueues {
    #[serde(default)]
    pub(super) queue_name_prefix: String,
    pub(super) max_results: Option<usize>,
    pub(super) next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueueUrl {
    pub(super) queue_url: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueueUrls {
    pub(super) queue_urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetAttributes {
    #[serde(default)]
    pub(super) queue_url: String,
    #[serde(default)]
    pub(super) attribute_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetAttributes {
    #[serde(default)]
    pub(super) queue_url: String,
    #[serde(default)]
    pub(super) attributes: Settings,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetTags {
    #[serde(default)]
    pub(super) queue_url: String,
    #[serde(default)]
    pub(super) tags: Settings,
    #[serde(default)]
    pub(super) tag_keys: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendMessage {
    #[serde(default)]
    pub(super) queue_url: String,
    #[serde(flatten)]
    pub(super) message: NewMessage,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NewMessage {
    #[serde(default)]
    message_body: String,
    delay_seconds: Option<i64>,
    #[serde(default)]
    message_attributes: BTreeMap<String, Attribute>,
    #[serde(default)]
    message_system_attributes: BTreeMap<String, Attribute>,
    message_group_id: Option<String>,
    message_deduplication_id: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Attribute {
    #[serde(default)]
    data_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    string_value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    binary_value: Option<String>,
}

/// A batch: `E` is what each entry holds beside its id.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", bound = "E: Deserialize<'de>")]
pub(super) struct Batch<E> {
    #[serde(default)]
    pub(super) queue_url: String,
    #[serde(default = "Vec::new")]
    pub(super) entries: Vec<Identified<E>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", bound = "E: Deserialize<'de>")]
pub(super) struct Identified<E> {
    #[serde(default)]
    pub(super) id: String,
    #[serde(flatten)]
    pub(super) entry: E,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SentMessage {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    pub(super) message_id: String,
    #[serde(rename = "MD5OfMessageBody")]
    pub(super) md5_of_body: String,
    #[serde(
        rename = "MD5OfMessageAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) md5_of_attributes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sequence_number: Option<String>,
}

/// `ReceiveRequestAttemptId` is accepted without effect: a receive that is repeated is a new one.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Receive {
    #[serde(default)]
    pub(super) queue_url: String,
    pub(super) max_number_of_messages: Option<i64>,
    pub(super) visibility_timeout: Option<i64>,
    pub(super) wait_time_seconds: Option<i64>,
    /// The older name of the next.
    #[serde(default)]
    pub(super) attribute_names: Vec<String>,
    #[serde(default)]
    pub(super) message_system_attribute_names: Vec<String>,
    #[serde(default)]
    pub(super) message_attribute_names: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceivedMessages {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) messages: Vec<ReceivedMessage>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceivedMessage {
    #[serde(serialize_with = "text")]
    pub(super) message_id: Arc<str>,
    pub(super) receipt_handle: String,
    #[serde(rename = "MD5OfBody", serialize_with = "text")]
    pub(super) md5_of_body: Arc<str>,
    #[serde(serialize_with = "text")]
    pub(super) body: Arc<str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) attributes: BTreeMap<&'static str, String>,
    #[serde(
        rename = "MD5OfMessageAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) md5_of_attributes: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) message_attributes: BTreeMap<String, Attribute>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Delete {
    #[serde(default)]
    pub(super) queue_url: String,
    #[serde(default)]
    pub(super) receipt_handle: String,
}

/// A batch's entry of `DeleteMessageBatch`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteEntry {
    #[serde(default)]
    pub(super) receipt_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangeVisibility {
    #[serde(default)]
    pub(super) queue_url: String,
    #[serde(flatten)]
    pub(super) change: ChangeEntry,
}

/// What `ChangeMessageVisibility` changes, by itself or in a batch.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangeEntry {
    #[serde(default)]
    pub(super) receipt_handle: String,
    pub(super) visibility_timeout: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchAnswer<S> {
    successful: Vec<S>,
    failed: Vec<FailedEntry>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct FailedEntry {
    id: String,
    sender_fault: bool,
    code: String,
    message: String,
}

/// An entry that succeeded without more to say.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Done {
    pub(super) id: String,
}

impl NewMessage {
    pub(super) fn into_outgoing(self) -> ApiResult<Outgoing> {
        let attributes: ApiResult<Attributes> = self
            .message_attributes
            .into_iter()
            .map(|(name, value)| Ok((name, value.into_value()?)))
            .collect();
        let trace_header = self
            .message_system_attributes
            .into_iter()
            .find(|(name, _)| name == "AWSTraceHeader")
            .and_then(|(_, value)| value.string_value);
        Ok(Outgoing {
            body: self.message_body,
            delay: self
                .delay_seconds
                .map(|s| seconds("DelaySeconds", s, 900))
                .transpose()?,
            attributes: attributes?,
            trace_header,
            group_id: self.message_group_id,
            deduplication_id: self.message_deduplication_id,
        })
    }
}

impl Attribute {
    fn into_value(self) -> ApiResult<AttributeValue> {
        let content = match (self.string_value, self.binary_value) {
            (Some(text), None) => AttributeContent::Text(text),
            (None, Some(base64)) => {
                let bytes = STANDARD.decode(base64);
                let bytes =
                    bytes.map_err(|error| ApiError::new("SerializationException", error))?;
                AttributeContent::Binary(bytes)
            }
            _ => {
                return Err(ApiError::new(
                    "InvalidParameterValue",
                    "A message attribute needs either a StringValue or a BinaryValue.",
                ));
            }
        };
        Ok(AttributeValue {
            data_type: self.data_type,
            content,
        })
    }
}

impl From<&AttributeValue> for Attribute {
    fn from(value: &AttributeValue) -> Self {
        let (string_value, binary_value) = match &value.content {
            AttributeContent::Text(text) => (Some(text.clone()), None),
            AttributeContent::Binary(bytes) => (None, Some(STANDARD.encode(bytes))),
        };
        Self {
            data_type: value.data_type.clone(),
            string_value,
            binary_value,
        }
    }
}

impl<S> BatchAnswer<S> {
    pub(super) fn new<T>(outcomes: Vec<BatchOutcome<T>>, success: impl Fn(String, T) -> S) -> Self {
        let mut answer = Self {
            successful: Vec::new(),
            failed: Vec::new(),
        };
        for BatchOutcome { id, result } in outcomes {
            match result {
                Ok(value) => answer.successful.push(success(id, value)),
                Err(error) => answer.failed.push(FailedEntry {
                    id,
                    sender_fault: true,
                    code: super::error::query_code(error.code),
                    message: error.message,
                }),
            }
        }
        answer
    }
}

/// Seconds from 0 to `max`.
pub(super) fn seconds(name: &str, value: i64, max: u64) -> ApiResult<Duration> {
    let seconds = u64::try_from(value).ok().filter(|seconds| *seconds <= max);
    seconds.map(Duration::from_secs).ok_or_else(|| {
        ApiError::invalid_parameter(
            name,
            value,
            &format!("Must be between 0 and {max}, if provided."),
        )
    })
}

fn text<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}
